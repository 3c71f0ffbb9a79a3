//! Saturating functions of networks: tanh x, σ(x) = 1/(1 + e⁻ˣ), softplus ln(1 + eˣ).
//!
//! tanh as in Cephes (Moshier, tanh.c, tanhf.c): x + x³P(x²)/Q(x²) below 0.625, else 1 − 2/(e^{2x} + 1); both are
//! selected before the one division. σ and softplus from e^{−|x|}, which cannot overflow.
//! Deviation: σ and softplus below the smallest normal number are 0, as [`exp`] is.

use super::Real;
use super::exponential::{exp, exp_with_error};
use super::logarithm::ln_1p_unit;
use super::polynomial::polynomial;
use crate::simd::Level;

/// Tables of [`tanh`].
pub trait Hyperbolic: Sized + 'static {
    /// P, highest power first.
    const TANH_P: &'static [Self];
    /// Q, highest power first.
    const TANH_Q: &'static [Self];
}

/// tanh x.
#[inline(always)]
pub(super) fn tanh<L: Level, T: Real>(x: T) -> T {
    let size = x.magnitude();
    let z = x * x;
    let power = exp::<L, T>(size + size);
    let small = size < T::of(0.625);
    let above = if small { z * polynomial::<L, T>(z, T::TANH_P) } else { -T::TWO };
    let below = if small { polynomial::<L, T>(z, T::TANH_Q) } else { power + T::ONE };
    let ratio = above / below;
    let tanh = if small { size.fma::<L>(ratio, size) } else { T::ONE + ratio };
    tanh.copysign(x)
}

/// 1/(1 + e⁻ˣ).
#[inline(always)]
pub(super) fn sigmoid<L: Level, T: Real>(x: T) -> T {
    let (e, error) = exp_with_error::<L, T>(-x.magnitude());
    let left = x < T::ZERO;
    let sum = T::ONE + e;
    let sum_error = (e - (sum - T::ONE)) + error;
    let (above, above_error) = (if left { e } else { T::ONE }, if left { error } else { T::ZERO });
    // One step of Newton for the quotient of the unrounded numbers; 1/sum is σ(|x|).
    let ratio = above / sum;
    let inverse = if left { T::ONE - ratio } else { ratio };
    (above_error - ratio * sum_error).fma::<L>(inverse, ratio)
}

/// ln(1 + eˣ).
#[inline(always)]
pub(super) fn softplus<L: Level, T: Real>(x: T) -> T {
    x.max(T::ZERO) + ln_1p_unit::<L, T>(exp::<L, T>(-x.magnitude()))
}

#[allow(clippy::excessive_precision, reason = "the digits are as published")]
impl Hyperbolic for f32 {
    const TANH_P: &'static [Self] =
        &[-5.70498872745E-3, 2.06390887954E-2, -5.37397155531E-2, 1.33314422036E-1, -3.33332819422E-1];
    const TANH_Q: &'static [Self] = &[1.0];
}

#[allow(clippy::excessive_precision, reason = "the digits are as published")]
impl Hyperbolic for f64 {
    const TANH_P: &'static [Self] = &[-9.64399179425052238628E-1, -9.92877231001918586564E1, -1.61468768441708447952E3];
    const TANH_Q: &'static [Self] =
        &[1.0, 1.12811678491632931402E2, 2.23548839060100448583E3, 4.84406305325125486048E3];
}
