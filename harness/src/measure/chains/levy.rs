//! Effective sample size a step of Levy, Hoffman, Sohl-Dickstein, "Generalizing Hamiltonian Monte Carlo with neural
//! networks" (ICLR 2018, arXiv:1711.09268), as in the tables of that paper.
//!
//! ρ_τ = 1/(T − τ) Σ_t 1/N Σ_n ⟨x_{t,n}, x_{t+τ,n}⟩ / tr Σ, about the origin, and ESS = 1/(1 + 2 Σ_τ ρ_τ·1[ρ_τ >
//! 0.05]). The mask applies to every lag by itself: the sum goes on after the first ρ_τ below. The authors' code
//! computes ρ_τ for τ in 0..T − 1 and sums from 1: the last lag is T − 2, not T − 1.
//! Deviation: none. It is meant for targets of mean zero, where large directions hide slow small ones: it wants
//! [`diagnose`](super::diagnose) of every dimension beside it.

use super::lagged_products::LaggedProducts;

/// Autocorrelations up to here count as none (the paper's truncation).
const THRESHOLD: f64 = 0.05;
/// Within this factor of the floor, an estimate says only that the chain was too short.
const FLOOR_FACTOR: f64 = 2.0;
/// Columns that are gathered together: the eight f64 of one cache line.
const BLOCK: usize = 8;

/// Effective sample size a step, with the least that the estimator can tell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LevyEss {
    /// The estimate, at most 1.
    pub ess_per_step: f64,
    /// What chains that never move would have: ρ_τ = ρ₀ at every lag, 1/(1 + 2 (T − 2) ρ₀).
    pub floor: f64,
    /// Whether the estimate is within a factor of two of the floor. It then only says that the chain is shorter than
    /// its own autocorrelation time: no ratio over it means anything.
    pub at_floor: bool,
}

/// The estimate from a trace of shape `[T, N, dim]`, with the known trace of the target's covariance.
///
/// `None` for fewer than three draws (no lag to sum), values that are not finite, or a trace of Σ that is not positive.
///
/// # Panics
/// If the trace does not divide into `chains` points of `dim` dimensions.
pub fn levy_ess(trace: &[f64], chains: usize, dim: usize, trace_of_covariance: f64) -> Option<LevyEss> {
    let row = chains * dim;
    assert!(row > 0 && trace.len().is_multiple_of(row), "{} values, {chains} chains of dimension {dim}", trace.len());
    let draws = trace.len() / row;
    let known = trace_of_covariance.is_finite() && trace_of_covariance > 0.0;
    if draws < 3 || !known || !trace.iter().all(|x| x.is_finite()) {
        return None;
    }
    let rho: Vec<f64> = lagged_sums(trace, row)
        .into_iter()
        .enumerate()
        .map(|(lag, sum)| sum / ((draws - lag) * chains) as f64 / trace_of_covariance)
        .collect();
    let masked: f64 = rho[1..draws - 1].iter().filter(|rho| **rho > THRESHOLD).sum();
    let ess_per_step = 1.0 / (1.0 + 2.0 * masked);
    let floor = 1.0 / (1.0 + 2.0 * (draws - 2) as f64 * rho[0]);
    Some(LevyEss { ess_per_step, floor, at_floor: ess_per_step <= FLOOR_FACTOR * floor })
}

/// Σ_t ⟨x_t, x_{t+τ}⟩ over rows of the trace, at every lag.
fn lagged_sums(trace: &[f64], row: usize) -> Vec<f64> {
    let mut products = LaggedProducts::new(trace.len() / row);
    let mut block: [Vec<f64>; BLOCK] = Default::default();
    for start in (0..row).step_by(BLOCK) {
        let end = row.min(start + BLOCK);
        block.iter_mut().for_each(Vec::clear);
        for values in trace.chunks_exact(row) {
            for (series, value) in block.iter_mut().zip(&values[start..end]) {
                series.push(*value);
            }
        }
        block[..end - start].iter().for_each(|series| products.add(series.iter().copied()));
    }
    products.take()
}

