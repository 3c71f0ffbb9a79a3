//! Sine with cosine, of turns or radians.
//!
//! y, the angle less a whole number of quarter turns, |y| ≤ π/4; sin y = y + y³S(y²), cos y = 1 − y²/2 + y⁴C(y²), with
//! S and C of Cephes (Moshier, sinf.c, sin.c); then sines and cosines are exchanged and signed by the quarter.
//! Turns are reduced exactly. Radians by fdlibm's three parts of π/2 (e_rem_pio2.c), those of f32 in double precision
//! (as its k_rem_pio2f.c). Deviation: angles beyond ±10¹² radians, whose floats are further apart than a turn or nearly so,
//! count as 0; from 10⁵ to there the error grows to 10⁻³.

use super::Real;
use super::bits::Bits;
use super::polynomial::polynomial;
use crate::simd::Level;

/// Tables of [`sin_cos`].
pub trait Trigonometric: Sized + 'static {
    /// S, highest power first.
    const SIN: &'static [Self];
    /// C, highest power first.
    const COS: &'static [Self];
    /// 2π, rounded.
    const TAU_HIGH: Self;
    /// 2π less its high part.
    const TAU_LOW: Self;

    /// (y, quarter turns shifted) with self = y + π/2·quarters.
    fn quartered<L: Level>(self) -> (Self, Self);
}

/// (sin 2πt, cos 2πt).
#[inline(always)]
pub(super) fn sin_cos_turns<L: Level, T: Real>(t: T) -> (T, T) {
    let shifted = t.fma::<L>(T::of(4.0), T::ROUND);
    let f = t - (shifted - T::ROUND) * T::of(0.25);
    let y = f * T::TAU_HIGH;
    // What rounding took from 2πf: all of it with a fused multiply-add, the constant's share without.
    let lost = if L::FMA { f.fma::<L>(T::TAU_HIGH, -y) } else { T::ZERO };
    let (sin, cos) = kernel::<L, T>(y, f.fma::<L>(T::TAU_LOW, lost));
    T::turned(sin, cos, shifted)
}

/// (sin x, cos x).
#[inline(always)]
pub(super) fn sin_cos<L: Level, T: Real>(x: T) -> (T, T) {
    // ∞·0 is NaN, and NaN stays.
    let x = if x.magnitude() <= T::of(1e12) { x } else { x * T::ZERO };
    let (y, shifted) = x.quartered::<L>();
    let (sin, cos) = kernel::<L, T>(y, T::ZERO);
    T::turned(sin, cos, shifted)
}

/// (sin, cos) of y + tail, |y| ≤ π/4, tail of the size of y's rounding error.
#[inline(always)]
fn kernel<L: Level, T: Real>(y: T, tail: T) -> (T, T) {
    let z = y * y;
    let sin = y + (y * z).fma::<L>(polynomial::<L, T>(z, T::SIN), tail);
    let half = T::HALF * z;
    let near = T::ONE - half;
    let rest = (z * z).fma::<L>(polynomial::<L, T>(z, T::COS), -(y * tail));
    (sin, near + (((T::ONE - near) - half) + rest))
}

#[allow(clippy::excessive_precision, reason = "the digits are as published")]
const PI_2: [f64; 3] = [1.57079632673412561417e+00, 6.07710050630396597660e-11, 2.02226624879595063154e-21];

#[allow(clippy::excessive_precision, reason = "the digits are as published")]
impl Trigonometric for f32 {
    const SIN: &'static [Self] = &[-1.9515295891E-4, 8.3321608736E-3, -1.6666654611E-1];
    const COS: &'static [Self] = &[2.443315711809948E-005, -1.388731625493765E-003, 4.166664568298827E-002];
    const TAU_HIGH: Self = std::f32::consts::TAU;
    const TAU_LOW: Self = (std::f64::consts::TAU - std::f32::consts::TAU as f64) as f32;

    #[inline(always)]
    fn quartered<L: Level>(self) -> (Self, Self) {
        let (y, shifted) = f64::from(self).quartered::<L>();
        (y as f32, f32::from_bits(shifted.to_bits() as u32 & 3))
    }
}

#[allow(clippy::excessive_precision, reason = "the digits are as published")]
impl Trigonometric for f64 {
    const SIN: &'static [Self] = &[
        1.58962301576546568060E-10,
        -2.50507477628578072866E-8,
        2.75573136213857245213E-6,
        -1.98412698295895385996E-4,
        8.33333333332211858878E-3,
        -1.66666666666666307295E-1,
    ];
    const COS: &'static [Self] = &[
        -1.13585365213876817300E-11,
        2.08757008419747316778E-9,
        -2.75573141792967388112E-7,
        2.48015872888517045348E-5,
        -1.38888888888730564116E-3,
        4.16666666666665929218E-2,
    ];
    const TAU_HIGH: Self = std::f64::consts::TAU;
    const TAU_LOW: Self = 2.4492935982947064e-16;

    #[inline(always)]
    fn quartered<L: Level>(self) -> (Self, Self) {
        let shifted = Real::fma::<L>(self, std::f64::consts::FRAC_2_PI, Self::ROUND);
        let n = shifted - Self::ROUND;
        let first = Real::fma::<L>(n, -PI_2[0], self);
        let w = n * PI_2[1];
        let second = first - w;
        let lost = (first - second) - w;
        (second - Real::fma::<L>(n, PI_2[2], -lost), shifted)
    }
}
