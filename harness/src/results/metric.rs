//! One row of metrics.csv: a metric of a cell at a step.

use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// A metric in tidy form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricRow {
    /// Which cell.
    pub cell_id: String,
    /// Training step.
    pub step: u64,
    /// Seconds since the cell began to train.
    pub wall_s: f64,
    /// Target evaluations of the training so far.
    pub target_evals: u64,
    /// Name, with its unit where it has one.
    pub metric: String,
    /// Missing where it is not finite.
    pub value: Option<f64>,
    /// Standard error, where there is one.
    pub se: Option<f64>,
    /// Number of draws behind it.
    pub n: Option<u64>,
}

impl MetricRow {
    /// Reads a file of them; an error names file and line.
    pub fn read(path: &Path) -> Result<Vec<Self>> {
        let text = std::fs::read(path).with_context(|| path.display().to_string())?;
        // A number that was cut short is a number, too.
        anyhow::ensure!(text.ends_with(b"\n"), "{}: damaged: its last line is not complete", path.display());
        let rows: csv::Result<Vec<Self>> = csv::Reader::from_reader(text.as_slice()).deserialize().collect();
        rows.with_context(|| format!("{}: damaged", path.display()))
    }

    /// The text of a file of them.
    pub fn to_csv(rows: &[Self]) -> Result<Vec<u8>> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        if rows.is_empty() {
            writer.write_record(["cell_id", "step", "wall_s", "target_evals", "metric", "value", "se", "n"])?;
        }
        for row in rows {
            writer.serialize(row)?;
        }
        Ok(writer.into_inner()?)
    }
}
