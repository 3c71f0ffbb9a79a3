//! U2 of Rezende and Mohamed: a ridge along a sine wave.
//!
//! log γ(z) = −½((z₂ − w₁(z₁))/.4)² + log w(z₁), w₁(z) = sin(2πz/4), and w the soft window of [`crate::soft_uniform`].
//! Given z₁, z₂ is Gaussian with a constant normaliser: log Z = log(.4 √2π) + log ∫ w, and z₁ follows the window.
//! Source: Rezende and Mohamed, "Variational Inference with Normalizing Flows" (2015), table 1.
//! Shapes: z `[n, 2]`, log γ `[n]`, ∇ `[n, 2]`.
//! Deviation: the potential is constant along the wave, so that the paper's density has no integral; the window
//! bounds it. With width 8, log Z equals that of the strip |z₁| ≤ 4, 2.082089, up to e^{−80}.

use crate::draws::rows;
use crate::plane::Plane;
use crate::registry::Definition;
use crate::soft_uniform::SoftUniform;
use crate::wave::{Curve, Sine};
use crate::{Curvature, DeviceKernel, ExactDraws, Kernel, Known, Result, Target};
use candle_core::Tensor;
use flow_cuda::targets::Density;
use flow_kernels::real::Real;
use flow_kernels::simd::Level;
use schemars::JsonSchema;
use serde::Deserialize;
use std::f64::consts::{PI, TAU};

const SD: f64 = 0.4;

/// U2: a ridge along a sine wave, within a soft window along the first coordinate.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct U2 {
    /// Width of the window.
    #[schemars(range(min = 0.1, max = 100.0))]
    width: f64,
    /// How sharply the window ends: its edges are 1/softness wide.
    #[schemars(range(min = 0.5, max = 100.0))]
    softness: f64,
}

impl Default for U2 {
    fn default() -> Self {
        Self { width: 8.0, softness: 10.0 }
    }
}

impl Definition for U2 {
    const NAME: &'static str = "u2";
    const SUMMARY: &'static str = "ridge along a sine wave, within a soft window";
    const REFERENCE: &'static str = "Rezende, Mohamed 2015, arXiv 1505.05770, table 1";

    fn build(self) -> Box<dyn Target> {
        Box::new(Wave { window: SoftUniform { width: self.width, softness: self.softness } })
    }
}

struct Wave {
    window: SoftUniform,
}

impl Target for Wave {
    fn dim(&self) -> usize {
        2
    }

    fn log_density(&self, x: &Tensor) -> Result<Tensor> {
        let (z1, z2) = (x.narrow(1, 0, 1)?, x.narrow(1, 1, 1)?);
        let r = ((z2 - Sine.value(&z1)?)? / SD)?;
        Ok(((r.sqr()? * -0.5)? + self.window.log_density(&z1)?)?.squeeze(1)?)
    }

    fn grad(&self, x: &Tensor) -> Result<Tensor> {
        let (z1, z2) = (x.narrow(1, 0, 1)?, x.narrow(1, 1, 1)?);
        let pull = ((z2 - Sine.value(&z1)?)? * SD.powi(-2))?;
        let along = ((&pull * Sine.slope(&z1)?)? + self.window.score(&z1)?)?;
        Ok(Tensor::cat(&[along, pull.neg()?], 1)?)
    }

    fn kernel(&self) -> Option<&dyn Kernel> {
        Some(self)
    }

    fn curvature(&self) -> Option<&dyn Curvature> {
        Some(self)
    }

    fn device_kernel(&self) -> Option<DeviceKernel<'_>> {
        Some(DeviceKernel::new(Density::U2, [self.window.width, self.window.softness]))
    }

    /// E w₁ = 0, and E w₁² = (1 − E cos(πz₁))/2.
    fn known(&self) -> Known {
        let variance = SD.powi(2) + (1.0 - self.window.mean_cos(PI)) / 2.0;
        Known {
            log_z: Some(self.window.log_z() + (SD * TAU.sqrt()).ln()),
            mean: Some(vec![0.0; 2]),
            sd: Some(vec![self.window.variance().sqrt(), variance.sqrt()]),
            source: "closed form",
        }
    }

    fn exact_draws(&self) -> Option<&dyn ExactDraws> {
        Some(self)
    }
}

impl Plane for Wave {
    #[inline(always)]
    fn value<L: Level, T: Real>(&self, [z1, z2]: [T; 2]) -> T {
        let r = (z2 - Sine.point::<L, T>(z1)[0]) * T::of(1.0 / SD);
        (-T::HALF).fma::<L>(r * r, self.window.point::<L, T>(z1))
    }

    #[inline(always)]
    fn slope<L: Level, T: Real>(&self, [z1, z2]: [T; 2]) -> [T; 2] {
        let [wave, tilt, _] = Sine.point::<L, T>(z1);
        let pull = (z2 - wave) * T::of(SD.powi(-2));
        [pull.fma::<L>(tilt, self.window.point_score::<L, T>(z1)), -pull]
    }

    #[inline(always)]
    fn hessian<L: Level, T: Real>(&self, [z1, z2]: [T; 2]) -> [T; 3] {
        let [wave, tilt, bend] = Sine.point::<L, T>(z1);
        let precision = T::of(SD.powi(-2));
        let ridge = precision * (z2 - wave).fma::<L>(bend, -(tilt * tilt));
        [ridge + self.window.point_bend::<L, T>(z1), precision * tilt, -precision]
    }
}

impl ExactDraws for Wave {
    fn draw(&self, seed: u64, n: usize) -> Vec<f64> {
        rows(seed, n, 2, |stream, row| {
            row[0] = self.window.draw(stream);
            row[1] = Sine.at(row[0]) + SD * stream.normal();
        })
    }
}
