//! The two element types of the kernels: f32 or f64, with the few functions that their loops need.
//!
//! `exp` of a non-positive number: Cody & Waite's reduction x = n ln 2 + r, |r| ≤ ½ ln 2 ("Software Manual for the Elementary
//! Functions", 1980, chapter 6), Taylor's series of eʳ to where its remainder is below half a unit in the last place, 2ⁿ by
//! the exponent's bits. `ln_1p` on [0, 1]: 2 artanh(y/(2 + y)), a series in s² ≤ 1/9 (Abramowitz & Stegun 4.1.27).
//! Straight-line arithmetic, so that loops over them vectorise. Deviation: none.

use std::fmt::Debug;
use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub, SubAssign};

use crate::simd::Level;

/// f32 or f64.
pub trait Real:
    Copy
    + Debug
    + Default
    + PartialOrd
    + Send
    + Sync
    + 'static
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
{
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;

    /// The nearest value.
    fn of(value: f64) -> Self;

    /// The value in double precision.
    fn wide(self) -> f64;

    /// eˣ for x ≤ 0; below e⁻⁶⁰ (f32), e⁻³⁰⁰ (f64) it is 0, NaN stays.
    ///
    /// Products of smaller numbers are denormal, which processors multiply a hundred times as slowly; a saturated network
    /// is full of them.
    fn exp_neg(self) -> Self;

    /// log(1 + y) for y in [0, 1]; NaN stays.
    fn ln_1p_unit(self) -> Self;

    /// |x|.
    fn magnitude(self) -> Self;

    /// self·b + c, rounded once where the level has an instruction for it.
    fn fma<L: Level>(self, b: Self, c: Self) -> Self;
}

macro_rules! real {
    ($float:ident, $bits:ident, $mantissa:expr, $bias:expr, $lowest:expr, $ln2_high:expr, $ln2_low:expr, $exp_terms:expr, $log_terms:expr) => {
        #[allow(clippy::excessive_precision, reason = "the digits are as published")]
        impl Real for $float {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;

            #[inline(always)]
            fn of(value: f64) -> Self {
                value as Self
            }

            #[inline(always)]
            fn wide(self) -> f64 {
                f64::from(self)
            }

            #[inline(always)]
            fn exp_neg(self) -> Self {
                // Adding 1.5·2^mantissa rounds to an integer and leaves it in the lowest bits.
                const ROUND: $float = 1.5 * (1u64 << $mantissa) as $float;
                let x = if self < $lowest { $lowest } else { self };
                let shifted = x * std::$float::consts::LOG2_E + ROUND;
                let n = shifted - ROUND;
                let r = x - n * $ln2_high - n * $ln2_low;
                // Horner: 1 + r(1 + r/2(1 + r/3(…))).
                let mut sum = 1.0;
                let mut k = $exp_terms;
                while k > 0 {
                    sum = 1.0 + sum * r * (1.0 / k as $float);
                    k -= 1;
                }
                let power = sum * $float::from_bits((shifted.to_bits() << $mantissa).wrapping_add($bias << $mantissa));
                if self < $lowest { 0.0 } else { power }
            }

            #[inline(always)]
            fn ln_1p_unit(self) -> Self {
                let s = self / (2.0 + self);
                let s2 = s * s;
                let mut sum = 0.0;
                let mut k = $log_terms;
                while k > 0 {
                    k -= 1;
                    sum = sum * s2 + 1.0 / (2 * k + 1) as $float;
                }
                2.0 * s * sum
            }

            #[inline(always)]
            fn magnitude(self) -> Self {
                self.abs()
            }

            #[inline(always)]
            fn fma<L: Level>(self, b: Self, c: Self) -> Self {
                if L::FMA { self.mul_add(b, c) } else { self * b + c }
            }
        }
    };
}

// ln 2 in two parts, the first with enough trailing zeros that n·high is exact (as in fdlibm's e_expf.c, e_exp.c).
real!(f32, u32, 23, 127, -60.0, 6.9314575195e-1, 1.4286067653e-6, 8, 8);
real!(f64, u64, 52, 1023, -300.0, 6.93147180369123816490e-01, 1.90821492927058770002e-10, 14, 17);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Against the standard library, which rounds nearly correctly; 8 units in the last place for some ten operations.
        #[test]
        fn exp_and_log_agree_with_the_standard_library(x in -300.0f64..=0.0, y in 0.0f64..=1.0) {
            let close = |got: f64, exact: f64, epsilon: f64| (got - exact).abs() <= 8.0 * epsilon * exact.abs();
            prop_assert!(close(x.exp_neg(), x.exp(), f64::EPSILON), "{} {}", x.exp_neg(), x.exp());
            prop_assert!(close(y.ln_1p_unit(), y.ln_1p(), f64::EPSILON), "{} {}", y.ln_1p_unit(), y.ln_1p());
            let (x, y) = ((x / 5.1) as f32, y as f32);
            prop_assert!(close(x.exp_neg().wide(), x.wide().exp(), f32::EPSILON.wide()), "{} {}", x.exp_neg(), x.exp());
            prop_assert!(close(y.ln_1p_unit().wide(), y.wide().ln_1p(), f32::EPSILON.wide()));
        }
    }

    #[test]
    fn the_ends_of_the_range() {
        assert_eq!(0.0f32.exp_neg(), 1.0);
        assert_eq!(0.0f64.exp_neg(), 1.0);
        assert_eq!((-1e30f32).exp_neg(), 0.0);
        assert_eq!((-1e300f64).exp_neg(), 0.0);
        assert!(f32::NAN.exp_neg().is_nan() && f64::NAN.ln_1p_unit().is_nan());
    }
}
