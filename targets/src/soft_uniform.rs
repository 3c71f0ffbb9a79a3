//! A uniform density on an interval, with soft ends.
//!
//! log w(z) = log σ(β(z + s/2)) + log σ(−β(z − s/2)), with width s and softness β: the prior of Toth et al., "Hamiltonian
//! Generative Networks" (2019), without its normaliser. Since
//! σ(a) σ(−b) (1 − e^{b−a}) = σ(a) − σ(b), it is s/(1 − e^{−βs}) times the density of U + L, U uniform on (−s/2, s/2) and L
//! logistic with scale 1/β: hence the integral, exact draws, and variance s²/12 + π²/(3β²).
//! Shapes: any, element by element.
//! Deviation: none.

use crate::sigmoid::{both, log_sigmoid, sigmoid};
use candle_core::{Result, Tensor};
use flow_kernels::philox::Stream;
use flow_kernels::real::Real;
use flow_kernels::simd::Level;
use std::f64::consts::PI;

#[derive(Clone, Copy)]
pub(crate) struct SoftUniform {
    pub(crate) width: f64,
    pub(crate) softness: f64,
}

impl SoftUniform {
    /// log w(z).
    pub(crate) fn log_density(&self, z: &Tensor) -> Result<Tensor> {
        let half = self.softness * self.width / 2.0;
        log_sigmoid(&z.affine(self.softness, half)?)? + log_sigmoid(&z.affine(-self.softness, half)?)?
    }

    /// d log w(z) / dz = β σ(−β(z + s/2)) − β σ(β(z − s/2)).
    pub(crate) fn score(&self, z: &Tensor) -> Result<Tensor> {
        let half = self.softness * self.width / 2.0;
        let inwards = sigmoid(&z.affine(-self.softness, -half)?)?;
        let outwards = sigmoid(&z.affine(self.softness, -half)?)?;
        (inwards - outwards)? * self.softness
    }

    /// β(z + s/2) and β(z − s/2).
    #[inline(always)]
    fn ends<L: Level, T: Real>(&self, z: T) -> [T; 2] {
        let (softness, half) = (T::of(self.softness), T::of(self.softness * self.width / 2.0));
        [z.fma::<L>(softness, half), z.fma::<L>(softness, -half)]
    }

    /// log w of one number.
    #[inline(always)]
    pub(crate) fn point<L: Level, T: Real>(&self, z: T) -> T {
        let [left, right] = self.ends::<L, T>(z);
        -((-left).softplus::<L>() + right.softplus::<L>())
    }

    /// Its derivative.
    #[inline(always)]
    pub(crate) fn point_score<L: Level, T: Real>(&self, z: T) -> T {
        let [left, right] = self.ends::<L, T>(z);
        ((-left).sigmoid::<L>() - right.sigmoid::<L>()) * T::of(self.softness)
    }

    /// Its second derivative.
    #[inline(always)]
    pub(crate) fn point_bend<L: Level, T: Real>(&self, z: T) -> T {
        let [left, right] = self.ends::<L, T>(z);
        let (left, right) = (both::<L, T>(left), both::<L, T>(right));
        -(left[0] * left[1] + right[0] * right[1]) * T::of(self.softness * self.softness)
    }

    /// log ∫ w.
    pub(crate) fn log_z(&self) -> f64 {
        self.width.ln() - (-(-self.softness * self.width).exp_m1()).ln()
    }

    pub(crate) fn variance(&self) -> f64 {
        self.width.powi(2) / 12.0 + (PI / self.softness).powi(2) / 3.0
    }

    pub(crate) fn draw(&self, stream: &mut Stream) -> f64 {
        self.width * (stream.uniform() - 0.5) + stream.logistic() / self.softness
    }

    /// E cos(tz): product of the characteristic functions of U and L.
    pub(crate) fn mean_cos(&self, t: f64) -> f64 {
        let (a, b) = (t * self.width / 2.0, PI * t / self.softness);
        if t == 0.0 { 1.0 } else { a.sin() / a * (b / b.sinh()) }
    }

    /// E f(z) by the trapezoidal rule, for an f analytic within |Im z| < 1/4 and bounded.
    ///
    /// The rule with step h errs by about exp(−2π c/h), c the distance of the nearest pole from the real line: π/β for the
    /// window, 1/4 for f. Steps of at most 1/(10β) and 1/20 put the error below 1e-13; 40/β beyond the ends, w is below 1e-17.
    pub(crate) fn expectation(&self, f: impl Fn(f64) -> f64) -> f64 {
        let step = (0.1 / self.softness).min(0.05);
        let reach = self.width / 2.0 + 40.0 / self.softness;
        let n = (reach / step).ceil() as i64;
        let (mut mass, mut sum) = (0.0, 0.0);
        for i in -n..=n {
            let z = i as f64 * step;
            let (a, b) = (self.softness * (z + self.width / 2.0), self.softness * (z - self.width / 2.0));
            let weight = 1.0 / ((1.0 + (-a).exp()) * (1.0 + b.exp()));
            mass += weight;
            sum += weight * f(z);
        }
        sum / mass
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Closed forms against the trapezoidal rule, at a wide, a narrow and a nearly shapeless window.
    #[test]
    fn moments_agree_with_quadrature() {
        for (width, softness) in [(8.0, 10.0), (1.0, 40.0), (0.5, 0.5)] {
            let window = SoftUniform { width, softness };
            let variance = window.expectation(|z| z * z);
            assert!((variance / window.variance() - 1.0).abs() < 1e-12, "{variance}");
            let cos = window.expectation(|z| (1.3 * z).cos());
            assert!((cos - window.mean_cos(1.3)).abs() < 1e-12, "{cos}");
        }
    }
}
