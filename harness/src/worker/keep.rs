//! The files that a finished cell leaves behind, but for its status.

use anyhow::Result;
use candle_core::{DType, Tensor};

use super::run::Run;
use super::subject::Subject;
use crate::results::{MetricRow, write_atomically};

/// Rows of the final draws that are kept.
const KEPT_DRAWS: usize = 2000;

impl Run<'_> {
    /// Writes parameters, draws and metrics, and returns how many rows the metrics have; the status follows when all of
    /// them are on disk.
    pub(super) fn write(&self, subject: &dyn Subject) -> Result<u64> {
        let params = &self.trainer.params;
        let named: Vec<(&str, Tensor)> = self
            .layout
            .slices()
            .iter()
            .map(|slice| {
                let values = params.narrow(0, slice.offset, slice.len())?.reshape(slice.shape.as_slice())?;
                Ok((slice.name.as_str(), values))
            })
            .collect::<Result<_>>()?;
        write_atomically(&self.folder.params(), &safetensors::serialize(named, None)?)?;
        let n = self.cell.eval.final_draws.min(KEPT_DRAWS);
        if let Some(draws) = subject.draws(self, n)? {
            let mut csv = csv::Writer::from_writer(Vec::new());
            csv.write_record((0..self.target.uncounted().dim()).map(|index| format!("x{index}")))?;
            for row in draws.to_dtype(DType::F64)?.to_vec2::<f64>()? {
                csv.serialize(row)?;
            }
            write_atomically(&self.folder.draws(), &csv.into_inner()?)?;
        }
        if let Some(chains) = subject.kept_chains() {
            write_atomically(&self.folder.chains(), &serde_json::to_vec(&chains)?)?;
        }
        write_atomically(&self.folder.metrics(), &MetricRow::to_csv(&self.record.metrics)?)?;
        Ok(self.record.metrics.len() as u64)
    }
}
