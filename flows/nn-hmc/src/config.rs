//! Parameters of a learnt sampler as they stand in a sweep.

use schemars::JsonSchema;
use serde::Deserialize;

/// Parameters of a learnt sampler.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Augmented leapfrog steps M of a trajectory.
    #[schemars(range(min = 1, max = 1024))]
    pub n_steps: usize,
    /// Step size ε before the training.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub step_size: f64,
    /// Whether ε is trained, through its logarithm.
    pub learn_step_size: bool,
    /// Width of the two hidden layers of either network.
    #[schemars(range(min = 1, max = 4096))]
    pub hidden: usize,
}

impl Default for Config {
    /// The settings of the authors' notebooks.
    fn default() -> Self {
        Self { n_steps: 10, step_size: 0.1, learn_step_size: true, hidden: 10 }
    }
}
