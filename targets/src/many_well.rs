//! Many-well: independent double wells, each in a plane of its own.
//!
//! Coordinates come in pairs (x, y): log γ = Σ over pairs of −x⁴ + 6x² + ½x − ½y²; ∂ₓ = −4x³ + 12x + ½, ∂ᵧ = −y.
//! Every x has two wells, near ±√3, so that d coordinates have 2^{d/2} modes.
//! Source: Midgley, Stimper, Simm, Schölkopf and Hernández-Lobato, "Flow Annealed Importance Sampling Bootstrap" (2023),
//! section 4.2, after Noé et al. (2019), with d = 32. Shapes: x `[n, d]`, log γ `[n]`, ∇ `[n, d]`.
//! Deviation: none.

use crate::constant::Constant;
use crate::draws::rows;
use crate::kernel::formula;
use crate::registry::Definition;
use crate::separable::{Coefficients, Separable};
use crate::{Curvature, DeviceKernel, ExactDraws, Kernel, Known, Modes, Result, Target};
use candle_core::Tensor;
use flow_cuda::targets::Density;
use flow_kernels::philox::Stream;
use flow_kernels::real::Real;
use flow_kernels::simd::Level;
use schemars::JsonSchema;
use serde::Deserialize;
use std::f64::consts::TAU;

/// log ∫, mean, mean square and P(x > 0) of exp(−x⁴ + 6x² + ½x) by quadrature, which the test below repeats.
const WELL_LOG_Z: f64 = 9.374_541_173_869_195;
const WELL_MEAN: f64 = 1.187_960_983_376_15;
const WELL_MEAN_SQUARE: f64 = 2.959_806_090_488_94;
const WELL_POSITIVE: f64 = 0.844_307_096_211_139;

/// Most wells whose modes are told apart: beyond, they are too many to list.
const MOST_LISTED: usize = 16;

/// Many-well: independent double wells x⁴ − 6x² − ½x, each with a Gaussian coordinate beside it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ManyWell {
    /// Dimension: twice the number of wells.
    #[schemars(range(min = 2, max = 4096), extend("multipleOf" = 2))]
    dim: usize,
}

impl Default for ManyWell {
    fn default() -> Self {
        Self { dim: 32 }
    }
}

impl Definition for ManyWell {
    const NAME: &'static str = "many-well";
    const SUMMARY: &'static str = "independent double wells, each in a plane of its own";
    const REFERENCE: &'static str =
        "Midgley, Stimper, Simm, Schölkopf, Hernández-Lobato 2023, arXiv 2208.01893, section 4.2";

    fn build(self) -> Box<dyn Target> {
        let wells = self.dim / 2;
        let pairs = |x: f64, y: f64| Constant::new([x, y].repeat(wells), &[1, self.dim]);
        // −x⁴ + 6x² + ½x and −½y², as one polynomial in every coordinate.
        let coefficients = Coefficients::new([&[-1.0, 0.0].repeat(wells), &[6.0, -0.5].repeat(wells)]);
        let (quartic, quadratic, linear) = (pairs(-1.0, 0.0), pairs(6.0, -0.5), pairs(0.5, 0.0));
        Box::new(Wells { wells, quartic, quadratic, linear, coefficients })
    }
}

struct Wells {
    wells: usize,
    quartic: Constant,
    quadratic: Constant,
    linear: Constant,
    /// q and s: every coordinate adds q x⁴ + s x² − ½q x.
    coefficients: Coefficients,
}

impl Target for Wells {
    fn dim(&self) -> usize {
        2 * self.wells
    }

    fn log_density(&self, x: &Tensor) -> Result<Tensor> {
        let square = x.sqr()?;
        let even = square.broadcast_mul(&self.quartic.like(x)?)?.broadcast_add(&self.quadratic.like(x)?)?;
        let linear = x.broadcast_mul(&self.linear.like(x)?)?;
        Ok(((even * square)? + linear)?.sum(1)?)
    }

    fn grad(&self, x: &Tensor) -> Result<Tensor> {
        let cubic = (x.sqr()?.broadcast_mul(&self.quartic.like(x)?)? * 4.0)?;
        let slope = cubic.broadcast_add(&(self.quadratic.like(x)? * 2.0)?)?;
        Ok((slope * x)?.broadcast_add(&self.linear.like(x)?)?)
    }

    fn kernel(&self) -> Option<&dyn Kernel> {
        Some(self)
    }

    fn curvature(&self) -> Option<&dyn Curvature> {
        Some(self)
    }

