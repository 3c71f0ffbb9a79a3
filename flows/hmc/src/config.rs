//! Parameters of Hamiltonian Monte Carlo as they stand in a sweep.

use flow_sdk::Tune;
use flow_sdk::kernels::integrator::SCHEMES;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

/// Parameters of Hamiltonian Monte Carlo.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Integration scheme, one that preserves volume.
    #[schemars(schema_with = "volume_preserving")]
    pub integrator: String,
    /// Integration steps L of a trajectory.
    #[schemars(range(min = 1, max = 4096))]
    pub n_steps: usize,
    /// Step size ε: the first one where it is tuned.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub step_size: f64,
    /// A trajectory's step size is uniform within this share of ε.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1))]
    pub jitter: f64,
    /// What the warm-up tunes: scales are the roots of the inverse of a diagonal mass matrix.
    pub tune: Tune,
    /// Mean acceptance probability that a tuned step size aims at.
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub target_acceptance: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            integrator: "leapfrog".into(),
            n_steps: 10,
            step_size: 0.1,
            jitter: 0.2,
            tune: Tune::All,
            target_acceptance: 0.8,
        }
    }
}

/// The schemes that Metropolis' test is right for as it stands; the others would owe it the log-det of their Jacobian.
fn volume_preserving(_: &mut SchemaGenerator) -> Schema {
    let names: Vec<&str> = SCHEMES.iter().filter(|scheme| scheme.volume_preserving).map(|scheme| scheme.name).collect();
    json_schema!({"type": "string", "enum": names})
}
