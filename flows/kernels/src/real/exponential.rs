//! eˣ.
//!
//! Cody & Waite's reduction x = n ln 2 + r, |r| ≤ ½ ln 2 ("Software Manual for the Elementary Functions", 1980, chapter 6), a
//! minimax polynomial eʳ ≈ 1 + r + r²P(r), 2ⁿ by adding n to the exponent. Coefficients: SLEEF 3, sleefsp.c `expk3f`, sleefdp.c
//! `xexp` without FMA (Shibata & Petrogalli, "SLEEF: a portable vectorized library of C standard mathematical functions", 2020).
//! Deviation: results below the smallest normal number are 0, because arithmetic on denormals is a hundred times as slow.

use super::Real;
use super::polynomial::polynomial;
use crate::simd::Level;

/// Tables of [`exp`].
pub trait Exponential: Sized + 'static {
    /// P, highest power first.
    const EXP: &'static [Self];
    /// ln 2 with enough trailing zeros that n·high is exact.
    const LN_2_HIGH: Self;
    /// ln 2 less its high part.
    const LN_2_LOW: Self;
    /// The largest x with finite eˣ.
    const LARGEST: Self;
    /// The smallest x with normal eˣ.
    const SMALLEST: Self;
}

/// eˣ.
#[inline(always)]
pub(super) fn exp<L: Level, T: Real>(x: T) -> T {
    let (q, shifted) = parts::<L, T>(x);
    limited(x, (T::ONE + q).scaled(shifted))
}

/// (e, δ): eˣ = e + δ with δ the rounding error of e, for x ≤ 0.
#[inline(always)]
pub(super) fn exp_with_error<L: Level, T: Real>(x: T) -> (T, T) {
    let (q, shifted) = parts::<L, T>(x);
    let sum = T::ONE + q;
    // Where e is next to the smallest normal number its error cannot be scaled; it is of no use there.
    let error = (q - (sum - T::ONE)) * T::ONE.scaled(shifted);
    (limited(x, sum.scaled(shifted)), if x < T::SMALLEST + T::ONE { T::ZERO } else { error })
}

/// (q, n shifted): eˣ = (1 + q)·2ⁿ.
#[inline(always)]
fn parts<L: Level, T: Real>(x: T) -> (T, T) {
    let shifted = x.fma::<L>(T::LOG2_E, T::ROUND);
    let n = shifted - T::ROUND;
    let r = n.fma::<L>(-T::LN_2_LOW, n.fma::<L>(-T::LN_2_HIGH, x));
    ((r * r).fma::<L>(polynomial::<L, T>(r, T::EXP), r), shifted)
}

#[inline(always)]
fn limited<T: Real>(x: T, power: T) -> T {
    // Above the largest argument infinity is added, so that NaN stays NaN.
    let power = if x <= T::LARGEST { power } else { x + T::INFINITY };
    if x < T::SMALLEST { T::ZERO } else { power }
}

#[allow(clippy::excessive_precision, reason = "the digits are as published")]
impl Exponential for f32 {
    const EXP: &'static [Self] = &[
        0.000198527617612853646278381,
        0.00139304355252534151077271,
        0.00833336077630519866943359,
        0.0416664853692054748535156,
        0.166666671633720397949219,
        0.5,
    ];
    const LN_2_HIGH: Self = 0.693145751953125;
    const LN_2_LOW: Self = 1.428606765330187045e-06;
    const LARGEST: Self = 88.72283;
    const SMALLEST: Self = -87.33654;
}

#[allow(clippy::excessive_precision, reason = "the digits are as published")]
impl Exponential for f64 {
    const EXP: &'static [Self] = &[
        2.08860621107283687536341e-09,
        2.51112930892876518610661e-08,
        2.75573911234900471893338e-07,
        2.75572362911928827629423e-06,
        2.4801587159235472998791e-05,
        0.000198412698960509205564975,
        0.00138888888889774492207962,
        0.00833333333331652721664984,
        0.0416666666666665047591422,
        0.166666666666666851703837,
        0.5,
    ];
    const LN_2_HIGH: Self = 0.69314718055966295651160180568695068359375;
    const LN_2_LOW: Self = 0.28235290563031577122588448175013436025525412068e-12;
    const LARGEST: Self = 709.782712893384;
    const SMALLEST: Self = -708.396418532264;
}