    fn device_kernel(&self) -> Option<DeviceKernel<'_>> {
        Some(DeviceKernel::with_table(Density::Wells, [self.constant(), 0.0], self.coefficients.table()))
    }

    fn known(&self) -> Known {
        let well_sd = (WELL_MEAN_SQUARE - WELL_MEAN.powi(2)).sqrt();
        Known {
            log_z: Some(self.wells as f64 * (WELL_LOG_Z + 0.5 * TAU.ln())),
            mean: Some([WELL_MEAN, 0.0].repeat(self.wells)),
            sd: Some([well_sd, 1.0].repeat(self.wells)),
            source: "quadrature of one well, to 12 digits",
        }
    }

    fn exact_draws(&self) -> Option<&dyn ExactDraws> {
        Some(self)
    }

    fn modes(&self) -> Option<&dyn Modes> {
        (self.wells <= MOST_LISTED).then_some(self)
    }
}

impl Separable for Wells {
    fn coefficients(&self) -> &Coefficients {
        &self.coefficients
    }

    fn constant(&self) -> f64 {
        0.0
    }

    #[inline(always)]
    fn value<L: Level, T: Real>(&self, x: T, [q, s]: [T; 2]) -> T {
        let square = x * x;
        square.fma::<L>(square.fma::<L>(q, s), -(T::HALF * q * x))
    }

    #[inline(always)]
    fn slope<L: Level, T: Real>(&self, x: T, [q, s]: [T; 2]) -> T {
        let slope = (T::of(4.0) * q).fma::<L>(x * x, T::TWO * s);
        slope.fma::<L>(x, -(T::HALF * q))
    }

    #[inline(always)]
    fn second<L: Level, T: Real>(&self, x: T, [q, s]: [T; 2]) -> T {
        (T::of(12.0) * q).fma::<L>(x * x, T::TWO * s)
    }
}

formula!(Wells: separable);

impl ExactDraws for Wells {
    fn draw(&self, seed: u64, n: usize) -> Vec<f64> {
        rows(seed, n, self.dim(), |stream, row| {
            for pair in row.chunks_exact_mut(2) {
                pair[0] = draw_well(stream);
                pair[1] = stream.normal();
            }
        })
    }
}

/// Rejection from two Gaussians, one a side.
///
/// −x⁴ + 6x² = 9 − (x² − 3)², and (x² − 3)² = (a − c)² (a + c)² ≥ 3 (a − c)² with a = |x|, c = √3. So on the side ±,
/// e^{−3(x ∓ c)² + x/2} bounds the density: a Gaussian of mean ±c + 1/12, variance 1/6 and mass ∝ e^{±c/2}.
fn draw_well(stream: &mut Stream) -> f64 {
    let c = 3f64.sqrt();
    let positive = 1.0 / (1.0 + (-c).exp());
    loop {
        let side = if stream.uniform() < positive { 1.0 } else { -1.0 };
        let x = side * c + 1.0 / 12.0 + (1.0 / 6f64).sqrt() * stream.normal();
        let excess = 3.0 * (x.abs() - c).powi(2) - (x * x - 3.0).powi(2);
        if x * side > 0.0 && stream.uniform().ln() < excess {
            return x;
        }
    }
}

/// Bit i of a mode's number is set where x of pair i is negative.
impl Modes for Wells {
    fn count(&self) -> usize {
        1 << self.wells
    }

    fn assign(&self, x: &[f64]) -> usize {
        x.chunks_exact(2).enumerate().map(|(i, pair)| usize::from(pair[0] < 0.0) << i).sum()
    }

    fn weights(&self) -> Vec<f64> {
        let weight = |mode: usize| {
            let negative = mode.count_ones() as i32;
            WELL_POSITIVE.powi(self.wells as i32 - negative) * (1.0 - WELL_POSITIVE).powi(negative)
        };
        (0..self.count()).map(weight).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The trapezoidal rule on an entire integrand errs by exp(−c/h²) or less: nothing at h = .001. P(x > 0) has an end
    /// where the integrand is 1 and its odd derivatives ½, 1·½ …: half weight there and Gregory's −h²/12 f'(0) leave h⁴.
    #[test]
    fn constants_are_what_quadrature_gives() {
        let h = 1e-3;
        let density = |x: f64| (-x.powi(4) + 6.0 * x * x + 0.5 * x).exp();
        let sum = |f: &dyn Fn(f64) -> f64| (-6000..=6000).map(|i| f(f64::from(i) * h)).sum::<f64>() * h;
        let mass = sum(&density);
        let mean = sum(&|x| x * density(x)) / mass;
        let square = sum(&|x| x * x * density(x)) / mass;
        let half: f64 = (1..=6000).map(|i| density(f64::from(i) * h)).sum::<f64>() * h;
        let positive = (half + h / 2.0 + h * h / 12.0 * 0.5) / mass;
        for (value, known) in
            [(mass.ln(), WELL_LOG_Z), (mean, WELL_MEAN), (square, WELL_MEAN_SQUARE), (positive, WELL_POSITIVE)]
        {
            assert!((value - known).abs() < 1e-12, "{value} {known}");
        }
    }
}
