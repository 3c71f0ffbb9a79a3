//! Forty Gaussians with random means.
//!
//! 40 means uniform on [−40, 40]ᵈ, unit variance; the density is that of [`crate::gaussian_mixture`].
//! Source: Midgley, Stimper, Simm, Schölkopf and Hernández-Lobato, "Flow Annealed Importance Sampling Bootstrap" (2023),
//! section 4.1, in d = 2. Shapes: x `[n, d]`, log γ `[n]`, ∇ `[n, d]`.
//! Deviation: unit variance, as the paper's text has it; its code passes 1 through softplus, a standard deviation
//! of 1.3133. The means come from this project's random streams, so they are not the paper's.

use crate::Target;
use crate::gaussian_mixture::GaussianMixture;
use crate::registry::Definition;
use crate::uniform_means::uniform_means;
use schemars::JsonSchema;
use serde::Deserialize;

const COUNT: usize = 40;
const REACH: f64 = 40.0;

/// Forty Gaussians of unit variance with means uniform on [−40, 40]ᵈ.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Gmm40 {
    /// Dimension.
    #[schemars(range(min = 1, max = 512))]
    dim: usize,
    /// Seed of the means.
    seed: u64,
}

impl Default for Gmm40 {
    fn default() -> Self {
        Self { dim: 2, seed: 0 }
    }
}

impl Definition for Gmm40 {
    const NAME: &'static str = "gmm-40";
    const SUMMARY: &'static str = "forty Gaussians of unit variance, means uniform on [−40, 40]ᵈ";
    const REFERENCE: &'static str =
        "Midgley, Stimper, Simm, Schölkopf, Hernández-Lobato 2023, arXiv 2208.01893, section 4.1";

    fn build(self) -> Box<dyn Target> {
        Box::new(GaussianMixture::new(uniform_means(self.seed, COUNT, self.dim, REACH), self.dim, 1.0))
    }
}
