//! runs.csv and metrics.csv, rebuilt from the cells: at any time, always the same for the same cells.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use super::atomic::{partial, persist};
use super::row::RowWriter;
use super::{CellFolder, Folder, MetricRow, Outcome, Planned, Status};

/// What was collected.
#[derive(Debug)]
pub struct Collected {
    /// Planned cells by status.
    pub counts: BTreeMap<Status, usize>,
    /// Files that could not be read: each a message with its place and remedy. Their cells appear as `pending`.
    pub damaged: Vec<String>,
}

/// Rebuilds both files by the plan in the folder.
pub fn collect(folder: &Folder) -> Result<Collected> {
    collect_plan(folder, &Planned::read(&folder.plan())?)
}

/// Rebuilds both files, a cell at a time. Cells of earlier plans stay in the folder and out of the files.
pub fn collect_plan(folder: &Folder, plan: &Planned) -> Result<Collected> {
    let mut collected = Collected { counts: BTreeMap::new(), damaged: Vec::new() };
    let mut runs = RowWriter::new(partial(folder.root())?, plan)?;
    // The header comes even where there are no rows, and once.
    let mut metrics = csv::WriterBuilder::new().has_headers(false).from_writer(partial(folder.root())?);
    metrics.write_record(["cell_id", "step", "wall_s", "target_evals", "metric", "value", "se", "n"])?;
    for planned in &plan.cells {
        let outcome = match stored(&folder.cell(&planned.id)) {
            Ok((outcome, rows)) => {
                for row in rows {
                    metrics.serialize(row)?;
                }
                outcome.unwrap_or_else(|| Outcome { detail: None, ..Outcome::bare(Status::Pending, "") })
            }
            Err(error) => {
                let message = format!("{error:#}");
                collected.damaged.push(message.clone());
                Outcome::bare(Status::Pending, message)
            }
        };
        *collected.counts.entry(outcome.status).or_default() += 1;
        runs.write(planned, &outcome)?;
    }
    persist(runs.into_inner()?, &folder.runs())?;
    persist(metrics.into_inner().map_err(|error| error.into_error())?, &folder.metrics())?;
    Ok(collected)
}

/// What a cell left behind: its outcome, once it has one, and its metrics, once the outcome is final.
pub fn stored(cell: &CellFolder) -> Result<(Option<Outcome>, Vec<MetricRow>)> {
    let outcome = Outcome::read(&cell.status())?;
    let has_metrics = outcome.as_ref().is_some_and(|outcome| {
        // A cell that failed may have none.
        outcome.status == Status::Ok || outcome.status.is_final() && cell.metrics().exists()
    });
    let remedy = || format!("delete the folder {} and run the sweep again", cell.root().display());
    let rows = if has_metrics { MetricRow::read(&cell.metrics()).with_context(remedy)? } else { Vec::new() };
    Ok((outcome, rows))
}
