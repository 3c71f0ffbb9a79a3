//! A block of points, one coordinate after another, so that loops over points vectorise.

use crate::real::Real;

/// Points in a block: four AVX-512 registers of f32, eight of f64.
pub const LANES: usize = 64;

/// One number of each point of a block.
pub type Lanes<T> = [T; LANES];

/// Lanes that are left after the first folding of a sum: one AVX-512 register of f32.
pub const FOLDED: usize = 16;

/// Reads at most [`LANES`] rows `[m, d]`, at least one, into d lanes. Lanes without a row repeat the last one, which is as
/// good as any.
#[inline(always)]
pub fn gather<T: Real>(rows: &[T], block: &mut [Lanes<T>]) {
    let d = block.len();
    let last = rows.len() / d - 1;
    for (i, lanes) in block.iter_mut().enumerate() {
        if last == LANES - 1 {
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

/// Writes the first lanes as rows `[m, d]`.
#[inline(always)]
pub fn scatter<T: Real>(block: &[Lanes<T>], rows: &mut [T]) {
    let d = block.len();
    for (i, lanes) in block.iter().enumerate() {
        for (row, &lane) in rows.chunks_exact_mut(d).zip(lanes) {
            row[i] = lane;
        }
    }
}

/// Adds a block's lanes to a folded sum: always the same lanes together.
#[inline(always)]
pub(super) fn add_folded<T: Real>(sum: &mut [T; FOLDED], lanes: &Lanes<T>) {
    let mut half = [T::ZERO; LANES / 2];
    for j in 0..LANES / 2 {
        half[j] = lanes[j] + lanes[j + LANES / 2];
    }
    for j in 0..FOLDED {
        sum[j] += half[j] + half[j + FOLDED];
    }
}

/// The sum of folded lanes, in double precision.
pub(super) fn total<T: Real>(sum: &[T; FOLDED]) -> f64 {
    sum.iter().map(|&lane| lane.wide()).sum()
}