#[cfg(test)]
mod tests {
    use super::super::laws::autoregressive;
    use super::*;

    /// The definition, term by term.
    fn naive(x: &[f64], n: usize, d: usize, trace_of_covariance: f64) -> f64 {
        let t = x.len() / (n * d);
        let rho = |lag: usize| -> f64 {
            let products = (0..(t - lag) * n * d).map(|at| x[at] * x[at + lag * n * d]);
            products.sum::<f64>() / ((t - lag) * n) as f64 / trace_of_covariance
        };
        1.0 / (1.0 + 2.0 * (1..=t - 2).map(rho).filter(|rho| *rho > 0.05).sum::<f64>())
    }

    #[test]
    fn is_its_definition() {
        for (t, n, d, phi) in [(3, 1, 1, 0.0), (40, 3, 2, 0.9), (57, 2, 5, 0.5), (64, 1, 17, 0.99)] {
            let trace = autoregressive(phi, n * d, t, 5);
            let ours = levy_ess(&trace, n, d, d as f64).unwrap().ess_per_step;
            let naive = naive(&trace, n, d, d as f64);
            // Rounding: ε times some tens of lags, each divided by as few as two of T terms.
            assert!((ours / naive - 1.0).abs() < 1e-12, "{ours} {naive}");
        }
    }

    /// Draws that stand still for T = 2000 steps, and have Σ ‖x‖²/(N tr Σ) = 1.00478 by the choice of tr Σ: the 2.49e-4
    /// that a reproduction of the paper has in its tables for chains that never moved.
    #[test]
    fn frozen_chains_are_at_the_floor() {
        let (t, n, d) = (2000, 20, 3);
        let x = autoregressive(0.0, n * d, 1, 1);
        let trace_of_covariance = x.iter().map(|x| x * x).sum::<f64>() / n as f64 / 1.00478;
        let ess = levy_ess(&x.repeat(t), n, d, trace_of_covariance).unwrap();
        let floor: f64 = 1.0 / (1.0 + 2.0 * 1998.0 * 1.00478);
        // Rounding: ε log₂ T of the sum at lag 0, which at lag T − 2 is T/2 times the one at hand: 2e-12 there, less
        // before.
        assert!((ess.floor / floor - 1.0).abs() < 1e-12 && (ess.ess_per_step / floor - 1.0).abs() < 1e-12, "{ess:?}");
        assert!((floor - 2.49e-4).abs() < 5e-7 && ess.at_floor);
    }

    /// ρ_τ = φ^τ up to the last lag above 0.05, which is 28 for φ = 0.9: Σ = φ(1 − φ²⁸)/(1 − φ).
    #[test]
    fn an_autoregression_has_its_truncated_sum() {
        let ess = levy_ess(&autoregressive(0.9, 1000, 2000, 2), 500, 2, 2.0).unwrap();
        let expected = 1.0 / (1.0 + 2.0 * 0.9 * (1.0 - 0.9f64.powi(28)) / 0.1);
        // The standard deviation over 20 seeds is 1.1 %; five of them.
        assert!((ess.ess_per_step / expected - 1.0).abs() < 0.055, "{ess:?} {expected}");
        assert!(!ess.at_floor);
    }

    #[test]
    fn what_is_undefined_is_missing() {
        assert_eq!(levy_ess(&[1.0, 2.0], 1, 1, 1.0), None);
        assert_eq!(levy_ess(&[1.0, f64::NAN, 2.0], 1, 1, 1.0), None);
        assert_eq!(levy_ess(&[1.0, 3.0, 2.0], 1, 1, 0.0), None);
        assert_eq!(levy_ess(&[1.0, 3.0, 2.0], 1, 1, f64::NAN), None);
        assert!(levy_ess(&[1.0, 3.0, 2.0], 1, 1, 1.0).is_some());
    }
}
