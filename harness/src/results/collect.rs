//! runs.csv and metrics.csv, rebuilt from the cells: at any time, always the same for the same cells.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use super::{Folder, MetricRow, Outcome, Planned, PlannedCell, Row, Status, write_atomically};

/// What was collected.
#[derive(Debug)]
pub struct Collected {
    /// Planned cells by status.
    pub counts: BTreeMap<Status, usize>,
    /// Files that could not be read: each a message with its place and remedy. Their cells appear as `pending`.
    pub damaged: Vec<String>,
}

/// Rebuilds both files. Cells of earlier plans stay in the folder and out of the files.
pub fn collect(folder: &Folder) -> Result<Collected> {
    let plan = Planned::read(&folder.plan())?;
    let mut collected = Collected { counts: BTreeMap::new(), damaged: Vec::new() };
    let mut rows: Vec<(Row, &PlannedCell)> = Vec::with_capacity(plan.cells.len());
    let mut metrics = csv::Writer::from_writer(tempfile::NamedTempFile::new_in(folder.root())?);
    metrics.write_record(["cell_id", "step", "wall_s", "target_evals", "metric", "value", "se", "n"])?;
    for planned in &plan.cells {
        let cell = folder.cell(&planned.id);
        let read = Outcome::read(&cell.status()).and_then(|outcome| {
            let has_metrics = outcome.as_ref().is_some_and(|outcome| outcome.status.is_final()) && cell.metrics().exists();
            let rows = if has_metrics { MetricRow::read(&cell.metrics()).with_context(remedy)? } else { Vec::new() };
            Ok((outcome, rows))
        });
        let outcome = match read {
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
        rows.push((Row::new(&plan.name, planned, &outcome), planned));
    }
    write_atomically(&folder.runs(), &Row::to_csv(&rows)?)?;
    let file = metrics.into_inner().map_err(|error| error.into_error())?;
    file.as_file().sync_all()?;
    file.persist(folder.metrics()).with_context(|| format!("cannot write {}", folder.metrics().display()))?;
    Ok(collected)
}

fn remedy() -> &'static str {
    "delete the cell's folder and run the sweep again"
}
