//! Rank normalisation: the normal quantiles of the draws' ranks.
//!
//! Vehtari, Gelman, Simpson, Carpenter, Bürkner (Bayesian Analysis 2021), section 4.1: z = Φ⁻¹((r − 3/8)/(S + 1/4)) for
//! the rank r among all S draws, ties at their average rank; the offset is Blom's (1958). Section 4.2 folds the draws
//! to |θ − median| first, so that chains of different scale differ in location. Deviation: none.

use statrs::distribution::{ContinuousCDF, Normal};

/// Values in ascending order, each with the place that it came from.
pub(super) struct Sorted(Vec<(f64, usize)>);

impl Sorted {
    /// Sorts finite values.
    pub(super) fn new(values: &[f64]) -> Self {
        let mut order: Vec<(f64, usize)> = values.iter().copied().zip(0..).collect();
        order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        Self(order)
    }

    /// The distances from the median, sorted by merging the values below it with those above: no second sort.
    ///
    /// Rounding is monotone, so the distances on either side are in order as computed. Halves come in pairs: their
    /// number of values is even, and the median is between the two in the middle.
    pub(super) fn folded(&self) -> Self {
        let (below, above) = self.0.split_at(self.0.len() / 2);
        let median = (below[below.len() - 1].0 + above[0].0) / 2.0;
        let mut below = below.iter().rev().map(|&(x, at)| ((x - median).abs(), at)).peekable();
        let mut above = above.iter().map(|&(x, at)| ((x - median).abs(), at)).peekable();
        let mut order = Vec::with_capacity(self.0.len());
        while let (Some(low), Some(high)) = (below.peek(), above.peek()) {
            order.extend(if low.0 <= high.0 { below.next() } else { above.next() });
        }
        order.extend(below);
        order.extend(above);
        Self(order)
    }

    /// The normal quantile of each value's rank, at the place that the value came from.
    pub(super) fn normal_scores(&self) -> Vec<f64> {
        let size = self.0.len() as f64;
        let normal = Normal::standard();
        let mut scores = vec![0.0; self.0.len()];
        let mut smaller = 0;
        for ties in self.0.chunk_by(|a, b| a.0 == b.0) {
            // The ranks are smaller + 1 to smaller + ties.
            let rank = smaller as f64 + (ties.len() + 1) as f64 / 2.0;
            let score = normal.inverse_cdf((rank - 0.375) / (size + 0.25));
            for &(_, at) in ties {
                scores[at] = score;
            }
            smaller += ties.len();
        }
        scores
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ties_have_their_average_rank() {
        let scores = Sorted::new(&[5.0, 1.0, 5.0, -0.0, 0.0, 9.0]).normal_scores();
        // Ranks 4.5, 3, 4.5, 1.5, 1.5, 6 of 6; quantiles of N(0, 1) at 0.66, 0.42, 0.18, 0.9, from tables with 10
        // digits.
        let expected =
            [0.412_463_129_4, -0.201_893_479_1, 0.412_463_129_4, -0.915_365_088_6, -0.915_365_088_6, 1.281_551_565_5];
        for (score, expected) in scores.iter().zip(expected) {
            assert!((score - expected).abs() < 1e-9, "{score} {expected}");
        }
    }

    proptest! {
        /// Merging is sorting: small whole numbers and their halves, so that ties abound and the median is exact.
        #[test]
        fn folding_is_sorting_the_distances(values in proptest::collection::vec(-20i32..20, 2..40)) {
            let values: Vec<f64> = values[..values.len() / 2 * 2].iter().copied().map(f64::from).collect();
            let sorted = Sorted::new(&values);
            let middle = values.len() / 2;
            let median = (sorted.0[middle - 1].0 + sorted.0[middle].0) / 2.0;
            let distances: Vec<f64> = values.iter().map(|x| (x - median).abs()).collect();
            prop_assert_eq!(sorted.folded().normal_scores(), Sorted::new(&distances).normal_scores());
        }
    }
}
