//! What planar and radial layers can do: 1, 2 and 10 of them, from a Gaussian and from a uniform, on two targets.
//!
//! After figure 1 of Rezende & Mohamed 2015 (arXiv 1505.05770). Deviation: theirs are layers with parameters chosen by hand;
//! these are trained, and of several seeds the one with the best EUBO is shown: what a flow can do, not what it does on average.

use std::path::Path;

use anyhow::{Context, Result};
use flow_sdk::{Base, BaseKind};
use plotters::style::colors::colormaps::ViridisRGB;

use crate::canvas::{self, Sheet};
use crate::density::{self, Square};
use crate::trained::{self, Trained};

const SIDE: u32 = 120;
const EXTENT: f64 = 4.0;
const FLOWS: [&str; 2] = ["planar", "radial"];
const LAYERS: [usize; 3] = [1, 2, 10];
const BASES: [(BaseKind, &str); 2] = [(BaseKind::Gaussian, "Gaussian"), (BaseKind::SoftUniform, "uniform")];

pub fn draw(results: &Path, file: &Path) -> Result<()> {
    let cells = trained::run("layers", results)?;
    let mut targets: Vec<&str> = cells.iter().map(|trained| trained.cell.target.name.as_str()).collect();
    targets.sort_unstable();
    targets.dedup();
    let rows: Vec<_> = targets.iter().flat_map(|target| BASES.map(|(base, name)| (*target, base, name))).collect();
    let titles: Vec<String> = rows.iter().map(|(target, _, name)| format!("{name}\nto {target}")).collect();
    let flows: Vec<_> = FLOWS.iter().flat_map(|flow| LAYERS.map(|layers| (*flow, layers))).collect();
    let mut columns = vec!["base".to_owned()];
    columns.extend(flows.iter().map(|(flow, layers)| format!("{flow}, K = {layers}")));
    columns.push("target".into());
    let sheet = Sheet::new(file, &titles, &columns, (SIDE, SIDE), 76)?;
    let square = Square { extent: EXTENT, side: SIDE as usize };
    for (row, (target, base, _)) in rows.iter().enumerate() {
        let of_row: Vec<&Trained> = cells
            .iter()
            .filter(|trained| trained.cell.target.name == *target)
            .filter(|trained| trained.flow_param::<BaseKind>("base").is_ok_and(|kind| kind == *base))
            .collect();
        let first = of_row.first().with_context(|| format!("no cell on {target} from {base:?}"))?;
        let truth = density::of_target(first.target(), square)?;
        let scale = (0.0, truth.iter().copied().fold(0.0, f64::max));
        let start = Base::new(*base, first.flow_param("base_width")?, first.flow_param("base_softness")?);
        canvas::heat(&sheet.panel(row, 0), &density::of_base(&start, square)?, scale, &ViridisRGB)?;
        for (column, (flow, layers)) in flows.iter().enumerate() {
            let best = best(&of_row, flow, *layers).with_context(|| format!("no {flow} with {layers} layers"))?;
            canvas::heat(&sheet.panel(row, column + 1), &density::of_flow(best, square)?, scale, &ViridisRGB)?;
            let kl = best.forward_kl().with_context(|| format!("{flow}: no EUBO"))?;
            sheet.note(row, column + 1, &format!("KL {kl:.3}"))?;
        }
        canvas::heat(&sheet.panel(row, flows.len() + 1), &truth, scale, &ViridisRGB)?;
    }
    sheet.finish()
}

/// The seed with the lowest EUBO.
fn best<'a>(cells: &[&'a Trained], flow: &str, layers: usize) -> Option<&'a Trained> {
    let is_it = |trained: &&&'a Trained| {
        trained.cell.flow.name == flow && trained.flow_param::<usize>("layers").is_ok_and(|n| n == layers)
    };
    let rank = |trained: &&'a Trained| trained.forward_kl().unwrap_or(f64::INFINITY);
    cells.iter().filter(is_it).copied().min_by(|a, b| rank(a).total_cmp(&rank(b)))
}
