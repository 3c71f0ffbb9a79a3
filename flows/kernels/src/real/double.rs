//! A reference for the laws: the same functions in double-double arithmetic, some 100 bits.
//!
//! Sums and products without error: Dekker, "A floating-point technique for extending the available precision" (1971);
//! Taylor's series after the usual reductions; logarithms by one step of Newton from the standard library's. Slow and plain.

use std::f64::consts::{FRAC_PI_2, LN_2};
use std::ops::{Add, Div, Mul, Neg, Sub};

/// high + low, |low| at most half a unit in the last place of high.
#[derive(Clone, Copy, Debug)]
pub(super) struct Double {
    pub(super) high: f64,
    pub(super) low: f64,
}

/// Constants' second halves: ln 2, π/2.
const LN_2_LOW: f64 = 2.3190468138462996e-17;
const FRAC_PI_2_LOW: f64 = 6.123233995736766e-17;
/// π/2 in parts whose products with 20 bits are exact, next to whose multiples all figures count (fdlibm, e_rem_pio2.c).
#[allow(clippy::excessive_precision, reason = "the digits are as published")]
const PI_2: [f64; 4] =
    [1.57079632673412561417e+00, 6.07710050630396597660e-11, 2.02226624871116645580e-21, 8.47842766036889956997e-32];
/// Terms of a series at |x| ≤ π/4: (π/4)³⁰/30! is 10⁻³⁶.
const TERMS: u32 = 30;

pub(super) const fn double(high: f64) -> Double {
    Double { high, low: 0.0 }
}

fn normal(a: f64, b: f64) -> Double {
    let high = a + b;
    let part = high - a;
    Double { high, low: (a - (high - part)) + (b - part) }
}

impl Add for Double {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        let (high, low) = (normal(self.high, other.high), normal(self.low, other.low));
        let sum = normal(high.high, high.low + low.high);
        normal(sum.high, sum.low + low.low)
    }
}

impl Neg for Double {
    type Output = Self;
    fn neg(self) -> Self {
        Self { high: -self.high, low: -self.low }
    }
}

impl Sub for Double {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

impl Mul for Double {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        let high = self.high * other.high;
        let low = self.high.mul_add(other.high, -high) + (self.high * other.low + self.low * other.high);
        normal(high, low)
    }
}

impl Div for Double {
    type Output = Self;
    fn div(self, other: Self) -> Self {
        let first = self.high / other.high;
        let rest = self - other * double(first);
        let second = rest.high / other.high;
        let third = (rest - other * double(second)).high / other.high;
        normal(first, second) + double(third)
    }
}

impl Double {
    fn scaled(self, power: i32) -> Self {
        // In two steps, so that neither factor overflows.
        let (a, b) = (2f64.powi(power / 2), 2f64.powi(power - power / 2));
        Self { high: self.high * a * b, low: self.low * a * b }
    }

    /// eˣ − 1 by Taylor, |x| below 0.4.
    fn series(self) -> Self {
        let mut sum = double(0.0);
        for k in (1..=TERMS).rev() {
            sum = (sum + double(1.0)) * self / double(f64::from(k));
        }
        sum
    }

    pub(super) fn exp(self) -> Self {
        let n = (self.high / LN_2).round();
        let r = self - double(n) * Self { high: LN_2, low: LN_2_LOW };
        (r.series() + double(1.0)).scaled(n as i32)
    }

    pub(super) fn exp_m1(self) -> Self {
        if self.high.abs() < 0.4 { self.series() } else { self.exp() - double(1.0) }
    }

    pub(super) fn ln_1p(self) -> Self {
        let guess = double(self.high.ln_1p());
        guess + (self - guess.exp_m1()) / (self + double(1.0))
    }

    pub(super) fn ln(self) -> Self {
        let k = self.high.log2().round();
        (self.scaled(-k as i32) - double(1.0)).ln_1p() + double(k) * Self { high: LN_2, low: LN_2_LOW }
    }

    pub(super) fn tanh(self) -> Self {
        // Beyond 40 it is 1 to all 107 bits.
        let e = (double(2.0) * double(self.high.clamp(-40.0, 40.0))).exp_m1();
        e / (e + double(2.0))
    }

    pub(super) fn sigmoid(self) -> Self {
        let e = double(-self.high.abs()).exp();
        (if self.high < 0.0 { e } else { double(1.0) }) / (e + double(1.0))
    }

    pub(super) fn softplus(self) -> Self {
        double(self.high.max(0.0)) + double(-self.high.abs()).exp().ln_1p()
    }

    pub(super) fn sin_cos(self) -> (Self, Self) {
        let n = (self.high / FRAC_PI_2).round();
        let parts = PI_2.map(|part| double(n * part));
        let y = ((self - parts[0]) - parts[1]) - parts[2] - parts[3];
        quarter(y, n)
    }

    pub(super) fn sin_cos_turns(self) -> (Self, Self) {
        let n = (4.0 * self.high).round();
        quarter(double(4.0 * self.high - n) * Self { high: FRAC_PI_2, low: FRAC_PI_2_LOW }, n)
    }
}

/// (sin, cos) of y + n quarter turns, |y| ≤ π/4, by Taylor.
fn quarter(y: Double, n: f64) -> (Double, Double) {
    let z = -(y * y);
    let (mut sin, mut cos) = (double(1.0), double(1.0));
    for k in (1..=TERMS / 2).map(f64::from).rev() {
        sin = double(1.0) + sin * z / double(2.0 * k * (2.0 * k + 1.0));
        cos = double(1.0) + cos * z / double(2.0 * k * (2.0 * k - 1.0));
    }
    sin = sin * y;
    match n.rem_euclid(4.0) as u8 {
        0 => (sin, cos),
        1 => (cos, -sin),
        2 => (-sin, -cos),
        _ => (-cos, sin),
    }
}
