//! The outcome of a cell, as status.json holds it.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::SamplerFigures;

/// How a cell ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
#[value(rename_all = "kebab-case")]
pub enum Status {
    /// Trained and evaluated.
    Ok,
    /// Training or result is not finite: a result, and often the one looked for.
    Diverged,
    /// Over its wall-clock limit.
    Timeout,
    /// Over its memory limit.
    Oom,
    /// The worker died.
    Crashed,
    /// The plugin panicked.
    Panicked,
    /// The plugin failed, or its result cannot be.
    PluginError,
    /// The plugin could not be loaded.
    Unloadable,
    /// The combination makes no sense; the detail says why.
    Skipped,
    /// Stopped from outside; the next run goes on with it.
    Interrupted,
    /// Not run yet.
    Pending,
}

impl Status {
    /// Its spelling in files.
    pub fn name(self) -> String {
        serde_json::to_value(self).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// Whether the cell is done: the next run leaves it alone.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Interrupted | Self::Pending)
    }

    /// Whether the run as a whole has failed cells: exit code 20.
    pub fn is_failure(self) -> bool {
        use Status::{Crashed, Oom, Panicked, PluginError, Timeout, Unloadable};
        matches!(self, Timeout | Oom | Crashed | Panicked | PluginError | Unloadable)
    }
}

/// status.json.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// How it ended.
    pub status: Status,
    /// Why, for every status but `ok`; of a sampler that is `ok`, whether its chains moved.
    pub detail: Option<String>,
    /// When its worker started, UTC.
    pub started_utc: Option<String>,
    /// Seconds from the worker's start to its end, pauses for others' timing windows excluded.
    pub wall_s: Option<f64>,
    /// Peak resident memory of the worker.
    pub peak_rss_bytes: Option<u64>,
    /// Model of the CUDA device, where the cell was on one.
    #[serde(default)]
    pub device_name: Option<String>,
    /// Peak of that device's memory in use by the worker.
    #[serde(default)]
    pub peak_device_bytes: Option<u64>,
    /// Threads the worker was given.
    pub threads: Option<usize>,
    /// Cells that ran at the same time; none of them during a timing window.
    pub concurrent_jobs: Option<usize>,
    /// Key into env.json.
    pub environment: Option<String>,
    /// Rows of the cell's metrics.csv, by which a file that was cut at a line's end is known.
    #[serde(default)]
    pub metrics_rows: Option<u64>,
    /// What the worker measured.
    pub figures: Figures,
}

/// Measured values, by their column in runs.csv; missing is `None`, never a stand-in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the columns are documented in the README")]
pub struct Figures {
    pub dim: Option<usize>,
    pub train_steps: Option<u64>,
    pub elbo_nats: Option<f64>,
    pub elbo_se_nats: Option<f64>,
    pub log_z_nats: Option<f64>,
    pub iw_bound_nats: Option<f64>,
    pub reverse_ess: Option<f64>,
    pub eubo_nats: Option<f64>,
    pub forward_ess: Option<f64>,
    pub mode_coverage: Option<f64>,
    pub w2: Option<f64>,
    pub nonfinite_steps: Option<u64>,
    pub skipped_steps: Option<u64>,
    pub grad_norm_p50: Option<f64>,
    pub grad_norm_max: Option<f64>,
    pub train_samples_per_s: Option<f64>,
    pub draws_per_s: Option<f64>,
    pub target_evals: Option<u64>,
    pub setup_s: Option<f64>,
    pub train_s: Option<f64>,
    pub n_params: Option<u64>,
    pub plugin_version: Option<String>,
    /// Of a sampler's chains.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sampler: Option<SamplerFigures>,
    /// The plugin's own figures at the end, those that are finite.
    pub probes: BTreeMap<String, f64>,
}

impl Outcome {
    /// An outcome without measurements.
    pub fn bare(status: Status, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: Some(detail.into()),
            started_utc: None,
            wall_s: None,
            peak_rss_bytes: None,
            device_name: None,
            peak_device_bytes: None,
            threads: None,
            concurrent_jobs: None,
            environment: None,
            metrics_rows: None,
            figures: Figures::default(),
        }
    }

    /// Reads status.json; `None` where there is none.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| path.display().to_string()),
        };
        serde_json::from_str(&text).map(Some).with_context(|| {
            let folder = path.parent().unwrap_or(path).display();
            format!("{}: damaged status file; delete the folder {folder} and run the sweep again", path.display())
        })
    }

    /// Its text.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        Ok(serde_json::to_vec_pretty(self)?)
    }
}
