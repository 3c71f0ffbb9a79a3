//! Euler and leapfrog on the harmonic oscillator H = q²/2 + p²/2: trajectories and energies at three step sizes.
//!
//! After figure 1 of Neal 2011 ("MCMC using Hamiltonian dynamics", arXiv 1206.1901). What theory says: explicit Euler
//! multiplies H by 1 + ε² each step; symplectic Euler and leapfrog stay on an ellipse for ε < 2 (Hairer, Lubich & Wanner
//! 2006, sections I.1.2 and IX.3).

use std::convert::Infallible;
use std::path::Path;

use anyhow::{Context, Result};
use flow_kernels::integrator::{Scheme, System, integrate};
use plotters::prelude::*;

use crate::canvas::{self, BLUE, GREEN, ORANGE, Sheet};

const SCHEMES: [(&str, &str); 3] =
    [("explicit-euler", "explicit\nEuler"), ("symplectic-euler", "symplectic\nEuler"), ("leapfrog", "leapfrog")];
const STEP_SIZES: [f64; 3] = [0.3, 0.8, 1.5];
/// Time that is integrated.
const TIME: f64 = 30.0;
const SIDE: u32 = 200;
const EXTENT: f64 = 2.5;
/// Where the axis of energies ends.
const TOP: f64 = 2.1;

pub fn draw(_: &Path, file: &Path) -> Result<()> {
    let mut rows: Vec<&str> = SCHEMES.iter().map(|(_, title)| *title).collect();
    rows.push("energy H\nover time");
    let columns = STEP_SIZES.map(|step| format!("ε = {step}"));
    let sheet = Sheet::new(file, &rows, &columns, (SIDE, SIDE), 76)?;
    for (column, h) in STEP_SIZES.into_iter().enumerate() {
        let mut energies = Vec::new();
        for (row, (name, _)) in SCHEMES.iter().enumerate() {
            let way = trajectory(Scheme::named(name).with_context(|| format!("no scheme {name}"))?, h);
            portrait(&sheet, row, column, &way)?;
            let energy: Vec<f64> = way.iter().map(|(q, p)| (q * q + p * p) / 2.0).collect();
            let (low, high) = energy.iter().fold((f64::INFINITY, 0.0f64), |(a, b), e| (a.min(*e), b.max(*e)));
            let high = if high < 100.0 { format!("{high:.3}") } else { format!("{high:.1e}") };
            sheet.note(row, column, &format!("H from {low:.3} to {high}"))?;
            println!("{name}, ε = {h}: H starts at {:.3}, lowest {low:.4}, highest {high}", energy[0]);
            energies.push(energy.into_iter().enumerate().map(|(i, e)| (i as f64 * h, e)).collect::<Vec<_>>());
        }
        over_time(&sheet, column, &energies)?;
    }
    sheet.finish()
}

/// From q = 0, p = 1.
fn trajectory(scheme: &Scheme, h: f64) -> Vec<(f64, f64)> {
    let mut state = (0.0, 1.0);
    let mut way = vec![state];
    for _ in 0..(TIME / h) as usize {
        let Ok(()) = integrate(scheme, &Oscillator, &mut state, h, 1);
        way.push(state);
    }
    way
}

/// The exact circle, and the steps until they leave the panel.
fn portrait(sheet: &Sheet<'_>, row: usize, column: usize, way: &[(f64, f64)]) -> Result<()> {
    let mut plane = canvas::square(&sheet.panel(row, column), EXTENT)?;
    canvas::ring(&mut plane, 1.0, 0.35)?;
    let inside: Vec<_> = way.iter().copied().take_while(|at| canvas::within(*at, EXTENT)).collect();
    plane.draw_series(LineSeries::new(inside.iter().copied(), BLUE.mix(0.5)))?;
    plane.draw_series(inside.iter().map(|at| Circle::new(*at, 2, BLUE.filled())))?;
    Ok(())
}

fn over_time(sheet: &Sheet<'_>, column: usize, energies: &[Vec<(f64, f64)>]) -> Result<()> {
    let panel = sheet.panel(SCHEMES.len(), column);
    let mut chart =
        ChartBuilder::on(&panel).x_label_area_size(22).y_label_area_size(30).build_cartesian_2d(0.0..TIME, 0.0..TOP)?;
    chart.configure_mesh().disable_mesh().x_labels(4).y_labels(5).label_style(("sans-serif", 10)).draw()?;
    for ((energy, colour), (_, title)) in energies.iter().zip([ORANGE, GREEN, BLUE]).zip(SCHEMES) {
        let shown: Vec<_> = energy.iter().copied().take_while(|(_, e)| *e <= TOP).collect();
        canvas::curve(&mut chart, shown, &title.replace('\n', " "), colour)?;
    }
    if column == 0 {
        canvas::legend(&mut chart)?;
    }
    Ok(())
}

/// One particle in H = q²/2 + p²/2.
struct Oscillator;

impl System for Oscillator {
    type State = (f64, f64);
    type Field = (f64, f64);
    type Error = Infallible;

    fn kick(&self, (q, p): &mut (f64, f64), h: f64) -> Result<(), Infallible> {
        *p -= h * *q;
        Ok(())
    }

    fn drift(&self, (q, p): &mut (f64, f64), h: f64) -> Result<(), Infallible> {
        *q += h * *p;
        Ok(())
    }

    fn field(&self, &(q, p): &(f64, f64)) -> Result<(f64, f64), Infallible> {
        Ok((p, -q))
    }

    fn advance(&self, (q, p): &mut (f64, f64), h: f64, field: &(f64, f64)) -> Result<(), Infallible> {
        *q += h * field.0;
        *p += h * field.1;
        Ok(())
    }

    fn settled(&self, before: &(f64, f64), after: &(f64, f64)) -> Result<bool, Infallible> {
        Ok((before.0 - after.0).abs().max((before.1 - after.1).abs()) < 1e-15)
    }
}
