//! The Gaussian that training fails on: final draws, losses, gradients; with a mistake of published code, with all, with none.

use std::path::Path;

use anyhow::{Context, Result};
use harness::results::MetricRow;
use plotters::prelude::*;

use crate::canvas::{self, BLUE, GREEN, ORANGE, Sheet};
use crate::trained::{self, Trained};

const SIZE: (u32, u32) = (260, 220);
const EXTENT: f64 = 5.0;
/// Draws that are shown.
const DRAWS: usize = 1000;
/// Axis of gaps in nats, without their sign, and of gradient norms.
const DECADES: (f64, f64) = (1e-5, 1e7);
const GAPS: [(&str, &str, RGBColor); 2] =
    [("eubo_nats", "EUBO − log Z, the right loss", BLUE), ("elbo_nats", "log Z − ELBO", ORANGE)];
const NORMS: [(&str, &str, RGBColor); 3] = [
    ("grad_norm_max.encoder", "encoder", ORANGE),
    ("grad_norm_max.potential", "U", BLUE),
    ("grad_norm_max.kinetic", "K", GREEN),
];

pub fn draw(results: &Path, file: &Path) -> Result<()> {
    let cells = trained::run("failure", results)?;
    let titles = cells.iter().map(title).collect::<Result<Vec<_>>>()?;
    let rows = ["final draws", "gaps in nats\nover steps", "gradient\nnorms"];
    let sheet = Sheet::new(file, &rows, &titles, SIZE, 90)?;
    for (column, trained) in cells.iter().enumerate() {
        let figures = &trained.outcome.figures;
        let steps = figures.train_steps.unwrap_or_default();
        let inside = scatter(&sheet, column, trained)?;
        let status = trained.outcome.status.name();
        sheet.note(0, column, &format!("{status} at step {steps}; {inside} of {DRAWS} draws in the frame"))?;
        let metrics = MetricRow::read(&trained.folder.metrics())?;
        let log_z = trained.target().known().log_z.context("log Z of a Gaussian is known")?;
        let gaps = GAPS
            .map(|(metric, label, colour)| (label, colour, series(&metrics, metric, |value| (value - log_z).abs())));
        over_steps(&sheet, (1, column), trained.cell.train.steps, &gaps)?;
        let norms = NORMS.map(|(metric, label, colour)| (label, colour, series(&metrics, metric, |value| value)));
        over_steps(&sheet, (2, column), trained.cell.train.steps, &norms)?;
    }
    sheet.finish()
}

fn title(trained: &Trained) -> Result<String> {
    let mistakes: Vec<String> = trained.flow_param("mistakes")?;
    Ok(match &mistakes[..] {
        [] => "no mistake".into(),
        [one] => one.replace('-', " "),
        _ => "all six mistakes".into(),
    })
}

/// Final draws over the circles of one, two and three standard deviations; how many of them lie in the panel.
fn scatter(sheet: &Sheet<'_>, column: usize, trained: &Trained) -> Result<usize> {
    let (width, height) = SIZE;
    let panel = sheet.panel(0, column).shrink((((width - height) / 2) as i32, 0), (height, height));
    let mut plane = canvas::square(&panel, EXTENT)?;
    for radius in 1..=3 {
        canvas::ring(&mut plane, f64::from(radius), 0.5)?;
    }
    let draws =
        trained.flow.sample(&trained.params, 1, DRAWS)?.x.to_dtype(candle_core::DType::F64)?.to_vec2::<f64>()?;
    let inside = draws.iter().map(|row| (row[0], row[1])).filter(|at| canvas::within(*at, EXTENT));
    let shown: Vec<_> = inside.map(|at| Circle::new(at, 1, BLUE.mix(0.6).filled())).collect();
    let n = shown.len();
    plane.draw_series(shown)?;
    Ok(n)
}

fn series(metrics: &[MetricRow], name: &str, value: impl Fn(f64) -> f64) -> Vec<(f64, f64)> {
    let rows = metrics.iter().filter(|row| row.metric == name);
    rows.filter_map(|row| Some((row.step as f64, value(row.value?)))).collect()
}

/// Label, colour, points.
type Curve<'a> = (&'a str, RGBColor, Vec<(f64, f64)>);

/// Positive values on a logarithmic axis; what lies outside is drawn at its edge.
fn over_steps(sheet: &Sheet<'_>, (row, column): (usize, usize), steps: u64, curves: &[Curve<'_>]) -> Result<()> {
    let (low, high) = DECADES;
    let panel = sheet.panel(row, column);
    let mut chart = ChartBuilder::on(&panel)
        .x_label_area_size(20)
        .y_label_area_size(40)
        .build_cartesian_2d(0.0..steps as f64, (low..high).log_scale())?;
    let power = |value: &f64| format!("1e{}", value.log10().round());
    chart
        .configure_mesh()
        .disable_mesh()
        .x_labels(5)
        .x_label_formatter(&|step| format!("{step:.0}"))
        .y_labels(6)
        .y_label_formatter(&power)
        .label_style(("sans-serif", 10))
        .draw()?;
    for (label, colour, points) in curves {
        let shown = points.iter().map(|(step, value)| (*step, value.clamp(low, high)));
        canvas::curve(&mut chart, shown, label, *colour)?;
    }
    canvas::legend(&mut chart)
}
