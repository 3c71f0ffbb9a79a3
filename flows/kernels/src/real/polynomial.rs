//! Polynomials by Horner's rule.

use super::Real;
use crate::simd::Level;

/// Σ terms[n − 1 − i]·xⁱ: terms from the highest power down, as Cephes and SLEEF print them.
#[inline(always)]
pub(super) fn polynomial<L: Level, T: Real>(x: T, terms: &[T]) -> T {
    let mut sum = terms[0];
    for &term in &terms[1..] {
        sum = sum.fma::<L>(x, term);
    }
    sum
}
