//! Figures of a sampler, as status.json and runs.csv hold them.

use serde::{Deserialize, Serialize};

use crate::measure::ChainFigures;
use crate::sample::Trace;

/// Measured values, by their column in runs.csv; missing is `None`, never a stand-in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the columns are documented in the README")]
pub struct SamplerFigures {
    pub acceptance: f64,
    pub ess_min: Option<f64>,
    pub ess_per_grad: Option<f64>,
    pub rhat_max: Option<f64>,
    pub ess_bulk_min: Option<f64>,
    pub ess_tail_min: Option<f64>,
    pub ess_per_s: Option<f64>,
    pub levy_ess_per_step: Option<f64>,
    pub levy_ess_per_grad: Option<f64>,
    pub frozen: bool,
    pub frozen_chains: usize,
    pub hopeless_proposals: f64,
    pub squared_jump: f64,
    pub mean_error: Option<f64>,
    pub sd_error: Option<f64>,
    pub log_density_error_nats: Option<f64>,
    pub log_density_error_se_nats: Option<f64>,
    /// N T, for what is derived from it.
    pub draws: usize,
    pub transitions: usize,
    pub sampling_evals: u64,
    pub warm_up_evals: u64,
    pub bound_evals: Option<u64>,
}

impl SamplerFigures {
    /// Of a trace that cost `evaluations`, after a warm-up that cost `warm_up_evals`.
    pub fn new(figures: &ChainFigures, trace: &Trace, evaluations: u64, warm_up_evals: u64) -> Self {
        let draws = trace.accept.len();
        let each = evaluations as f64 / draws as f64;
        Self {
            acceptance: figures.acceptance,
            ess_min: figures.ess,
            ess_per_grad: figures.ess.map(|ess| ess / evaluations as f64),
            rhat_max: figures.rhat,
            ess_bulk_min: figures.ess_bulk,
            ess_tail_min: figures.ess_tail,
            ess_per_s: None,
            levy_ess_per_step: figures.levy_ess,
            levy_ess_per_grad: figures.levy_ess.map(|ess| ess / each),
            frozen: figures.frozen,
            frozen_chains: trace.frozen_chains,
            hopeless_proposals: figures.hopeless,
            squared_jump: figures.jump,
            mean_error: figures.mean_error,
            sd_error: figures.sd_error,
            log_density_error_nats: figures.log_density_error.map(|error| error.value),
            log_density_error_se_nats: figures.log_density_error.map(|error| error.se).filter(|se| se.is_finite()),
            draws,
            transitions: trace.transitions(),
            sampling_evals: evaluations,
            warm_up_evals,
            bound_evals: None,
        }
    }
}
