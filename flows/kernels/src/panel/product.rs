//! Products over features: left factor panels of points, right factor packed weights.
//!
//! Every element is one sum in the order of its inner dimension, whatever tile it falls in: a point's result is the same bits
//! whichever points stand beside it.

use crate::panel::micro::{along, read};
use crate::panel::shape::{blocks, tiled};
use crate::panel::{PANEL, Row, Shape, panels};
use crate::real::Real;

/// out[p][j] = bias[j] + Σ_k left[p][k]·right[k][j] for m points, k < `inner`; then `then(panel, rows)`, panel by panel while
/// it is in cache.
///
/// `left` ⌈inner/32⌉ panels `[m][32]`; `right` a panel `[inner][32]` for each panel `[m][32]` of `out`; `bias` a row for each,
/// or none.
#[inline(always)]
pub fn product<L: Shape, T: Real>(
    out: &mut [Row<T>],
    bias: &[Row<T>],
    left: &[Row<T>],
    right: &[Row<T>],
    inner: usize,
    m: usize,
    mut then: impl FnMut(usize, &mut [Row<T>]),
) {
    let left = &left[..panels(inner) * m];
    for (j, (out, right)) in out.chunks_exact_mut(m).zip(right.chunks_exact(inner)).enumerate() {
        let bias = bias.get(j).copied().unwrap_or([T::ZERO; PANEL]);
        tiled!(L, T, panel(out, &bias, left, right));
        then(j, out);
    }
}

#[inline(always)]
fn panel<L: Shape, T: Real, const M: usize, const N: usize>(
    out: &mut [Row<T>],
    bias: &Row<T>,
    left: &[Row<T>],
    right: &[Row<T>],
) {
    for column in (0..PANEL).step_by(N) {
        blocks!(L, T, M, N, out.len(), |from| block(out, bias, left, right, from, column));
    }
}

/// R points from `from`, N columns.
#[inline(always)]
fn block<L: Shape, T: Real, const R: usize, const N: usize>(
    out: &mut [Row<T>],
    bias: &Row<T>,
    left: &[Row<T>],
    right: &[Row<T>],
    from: usize,
    column: usize,
) {
    let m = out.len();
    let mut sums = [read(bias, column); R];
    for (left, right) in left.chunks_exact(m).zip(right.chunks(PANEL)) {
        let left: &[Row<T>; R] = left[from..from + R].try_into().expect("R rows");
        sums = along::<L, T, R, N>(sums, left, right, column);
    }
    for (out, sums) in out[from..from + R].iter_mut().zip(&sums) {
        out[column..column + N].copy_from_slice(sums);
    }
}
