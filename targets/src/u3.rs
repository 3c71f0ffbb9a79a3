//! U3 of Rezende and Mohamed: two ridges along a sine wave that part at a bump.
//!
//! log γ(z) = log[e^{−½((z₂−w₁)/.35)²} + e^{−½((z₂−w₁+w₂)/.35)²}] + log w(z₁), with the curves of
//! [`crate::wave`] and the soft window w of [`crate::soft_uniform`]; the density is that of [`crate::two_ridges`].
//! Source: Rezende and Mohamed, "Variational Inference with Normalizing Flows" (2015), table 1.
//! Shapes: z `[n, 2]`, log γ `[n]`, ∇ `[n, 2]`.
//! Deviation: the window, without which there is no integral. With width 8, log Z equals that of the strip
//! |z₁| ≤ 4, 2.641705, up to e^{−80}.

use crate::Target;
use crate::registry::Definition;
use crate::soft_uniform::SoftUniform;
use crate::two_ridges::TwoRidges;
use crate::wave::Bump;
use schemars::JsonSchema;
use serde::Deserialize;

/// U3: two ridges along a sine wave that part at a bump, within a soft window along the first coordinate.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct U3 {
    /// Width of the window.
    #[schemars(range(min = 0.1, max = 100.0))]
    width: f64,
    /// How sharply the window ends: its edges are 1/softness wide.
    #[schemars(range(min = 0.5, max = 100.0))]
    softness: f64,
}

impl Default for U3 {
    fn default() -> Self {
        Self { width: 8.0, softness: 10.0 }
    }
}

impl Definition for U3 {
    const NAME: &'static str = "u3";
    const SUMMARY: &'static str = "two ridges along a sine wave that part at a bump, within a soft window";
    const REFERENCE: &'static str = "Rezende, Mohamed 2015, arXiv 1505.05770, table 1";

    fn build(self) -> Box<dyn Target> {
        let window = SoftUniform { width: self.width, softness: self.softness };
        Box::new(TwoRidges { window, gap: Bump, sd: [0.35, 0.35] })
    }
}
