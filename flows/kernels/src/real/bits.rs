//! What the functions do with the representation of a float: exponents and signs by integer arithmetic.

/// A float's bits, taken apart and put together without a branch or a conversion.
pub trait Bits: Sized {
    /// 1.5·2^mantissa: adding it rounds to an integer, which then stands in the lowest bits ("shifted" below).
    const ROUND: Self;

    /// self·2ⁿ, n given shifted; right when the result is a normal number.
    fn scaled(self, shifted: Self) -> Self;

    /// (k, m, 2^{1−k}) with self = m·2ᵏ and m from √½ to √2, for a positive normal number.
    ///
    /// The power is off by one so that it exists for the largest k, where it is 0.
    fn split(self) -> (Self, Self, Self);

    /// (sin, cos) a number of quarter turns further, that number given shifted.
    fn turned(sin: Self, cos: Self, shifted: Self) -> (Self, Self);
}

macro_rules! bits {
    ($float:ident, $bits:ident, $mantissa:expr, $sqrt_half:expr) => {
        impl Bits for $float {
            const ROUND: Self = 1.5 * (1u64 << $mantissa) as Self;

            #[inline(always)]
            fn scaled(self, shifted: Self) -> Self {
                // A carry out of the mantissa cannot happen: n's upper bits leave to the left.
                Self::from_bits(self.to_bits().wrapping_add(shifted.to_bits() << $mantissa))
            }

            #[inline(always)]
            fn split(self) -> (Self, Self, Self) {
                const ONE: $bits = (1.0 as $float).to_bits();
                const BIAS: $bits = ONE >> $mantissa;
                // 2^mantissa with e in its lowest bits is 2^mantissa + e: a conversion that every vector unit has.
                const SHIFT: $float = (1u64 << $mantissa) as $float;
                let moved = self.to_bits().wrapping_add(ONE - $sqrt_half);
                let e = moved >> $mantissa;
                let m = (moved & ((1 << $mantissa) - 1)) + $sqrt_half;
                let k = Self::from_bits(e | SHIFT.to_bits()) - (SHIFT + BIAS as $float);
                let power = (2 * BIAS + 1).wrapping_sub(e) << $mantissa;
                (k, Self::from_bits(m), Self::from_bits(power))
            }

            #[inline(always)]
            fn turned(sin: Self, cos: Self, shifted: Self) -> (Self, Self) {
                let quarter = shifted.to_bits();
                let (s, c) = if quarter & 1 == 1 { (cos, sin) } else { (sin, cos) };
                let sign = |quarter: $bits| (quarter & 2) << ($bits::BITS - 2);
                let sin = Self::from_bits(s.to_bits() ^ sign(quarter));
                (sin, Self::from_bits(c.to_bits() ^ sign(quarter.wrapping_add(1))))
            }
        }
    };
}

// √½, rounded as musl's logf.c and log.c do (log.c compares upper halves only).
bits!(f32, u32, 23, 0x3f35_04f3);
bits!(f64, u64, 52, 0x3fe6_a09e_0000_0000);
