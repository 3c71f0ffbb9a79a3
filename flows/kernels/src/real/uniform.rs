//! Random words as floats: uniforms that keep their accuracy at both ends, angles.

/// What [`crate::noise`] makes of a word w, 32 bits, refined in double precision by a word w′ below it.
pub trait Uniform: Sized {
    /// Whether w′ counts.
    const REFINED: bool;
    /// The largest number below 1.
    const BELOW_ONE: Self;

    /// min(u, 1 − u), where u is the middle of one of 2³² (f32) or 2⁵² (f64) equal parts of (0, 1); u > ½ where w ≥ 2³¹.
    ///
    /// Both ends of the interval are as fine as a float is: u itself, rounded to f32, would be 1 for one word in 2²⁶.
    fn nearer_end(word: u32, low: u32) -> Self;

    /// An angle in turns, uniform modulo 1.
    fn turn(word: u32, low: u32) -> Self;
}

/// 2⁻³².
const PART: f32 = 1.0 / (1u64 << 32) as f32;
/// 52 bits: with 53 the last middle would be halfway between two floats and round to one.
const MANTISSA: u64 = (1 << 52) - 1;

impl Uniform for f32 {
    const REFINED: bool = false;
    const BELOW_ONE: Self = 1.0 - Self::EPSILON / 2.0;

    #[inline(always)]
    fn nearer_end(word: u32, _low: u32) -> Self {
        // Below 2³¹: signed conversions are one instruction at every level.
        let nearer = (word ^ (word as i32 >> 31) as u32) as i32;
        (nearer as Self + 0.5) * PART
    }

    #[inline(always)]
    fn turn(word: u32, _low: u32) -> Self {
        // As a signed number it is the same angle, and half as coarse.
        word as i32 as Self * PART
    }
}

impl Uniform for f64 {
    const REFINED: bool = true;
    const BELOW_ONE: Self = 1.0 - Self::EPSILON / 2.0;

    #[inline(always)]
    fn nearer_end(word: u32, low: u32) -> Self {
        let nearer = word ^ (word as i32 >> 31) as u32;
        let low = low ^ (word as i32 >> 31) as u32;
        fraction(nearer, low) + Self::EPSILON / 2.0
    }

    #[inline(always)]
    fn turn(word: u32, low: u32) -> Self {
        fraction(word, low)
    }
}

/// The upper 52 bits of a 64-bit number, as a multiple of 2⁻⁵² below 1: exact, and without a conversion of 64-bit numbers, for
/// which few vector units have an instruction.
#[inline(always)]
fn fraction(high: u32, low: u32) -> f64 {
    let bits = (u64::from(high) << 32 | u64::from(low)) >> 12 & MANTISSA;
    f64::from_bits(bits | 1.0f64.to_bits()) - 1.0
}
