//! A block of points, one coordinate after another, so that loops over points vectorise.

use std::ops::Range;

use crate::real::Real;

/// Points in a block: four AVX-512 registers of f32, eight of f64.
pub const LANES: usize = 64;

/// One number of each point of a block.
pub type Lanes<T> = [T; LANES];

/// Lanes that are left after the first folding of a sum: one AVX-512 register of f32.
pub const FOLDED: usize = 16;

/// Reads `columns` of 1 to N rows `[m, d]`, each into one lane array. Lanes without a row repeat the last one, which is
/// as good as any.
#[inline(always)]
pub fn gather<T: Real, const N: usize>(rows: &[T], d: usize, columns: Range<usize>, block: &mut [[T; N]]) {
    let m = rows.len() / d;
    if let (2, true, [first, second, ..]) = (d, m == N, &mut *block) {
        // A stride that the compiler knows becomes shuffles of whole registers.
        let rows = &rows[..2 * N];
        for j in 0..N {
            first[j] = rows[2 * j];
        }
        for j in 0..N {
            second[j] = rows[2 * j + 1];
        }
        return;
    }
    for (lanes, i) in block.iter_mut().zip(columns) {
        if m == N {
            let rows = &rows[..N * d];
            for (j, lane) in lanes.iter_mut().enumerate() {
                *lane = rows[j * d + i];
            }
        } else {
            for (j, lane) in lanes.iter_mut().enumerate() {
                *lane = rows[j.min(m - 1) * d + i];
            }
        }
    }
}

/// Writes `columns` of the first rows.
#[inline(always)]
pub fn scatter<T: Real, const N: usize>(block: &[[T; N]], d: usize, columns: Range<usize>, rows: &mut [T]) {
    if let (2, [first, second, ..]) = (d, block) {
        for ((row, &first), &second) in rows.chunks_exact_mut(2).zip(first).zip(second) {
            row[0] = first;
            row[1] = second;
        }
        return;
    }
    for (lanes, i) in block.iter().zip(columns) {
        for (row, &lane) in rows.chunks_exact_mut(d).zip(lanes) {
            row[i] = lane;
        }
    }
}

/// f of each lane.
///
/// Loops that write one array vectorise; those that write several at once were found not to.
#[inline(always)]
pub fn map<T: Real>(a: &Lanes<T>, f: impl Fn(T) -> T) -> Lanes<T> {
    let mut out = [T::ZERO; LANES];
    for j in 0..LANES {
        out[j] = f(a[j]);
    }
    out
}

/// f of each lane of two.
#[inline(always)]
pub fn map2<T: Real>(a: &Lanes<T>, b: &Lanes<T>, f: impl Fn(T, T) -> T) -> Lanes<T> {
    let mut out = [T::ZERO; LANES];
    for j in 0..LANES {
        out[j] = f(a[j], b[j]);
    }
    out
}

/// f of each lane of three.
#[inline(always)]
pub fn map3<T: Real>(a: &Lanes<T>, b: &Lanes<T>, c: &Lanes<T>, f: impl Fn(T, T, T) -> T) -> Lanes<T> {
    let mut out = [T::ZERO; LANES];
    for j in 0..LANES {
        out[j] = f(a[j], b[j], c[j]);
    }
    out
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

/// The sum of folded lanes: by halves, so that it is a handful of additions deep.
pub(super) fn total<T: Real>(sum: &[T; FOLDED]) -> f64 {
    let mut lanes = sum.map(Real::wide);
    let mut width = FOLDED / 2;
    while width > 0 {
        for j in 0..width {
            lanes[j] += lanes[j + width];
        }
        width /= 2;
    }
    lanes[0]
}
