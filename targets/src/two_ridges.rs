//! Two ridges along a sine wave, which U3 and U4 share.
//!
//! With r₀ = z₂ − w₁(z₁), r₁ = r₀ + g(z₁):
//! log γ(z) = log[e^{−½(r₀/s₀)²} + e^{−½(r₁/s₁)²}] + log w(z₁), w the soft window of [`crate::soft_uniform`].
//! With p the first term's share of the bracket, k₀ = p r₀/s₀² and k₁ = (1−p) r₁/s₁²:
//! ∂₂ = −(k₀ + k₁), ∂₁ = (k₀ + k₁) w₁' − k₁ g' + (log w)'.
//! Given z₁, z₂ is a mixture of N(w₁, s₀²) and N(w₁ − g, s₁²) with weights ∝ s₀, s₁: log Z = log((s₀ + s₁) √2π) + log ∫ w.
//! Source: Rezende and Mohamed, "Variational Inference with Normalizing Flows" (2015), table 1.
//! Shapes: z `[n, 2]`, log γ `[n]`, ∇ `[n, 2]`.
//! Deviation: the paper's density has no integral, being constant along z₁; the window bounds it.

use crate::draws::rows;
use crate::log_sum_exp::log_add_exp;
use crate::plane::Plane;
use crate::sigmoid::{both, sigmoid};
use crate::soft_uniform::SoftUniform;
use crate::wave::{Curve, Sine};
use crate::{Curvature, DeviceKernel, ExactDraws, Kernel, Known, Modes, Result, Target};
use candle_core::{Tensor, cpu::erf::erf_f64};
use flow_kernels::real::Real;
use flow_kernels::simd::Level;
use std::f64::consts::{SQRT_2, TAU};

pub(crate) struct TwoRidges<C> {
    pub(crate) window: SoftUniform,
    /// g: how far the second ridge lies below the first.
    pub(crate) gap: C,
    /// s₀ and s₁.
    pub(crate) sd: [f64; 2],
}

/// The first column, r₀ and r₁, all `[n, 1]`.
struct Split {
    z1: Tensor,
    r: [Tensor; 2],
}

impl<C: Curve> TwoRidges<C> {
    fn split(&self, x: &Tensor) -> Result<Split> {
        let (z1, z2) = (x.narrow(1, 0, 1)?, x.narrow(1, 1, 1)?);
        let upper = (z2 - Sine.value(&z1)?)?;
        let lower = (&upper + self.gap.value(&z1)?)?;
        Ok(Split { z1, r: [upper, lower] })
    }

    /// log of the two terms of the bracket.
    fn logs(&self, r: &[Tensor; 2]) -> Result<[Tensor; 2]> {
        let log = |i: usize| (&r[i] * (1.0 / self.sd[i]))?.sqr()? * -0.5;
        Ok([log(0)?, log(1)?])
    }

    fn share(&self, ridge: usize) -> f64 {
        self.sd[ridge] / (self.sd[0] + self.sd[1])
    }
}

impl<C: Curve> Target for TwoRidges<C> {
    fn dim(&self) -> usize {
        2
    }

    fn log_density(&self, x: &Tensor) -> Result<Tensor> {
        let Split { z1, r } = self.split(x)?;
        let [upper, lower] = self.logs(&r)?;
        Ok((log_add_exp(&upper, &lower)? + self.window.log_density(&z1)?)?.squeeze(1)?)
    }

    fn grad(&self, x: &Tensor) -> Result<Tensor> {
        let Split { z1, r } = self.split(x)?;
        let [upper, lower] = self.logs(&r)?;
        let log_odds = (upper - lower)?;
        let k0 = ((sigmoid(&log_odds)? * &r[0])? * self.sd[0].powi(-2))?;
        let k1 = ((sigmoid(&log_odds.neg()?)? * &r[1])? * self.sd[1].powi(-2))?;
        let pull = (k0 + &k1)?;
        let along = ((&pull * Sine.slope(&z1)?)? - (k1 * self.gap.slope(&z1)?)?)?;
        Ok(Tensor::cat(&[(along + self.window.score(&z1)?)?, pull.neg()?], 1)?)
    }

    fn kernel(&self) -> Option<&dyn Kernel> {
        Some(self)
    }

    fn curvature(&self) -> Option<&dyn Curvature> {
        Some(self)
    }

    fn device_kernel(&self) -> Option<DeviceKernel<'_>> {
        C::TWO_RIDGES.map(|density| DeviceKernel::new(density, [self.window.width, self.window.softness]))
    }

    /// Moments of z₂ are those of the two Gaussians, averaged over z₁; E w₁ = 0.
    fn known(&self) -> Known {
        let over = |f: &dyn Fn(f64, f64) -> f64| self.window.expectation(|z| f(Sine.at(z), self.gap.at(z)));
        let mean = -self.share(1) * over(&|_, g| g);
        let square = self.share(0) * (self.sd[0].powi(2) + over(&|w, _| w * w))
            + self.share(1) * (self.sd[1].powi(2) + over(&|w, g| (w - g).powi(2)));
        Known {
            log_z: Some(self.window.log_z() + ((self.sd[0] + self.sd[1]) * TAU.sqrt()).ln()),
            mean: Some(vec![0.0, mean]),
            sd: Some(vec![self.window.variance().sqrt(), (square - mean * mean).sqrt()]),
            source: "closed form; moments of the second coordinate by quadrature over the first, to 12 digits",
        }
    }

    fn exact_draws(&self) -> Option<&dyn ExactDraws> {
        Some(self)
    }

    fn modes(&self) -> Option<&dyn Modes> {
        Some(self)
    }
}

