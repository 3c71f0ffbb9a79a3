//! One cell of a sweep: everything that determines its numbers.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// Version of the measurement protocol: raised by every change to the harness that moves a number.
pub const PROTOCOL: u32 = 3;

/// A cell, resolved: all defaults written out. Equal cells give equal numbers on one machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cell {
    /// [`PROTOCOL`] of the harness that planned it.
    pub protocol: u32,
    /// The flow and its parameters.
    pub flow: Component,
    /// The build of the plugin, by content.
    pub plugin_sha256: String,
    /// The target and its parameters.
    pub target: Component,
    /// How it is trained.
    pub train: Train,
    /// How it is evaluated.
    pub eval: Eval,
    /// How its chains are run, where it is a sampler.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampling: Option<Sampling>,
    /// Seed of every random stream of the cell.
    pub seed: u64,
    /// Element type of parameters and draws.
    pub dtype: Dtype,
    /// Kind of device; which one of several does not change the numbers.
    pub device: DeviceKind,
}

/// Something named, with parameters that its JSON Schema describes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Component {
    /// Name of the flow or target.
    pub name: String,
    /// Parameters, defaults included.
    pub params: Map<String, Value>,
}

/// Training settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Train {
    /// What is maximised.
    pub objective: Objective,
    /// Optimiser steps.
    pub steps: u64,
    /// Draws a step.
    pub batch: usize,
    /// Update rule with its rates.
    pub optimizer: Optimizer,
    /// Factor on the learning rate over the steps.
    pub schedule: Schedule,
    /// Largest gradient norm; longer gradients are scaled down to it. `None`: never.
    pub clip_norm: Option<f64>,
    /// Inverse-temperature annealing; `None`: β = 1 throughout.
    pub anneal: Option<Anneal>,
    /// Settings of the objective `esjd`; none where it is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub esjd: Option<Esjd>,
    /// This many non-finite steps in a row end the training as diverged. Single ones are skipped and counted.
    pub give_up_after: u64,
}

/// Settings of the objective `esjd`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Esjd {
    /// λ², the squared jump at which short and long ones weigh the same.
    pub scale: f64,
    /// Weight of the term for chains that start in the base.
    pub burn_in: f64,
}

/// Training objective.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Objective {
    /// ELBO against the target's density, on draws from the flow.
    ReverseKl,
    /// Maximum likelihood on exact draws from the target.
    Data,
    /// Expected squared jump of a sampler's chains.
    Esjd,
}

impl Objective {
    /// Whether it trains samplers; else flows.
    pub fn is_for_samplers(self) -> bool {
        self == Self::Esjd
    }
}

/// Update rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Optimizer {
    /// Kingma and Ba (2015), algorithm 1.
    Adam {
        /// Learning rate.
        lr: f64,
        /// Decay of the first moment.
        beta1: f64,
        /// Decay of the second moment.
        beta2: f64,
        /// Added to the root of the second moment.
        eps: f64,
    },
    /// Adam with decoupled weight decay: Loshchilov and Hutter (2019), algorithm 2.
    Adamw {
        /// Learning rate.
        lr: f64,
        /// Decay of the first moment.
        beta1: f64,
        /// Decay of the second moment.
        beta2: f64,
        /// Added to the root of the second moment.
        eps: f64,
        /// Decay of the parameters per step, times the learning rate.
        weight_decay: f64,
    },
}

/// Learning-rate schedule: a factor on `lr`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Schedule {
    /// 1 throughout.
    Constant,
    /// Half a cosine from 1 down to `floor` over all steps.
    Cosine {
        /// Factor at the end.
        floor: f64,
    },
    /// `decay` to the power step / `every`.
    Exponential {
        /// Factor per `every` steps.
        decay: f64,
        /// Steps per factor.
        every: u64,
    },
}

/// β(t) = min(1, from + (1 − from)·t/steps).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Anneal {
    /// β at the first step, in (0, 1].
    pub from: f64,
    /// Steps until β = 1.
    pub steps: u64,
}

/// Evaluation settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Eval {
    /// Training steps between evaluations.
    pub every: u64,
    /// Draws of an evaluation during training.
    pub draws: usize,
    /// Draws of the evaluation at the end.
    pub final_draws: usize,
    /// Importance samples K in each estimate of the K-sample bound.
    pub iw_samples: usize,
    /// Whether training and sampling are timed at the end, about a quarter of a second while all other cells stand still.
    pub throughput: bool,
}

/// How the chains of a sampler are run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sampling {
    /// Chains N, all moved at once.
    pub chains: usize,
    /// Where they start, and start again after the warm-up if exactly.
    pub start: Start,
    /// Standard deviation of the Gaussian base, about zero.
    pub base_sd: f64,
    /// Transitions that tune the sampler. They are paid for and not measured.
    pub warm_up: u64,
    /// Transitions T that are measured.
    pub transitions: u64,
    /// Target evaluations a chain, at which the measured transitions end early.
    pub budget: Option<u64>,
    /// Steps K of the path from the base to the target, for the bound on log Z; 0: none.
    pub temperatures: u64,
    /// βₖ = (k/K) to this power.
    pub temperature_power: f64,
    /// Annealed draws behind the bound.
    pub bound_draws: usize,
}

/// Where chains start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// At draws from the Gaussian base.
    Base,
    /// At exact draws from the target.
    Exact,
}

/// Element type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// IEEE single precision.
    F32,
    /// IEEE double precision.
    F64,
}

impl From<Dtype> for candle_core::DType {
    fn from(dtype: Dtype) -> Self {
        match dtype {
            Dtype::F32 => Self::F32,
            Dtype::F64 => Self::F64,
        }
    }
}

/// Kind of device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceKind {
    /// The processor.
    Cpu,
    /// A CUDA device.
    Cuda,
}

impl Cell {
    /// Identity: hash of the canonical form (JSON with sorted keys), 16 hexadecimal digits.
    pub fn id(&self) -> String {
        let canonical = serde_json::to_value(self).expect("a cell has text keys only").to_string();
        Sha256::digest(canonical).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}
