//! Ill-conditioned Gaussian: independent coordinates whose variances span four decades.
//!
//! varᵢ = 10^{−2 + 4i/(d−1)}, i = 0 … d−1, mean zero; the density is that of [`crate::gaussian::Diagonal`].
//! Source: Levy, Hoffman and Sohl-Dickstein, "Generalizing Hamiltonian Monte Carlo with Neural Networks" (2018),
//! section 5.1, with d = 50. Shapes: x `[n, d]`, log γ `[n]`, ∇ `[n, d]`.
//! Deviation: none.

use crate::Target;
use crate::gaussian::Diagonal;
use crate::registry::Definition;
use schemars::JsonSchema;
use serde::Deserialize;

/// Ill-conditioned Gaussian: variances log-spaced from 1e-2 to 1e2.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Icg {
    /// Dimension.
    #[schemars(range(min = 2, max = 4096))]
    dim: usize,
}

impl Default for Icg {
    fn default() -> Self {
        Self { dim: 50 }
    }
}

impl Definition for Icg {
    const NAME: &'static str = "icg";
    const SUMMARY: &'static str = "ill-conditioned Gaussian, variances log-spaced from 1e-2 to 1e2";
    const REFERENCE: &'static str = "Levy, Hoffman, Sohl-Dickstein 2018, arXiv 1711.09268, section 5.1";

    fn build(self) -> Box<dyn Target> {
        let last = (self.dim - 1) as f64;
        let sd = (0..self.dim).map(|i| 10f64.powf(-1.0 + 2.0 * i as f64 / last)).collect();
        Box::new(Diagonal::new(vec![0.0; self.dim], sd))
    }
}
