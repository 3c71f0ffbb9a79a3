//! plan.json: every cell that a sweep asks for.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::cell::Cell;

/// A sweep's cells, in order, with what it takes to run and to report them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    /// Version of this format and of the CSV's.
    pub schema_version: u32,
    /// Name of the sweep.
    pub name: String,
    /// The cells, in the order of the sweep, which is that of runs.csv.
    pub cells: Vec<PlannedCell>,
}

/// One planned cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedCell {
    /// Identity of the cell.
    pub id: String,
    /// Dimension of its target.
    pub dim: usize,
    /// The plugin's file, when it was planned.
    pub plugin: PathBuf,
    /// The cell.
    pub cell: Cell,
}

impl Planned {
    /// Version of the results format.
    pub const SCHEMA_VERSION: u32 = 1;

    /// Reads plan.json.
    pub fn read(path: &Path) -> Result<Self> {
        let remedy = "run the sweep again, or point at a results folder";
        let text = std::fs::read_to_string(path).with_context(|| format!("{}: no plan; {remedy}", path.display()))?;
        let plan: Self = serde_json::from_str(&text).with_context(|| {
            format!("{}: damaged plan; run the sweep again, finished cells are kept", path.display())
        })?;
        anyhow::ensure!(
            plan.schema_version == Self::SCHEMA_VERSION,
            "{}: results of schema version {}, this harness reads {}",
            path.display(),
            plan.schema_version,
            Self::SCHEMA_VERSION
        );
        Ok(plan)
    }

    /// Its text.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        Ok(serde_json::to_vec_pretty(self)?)
    }
}
