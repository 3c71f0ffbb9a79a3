//! Products over points, added up: gradients of weights.

use crate::panel::micro::{down, read};
use crate::panel::shape::{blocks, tiled};
use crate::panel::{PANEL, Row, Shape};
use crate::real::Real;

/// A left and a right factor.
pub type Pair<'a, T> = (&'a [Row<T>], &'a [Row<T>]);

/// `out[i][j] += scale·Σ_p left[p][i]·right[p][j]` over m points and every pair (left, right), i < `rows`.
///
/// `left` ⌈rows/32⌉ panels `[m][32]`; `right` a panel `[m][32]` for each panel `[rows][32]` of `out`.
#[inline(always)]
pub fn accumulate<L: Shape, T: Real>(out: &mut [Row<T>], pairs: &[Pair<'_, T>], scale: T, rows: usize, m: usize) {
    for (j, out) in out.chunks_exact_mut(rows).enumerate() {
        for (i, out) in out.chunks_mut(PANEL).enumerate() {
            tiled!(L, T, square(out, pairs, scale, [i * m, j * m], m));
        }
    }
}

/// At most 32 rows of one panel; its factors start at `at`.
#[inline(always)]
fn square<L: Shape, T: Real, const M: usize, const N: usize, const W: usize>(
    out: &mut [[T; W]],
    pairs: &[Pair<'_, T>],
    scale: T,
    at: [usize; 2],
    m: usize,
) {
    for column in (0..PANEL).step_by(N) {
        blocks!(L, T, M, N, out.len(), |from| block(out, pairs, scale, at, m, from, column));
    }
}

#[allow(clippy::too_many_arguments, reason = "a kernel's operands")]
#[inline(always)]
fn block<L: Shape, T: Real, const R: usize, const N: usize, const W: usize>(
    out: &mut [[T; W]],
    pairs: &[Pair<'_, T>],
    scale: T,
    at: [usize; 2],
    m: usize,
    from: usize,
    column: usize,
) {
    let out: &mut [[T; W]; R] = (&mut out[from..from + R]).try_into().expect("R rows");
    let mut sums = [[T::ZERO; N]; R];
    for (left, right) in pairs {
        sums = down::<L, T, R, N>(sums, &left[at[0]..][..m], from, &right[at[1]..][..m], column);
    }
    for (out, sums) in out.iter_mut().zip(&sums) {
        let mut row: [T; N] = read(out, column);
        for c in 0..N {
            row[c] = scale.fma::<L>(sums[c], row[c]);
        }
        out[column..column + N].copy_from_slice(&row);
    }
}
