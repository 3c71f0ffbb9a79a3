//! A training in mid-flight, on disk: enough to go on with the same bits.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::adam::Adam;
use super::{Counts, Jump, Trainer, Window};
use crate::cell::Train;
use crate::results::{MetricRow, write_atomically};

/// Everything that a resumed worker needs.
pub struct Checkpoint {
    /// The training.
    pub trainer: Trainer,
    /// What the worker recorded so far.
    pub record: Record,
}

/// Measurements taken before the checkpoint.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Record {
    /// Rows of metrics.csv.
    pub metrics: Vec<MetricRow>,
    /// Norm of every finite gradient, in order.
    pub grad_norms: Vec<f64>,
    /// Norms by group since the last evaluation.
    pub window: Window,
    /// Steps of a sampler's training since the last evaluation.
    pub jumps: Vec<Jump>,
    /// Target evaluations counted.
    pub target_evals: u64,
    /// Seconds of training and evaluation.
    pub train_s: f64,
    /// Seconds of set-up, of the first start.
    pub setup_s: f64,
}

#[derive(Serialize, Deserialize)]
struct Header {
    cell_id: String,
    step: u64,
    updates: u64,
    counts: Counts,
    record: Record,
}

impl Checkpoint {
    /// Writes it, whole or not at all.
    pub fn write(path: &Path, cell_id: &str, trainer: &Trainer, record: &Record) -> Result<()> {
        let header = Header {
            cell_id: cell_id.into(),
            step: trainer.step,
            updates: trainer.adam.updates,
            counts: trainer.counts,
            record: record.clone(),
        };
        let mut tensors = vec![("params", &trainer.params), ("adam.moments", &trainer.adam.moments)];
        tensors.extend(trainer.chains.iter().map(|chains| ("chains", chains)));
        let metadata = HashMap::from([("harness".to_owned(), serde_json::to_string(&header)?)]);
        let bytes = safetensors::serialize(tensors, Some(metadata))?;
        write_atomically(path, &bytes)
    }

    /// Reads one of the same cell, onto the device; `None` where there is none.
    pub fn read(path: &Path, cell_id: &str, train: &Train, seed: u64, device: &Device) -> Result<Option<Self>> {
        if !path.exists() {
            return Ok(None);
        }
        let read = || -> Result<Self> {
            let bytes = std::fs::read(path)?;
            let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes)?;
            let text = metadata.metadata().as_ref().and_then(|map| map.get("harness")).context("no header")?;
            let header: Header = serde_json::from_str(text)?;
            if header.cell_id != cell_id {
                bail!("it belongs to cell {}", header.cell_id);
            }
            let mut tensors = candle_core::safetensors::load_buffer(&bytes, device)?;
            let mut take =
                |name: &str| -> Result<Tensor> { tensors.remove(name).with_context(|| format!("no tensor `{name}`")) };
            let adam = Adam { moments: take("adam.moments")?, updates: header.updates };
            let params = take("params")?;
            let chains = tensors.remove("chains");
            let trainer =
                Trainer { train: train.clone(), seed, params, adam, chains, step: header.step, counts: header.counts };
            Ok(Self { trainer, record: header.record })
        };
        read().map(Some).with_context(|| {
            format!("{}: damaged checkpoint; the cell starts again from its first step", path.display())
        })
    }
}
