//! Rough well: a Gaussian with a fine corrugation.
//!
//! log γ(x) = −½‖x‖² − η Σᵢ cos(xᵢ/η), ∂ᵢ = −xᵢ + sin(xᵢ/η). By the Jacobi–Anger series, with Iₖ the modified Bessel
//! functions and t = k/η: ∫ γ = √2π [I₀(η) + 2 Σₖ (−1)ᵏ Iₖ(η) e^{−t²/2}] a coordinate, and ∫ x² γ likewise with
//! (1 − t²) e^{−t²/2}. At η = .01 all terms but the first vanish: log Z = ½ log 2π + log I₀(η) = .918964 a coordinate.
//! Source: Levy, Hoffman and Sohl-Dickstein, "Generalizing Hamiltonian Monte Carlo with Neural Networks" (2018),
//! section 5.1. Shapes: x `[n, d]`, log γ `[n]`, ∇ `[n, d]`.
//! Deviation: cos(x/η) as in the paper; the authors' code has cos(x/η²) by default.

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

/// Rough well: a Gaussian with a fine corrugation η cos(x/η).
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RoughWell {
    /// Dimension.
    #[schemars(range(min = 1, max = 4096))]
    dim: usize,
    /// Height of the corrugation, and its length over 2π.
    #[schemars(range(min = 1e-3, max = 1.0))]
    eta: f64,
}

impl Default for RoughWell {
    fn default() -> Self {
        Self { dim: 2, eta: 0.01 }
    }
}

impl Definition for RoughWell {
    const NAME: &'static str = "rough-well";
    const SUMMARY: &'static str = "Gaussian with a fine corrugation";
    const REFERENCE: &'static str = "Levy, Hoffman, Sohl-Dickstein 2018, arXiv 1711.09268, section 5.1";

    fn build(self) -> Box<dyn Target> {
        let none = vec![0.0; self.dim];
        Box::new(Well { dim: self.dim, eta: self.eta, coefficients: Coefficients::new([&none, &none]) })
    }
}

struct Well {
    dim: usize,
    eta: f64,
    /// All coordinates are alike: zeros.
    coefficients: Coefficients,
}

impl Target for Well {
    fn dim(&self) -> usize {
        self.dim
    }

    fn log_density(&self, x: &Tensor) -> Result<Tensor> {
        let cos = ((x / self.eta)?.cos()? * self.eta)?;
        Ok(((x.sqr()? * -0.5)? - cos)?.sum(1)?)
    }

    fn grad(&self, x: &Tensor) -> Result<Tensor> {
        Ok(((x / self.eta)?.sin()? - x)?)
    }

    fn kernel(&self) -> Option<&dyn Kernel> {
        Some(self)
    }

    fn curvature(&self) -> Option<&dyn Curvature> {
        Some(self)
    }

    fn device_kernel(&self) -> Option<DeviceKernel<'_>> {
        Some(DeviceKernel::with_table(Density::Rough, [self.constant(), self.eta], self.coefficients.table()))
    }

    fn known(&self) -> Known {
        let mass = series(self.eta, |_| 1.0);
        let sd = (series(self.eta, |t| 1.0 - t * t) / mass).sqrt();
        Known {
            log_z: Some(self.dim as f64 * (0.5 * TAU.ln() + mass.ln())),
            mean: Some(vec![0.0; self.dim]),
            sd: Some(vec![sd; self.dim]),
            source: "closed form (Jacobi–Anger series)",
        }
    }

    fn exact_draws(&self) -> Option<&dyn ExactDraws> {
        Some(self)
    }
}

impl Separable for Well {
    fn coefficients(&self) -> &Coefficients {
        &self.coefficients
    }

    fn constant(&self) -> f64 {
        0.0
    }

    #[inline(always)]
    fn value<L: Level, T: Real>(&self, x: T, _: [T; 2]) -> T {
        let (_, cos) = (x * T::of(1.0 / self.eta)).sin_cos::<L>();
        -(T::HALF * x).fma::<L>(x, cos * T::of(self.eta))
    }

    #[inline(always)]
    fn slope<L: Level, T: Real>(&self, x: T, _: [T; 2]) -> T {
        (x * T::of(1.0 / self.eta)).sin_cos::<L>().0 - x
    }

    #[inline(always)]
    fn second<L: Level, T: Real>(&self, x: T, _: [T; 2]) -> T {
        let (_, cos) = (x * T::of(1.0 / self.eta)).sin_cos::<L>();
        cos.fma::<L>(T::of(1.0 / self.eta), -T::ONE)
    }
}

formula!(Well: separable);

impl ExactDraws for Well {
    /// Rejection from N(0, 1): exp(−η cos(x/η)) ≤ e^η.
    fn draw(&self, seed: u64, n: usize) -> Vec<f64> {
        rows(seed, n, self.dim, |stream, row| {
            for x in row {
                loop {
                    *x = stream.normal();
                    if stream.uniform().ln() < -self.eta * (1.0 + (*x / self.eta).cos()) {
                        break;
                    }
                }
            }
        })
    }
}

/// I₀(η) + 2 Σₖ (−1)ᵏ Iₖ(η) f(k/η) e^{−(k/η)²/2}; for η ≤ 1, I₁₆(η) < 1e-18 ends it.
fn series(eta: f64, f: impl Fn(f64) -> f64) -> f64 {
    let term = |k: u32| {
        let t = f64::from(k) / eta;
        let sign = if k.is_multiple_of(2) { 2.0 } else { -2.0 };
        sign * bessel_i(k, eta) * f(t) * (-0.5 * t * t).exp()
    };
    bessel_i(0, eta) * f(0.0) + (1..16).map(term).sum::<f64>()
}

/// Iₖ(x) = Σₘ (x/2)^{2m+k} / (m! (m+k)!), for 0 ≤ x ≤ 1.
fn bessel_i(k: u32, x: f64) -> f64 {
    let mut term: f64 = (1..=k).map(|j| x / 2.0 / f64::from(j)).product();
    let mut sum = term;
    for m in 1..12 {
        term *= (x / 2.0).powi(2) / (f64::from(m) * f64::from(m + k));
        sum += term;
    }
    sum
}
