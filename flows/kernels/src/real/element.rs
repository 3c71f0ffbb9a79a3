//! The trait of the two element types.
//!
//! Every function is straight-line arithmetic with selections, so that a loop over a slice vectorises at each level, and is
//! within 2 units in the last place of the exact value over the range that it states (see `laws`). The rooms beside this one
//! hold the formulas and say where they deviate from the standard library.

use std::fmt::Debug;
use std::ops::{Add, AddAssign, Div, Mul, MulAssign, Neg, Sub, SubAssign};

use super::bits::Bits;
use super::exponential::{self, Exponential};
use super::hyperbolic::{self, Hyperbolic};
use super::logarithm::{self, Logarithm};
use super::trigonometry::{self, Trigonometric};
use super::uniform::Uniform;
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
    + MulAssign
    + SubAssign
    + Bits
    + Exponential
    + Hyperbolic
    + Logarithm
    + Trigonometric
    + Uniform
{
    /// 0.
    const ZERO: Self;
    /// ½.
    const HALF: Self;
    /// 1.
    const ONE: Self;
    /// 2.
    const TWO: Self;
    /// π.
    const PI: Self;
    /// 2π.
    const TAU: Self;
    /// ln 2.
    const LN_2: Self;
    /// log₂ e.
    const LOG2_E: Self;
    /// Distance from 1 to the next larger number.
    const EPSILON: Self;
    /// The smallest normal number.
    const MIN_POSITIVE: Self;
    /// ∞.
    const INFINITY: Self;
    /// Not a number.
    const NAN: Self;

    /// The nearest value.
    fn of(value: f64) -> Self;

    /// The nearest value.
    fn from_u32(value: u32) -> Self;

    /// The nearest value; for f32 one instruction at every level, which [`Real::from_u32`] is from AVX-512 on.
    fn from_i32(value: i32) -> Self;

    /// The value in double precision.
    fn wide(self) -> f64;

    /// |x|.
    fn magnitude(self) -> Self;

    /// self·b + c, rounded once where the level has an instruction for it.
    fn fma<L: Level>(self, b: Self, c: Self) -> Self;

    /// √x.
    fn sqrt(self) -> Self;

    /// |self| with the sign of `sign`.
    fn copysign(self, sign: Self) -> Self;

    /// The larger; `other` where one is NaN.
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        if self > other { self } else { other }
    }

    /// The smaller; `other` where one is NaN.
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        if self < other { self } else { other }
    }

    /// 1/x.
    #[inline(always)]
    fn recip(self) -> Self {
        Self::ONE / self
    }

    /// eˣ; 0 where that is below the smallest normal number, ∞ where it overflows.
    #[inline(always)]
    fn exp<L: Level>(self) -> Self {
        exponential::exp::<L, Self>(self)
    }

    /// ln x; −∞ for zeros and subnormal numbers, NaN for negative ones.
    #[inline(always)]
    fn ln<L: Level>(self) -> Self {
        logarithm::ln::<L, Self>(self)
    }

    /// ln(1 + x), exact to the last places next to 0; −∞ for −1, NaN below.
    #[inline(always)]
    fn ln_1p<L: Level>(self) -> Self {
        logarithm::ln_1p::<L, Self>(self)
    }

    /// ln(1 + x) for x from 0 to 1, without the selections of [`Real::ln_1p`]; NaN stays.
    #[inline(always)]
    fn ln_1p_unit<L: Level>(self) -> Self {
        logarithm::ln_1p_unit::<L, Self>(self)
    }

    /// tanh x.
    #[inline(always)]
    fn tanh<L: Level>(self) -> Self {
        hyperbolic::tanh::<L, Self>(self)
    }

    /// 1/(1 + e⁻ˣ); 0 where that is below the smallest normal number.
    #[inline(always)]
    fn sigmoid<L: Level>(self) -> Self {
        hyperbolic::sigmoid::<L, Self>(self)
    }

    /// ln(1 + eˣ); 0 where that is below the smallest normal number.
    #[inline(always)]
    fn softplus<L: Level>(self) -> Self {
        hyperbolic::softplus::<L, Self>(self)
    }

    /// (sin 2πt, cos 2πt) for |t| ≤ 2²⁰.
    #[inline(always)]
    fn sin_cos_turns<L: Level>(self) -> (Self, Self) {
        trigonometry::sin_cos_turns::<L, Self>(self)
    }

    /// (sin x, cos x) for |x| ≤ 10⁵; within 10⁻³ to 10¹², those of 0 beyond, NaN for ±∞.
    #[inline(always)]
    fn sin_cos<L: Level>(self) -> (Self, Self) {
        trigonometry::sin_cos::<L, Self>(self)
    }
}

macro_rules! real {
    ($float:ident) => {
        impl Real for $float {
            const ZERO: Self = 0.0;
            const HALF: Self = 0.5;
            const ONE: Self = 1.0;
            const TWO: Self = 2.0;
            const PI: Self = std::$float::consts::PI;
            const TAU: Self = std::$float::consts::TAU;
            const LN_2: Self = std::$float::consts::LN_2;
            const LOG2_E: Self = std::$float::consts::LOG2_E;
            const EPSILON: Self = Self::EPSILON;
            const MIN_POSITIVE: Self = Self::MIN_POSITIVE;
            const INFINITY: Self = Self::INFINITY;
            const NAN: Self = Self::NAN;

            #[inline(always)]
            fn of(value: f64) -> Self {
                value as Self
            }

            #[inline(always)]
            fn from_u32(value: u32) -> Self {
                value as Self
            }

            #[inline(always)]
            fn from_i32(value: i32) -> Self {
                value as Self
            }

            #[inline(always)]
            fn wide(self) -> f64 {
                f64::from(self)
            }

            #[inline(always)]
            fn magnitude(self) -> Self {
                self.abs()
            }

            #[inline(always)]
            fn fma<L: Level>(self, b: Self, c: Self) -> Self {
                if L::FMA { self.mul_add(b, c) } else { self * b + c }
            }

            #[inline(always)]
            fn sqrt(self) -> Self {
                self.sqrt()
            }

            #[inline(always)]
            fn copysign(self, sign: Self) -> Self {
                self.copysign(sign)
            }
        }
    };
}

real!(f32);
real!(f64);
