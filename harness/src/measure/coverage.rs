//! Mode coverage: how evenly draws fall on the target's components.
//!
//! Entropic mode coverage of Blessing et al., "Beyond ELBOs" (ICML 2024): −Σ pᵢ log pᵢ / log K over hard assignments.
//! Deviation: where the components have unequal mass wᵢ it is exp(−KL(p ‖ w)), which is 1 for the right shares and for
//! equal masses is K to the power EMC − 1; so that a perfect sampler of an uneven target scores 1.

use targets::Modes;

/// Coverage of rows of length `dim` in `x`, in [0, 1].
pub fn mode_coverage(x: &[f64], dim: usize, modes: &dyn Modes) -> f64 {
    let mut counts = vec![0u64; modes.count()];
    for row in x.chunks_exact(dim) {
        counts[modes.assign(row)] += 1;
    }
    let n = (x.len() / dim) as f64;
    let shares: Vec<f64> = counts.iter().map(|&count| count as f64 / n).collect();
    let weights = modes.weights();
    let equal = weights.iter().all(|weight| (weight - weights[0]).abs() < 1e-9);
    if equal {
        let entropy: f64 = shares.iter().filter(|&&p| p > 0.0).map(|p| -p * p.ln()).sum();
        return entropy / (weights.len() as f64).ln();
    }
    let divergence: f64 = shares.iter().zip(&weights).filter(|(p, _)| **p > 0.0).map(|(p, w)| p * (p / w).ln()).sum();
    (-divergence).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Component = sign of the coordinate.
    struct Signs([f64; 2]);

    impl Modes for Signs {
        fn count(&self) -> usize {
            2
        }
        fn assign(&self, x: &[f64]) -> usize {
            usize::from(x[0] > 0.0)
        }
        fn weights(&self) -> Vec<f64> {
            self.0.to_vec()
        }
    }

    #[test]
    fn one_mode_is_none_and_the_right_shares_are_all() {
        let even = Signs([0.5, 0.5]);
        assert_eq!(mode_coverage(&[1.0, 2.0, 3.0, 4.0], 1, &even), 0.0);
        assert!((mode_coverage(&[1.0, -2.0, 3.0, -4.0], 1, &even) - 1.0).abs() < 1e-12);
        let uneven = Signs([0.25, 0.75]);
        assert!((mode_coverage(&[1.0, -2.0, 3.0, 4.0], 1, &uneven) - 1.0).abs() < 1e-12);
        assert!((mode_coverage(&[-1.0, -2.0], 1, &uneven) - 0.25).abs() < 1e-12);
    }
}
