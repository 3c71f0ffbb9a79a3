//! Traces of samplers' chains and their autocorrelations, where a cell kept them.

use anyhow::{Context, Result};
use serde::Serialize;

use super::rounded;
use crate::results::{Folder, KeptChains, Status};
use crate::table::Run;

/// Cells whose chains a page shows: the first of each group of seeds is what a reader looks at.
const MOST_CELLS: usize = 60;

/// Of one cell.
#[derive(Clone, Debug, Serialize)]
pub struct Chain {
    /// Which.
    pub cell: usize,
    /// What it kept.
    #[serde(flatten)]
    pub kept: KeptChains,
}

/// Chains of cells that ended `ok`, those of the lowest seeds first if there are too many.
pub fn chains(folder: &Folder, runs: &[Run]) -> Result<Vec<Chain>> {
    let mut with: Vec<usize> = (0..runs.len())
        .filter(|&cell| runs[cell].status == Status::Ok && runs[cell].row.transitions.is_some())
        .filter(|&cell| folder.cell(&runs[cell].row.cell_id).chains().exists())
        .collect();
    with.sort_by_key(|&cell| (runs[cell].row.seed, cell));
    with.truncate(MOST_CELLS);
    with.sort_unstable();
    with.into_iter()
        .map(|cell| {
            let path = folder.cell(&runs[cell].row.cell_id).chains();
            let text = std::fs::read(&path).with_context(|| path.display().to_string())?;
            let mut kept: KeptChains =
                serde_json::from_slice(&text).with_context(|| format!("{}: damaged", path.display()))?;
            let values = kept.autocorrelation.iter_mut().chain(kept.trace.iter_mut().flatten());
            values.flatten().for_each(|value| *value = rounded(*value));
            Ok(Chain { cell, kept })
        })
        .collect()
}
