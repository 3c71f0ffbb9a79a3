//! Products over features: left factor panels of points, right factor packed weights.
//!
//! Every element is one sum in the order of its inner dimension, whatever tile it falls in: a point's result is the same bits
//! whichever points stand beside it.

use crate::panel::micro::{along, read};
use crate::panel::shape::{blocks, tiled, tiled_narrow};
use crate::panel::{PANEL, Row, Shape, panels};
use crate::real::Real;

/// Results so few that a panel of them would be mostly padding: only so many columns are computed.
pub const NARROW: usize = 8;

/// `out[p][j] = bias[j] + Σ_k left[p][k]·right[k][j]` for m points, k < `inner`, j < `outputs`; then `then(panel, rows)`, panel by
/// panel while it is in cache.
///
/// `out` holds all panels, or one, which is overwritten when `then` has seen it.
/// Rows of `right` and `out` are of any width W, which is that of a panel where they are panels.
/// `left` ⌈inner/32⌉ panels `[m][32]`; `right` a panel `[inner][32]` for each panel `[m][32]` of `out`; `bias` a row for each,
/// or none. Padding of `out` comes from padding of `right` and `bias`, or is zero.
#[inline(always)]
pub fn product<L: Shape, T: Real, const W: usize>(
    out: &mut [[T; W]],
    bias: &[[T; W]],
    left: &[Row<T>],
    right: &[[T; W]],
    [inner, outputs]: [usize; 2],
    m: usize,
    mut then: impl FnMut(usize, &mut [[T; W]]),
) {
    let left = &left[..panels(inner) * m];
    let stride = if out.len() == m { 0 } else { m };
    for (j, right) in right.chunks_exact(inner).enumerate() {
        let out = &mut out[j * stride..][..m];
        let bias = bias.get(j).copied().unwrap_or([T::ZERO; W]);
        if outputs <= NARROW {
            out.fill([T::ZERO; W]);
            tiled_narrow!(L, T, panel(out, &bias, left, right, NARROW));
        } else {
            tiled!(L, T, panel(out, &bias, left, right, W));
        }
        then(j, out);
    }
}

#[inline(always)]
fn panel<L: Shape, T: Real, const M: usize, const N: usize, const W: usize>(
    out: &mut [[T; W]],
    bias: &[T; W],
    left: &[Row<T>],
    right: &[[T; W]],
    columns: usize,
) {
    for column in (0..columns).step_by(N) {
        blocks!(L, T, M, N, out.len(), |from| block(out, bias, left, right, from, column));
    }
}

/// R points from `from`, N columns.
#[inline(always)]
fn block<L: Shape, T: Real, const R: usize, const N: usize, const W: usize>(
    out: &mut [[T; W]],
    bias: &[T; W],
    left: &[Row<T>],
    right: &[[T; W]],
    from: usize,
    column: usize,
) {
    let m = out.len();
    let mut sums = [read(bias, column); R];
    for (left, right) in left.chunks_exact(m).zip(right.chunks(PANEL)) {
        let left: &[Row<T>; R] = left[from..from + R].try_into().expect("R rows");
        sums = along::<L, T, R, N, W>(sums, left, right, column);
    }
    for (out, sums) in out[from..from + R].iter_mut().zip(&sums) {
        out[column..column + N].copy_from_slice(sums);
    }
}
