//! Logarithms: ln x, ln(1 + x).
//!
//! x = 2ᵏ(1 + f) with 1 + f from √½ to √2; with s = f/(2 + f), ln(1 + f) = f − f²/2 + s(f²/2 + R(s²)). Formula, coefficients and
//! order of the sum: FreeBSD's k_log.h, k_logf.h as in musl's log.c, logf.c. For ln(1 + x), 1 + x = u + c in two floats, and
//! c·2⁻ᵏ is added to f (log1p.c divides c by u instead, which costs a division).
//! Deviation: the logarithm of a subnormal number is that of 0.

use super::Real;
use super::polynomial::polynomial;
use crate::simd::Level;

/// Tables of [`ln`].
pub trait Logarithm: Sized + 'static {
    /// Terms of R/s² in s⁴ that stand at even powers of s², highest first.
    const LOG_EVEN: &'static [Self];
    /// Those at odd powers.
    const LOG_ODD: &'static [Self];
    /// ln 2 with enough trailing zeros that k·high is exact.
    const LOG_2_HIGH: Self;
    /// ln 2 less its high part.
    const LOG_2_LOW: Self;
}

/// ln x.
#[inline(always)]
pub(super) fn ln<L: Level, T: Real>(x: T) -> T {
    let (k, m, _) = x.split();
    limited(x, of_parts::<L, T>(k, m - T::ONE))
}

/// ln(1 + x).
#[inline(always)]
pub(super) fn ln_1p<L: Level, T: Real>(x: T) -> T {
    let u = T::ONE + x;
    // Knuth's or Dekker's error of a sum: the larger summand is taken away first.
    let c = if x < T::ONE { x - (u - T::ONE) } else { T::ONE - (u - x) };
    limited(u, ln_of_sum::<L, T>(u, c))
}

/// ln(1 + y) for y from 0 to 1: nothing to select, since NaN comes through c.
#[inline(always)]
pub(super) fn ln_1p_unit<L: Level, T: Real>(y: T) -> T {
    let u = T::ONE + y;
    ln_of_sum::<L, T>(u, y - (u - T::ONE))
}

/// ln(u + c) for a positive normal u and c of the size of its rounding error.
#[inline(always)]
pub(crate) fn ln_of_sum<L: Level, T: Real>(u: T, c: T) -> T {
    let (k, m, power) = u.split();
    of_parts::<L, T>(k, (m - T::ONE) + (c * T::HALF) * power)
}

/// k ln 2 + ln(1 + f).
#[inline(always)]
fn of_parts<L: Level, T: Real>(k: T, f: T) -> T {
    let s = f / (T::TWO + f);
    let z = s * s;
    let w = z * z;
    let even = z * polynomial::<L, T>(w, T::LOG_EVEN);
    let r = w.fma::<L>(polynomial::<L, T>(w, T::LOG_ODD), even);
    let half = T::HALF * f * f;
    let tail = s.fma::<L>(half + r, k * T::LOG_2_LOW);
    k.fma::<L>(T::LOG_2_HIGH, f - (half - tail))
}

#[inline(always)]
fn limited<T: Real>(x: T, log: T) -> T {
    // ∞ stays, and so does NaN, which is not less than anything.
    let log = if x < T::INFINITY { log } else { x };
    let log = if x < T::MIN_POSITIVE { -T::INFINITY } else { log };
    if x < T::ZERO { T::NAN } else { log }
}

#[allow(clippy::excessive_precision, reason = "the digits are as published")]
impl Logarithm for f32 {
    const LOG_EVEN: &'static [Self] = &[0.28498786688, 0.66666662693];
    const LOG_ODD: &'static [Self] = &[0.24279078841, 0.40000972152];
    const LOG_2_HIGH: Self = 6.9313812256e-01;
    const LOG_2_LOW: Self = 9.0580006145e-06;
}

#[allow(clippy::excessive_precision, reason = "the digits are as published")]
impl Logarithm for f64 {
    const LOG_EVEN: &'static [Self] =
        &[1.479819860511658591e-01, 1.818357216161805012e-01, 2.857142874366239149e-01, 6.666666666666735130e-01];
    const LOG_ODD: &'static [Self] = &[1.531383769920937332e-01, 2.222219843214978396e-01, 3.999999999940941908e-01];
    const LOG_2_HIGH: Self = 6.93147180369123816490e-01;
    const LOG_2_LOW: Self = 1.90821492927058770002e-10;
}