impl<C: Curve> TwoRidges<C> {
    /// w₁ and g, each with two derivatives, then r.
    #[inline(always)]
    fn point<L: Level, T: Real>(&self, [z1, z2]: [T; 2]) -> ([T; 3], [T; 3], [T; 2]) {
        let (wave, gap) = (Sine.point::<L, T>(z1), self.gap.point::<L, T>(z1));
        let upper = z2 - wave[0];
        (wave, gap, [upper, upper + gap[0]])
    }

    /// log of the two terms of the bracket.
    #[inline(always)]
    fn point_logs<T: Real>(&self, r: [T; 2]) -> [T; 2] {
        let offset = [r[0] * T::of(1.0 / self.sd[0]), r[1] * T::of(1.0 / self.sd[1])];
        [-(T::HALF * offset[0] * offset[0]), -(T::HALF * offset[1] * offset[1])]
    }

    /// p and 1 − p.
    #[inline(always)]
    fn shares<L: Level, T: Real>(&self, r: [T; 2]) -> [T; 2] {
        let [upper, lower] = self.point_logs(r);
        both::<L, T>(upper - lower)
    }
}

impl<C: Curve> Plane for TwoRidges<C> {
    #[inline(always)]
    fn value<L: Level, T: Real>(&self, z: [T; 2]) -> T {
        let (_, _, r) = self.point::<L, T>(z);
        let [upper, lower] = self.point_logs(r);
        let rest = (-(upper - lower).magnitude()).exp::<L>().ln_1p_unit::<L>();
        (upper.max(lower) + rest) + self.window.point::<L, T>(z[0])
    }

    #[inline(always)]
    fn slope<L: Level, T: Real>(&self, z: [T; 2]) -> [T; 2] {
        let (wave, gap, r) = self.point::<L, T>(z);
        let p = self.shares::<L, T>(r);
        let k0 = (p[0] * r[0]) * T::of(self.sd[0].powi(-2));
        let k1 = (p[1] * r[1]) * T::of(self.sd[1].powi(-2));
        let along = (k0 + k1).fma::<L>(wave[1], -(k1 * gap[1]));
        [along + self.window.point_score::<L, T>(z[0]), -(k0 + k1)]
    }

    /// With aᵢ = −½(rᵢ/sᵢ)² and qᵢ = rᵢ/sᵢ²: p ∇²a₀ + (1−p) ∇²a₁ + p(1−p) δ δᵀ, δ = ∇a₀ − ∇a₁, and
    /// ∇²aᵢ = −∇rᵢ ∇rᵢᵀ/sᵢ² − qᵢ ∇²rᵢ.
    #[inline(always)]
    fn hessian<L: Level, T: Real>(&self, z: [T; 2]) -> [T; 3] {
        let (wave, gap, r) = self.point::<L, T>(z);
        let p = self.shares::<L, T>(r);
        let precision = [T::of(self.sd[0].powi(-2)), T::of(self.sd[1].powi(-2))];
        let (tilt, bend) = ([-wave[1], gap[1] - wave[1]], [-wave[2], gap[2] - wave[2]]);
        let q = [r[0] * precision[0], r[1] * precision[1]];
        let odds = p[0] * p[1];
        let delta = [q[1] * tilt[1] - q[0] * tilt[0], q[1] - q[0]];
        let own = [p[0] * precision[0], p[1] * precision[1]];
        let upper = own[0].fma::<L>(tilt[0] * tilt[0], (p[0] * q[0]) * bend[0]);
        let lower = own[1].fma::<L>(tilt[1] * tilt[1], (p[1] * q[1]) * bend[1]);
        let h11 = (odds * delta[0]).fma::<L>(delta[0], -(upper + lower));
        let h12 = (odds * delta[0]).fma::<L>(delta[1], -own[0].fma::<L>(tilt[0], own[1] * tilt[1]));
        let h22 = (odds * delta[1]).fma::<L>(delta[1], -(own[0] + own[1]));
        [h11 + self.window.point_bend::<L, T>(z[0]), h12, h22]
    }
}

impl<C: Curve> ExactDraws for TwoRidges<C> {
    fn draw(&self, seed: u64, n: usize) -> Vec<f64> {
        rows(seed, n, 2, |stream, row| {
            row[0] = self.window.draw(stream);
            let ridge = usize::from(stream.uniform() >= self.share(0));
            let gap = [0.0, self.gap.at(row[0])][ridge];
            row[1] = Sine.at(row[0]) - gap + self.sd[ridge] * stream.normal();
        })
    }
}

/// The nearer ridge along z₂; where the ridges meet, the upper or the lower half of the one.
impl<C: Curve> Modes for TwoRidges<C> {
    fn count(&self) -> usize {
        2
    }

    fn assign(&self, x: &[f64]) -> usize {
        usize::from(x[1] < Sine.at(x[0]) - self.gap.at(x[0]) / 2.0)
    }

    /// A draw of ridge i stays on its side of the middle with probability Φ(g/2sᵢ), averaged over z₁.
    fn weights(&self) -> Vec<f64> {
        let stays =
            |i: usize| self.window.expectation(|z| 0.5 * (1.0 + erf_f64(self.gap.at(z) / (2.0 * SQRT_2 * self.sd[i]))));
        let upper = self.share(0) * stays(0) + self.share(1) * (1.0 - stays(1));
        vec![upper, 1.0 - upper]
    }
}
