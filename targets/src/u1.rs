//! U1 of Rezende and Mohamed: a ring with two bright sides.
//!
//! With r = ‖z‖, a = 2/.6²: log γ(z) = −½((r − 2)/.4)² + log[e^{−½((z₁−2)/.6)²} + e^{−½((z₁+2)/.6)²}], the bracket being
//! −½((|z₁| − 2)/.6)² + log(1 + e^{−2a|z₁|}); ∇ = −(r − 2)/.4² z/r + (a tanh(a z₁) − z₁/.6², 0).
//! Source: Rezende and Mohamed, "Variational Inference with Normalizing Flows" (2015), table 1.
//! Shapes: z `[n, 2]`, log γ `[n]`, ∇ `[n, 2]`.
//! Deviation: none. At the origin, where the ring's gradient has no direction, it is taken as zero.

use crate::draws::rows;
use crate::plane::Plane;
use crate::registry::Definition;
use crate::sigmoid::{abs, log_1p_exp_neg};
use crate::{Curvature, DeviceKernel, ExactDraws, Kernel, Known, Modes, Result, Target};
use candle_core::Tensor;
use flow_cuda::targets::Density;
use flow_kernels::real::Real;
use flow_kernels::simd::Level;
use schemars::JsonSchema;
use serde::Deserialize;

const RADIUS: f64 = 2.0;
const RING_SD: f64 = 0.4;
const SIDE: f64 = 2.0;
const SIDE_SD: f64 = 0.6;
/// a in the head of this file.
const TILT: f64 = SIDE / (SIDE_SD * SIDE_SD);

/// log ∫ γ, E z₁² and E z₂² by quadrature in polar coordinates, which the test below repeats.
const LOG_Z: f64 = 1.877_501_626_109_71;
const MEAN_SQUARES: [f64; 2] = [3.303_501_601_323_55, 1.395_277_829_408_23];

/// Least r² divided by: far below what a draw comes near, far above where its powers underflow in f32.
const LEAST_SQUARE: f64 = 1e-24;

/// U1: a ring with two bright sides.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct U1 {}

impl Definition for U1 {
    const NAME: &'static str = "u1";
    const SUMMARY: &'static str = "ring with two bright sides (two moons)";
    const REFERENCE: &'static str = "Rezende, Mohamed 2015, arXiv 1505.05770, table 1";

    fn build(self) -> Box<dyn Target> {
        Box::new(self)
    }
}

impl Target for U1 {
    fn dim(&self) -> usize {
        2
    }

    fn log_density(&self, x: &Tensor) -> Result<Tensor> {
        let ring = radius(x)?.affine(1.0 / RING_SD, -RADIUS / RING_SD)?.sqr()?;
        let side = abs(&x.narrow(1, 0, 1)?)?;
        let square = side.affine(1.0 / SIDE_SD, -SIDE / SIDE_SD)?.sqr()?;
        let both = log_1p_exp_neg(&(side * (2.0 * TILT))?)?;
        Ok((((ring + square)? * -0.5)? + both)?.squeeze(1)?)
    }

    fn grad(&self, x: &Tensor) -> Result<Tensor> {
        let pull = radius(x)?.recip()?.affine(RADIUS, -1.0)?;
        let ring = (x.broadcast_mul(&pull)? * RING_SD.powi(-2))?;
        let z1 = x.narrow(1, 0, 1)?;
        let side = (((&z1 * TILT)?.tanh()? * TILT)? - (z1 * SIDE_SD.powi(-2))?)?;
        Ok((ring + Tensor::cat(&[&side, &side.zeros_like()?], 1)?)?)
    }

    fn kernel(&self) -> Option<&dyn Kernel> {
        Some(self)
    }

    fn curvature(&self) -> Option<&dyn Curvature> {
        Some(self)
    }

    fn device_kernel(&self) -> Option<DeviceKernel<'_>> {
        Some(DeviceKernel::new(Density::U1, [0.0; 2]))
    }

    fn known(&self) -> Known {
        Known {
            log_z: Some(LOG_Z),
            mean: Some(vec![0.0; 2]),
            sd: Some(MEAN_SQUARES.map(f64::sqrt).to_vec()),
            source: "quadrature in polar coordinates, to 12 digits; means by symmetry",
        }
    }

    fn exact_draws(&self) -> Option<&dyn ExactDraws> {
        Some(self)
    }

    fn modes(&self) -> Option<&dyn Modes> {
        Some(self)
    }
}

impl Plane for U1 {
    #[inline(always)]
    fn value<L: Level, T: Real>(&self, [z1, z2]: [T; 2]) -> T {
        let r = z1.fma::<L>(z1, z2.fma::<L>(z2, T::of(LEAST_SQUARE))).sqrt();
        let ring = (r - T::of(RADIUS)) * T::of(1.0 / RING_SD);
        let side = z1.magnitude();
        let offset = (side - T::of(SIDE)) * T::of(1.0 / SIDE_SD);
        let both = (-(side * T::of(2.0 * TILT))).exp::<L>().ln_1p_unit::<L>();
        (-T::HALF).fma::<L>(ring.fma::<L>(ring, offset * offset), both)
    }

