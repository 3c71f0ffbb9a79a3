//! Mixture of two far-apart Gaussians.
//!
//! ½ N((−2, 0), .1 I) + ½ N((2, 0), .1 I): the centres are 4 apart, or 12.6 standard deviations;
//! the density is that of [`crate::gaussian_mixture`].
//! Source: Levy, Hoffman and Sohl-Dickstein, "Generalizing Hamiltonian Monte Carlo with Neural Networks" (2018),
//! section 5.1. Shapes: x `[n, 2]`, log γ `[n]`, ∇ `[n, 2]`.
//! Deviation: none.

use crate::Target;
use crate::gaussian_mixture::GaussianMixture;
use crate::registry::Definition;
use schemars::JsonSchema;
use serde::Deserialize;

const VARIANCE: f64 = 0.1;

/// Mixture of two far-apart Gaussians: variance .1, centres 4 apart.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Mog {}

impl Definition for Mog {
    const NAME: &'static str = "mog";
    const SUMMARY: &'static str = "two Gaussians of variance .1, centres 4 apart";
    const REFERENCE: &'static str = "Levy, Hoffman, Sohl-Dickstein 2018, arXiv 1711.09268, section 5.1";

    fn build(self) -> Box<dyn Target> {
        Box::new(GaussianMixture::new(vec![-2.0, 0.0, 2.0, 0.0], 2, VARIANCE.sqrt()))
    }
}
