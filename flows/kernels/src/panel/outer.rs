//! Sums of outer products over points, for blocks that lie the other way: a feature a row, its 64 points the lanes.
//!
//! Then a product of weights with a block is [`product`](crate::panel::product) with the weights as its left factor, and the
//! gradient of weights is a sum along rows. Sums stay spread over lanes until all points were added, so that nothing is added
//! across a register on the way.

use crate::chain::{FOLDED, LANES, Lanes};
use crate::real::Real;
use crate::simd::Level;

/// One sum, spread: points 16 apart are added at once.
pub type Spread<T> = [T; FOLDED];

/// `sums[i, j] += Σ_p left[i][p]·right[j][p]`; the order of `sums` is that of [`outer_totals`].
#[inline(always)]
pub fn add_outer<L: Level, T: Real>(sums: &mut [Spread<T>], left: &[Lanes<T>], right: &[Lanes<T>]) {
    let inputs = left.len();
    let (mut sums, mut right) = (sums, right);
    macro_rules! blocks {
        ($($rows:literal $block:ident)*) => {$(
            while right.len() >= $rows {
                let (now, later) = sums.split_at_mut(inputs * $rows);
                let (rows, rest) = right.split_at($rows);
                $block::<L, T>(now, left, rows);
                (sums, right) = (later, rest);
            }
        )*};
    }
    blocks!(4 four 2 two 1 one);
}

/// Calls `f(i, j, Σ)` for every sum of `inputs` left and `outputs` right rows.
pub fn outer_totals<T: Real>(sums: &[Spread<T>], inputs: usize, outputs: usize, mut f: impl FnMut(usize, usize, f64)) {
    let (mut from, mut sums) = (0, sums);
    for rows in [4, 2, 1] {
        while outputs - from >= rows {
            let (now, later) = sums.split_at(inputs * rows);
            for (index, spread) in now.iter().enumerate() {
                f(index / rows, from + index % rows, total(spread));
            }
            (sums, from) = (later, from + rows);
        }
    }
}

/// The sum of lanes, in one order.
pub fn total<T: Real>(lanes: &[T]) -> f64 {
    lanes.iter().map(|lane| lane.wide()).sum()
}

/// Right rows that stay in registers while all left rows pass. Rows and sums are values with names: as elements of one array,
/// or behind references, they were loaded again for every sum, which took three times as long.
macro_rules! block {
    ($block:ident, $rows:literal: $($right:ident $sum:ident)*) => {
        #[inline(always)]
        fn $block<L: Level, T: Real>(sums: &mut [Spread<T>], left: &[Lanes<T>], right: &[Lanes<T>]) {
            let [$($right),*]: &[Lanes<T>; $rows] = right.try_into().expect("that many rows");
            $(let $right = quarters($right);)*
            for (left, sums) in left.iter().zip(sums.as_chunks_mut::<$rows>().0) {
                // Else the compiler vectorises over left rows, by gathering.
                let left = quarters(std::hint::black_box(left));
                let [$(mut $sum),*] = *sums;
                $($sum = add_product::<L, T>(&left[0], &$right[0], $sum);)*
                $($sum = add_product::<L, T>(&left[1], &$right[1], $sum);)*
                $($sum = add_product::<L, T>(&left[2], &$right[2], $sum);)*
                $($sum = add_product::<L, T>(&left[3], &$right[3], $sum);)*
                *sums = [$($sum),*];
            }
        }
    };
}

block!(four, 4: a sum_a b sum_b c sum_c d sum_d);
block!(two, 2: a sum_a b sum_b);
block!(one, 1: a sum_a);

#[inline(always)]
fn quarters<T: Real>(row: &Lanes<T>) -> [Spread<T>; LANES / FOLDED] {
    let pieces = row.as_chunks::<FOLDED>().0;
    [pieces[0], pieces[1], pieces[2], pieces[3]]
}

#[inline(always)]
fn add_product<L: Level, T: Real>(a: &Spread<T>, b: &Spread<T>, sum: Spread<T>) -> Spread<T> {
    let mut out = [T::ZERO; FOLDED];
    for c in 0..FOLDED {
        out[c] = a[c].fma::<L>(b[c], sum[c]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch;
    use crate::philox::Stream;

    /// Every sum is Σ over points, whatever the number of rows: to sixty roundings of 128 terms of order one.
    #[test]
    fn sums_are_sums_over_points() {
        let mut stream = Stream::new(3);
        for (inputs, outputs) in [(1, 1), (3, 2), (7, 10), (11, 6), (5, 13)] {
            let mut rows =
                |n: usize| -> Vec<Lanes<f64>> { (0..n).map(|_| std::array::from_fn(|_| stream.normal())).collect() };
            let (left, right) = (rows(inputs), rows(outputs));
            let mut sums = vec![[0.0; FOLDED]; inputs * outputs];
            for _ in 0..2 {
                dispatch!(L => add_outer::<L, f64>(&mut sums, &left, &right));
            }
            let mut seen = 0;
            outer_totals(&sums, inputs, outputs, |i, j, sum| {
                let exact: f64 = 2.0 * left[i].iter().zip(&right[j]).map(|(a, b)| a * b).sum::<f64>();
                assert!((sum - exact).abs() < 1e-13 * 128.0, "{i} {j}: {sum} but {exact}");
                seen += 1;
            });
            assert_eq!(seen, inputs * outputs);
        }
    }
}
