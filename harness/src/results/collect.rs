//! runs.csv and metrics.csv, rebuilt from the cells: at any time, always the same for the same cells.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};

use super::atomic::{partial, persist};
use super::row::RowWriter;
use super::{CellFolder, Folder, MetricRow, Outcome, Planned, Status};

/// What was collected.
#[derive(Debug)]
pub struct Collected {
    /// Planned cells by status.
    pub counts: BTreeMap<Status, usize>,
    /// Of each status that has one, the first reason in the plan's order, after the cell's identity.
    pub reasons: BTreeMap<Status, String>,
    /// Files that could not be read: each a message with its place and remedy. Their cells appear as `pending`.
    pub damaged: Vec<String>,
}

/// Rebuilds both files by the plan in the folder.
pub fn collect(folder: &Folder) -> Result<Collected> {
    collect_plan(folder, &Planned::read(&folder.plan())?)
}

/// Rebuilds both files, a cell at a time. Cells of earlier plans stay in the folder and out of the files.
pub fn collect_plan(folder: &Folder, plan: &Planned) -> Result<Collected> {
    let mut collected = Collected { counts: BTreeMap::new(), reasons: BTreeMap::new(), damaged: Vec::new() };
    let mut runs = RowWriter::new(partial(folder.root())?, plan, probes(folder, plan))?;
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
        if let Some(detail) = &outcome.detail {
            collected.reasons.entry(outcome.status).or_insert_with(|| format!("{}: {detail}", planned.id));
        }
        runs.write(planned, &outcome)?;
    }
    persist(runs.into_inner()?, &folder.runs())?;
    persist(metrics.into_inner().map_err(|error| error.into_error())?, &folder.metrics())?;
    Ok(collected)
}

/// Names of the figures that the cells' plugins report of themselves. Damage is found when the rows are written.
fn probes(folder: &Folder, plan: &Planned) -> BTreeSet<String> {
    let outcomes = plan.cells.iter().filter_map(|planned| Outcome::read(&folder.cell(&planned.id).status()).ok()?);
    outcomes.flat_map(|outcome| outcome.figures.probes.into_keys()).collect()
}

/// What a cell left behind: its outcome, once it has one, and its metrics, once the outcome is final.
pub fn stored(cell: &CellFolder) -> Result<(Option<Outcome>, Vec<MetricRow>)> {
    let outcome = Outcome::read(&cell.status())?;
    let remedy = || format!("delete the folder {} and run the sweep again", cell.root().display());
    let rows = outcome.as_ref().map(|outcome| metrics_of(cell, outcome).with_context(remedy)).transpose()?;
    Ok((outcome, rows.unwrap_or_default()))
}

/// The metrics of a cell that ended so.
fn metrics_of(cell: &CellFolder, outcome: &Outcome) -> Result<Vec<MetricRow>> {
    let path = cell.metrics();
    let has_some = outcome.status == Status::Ok || outcome.metrics_rows.is_some();
    // A cell that failed may have none.
    let may_have = outcome.status.is_final() && path.exists();
    if !has_some && !may_have {
        return Ok(Vec::new());
    }
    let rows = MetricRow::read(&path)?;
    // A worker that died before it wrote a status counted nothing.
    let expected = outcome.metrics_rows.unwrap_or(rows.len() as u64);
    let found = rows.len() as u64;
    ensure!(found == expected, "{}: damaged: it has {found} rows of {expected}", path.display());
    Ok(rows)
}
