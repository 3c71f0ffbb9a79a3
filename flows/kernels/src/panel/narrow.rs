//! Products with few results, by dots over features: a panel of them would be mostly padding.

use crate::panel::{PANEL, Row, Shape};
use crate::real::Real;

/// As many results as dots are worth: past it a padded panel is faster.
pub const NARROW: usize = 8;

/// Points between the two stages: their partial sums stay in the first-level cache.
const CHUNK: usize = 64;

/// out[p][k] = bias[k] + Σ_j left[p][j]·right[k][j] for k < `outputs` ≤ [`NARROW`], j < `inner`; the rest of a row is zero.
///
/// `left` ⌈inner/32⌉ panels `[m][32]`; `right` a panel `[outputs][32]` for each of them, its padding zero; `bias` a row, or none;
/// `out` `[m][32]`.
#[inline(always)]
pub fn narrow<L: Shape, T: Real>(
    out: &mut [Row<T>],
    bias: &[Row<T>],
    left: &[Row<T>],
    right: &[Row<T>],
    [inner, outputs]: [usize; 2],
) {
    let m = out.len();
    let bias = bias.first().copied().unwrap_or([T::ZERO; PANEL]);
    out.as_flattened_mut().fill(T::ZERO);
    for k in 0..outputs {
        for (index, out) in out.chunks_mut(CHUNK).enumerate() {
            // In two stages: as one, the compiler transposes to reduce, which takes four times as long.
            let mut partial = [[T::ZERO; 8]; CHUNK];
            for (p, partial) in partial[..out.len()].iter_mut().enumerate() {
                let mut sums = [T::ZERO; PANEL];
                for (j, (left, right)) in left.chunks_exact(m).zip(right.chunks_exact(outputs)).enumerate() {
                    let (left, right) = (&left[index * CHUNK + p], &right[k]);
                    let used = inner - j * PANEL;
                    if used >= PANEL {
                        for c in 0..PANEL {
                            sums[c] = left[c].fma::<L>(right[c], sums[c]);
                        }
                    } else {
                        // Zero times what stands in the padding may be NaN.
                        for c in 0..used {
                            sums[c] = left[c].fma::<L>(right[c], sums[c]);
                        }
                    }
                }
                *partial = std::array::from_fn(|c| (sums[c] + sums[c + 16]) + (sums[c + 8] + sums[c + 24]));
            }
            for (out, sums) in out.iter_mut().zip(&partial) {
                let [a, b, c, d, e, f, g, h] = *sums;
                out[k] = bias[k] + (((a + e) + (c + g)) + ((b + f) + (d + h)));
            }
        }
    }
}
