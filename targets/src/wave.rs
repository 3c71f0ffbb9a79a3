//! The curves w₁, w₂, w₃ that Rezende and Mohamed's U2, U3 and U4 follow.
//!
//! w₁(z) = sin(2πz/4), w₂(z) = 3 exp(−½((z − 1)/.6)²), w₃(z) = 3 σ((z − 1)/.3).
//! Source: Rezende and Mohamed, "Variational Inference with Normalizing Flows" (2015), table 1.
//! Shapes: any, element by element. Deviation: none.

use crate::sigmoid::sigmoid;
use candle_core::{Result, Tensor};
use std::f64::consts::FRAC_PI_2;

/// Height of w₂ and w₃.
const HEIGHT: f64 = 3.0;
/// Where w₂ peaks and w₃ rises.
const CENTRE: f64 = 1.0;
const BUMP_SD: f64 = 0.6;
const STEP_SCALE: f64 = 0.3;

/// One of the curves.
#[derive(Clone, Copy)]
pub(crate) enum Curve {
    /// w₁.
    Sine,
    /// w₂.
    Bump,
    /// w₃.
    Step,
}

impl Curve {
    /// Its value on one number.
    pub(crate) fn at(self, z: f64) -> f64 {
        match self {
            Self::Sine => (FRAC_PI_2 * z).sin(),
            Self::Bump => HEIGHT * (-0.5 * ((z - CENTRE) / BUMP_SD).powi(2)).exp(),
            Self::Step => HEIGHT / (1.0 + (-(z - CENTRE) / STEP_SCALE).exp()),
        }
    }

    /// Its value.
    pub(crate) fn value(self, z: &Tensor) -> Result<Tensor> {
        match self {
            Self::Sine => (z * FRAC_PI_2)?.sin(),
            Self::Bump => (standard(z, BUMP_SD)?.sqr()? * -0.5)?.exp()? * HEIGHT,
            Self::Step => sigmoid(&standard(z, STEP_SCALE)?)? * HEIGHT,
        }
    }

    /// Its derivative.
    pub(crate) fn slope(self, z: &Tensor) -> Result<Tensor> {
        match self {
            Self::Sine => (z * FRAC_PI_2)?.cos()? * FRAC_PI_2,
            Self::Bump => (self.value(z)? * standard(z, BUMP_SD)?)? * (-1.0 / BUMP_SD),
            Self::Step => {
                let t = standard(z, STEP_SCALE)?;
                (sigmoid(&t)? * sigmoid(&t.neg()?)?)? * (HEIGHT / STEP_SCALE)
            }
        }
    }
}

fn standard(z: &Tensor, scale: f64) -> Result<Tensor> {
    z.affine(1.0 / scale, -CENTRE / scale)
}
