//! The register tile: M × N sums of products that stay in registers through the inner dimension.
//!
//! The compiler keeps an array in registers only where every index into it is a constant before its loops are vectorised: hence
//! rows spelt out, one by one, and sums copied in and out. With a loop over rows the same product runs forty times slower.

use crate::panel::{PANEL, Row};
use crate::real::Real;
use crate::simd::Level;

/// `sums[r][c] += Σ_k left[r][k]·right[k][column + c]`, k over the rows of `right`: the left factor along its rows.
#[inline(always)]
pub fn along<L: Level, T: Real, const M: usize, const N: usize, const W: usize>(
    mut sums: [[T; N]; M],
    left: &[Row<T>; M],
    right: &[[T; W]],
    column: usize,
) -> [[T; N]; M] {
    for (k, right) in right.iter().enumerate().take(PANEL) {
        let right: &[T; N] = right[column..][..N].try_into().expect("a tile lies within a panel");
        outer::<L, T, M, N>(
            &mut sums,
            #[inline(always)]
            |r| left[r][k],
            right,
        );
    }
    sums
}

/// `sums[r][c] += Σ_k left[k][row + r]·right[k][column + c]`: the left factor down its columns.
#[inline(always)]
pub fn down<L: Level, T: Real, const M: usize, const N: usize>(
    mut sums: [[T; N]; M],
    left: &[Row<T>],
    row: usize,
    right: &[Row<T>],
    column: usize,
) -> [[T; N]; M] {
    for (left, right) in left.iter().zip(right) {
        let left: &[T; M] = left[row..][..M].try_into().expect("a tile lies within a panel");
        let right: &[T; N] = right[column..][..N].try_into().expect("a tile lies within a panel");
        outer::<L, T, M, N>(
            &mut sums,
            #[inline(always)]
            |r| left[r],
            right,
        );
    }
    sums
}

/// Adds the outer product of a column and a row.
#[inline(always)]
fn outer<L: Level, T: Real, const M: usize, const N: usize>(
    sums: &mut [[T; N]; M],
    left: impl Fn(usize) -> T,
    right: &[T; N],
) {
    const { assert!(M <= 8) };
    macro_rules! rows {
        ($($r:literal)*) => {$(
            if M > $r {
                let left = left($r);
                for c in 0..N {
                    sums[$r][c] = left.fma::<L>(right[c], sums[$r][c]);
                }
            }
        )*};
    }
    rows!(0 1 2 3 4 5 6 7);
}

/// Columns column..column + N of a row.
#[inline(always)]
pub fn read<T: Real, const N: usize, const W: usize>(row: &[T; W], column: usize) -> [T; N] {
    row[column..][..N].try_into().expect("a tile lies within a panel")
}
