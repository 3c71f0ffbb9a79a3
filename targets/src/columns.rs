//! Coordinates of a block of points, one after another, a group of coordinates at a time.
//!
//! As [`flow_kernels::chain`]'s `gather` and `scatter`, which move all d coordinates; here d may be larger than a workspace
//! of fixed size, and is known only at run time.

use std::ops::Range;

use flow_kernels::chain::{LANES, Lanes};
use flow_kernels::real::Real;

/// Coordinates in a group.
pub(crate) const GROUP: usize = 16;

/// Room for a group of coordinates.
pub(crate) type Group<T> = [Lanes<T>; GROUP];

/// The groups of d coordinates, in order.
#[inline(always)]
pub(crate) fn groups(d: usize) -> impl Iterator<Item = Range<usize>> {
    (0..d).step_by(GROUP).map(move |first| first..d.min(first + GROUP))
}

/// Reads `columns` of 1 to [`LANES`] rows `[m, d]`, each into one lane array. Lanes without a row repeat the last one.
#[inline(always)]
pub(crate) fn gather<T: Real>(rows: &[T], d: usize, columns: Range<usize>, block: &mut Group<T>) {
    // In the plane the distance of two rows is a constant, and the loop a shuffle of vectors.
    if d == 2 { read(rows, 2, 0..2, block) } else { read(rows, d, columns, block) }
}

#[inline(always)]
fn read<T: Real>(rows: &[T], d: usize, columns: Range<usize>, block: &mut Group<T>) {
    let last = rows.len() / d - 1;
    for (lanes, i) in block.iter_mut().zip(columns) {
        if last == LANES - 1 {
            let rows = &rows[..LANES * d];
            for (j, lane) in lanes.iter_mut().enumerate() {
                *lane = rows[j * d + i];
            }
        } else {
            for (j, lane) in lanes.iter_mut().enumerate() {
                *lane = rows[j.min(last) * d + i];
            }
        }
    }
}

/// Writes `columns` of the first rows.
#[inline(always)]
pub(crate) fn scatter<T: Real>(block: &Group<T>, d: usize, columns: Range<usize>, rows: &mut [T]) {
    if d == 2 { write(block, 2, 0..2, rows) } else { write(block, d, columns, rows) }
}

#[inline(always)]
fn write<T: Real>(block: &Group<T>, d: usize, columns: Range<usize>, rows: &mut [T]) {
    for (lanes, i) in block.iter().zip(columns) {
        for (row, &lane) in rows.chunks_exact_mut(d).zip(lanes) {
            row[i] = lane;
        }
    }
}
