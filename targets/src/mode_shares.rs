//! Shares of a target's mass in its modes, counted on exact draws where they have no closed form.

use crate::{ExactDraws, Modes};
use std::sync::OnceLock;

/// Seed of the first batch of draws; the next take the numbers that follow.
const SEED: u64 = 0x7765_6967_6874_7321;
const BATCH: usize = 1 << 12;
/// 2¹⁸ draws: standard errors below .001.
const MOST_BATCHES: usize = 64;
/// Beyond 16 dimensions fewer draws, for the time they take: at 512, errors below .006.
const MOST_NUMBERS: usize = 1 << 22;

/// The shares, counted when they are first asked for.
#[derive(Default)]
pub(crate) struct CountedShares(OnceLock<Vec<f64>>);

impl CountedShares {
    /// The shares of the modes of `target`, which has `dim` dimensions.
    pub(crate) fn of(&self, target: &(impl ExactDraws + Modes), dim: usize) -> Vec<f64> {
        self.0.get_or_init(|| count(target, dim)).clone()
    }
}

fn count(target: &(impl ExactDraws + Modes), dim: usize) -> Vec<f64> {
    let batches = MOST_BATCHES.min(MOST_NUMBERS / (BATCH * dim)).max(1);
    let mut counts = vec![0_u32; target.count()];
    for batch in 0..batches {
        for x in target.draw(SEED + batch as u64, BATCH).chunks_exact(dim) {
            counts[target.assign(x)] += 1;
        }
    }
    counts.into_iter().map(|c| f64::from(c) / (batches * BATCH) as f64).collect()
}
