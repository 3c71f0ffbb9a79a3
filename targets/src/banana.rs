//! Banana: a Gaussian bent along a parabola.
//!
//! x₀ ~ N(0, s²), x₁ | x₀ ~ N(b(x₀² − s²), 1), with s = 10, b = .03; r = x₁ − b(x₀² − s²):
//! log γ = −½(x₀/s)² − ½r² − log(2πs), ∂₀ = −x₀/s² + 2b x₀ r, ∂₁ = −r; var x₁ = 1 + 2b²s⁴.
//! Source: Haario, Saksman and Tamminen, "Adaptive proposal distribution for random walk Metropolis algorithm" (1999).
//! Shapes: x `[n, 2]`, log γ `[n]`, ∇ `[n, 2]`.
//! Deviation: x₁ is bent upwards (the sign of b) and centred, as in the benchmarks of later samplers.

use crate::draws::rows;
use crate::plane::Plane;
use crate::registry::Definition;
use crate::{Curvature, DeviceKernel, ExactDraws, Kernel, Known, Result, Target};
use candle_core::Tensor;
use flow_cuda::targets::Density;
use flow_kernels::real::Real;
use flow_kernels::simd::Level;
use schemars::JsonSchema;
use serde::Deserialize;
use std::f64::consts::TAU;

const SD: f64 = 10.0;

/// Banana: a Gaussian bent along a parabola.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Banana {
    /// How much it bends.
    #[schemars(range(min = 0.0, max = 1.0))]
    curvature: f64,
}

impl Default for Banana {
    fn default() -> Self {
        Self { curvature: 0.03 }
    }
}

impl Definition for Banana {
    const NAME: &'static str = "banana";
    const SUMMARY: &'static str = "Gaussian bent along a parabola";
    const REFERENCE: &'static str =
        "Haario, Saksman, Tamminen 1999, Adaptive proposal distribution for random walk Metropolis algorithm";

    fn build(self) -> Box<dyn Target> {
        Box::new(self)
    }
}

impl Banana {
    /// x₀ and r, both `[n, 1]`.
    fn split(&self, x: &Tensor) -> Result<(Tensor, Tensor)> {
        let (x0, x1) = (x.narrow(1, 0, 1)?, x.narrow(1, 1, 1)?);
        let bend = x0.sqr()?.affine(self.curvature, -self.curvature * SD.powi(2))?;
        Ok((x0, (x1 - bend)?))
    }
}

impl Target for Banana {
    fn dim(&self) -> usize {
        2
    }

    fn log_density(&self, x: &Tensor) -> Result<Tensor> {
        let (x0, r) = self.split(x)?;
        let sum = ((x0 / SD)?.sqr()? + r.sqr()?)?.squeeze(1)?;
        Ok(sum.affine(-0.5, -(TAU * SD).ln())?)
    }

    fn grad(&self, x: &Tensor) -> Result<Tensor> {
        let (x0, r) = self.split(x)?;
        let factor = r.affine(2.0 * self.curvature, -SD.powi(-2))?;
        Ok(Tensor::cat(&[(x0 * factor)?, r.neg()?], 1)?)
    }

    fn kernel(&self) -> Option<&dyn Kernel> {
        Some(self)
    }

    fn curvature(&self) -> Option<&dyn Curvature> {
        Some(self)
    }

    fn device_kernel(&self) -> Option<DeviceKernel<'_>> {
        Some(DeviceKernel::new(Density::Banana, [self.curvature, 0.0]))
    }

    fn known(&self) -> Known {
        let sd = (1.0 + 2.0 * (self.curvature * SD.powi(2)).powi(2)).sqrt();
        Known { log_z: Some(0.0), mean: Some(vec![0.0; 2]), sd: Some(vec![SD, sd]), source: "closed form" }
    }

    fn exact_draws(&self) -> Option<&dyn ExactDraws> {
        Some(self)
    }
}

impl Banana {
    /// r.
    #[inline(always)]
    fn residual<L: Level, T: Real>(&self, [x0, x1]: [T; 2]) -> T {
        let bend = T::of(self.curvature);
        x1 - (x0 * x0).fma::<L>(bend, -(bend * T::of(SD * SD)))
    }
}

impl Plane for Banana {
    #[inline(always)]
    fn value<L: Level, T: Real>(&self, x: [T; 2]) -> T {
        let (r, u) = (self.residual::<L, T>(x), x[0] * T::of(1.0 / SD));
        (-T::HALF).fma::<L>(u.fma::<L>(u, r * r), -T::of((TAU * SD).ln()))
    }

    #[inline(always)]
    fn slope<L: Level, T: Real>(&self, x: [T; 2]) -> [T; 2] {
        let r = self.residual::<L, T>(x);
        [x[0] * r.fma::<L>(T::of(2.0 * self.curvature), -T::of(SD.powi(-2))), -r]
    }

    #[inline(always)]
    fn hessian<L: Level, T: Real>(&self, x: [T; 2]) -> [T; 3] {
        let (bend, tilt) = (T::of(2.0 * self.curvature), x[0] * T::of(2.0 * self.curvature));
        [self.residual::<L, T>(x).fma::<L>(bend, -T::of(SD.powi(-2))) - tilt * tilt, tilt, -T::ONE]
    }
}

impl ExactDraws for Banana {
    fn draw(&self, seed: u64, n: usize) -> Vec<f64> {
        rows(seed, n, 2, |stream, row| {
            row[0] = SD * stream.normal();
            row[1] = self.curvature * (row[0].powi(2) - SD.powi(2)) + stream.normal();
        })
    }
}
