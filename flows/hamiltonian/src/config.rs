//! Parameters of a Hamiltonian flow as they stand in a sweep.

use flow_sdk::BaseKind;
use phase_space::{ActivationName, IntegratorName, KineticName, Memory, Settings};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Parameters of a Hamiltonian flow.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Number of Hamiltonians T, one after another.
    #[schemars(range(min = 1, max = 256))]
    pub hamiltonians: usize,
    /// All Hamiltonians have the same parameters.
    pub shared: bool,
    /// Integration scheme. Explicit Euler and RK4 do not preserve volume: their log-det is computed, at a price.
    pub integrator: IntegratorName,
    /// Integration steps L for each Hamiltonian.
    #[schemars(range(min = 1, max = 4096))]
    pub n_steps: usize,
    /// Step size h.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub step_size: f64,
    /// Each Hamiltonian learns its step size, from `step_size` on.
    pub learn_step_size: bool,
    /// Hidden widths of the networks U and K.
    #[schemars(length(min = 1), inner(range(min = 1, max = 4096)))]
    pub hidden: Vec<usize>,
    /// Activation function of U and K.
    pub activation: ActivationName,
    /// Kinetic energy: a network, or ½ pᵀM⁻¹p with a learnt diagonal mass.
    pub kinetic: KineticName,
    /// Prior of q and of p.
    pub base: BaseKind,
    /// Width of a soft uniform prior.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub base_width: f64,
    /// Edge sharpness of a soft uniform prior: larger is harder.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub base_softness: f64,
    /// Where a draw's p₀ comes from.
    pub momentum: Momentum,
    /// Hidden widths of the encoder's two networks.
    #[schemars(length(min = 1), inner(range(min = 1, max = 4096)))]
    pub encoder_hidden: Vec<usize>,
    /// Encoder draws in each estimate of log q(x): 1 is the paper's bound, more are tighter and cost as much more.
    #[schemars(range(min = 1, max = 4096))]
    pub importance_samples: usize,
    /// Memory of the reverse pass.
    pub memory: Memory,
}

/// Distribution of the initial momentum p₀.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Momentum {
    /// The prior, independent of q₀: the paper's.
    #[default]
    Prior,
    /// A learnt Gaussian given q₀.
    Conditional,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            hamiltonians: 2,
            shared: false,
            integrator: IntegratorName::default(),
            n_steps: 4,
            step_size: 0.25,
            learn_step_size: false,
            hidden: vec![64, 64],
            activation: ActivationName::default(),
            kinetic: KineticName::default(),
            base: BaseKind::Gaussian,
            base_width: 4.0,
            base_softness: 10.0,
            momentum: Momentum::default(),
            encoder_hidden: vec![64, 64],
            importance_samples: 1,
            memory: Memory::default(),
        }
    }
}

impl Config {
    /// Those of the dynamics.
    pub(crate) fn dynamics(&self) -> Settings {
        Settings {
            hamiltonians: self.hamiltonians,
            shared: self.shared,
            scheme: self.integrator.scheme(),
            n_steps: self.n_steps,
            step_size: self.step_size,
            learn_step_size: self.learn_step_size,
            hidden: self.hidden.clone(),
            activation: self.activation.into(),
            kinetic: self.kinetic,
            memory: self.memory,
        }
    }
}
