//! Strongly correlated Gaussian: variances 10² and 10⁻², turned by π/4.
//!
//! u = (x₀ + x₁)/√2, v = (x₁ − x₀)/√2; log γ = −½(u²/σ₁² + v²/σ₂²) − log(2π σ₁ σ₂), σ₁² = 10², σ₂² = 10⁻².
//! Source: Levy, Hoffman and Sohl-Dickstein, "Generalizing Hamiltonian Monte Carlo with Neural Networks" (2018),
//! section 5.1. Shapes: x `[n, 2]`, log γ `[n]`, ∇ `[n, 2]`.
//! Deviation: none.

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
use std::f64::consts::{FRAC_1_SQRT_2, TAU};

const LONG_SD: f64 = 10.0;
const SHORT_SD: f64 = 0.1;
/// −1/σ₁² and −1/σ₂².
const LONG: f64 = -1.0 / (LONG_SD * LONG_SD);
const SHORT: f64 = -1.0 / (SHORT_SD * SHORT_SD);

/// Strongly correlated Gaussian: variances 1e2 and 1e-2, rotated by π/4.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Scg {}

impl Definition for Scg {
    const NAME: &'static str = "scg";
    const SUMMARY: &'static str = "strongly correlated Gaussian, variances 1e2 and 1e-2 rotated by π/4";
    const REFERENCE: &'static str = "Levy, Hoffman, Sohl-Dickstein 2018, arXiv 1711.09268, section 5.1";

    fn build(self) -> Box<dyn Target> {
        Box::new(self)
    }
}

impl Target for Scg {
    fn dim(&self) -> usize {
        2
    }

    fn log_density(&self, x: &Tensor) -> Result<Tensor> {
        let (u, v) = turned(x)?;
        let sum = ((u / LONG_SD)?.sqr()? + (v / SHORT_SD)?.sqr()?)?.squeeze(1)?;
        Ok(sum.affine(-0.5, -(TAU * LONG_SD * SHORT_SD).ln())?)
    }

    fn grad(&self, x: &Tensor) -> Result<Tensor> {
        let (u, v) = turned(x)?;
        let u = (u * (-FRAC_1_SQRT_2 / LONG_SD.powi(2)))?;
        let v = (v * (-FRAC_1_SQRT_2 / SHORT_SD.powi(2)))?;
        Ok(Tensor::cat(&[(&u - &v)?, (u + v)?], 1)?)
    }

    fn kernel(&self) -> Option<&dyn Kernel> {
        Some(self)
    }

    fn curvature(&self) -> Option<&dyn Curvature> {
        Some(self)
    }

    fn device_kernel(&self) -> Option<DeviceKernel<'_>> {
        Some(DeviceKernel::new(Density::Scg, [0.0; 2]))
    }

    fn known(&self) -> Known {
        let sd = ((LONG_SD.powi(2) + SHORT_SD.powi(2)) / 2.0).sqrt();
        Known { log_z: Some(0.0), mean: Some(vec![0.0; 2]), sd: Some(vec![sd; 2]), source: "closed form" }
    }

    fn exact_draws(&self) -> Option<&dyn ExactDraws> {
        Some(self)
    }
}

impl Plane for Scg {
    #[inline(always)]
    fn value<L: Level, T: Real>(&self, [x0, x1]: [T; 2]) -> T {
        let (u, v) = ((x0 + x1) * T::of(FRAC_1_SQRT_2 / LONG_SD), (x1 - x0) * T::of(FRAC_1_SQRT_2 / SHORT_SD));
        (-T::HALF).fma::<L>(u.fma::<L>(u, v * v), -T::of((TAU * LONG_SD * SHORT_SD).ln()))
    }

    #[inline(always)]
    fn slope<L: Level, T: Real>(&self, [x0, x1]: [T; 2]) -> [T; 2] {
        let (u, v) = ((x0 + x1) * T::of(LONG / 2.0), (x1 - x0) * T::of(SHORT / 2.0));
        [u - v, u + v]
    }

    #[inline(always)]
    fn hessian<L: Level, T: Real>(&self, _: [T; 2]) -> [T; 3] {
        let own = T::of((LONG + SHORT) / 2.0);
        [own, T::of((LONG - SHORT) / 2.0), own]
    }
}

impl ExactDraws for Scg {
    fn draw(&self, seed: u64, n: usize) -> Vec<f64> {
        rows(seed, n, 2, |stream, row| {
            let (u, v) = (LONG_SD * stream.normal(), SHORT_SD * stream.normal());
            row[0] = (u - v) * FRAC_1_SQRT_2;
            row[1] = (u + v) * FRAC_1_SQRT_2;
        })
    }
}

/// Coordinates along the long and the short axis, each `[n, 1]`.
fn turned(x: &Tensor) -> Result<(Tensor, Tensor)> {
    let (x0, x1) = (x.narrow(1, 0, 1)?, x.narrow(1, 1, 1)?);
    Ok((((&x0 + &x1)? * FRAC_1_SQRT_2)?, ((x1 - x0)? * FRAC_1_SQRT_2)?))
}