    #[inline(always)]
    fn slope<L: Level, T: Real>(&self, [z1, z2]: [T; 2]) -> [T; 2] {
        let r = z1.fma::<L>(z1, z2.fma::<L>(z2, T::of(LEAST_SQUARE))).sqrt();
        let pull = (T::of(RADIUS) / r - T::ONE) * T::of(RING_SD.powi(-2));
        let side = (z1 * T::of(TILT)).tanh::<L>().fma::<L>(T::of(TILT), -(z1 * T::of(SIDE_SD.powi(-2))));
        [z1.fma::<L>(pull, side), z2 * pull]
    }

    /// With n = z/r: .4⁻² [(2/r − 1) I − (2/r) n nᵀ] of the ring, a² (1 − tanh²(a z₁)) − 1/.6² of the sides.
    #[inline(always)]
    fn hessian<L: Level, T: Real>(&self, [z1, z2]: [T; 2]) -> [T; 3] {
        let r = z1.fma::<L>(z1, z2.fma::<L>(z2, T::of(LEAST_SQUARE))).sqrt();
        let turn = T::of(RADIUS * RING_SD.powi(-2)) / r;
        let pull = turn - T::of(RING_SD.powi(-2));
        let (n1, n2) = (z1 / r, z2 / r);
        let tilt = (z1 * T::of(TILT)).tanh::<L>();
        let side = (T::ONE - tilt * tilt).fma::<L>(T::of(TILT * TILT), -T::of(SIDE_SD.powi(-2)));
        [pull - turn * n1 * n1 + side, -(turn * n1 * n2), pull - turn * n2 * n2]
    }
}

impl ExactDraws for U1 {
    /// Rejection, twice. The radius has density ∝ r exp(−½((r − 2)/.4)²); since r ≤ 2 e^{r/2 − 1}, it is proposed from
    /// N(2 + ½ .4², .4²). The angle is uniform; then the bracket is compared with a bound on it: on its side of z₁ = 0
    /// one term is at most 1, the other at most its value there.
    fn draw(&self, seed: u64, n: usize) -> Vec<f64> {
        let bell = |z: f64| (-0.5 * (z / SIDE_SD).powi(2)).exp();
        let bound = 1.0 + bell(SIDE);
        rows(seed, n, 2, |stream, row| {
            loop {
                let r = RADIUS + 0.5 * RING_SD.powi(2) + RING_SD * stream.normal();
                if stream.uniform() * 2.0 * (r / 2.0 - 1.0).exp() >= r {
                    continue;
                }
                let (sin, cos) = (std::f64::consts::TAU * stream.uniform()).sin_cos();
                let (z1, z2) = (r * cos, r * sin);
                if stream.uniform() * bound < bell(z1 - SIDE) + bell(z1 + SIDE) {
                    (row[0], row[1]) = (z1, z2);
                    return;
                }
            }
        })
    }
}

/// The sides z₁ ≥ 0 and z₁ < 0, of equal mass by symmetry.
impl Modes for U1 {
    fn count(&self) -> usize {
        2
    }

    fn assign(&self, x: &[f64]) -> usize {
        usize::from(x[0] < 0.0)
    }

    fn weights(&self) -> Vec<f64> {
        vec![0.5; 2]
    }
}

/// ‖z‖, `[n, 1]`, kept off zero.
fn radius(x: &Tensor) -> candle_core::Result<Tensor> {
    x.sqr()?.sum_keepdim(1)?.maximum(LEAST_SQUARE)?.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The trapezoidal rule errs by less than any power of the step in the angle, which is periodic, and by h² f'(0)/12 in
    /// the radius, where f'(0) = 3e-8: 1e-14 at h = .002.
    #[test]
    fn constants_are_what_quadrature_gives() {
        let (n_r, n_angle, far) = (4000, 200, 8.0);
        let h = far / n_r as f64;
        let (mut z, mut squares) = (0.0, [0.0; 2]);
        for i in 1..=n_r {
            let r = i as f64 * h;
            let ring = r * (-0.5 * ((r - RADIUS) / RING_SD).powi(2)).exp();
            for j in 0..n_angle {
                let (sin, cos) = (std::f64::consts::TAU * j as f64 / n_angle as f64).sin_cos();
                let bell = |c: f64| (-0.5 * ((r * cos - c) / SIDE_SD).powi(2)).exp();
                let mass = ring * (bell(SIDE) + bell(-SIDE));
                z += mass;
                squares[0] += mass * (r * cos).powi(2);
                squares[1] += mass * (r * sin).powi(2);
            }
        }
        let log_z = (z * h * std::f64::consts::TAU / n_angle as f64).ln();
        assert!((log_z - LOG_Z).abs() < 1e-12, "{log_z}");
        for (square, known) in squares.iter().zip(MEAN_SQUARES) {
            assert!((square / z - known).abs() < 1e-12, "{}", square / z);
        }
    }
}
