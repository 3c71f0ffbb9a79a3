//! Nine Gaussians on a square grid.
//!
//! Means {−5, 0, 5}², variance .3 (standard deviation .5477); the density is that of [`crate::gaussian_mixture`].
//! Source: Zhang and Chen, "Path Integral Sampler" (2022), section 4.
//! Shapes: x `[n, 2]`, log γ `[n]`, ∇ `[n, 2]`.
//! Deviation: none.

use crate::Target;
use crate::gaussian_mixture::GaussianMixture;
use crate::registry::Definition;
use schemars::JsonSchema;
use serde::Deserialize;

const SPACING: f64 = 5.0;
const VARIANCE: f64 = 0.3;

/// Nine Gaussians on a 3 × 3 grid, 5 apart, of variance .3.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Gmm9 {}

impl Definition for Gmm9 {
    const NAME: &'static str = "gmm-9";
    const SUMMARY: &'static str = "nine Gaussians on a 3 × 3 grid, 5 apart, of variance .3";
    const REFERENCE: &'static str = "Zhang, Chen 2022, arXiv 2111.15141, section 4";

    fn build(self) -> Box<dyn Target> {
        let means = (0..9).flat_map(|k| [k / 3, k % 3].map(|i| SPACING * (f64::from(i) - 1.0))).collect();
        Box::new(GaussianMixture::new(means, 2, VARIANCE.sqrt()))
    }
}
