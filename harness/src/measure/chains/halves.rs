//! Chains cut in halves, so that a drift within a chain shows as a difference between chains.

use super::Draws;

/// 2N series of ⌊T/2⌋ values, one after the other; of an odd T the middle draw is left out.
pub(super) struct Halves {
    pub(super) values: Vec<f64>,
    pub(super) len: usize,
}

impl Halves {
    /// The halves of all chains.
    pub(super) fn of(draws: Draws) -> Self {
        let (n, t) = (draws.chains(), draws.draws());
        let len = t / 2;
        let mut values = vec![0.0; 2 * n * len];
        for (at, value) in draws.iter().enumerate() {
            let (draw, chain) = (at / n, at % n);
            if draw < len {
                values[2 * chain * len + draw] = value;
            } else if draw >= t - len {
                values[(2 * chain + 1) * len + draw - (t - len)] = value;
            }
        }
        Self { values, len }
    }

    /// The same halves, of another function of the draws.
    pub(super) fn with(&self, values: Vec<f64>) -> Self {
        debug_assert_eq!(values.len(), self.values.len());
        Self { values, len: self.len }
    }

    /// Each half on its own.
    pub(super) fn series(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        self.values.chunks_exact(self.len)
    }

    /// Whether any half has two different values. Exact, where a variance would have rounding errors for zero.
    pub(super) fn any_moves(&self) -> bool {
        self.series().any(|half| !is_constant(half))
    }

    /// Whether all values are the same.
    pub(super) fn is_constant(&self) -> bool {
        is_constant(&self.values)
    }
}

fn is_constant(values: &[f64]) -> bool {
    values.iter().all(|value| *value == values[0])
}

/// The mean.
pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The unbiased variance.
pub(super) fn variance(values: &[f64]) -> f64 {
    let centre = mean(values);
    values.iter().map(|x| (x - centre).powi(2)).sum::<f64>() / (values.len() - 1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_odd_chain_loses_its_middle() {
        let values: Vec<f64> = (0..10).map(f64::from).collect();
        let halves = Halves::of(Draws::new(&values, 2));
        let series: Vec<&[f64]> = halves.series().collect();
        assert_eq!(series, [[0.0, 2.0], [6.0, 8.0], [1.0, 3.0], [7.0, 9.0]]);
        assert!(halves.any_moves() && !halves.is_constant());
        let frozen = halves.with(vec![1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0]);
        assert!(!frozen.any_moves() && !frozen.is_constant());
    }
}
