//! What one learnt Hamiltonian looks like: target | learnt density | K | U | one step | the integrated flow, for three targets.

use std::path::Path;

use anyhow::{Context, Result};
use candle_core::{D, DType, Device, Tensor};
use flow_sdk::{Base, Params, Setup};
use hamiltonian::Hamiltonian;
use phase_space::{Dynamics, Settings};
use plotters::prelude::*;
use plotters::style::colors::colormaps::ViridisRGB;

use crate::canvas::{self, BLUE, INK, ORANGE, Sheet};
use crate::density::{self, SAMPLES, Square};
use crate::trained::{self, Trained};

const SIDE: u32 = 160;
/// Half a side of the square of momenta: four standard deviations of the prior.
const MOMENTUM: f64 = 4.0;
/// Cells a side of a density: a quarter of the pixels, each of which takes 256 trajectories.
const CELLS: usize = SIDE as usize / 2;
/// Arrows a side of "one step".
const ARROWS: usize = 13;
/// Momenta over which an arrow is averaged.
const MOMENTA: usize = 256;
/// Trajectories of "the integrated flow".
const TRAJECTORIES: usize = 120;

pub fn draw(results: &Path, file: &Path) -> Result<()> {
    let cells = trained::run("portraits", results)?;
    let names: Vec<&str> = cells.iter().map(|trained| trained.cell.target.name.as_str()).collect();
    let columns = ["target", "learnt density", "K(p)", "U(q)", "one step", "integrated flow"];
    let sheet = Sheet::new(file, &names, &columns, (SIDE, SIDE), 60)?;
    for (row, trained) in cells.iter().enumerate() {
        densities(&sheet, row, trained)?;
        mechanics(&sheet, row, trained)?;
    }
    sheet.finish()
}

/// Half a side of the square of positions, which has all but a few per cent of the target.
fn extent(trained: &Trained) -> f64 {
    if trained.cell.target.name == "gmm-9" { 8.0 } else { 4.5 }
}

fn densities(sheet: &Sheet<'_>, row: usize, trained: &Trained) -> Result<()> {
    let square = Square { extent: extent(trained), side: CELLS };
    let target = density::of_target(trained.target(), square)?;
    let learnt = density::of_flow(trained, square)?;
    let scale = (0.0, target.iter().copied().fold(0.0, f64::max));
    canvas::heat(&sheet.panel(row, 0), &target, scale, &ViridisRGB)?;
    canvas::heat(&sheet.panel(row, 1), &learnt, scale, &ViridisRGB)?;
    sheet.note(row, 0, &format!("±{}; mass {:.3}", square.extent, square.mass(&target)))?;
    let (mass, low) = (square.mass(&learnt), density::log_low_by(trained)?);
    sheet.note(row, 1, &format!("mass {mass:.3}; log q low by {low:.3}"))?;
    println!(
        "{}: forward KL {:.4} nats by one sample, mass in the square {mass:.4}, log q by {SAMPLES} samples low by {low:.4} nats",
        trained.cell.target.name,
        trained.forward_kl().context("no EUBO")?,
    );
    Ok(())
}

/// The panels that need to look inside the flow.
fn mechanics(sheet: &Sheet<'_>, row: usize, trained: &Trained) -> Result<()> {
    let config = serde_json::from_value(serde_json::Value::Object(trained.cell.flow.params.clone()))?;
    let setup =
        Setup { dim: 2, dtype: trained.params.dtype(), device: Device::Cpu, target: flow_sdk::Target::absent() };
    let flow = <Hamiltonian as flow_sdk::Flow>::new(config, &setup)?;
    let layout = trained.flow.layout();
    let params = Params::new(&trained.params, layout);
    let (potential, kinetic) = flow.dynamics().hamiltonian(0);
    for (column, energy, extent) in [(2, kinetic, MOMENTUM), (3, potential, extent(trained))] {
        let points = Square { extent, side: SIDE as usize }.points(setup.dtype)?;
        let values = energy.value(&params, &points)?.to_dtype(DType::F64)?.to_vec1::<f64>()?;
        let range = values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(*v), b.max(*v)));
        canvas::heat(&sheet.panel(row, column), &values, range, &energies())?;
        sheet.note(row, column, &format!("±{extent}; range {:.2}", range.1 - range.0))?;
    }
    let step = Dynamics::new(Settings { n_steps: 1, ..flow.dynamics().settings().clone() }, 2);
    one_step(sheet, row, &step, &params, extent(trained))?;
    integrated(sheet, row, &step, &params, trained)
}

