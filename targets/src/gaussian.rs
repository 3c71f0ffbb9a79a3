//! Gaussian with independent coordinates.
//!
//! log γ(x) = −½ Σᵢ ((xᵢ − mᵢ)/sᵢ)² − Σᵢ log sᵢ − (d/2) log 2π, ∂ᵢ log γ = −(xᵢ − mᵢ)/sᵢ².
//! Source: textbook. Shapes: x `[n, d]`, log γ `[n]`, ∇ `[n, d]`.
//! Deviation: none.

use crate::constant::Constant;
use crate::draws::rows;
use crate::kernel::formula;
use crate::registry::Definition;
use crate::separable::{Coefficients, Separable};
use crate::{Curvature, DeviceKernel, ExactDraws, Kernel, Known, Result, Target};
use candle_core::Tensor;
use flow_cuda::targets::Density;
use flow_kernels::real::Real;
use flow_kernels::simd::Level;
use schemars::JsonSchema;
use serde::Deserialize;
use std::f64::consts::TAU;

/// Gaussian with equal, independent coordinates.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Gaussian {
    /// Dimension.
    #[schemars(range(min = 1, max = 4096))]
    dim: usize,
    /// Mean of every coordinate.
    #[schemars(range(min = -1e3, max = 1e3))]
    mean: f64,
    /// Standard deviation of every coordinate.
    #[schemars(range(min = 1e-3, max = 1e3))]
    sd: f64,
}

impl Default for Gaussian {
    fn default() -> Self {
        Self { dim: 2, mean: 0.0, sd: 1.0 }
    }
}

impl Definition for Gaussian {
    const NAME: &'static str = "gaussian";
    const SUMMARY: &'static str = "Gaussian with equal, independent coordinates";
    const REFERENCE: &'static str = "textbook";

    fn build(self) -> Box<dyn Target> {
        Box::new(Diagonal::new(vec![self.mean; self.dim], vec![self.sd; self.dim]))
    }
}

/// A normalised Gaussian with a diagonal covariance.
pub(crate) struct Diagonal {
    mean: Constant,
    precision: Constant,
    sd: Vec<f64>,
    log_scale: f64,
    /// m and 1/s².
    coefficients: Coefficients,
}

impl Diagonal {
    pub(crate) fn new(mean: Vec<f64>, sd: Vec<f64>) -> Self {
        let shape = [1, sd.len()];
        let precision: Vec<f64> = sd.iter().map(|s| s.powi(-2)).collect();
        let coefficients = Coefficients::new([&mean, &precision]);
        let log_scale = sd.iter().map(|s| s.ln() + 0.5 * TAU.ln()).sum();
        let (mean, precision) = (Constant::new(mean, &shape), Constant::new(precision, &shape));
        Self { mean, precision, sd, log_scale, coefficients }
    }
}

impl Target for Diagonal {
    fn dim(&self) -> usize {
        self.sd.len()
    }

    fn log_density(&self, x: &Tensor) -> Result<Tensor> {
        let square = x.broadcast_sub(&self.mean.like(x)?)?.sqr()?;
        let sum = square.broadcast_mul(&self.precision.like(x)?)?.sum(1)?;
        Ok(sum.affine(-0.5, -self.log_scale)?)
    }

    fn grad(&self, x: &Tensor) -> Result<Tensor> {
        Ok(self.mean.like(x)?.broadcast_sub(x)?.broadcast_mul(&self.precision.like(x)?)?)
    }

    fn kernel(&self) -> Option<&dyn Kernel> {
        Some(self)
    }

    fn curvature(&self) -> Option<&dyn Curvature> {
        Some(self)
    }

    fn device_kernel(&self) -> Option<DeviceKernel<'_>> {
        Some(DeviceKernel::with_table(Density::Gaussian, [self.constant(), 0.0], self.coefficients.table()))
    }

    fn known(&self) -> Known {
        Known {
            log_z: Some(0.0),
            mean: Some(self.mean.row(0).to_vec()),
            sd: Some(self.sd.clone()),
            source: "closed form",
        }
    }

    fn exact_draws(&self) -> Option<&dyn ExactDraws> {
        Some(self)
    }
}

impl Separable for Diagonal {
    fn coefficients(&self) -> &Coefficients {
        &self.coefficients
    }

    fn constant(&self) -> f64 {
        -self.log_scale
    }

    #[inline(always)]
    fn value<L: Level, T: Real>(&self, x: T, [mean, precision]: [T; 2]) -> T {
        ((mean - x) * (x - mean)) * (T::HALF * precision)
    }

    #[inline(always)]
    fn slope<L: Level, T: Real>(&self, x: T, [mean, precision]: [T; 2]) -> T {
        (mean - x) * precision
    }

    #[inline(always)]
    fn second<L: Level, T: Real>(&self, _: T, [_, precision]: [T; 2]) -> T {
        -precision
    }
}

formula!(Diagonal: separable);

impl ExactDraws for Diagonal {
    fn draw(&self, seed: u64, n: usize) -> Vec<f64> {
        rows(seed, n, self.dim(), |stream, row| {
            for ((x, mean), sd) in row.iter_mut().zip(self.mean.row(0)).zip(&self.sd) {
                *x = mean + sd * stream.normal();
            }
        })
    }
}
