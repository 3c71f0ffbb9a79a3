//! The curves w₁, w₂, w₃ that Rezende and Mohamed's U2, U3 and U4 follow.
//!
//! w₁(z) = sin(2πz/4), w₂(z) = 3 exp(−½((z − 1)/.6)²), w₃(z) = 3 σ((z − 1)/.3).
//! Source: Rezende and Mohamed, "Variational Inference with Normalizing Flows" (2015), table 1.
//! Shapes: any, element by element. Deviation: none.

use crate::sigmoid::{both, sigmoid};
use candle_core::{Result, Tensor};
use flow_cuda::targets::Density;
use flow_kernels::real::Real;
use flow_kernels::simd::Level;
use std::f64::consts::FRAC_PI_2;

/// Height of w₂ and w₃.
const HEIGHT: f64 = 3.0;
/// Where w₂ peaks and w₃ rises.
const CENTRE: f64 = 1.0;
const BUMP_SD: f64 = 0.6;
const STEP_SCALE: f64 = 0.3;

/// One of the curves: a type, so that kernels are compiled for each.
pub(crate) trait Curve: Copy + Send + Sync + 'static {
    /// The kernel on CUDA devices of two ridges that are this far apart, if there is one.
    const TWO_RIDGES: Option<Density> = None;

    /// Its value on one number.
    fn at(self, z: f64) -> f64;

    /// Its value.
    fn value(self, z: &Tensor) -> Result<Tensor>;

    /// Its derivative.
    fn slope(self, z: &Tensor) -> Result<Tensor>;

    /// Its value on one number, with the first and the second derivative, in a kernel.
    fn point<L: Level, T: Real>(self, z: T) -> [T; 3];
}

/// w₁.
#[derive(Clone, Copy)]
pub(crate) struct Sine;

/// w₂.
#[derive(Clone, Copy)]
pub(crate) struct Bump;

/// w₃.
#[derive(Clone, Copy)]
pub(crate) struct Step;

impl Curve for Sine {
    fn at(self, z: f64) -> f64 {
        (FRAC_PI_2 * z).sin()
    }

    fn value(self, z: &Tensor) -> Result<Tensor> {
        (z * FRAC_PI_2)?.sin()
    }

    fn slope(self, z: &Tensor) -> Result<Tensor> {
        (z * FRAC_PI_2)?.cos()? * FRAC_PI_2
    }

    #[inline(always)]
    fn point<L: Level, T: Real>(self, z: T) -> [T; 3] {
        let (sin, cos) = (z * T::of(FRAC_PI_2)).sin_cos::<L>();
        [sin, cos * T::of(FRAC_PI_2), -(sin * T::of(FRAC_PI_2 * FRAC_PI_2))]
    }
}

impl Curve for Bump {
    const TWO_RIDGES: Option<Density> = Some(Density::U3);

    fn at(self, z: f64) -> f64 {
        HEIGHT * (-0.5 * ((z - CENTRE) / BUMP_SD).powi(2)).exp()
    }

    fn value(self, z: &Tensor) -> Result<Tensor> {
        (standard(z, BUMP_SD)?.sqr()? * -0.5)?.exp()? * HEIGHT
    }

    fn slope(self, z: &Tensor) -> Result<Tensor> {
        (self.value(z)? * standard(z, BUMP_SD)?)? * (-1.0 / BUMP_SD)
    }

    #[inline(always)]
    fn point<L: Level, T: Real>(self, z: T) -> [T; 3] {
        let t = (z - T::of(CENTRE)) * T::of(1.0 / BUMP_SD);
        let value = (-(T::HALF * t * t)).exp::<L>() * T::of(HEIGHT);
        let slope = (value * t) * T::of(-1.0 / BUMP_SD);
        [value, slope, (t * t - T::ONE) * (value * T::of(1.0 / (BUMP_SD * BUMP_SD)))]
    }
}

impl Curve for Step {
    const TWO_RIDGES: Option<Density> = Some(Density::U4);

    fn at(self, z: f64) -> f64 {
        HEIGHT / (1.0 + (-(z - CENTRE) / STEP_SCALE).exp())
    }

    fn value(self, z: &Tensor) -> Result<Tensor> {
        sigmoid(&standard(z, STEP_SCALE)?)? * HEIGHT
    }

    fn slope(self, z: &Tensor) -> Result<Tensor> {
        let t = standard(z, STEP_SCALE)?;
        (sigmoid(&t)? * sigmoid(&t.neg()?)?)? * (HEIGHT / STEP_SCALE)
    }

    #[inline(always)]
    fn point<L: Level, T: Real>(self, z: T) -> [T; 3] {
        let t = (z - T::of(CENTRE)) * T::of(1.0 / STEP_SCALE);
        let [up, down] = both::<L, T>(t);
        let slope = (up * down) * T::of(HEIGHT / STEP_SCALE);
        [up * T::of(HEIGHT), slope, (down - up) * (slope * T::of(1.0 / STEP_SCALE))]
    }
}

fn standard(z: &Tensor, scale: f64) -> Result<Tensor> {
    z.affine(1.0 / scale, -CENTRE / scale)
}