/// Where q goes in one step in the mean over p ~ N(0, 1), the longest arrow one and a half times the distance of two.
fn one_step(sheet: &Sheet<'_>, row: usize, step: &Dynamics, params: &Params<'_>, extent: f64) -> Result<()> {
    let dtype = params.flat().dtype();
    let from = Square { extent, side: ARROWS }.points(dtype)?;
    let n = ARROWS * ARROWS;
    let q = from.unsqueeze(1)?.broadcast_as((n, MOMENTA, 2))?.contiguous()?.reshape((n * MOMENTA, 2))?;
    let p = Base::Gaussian.draw(1, MOMENTA, 2, dtype, &Device::Cpu)?;
    let p = p.unsqueeze(0)?.broadcast_as((n, MOMENTA, 2))?.contiguous()?.reshape((n * MOMENTA, 2))?;
    let to = step.advance_one(params, 0, &Tensor::cat(&[q, p], 1)?)?.narrow(1, 0, 2)?;
    let to = to.reshape((n, MOMENTA, 2))?.mean(1)?;
    let ways: Vec<_> = pairs(&from)?.into_iter().zip(pairs(&to)?).collect();
    let longest = ways.iter().map(|(from, to)| (to.0 - from.0).hypot(to.1 - from.1)).fold(0.0, f64::max);
    let scale = 1.5 * 2.0 * extent / ARROWS as f64 / longest;
    let mut plane = canvas::square(&sheet.panel(row, 4), extent)?;
    for (from, to) in ways {
        let end = (from.0 + scale * (to.0 - from.0), from.1 + scale * (to.1 - from.1));
        canvas::arrow(&mut plane, from, end, INK)?;
    }
    sheet.note(row, 4, &format!("arrows are {scale:.1} times as long"))
}

/// Ways of draws from the base to where they end.
fn integrated(sheet: &Sheet<'_>, row: usize, step: &Dynamics, params: &Params<'_>, trained: &Trained) -> Result<()> {
    let n_steps: usize = trained.flow_param("n_steps")?;
    let mut state = Base::Gaussian.draw(1, TRAJECTORIES, 4, params.flat().dtype(), &Device::Cpu)?;
    let mut way = vec![pairs(&state)?];
    for _ in 0..n_steps {
        state = step.advance_one(params, 0, &state)?;
        way.push(pairs(&state)?);
    }
    let extent = extent(trained);
    let mut plane = canvas::square(&sheet.panel(row, 5), extent)?;
    for i in 0..TRAJECTORIES {
        let inside = way.iter().map(|at| at[i]).filter(|at| canvas::within(*at, extent));
        plane.draw_series(LineSeries::new(inside, BLUE.mix(0.45)))?;
    }
    let ends = way.last().context("a trajectory has an end")?;
    let ends = ends.iter().filter(|at| canvas::within(**at, extent));
    plane.draw_series(ends.map(|at| Circle::new(*at, 2, ORANGE.filled())))?;
    sheet.note(row, 5, &format!("{TRAJECTORIES} draws, {n_steps} steps"))
}

/// Its first two columns as pairs.
fn pairs(points: &Tensor) -> Result<Vec<(f64, f64)>> {
    let rows = points.narrow(D::Minus1, 0, 2)?.to_dtype(DType::F64)?.to_vec2::<f64>()?;
    Ok(rows.into_iter().map(|row| (row[0], row[1])).collect())
}

/// From low to high energy.
fn energies() -> DerivedColorMap<RGBColor> {
    DerivedColorMap::new(&[RGBColor(8, 48, 107), RGBColor(107, 174, 214), RGBColor(247, 251, 255)])
}
