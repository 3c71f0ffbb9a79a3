//! Panels: a block of m points with h features is ⌈h/32⌉ panels `[m][32]`, a point a row, one panel after the other.
//!
//! Features lie in vectors, so one register tile serves every product of a network and of its reverse pass without a
//! transpose: products over features read the left factor along a row, products over points down a column. Panels rather than
//! rows of h: rows 512 bytes apart fall into the same few sets of the first-level cache.
//! Columns past h are padding. Products read no padding of their inner dimension, so whatever stands there reaches no result.

use crate::real::Real;

/// Features in a panel.
pub const PANEL: usize = 32;

/// One point in one panel.
pub type Row<T> = [T; PANEL];

/// How many panels hold `features`.
pub const fn panels(features: usize) -> usize {
    features.div_ceil(PANEL)
}

/// Columns `[features][m]` into panels; padding is left as it is.
pub fn from_columns<T: Real>(columns: &[T], m: usize, out: &mut [Row<T>]) {
    for (i, column) in columns.chunks_exact(m).enumerate() {
        let panel = &mut out[i / PANEL * m..][..m];
        panel.iter_mut().zip(column).for_each(|(row, &x)| row[i % PANEL] = x);
    }
}

/// Panels into columns `[features][m]`.
pub fn to_columns<T: Real>(panels: &[Row<T>], m: usize, columns: &mut [T]) {
    for (i, column) in columns.chunks_exact_mut(m).enumerate() {
        let panel = &panels[i / PANEL * m..][..m];
        column.iter_mut().zip(panel).for_each(|(x, row)| *x = row[i % PANEL]);
    }
}

/// Sums over points.
#[inline(always)]
pub fn columns_sum<T: Real>(rows: &[Row<T>]) -> Row<T> {
    let mut sums = [T::ZERO; PANEL];
    for row in rows {
        for c in 0..PANEL {
            sums[c] += row[c];
        }
    }
    sums
}
