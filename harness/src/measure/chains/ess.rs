//! Effective sample size of several series by Geyer's initial monotone sequence.
//!
//! Vehtari et al. (Bayesian Analysis 2021), section 3.2: ρ̂_t = 1 − (W − mean over series of γ̂_t)/var⁺ with the
//! autocovariances γ̂_t (divided by n at every lag), W = n/(n − 1) · mean γ̂₀ and var⁺ = mean γ̂₀ + variance of the
//! series' means. Pairs P̂_k = ρ̂_{2k} + ρ̂_{2k+1} are summed while positive, made non-increasing (Geyer 1992, section
//! 3.3): τ̂ = −1 + 2 Σ_k P̂_k + ρ̂ of the even lag after them, ESS = M n/τ̂, with τ̂ ≥ 1/log₁₀(M n) against nonsense
//! from antithetic series.
//! Deviation: undefined where no series moves, for which ArviZ has M n if all values are equal; and a pair that is zero
//! to rounding is zero, where for ArviZ the sign of a rounding error decides whether the sum goes on. Indicators have
//! such pairs: their autocorrelations are ratios of small whole numbers.

use super::halves::{Halves, mean, variance};
use super::lagged_products::LaggedProducts;

/// Pairs closer to zero are zero. A transform of n values has errors of ε log₂ n of lag 0, which is at most var⁺: below
/// 1e-14 up to n = 2⁴⁵.
const ROUNDING: f64 = 1e-12;

/// Effective sample size over the halves; `None` if none of them moves.
pub(super) fn ess(halves: &Halves, products: &mut LaggedProducts) -> Option<f64> {
    if !halves.any_moves() {
        return None;
    }
    let size = halves.values.len() as f64;
    let means: Vec<f64> = halves.series().map(mean).collect();
    for (series, mean) in halves.series().zip(&means) {
        products.add(series.iter().map(|x| x - mean));
    }
    let covariance: Vec<f64> = products.take().into_iter().map(|sum| sum / size).collect();
    let n = halves.len as f64;
    let within = covariance[0] * n / (n - 1.0);
    let overall = covariance[0] + variance(&means);
    let tau = integrated_time(halves.len, |lag| 1.0 - (within - covariance[lag]) / overall);
    Some(size / tau.max(1.0 / size.log10()))
}

/// τ̂ from autocorrelations at lags below n.
fn integrated_time(n: usize, rho: impl Fn(usize) -> f64) -> f64 {
    // At lag 0 the formula gives 1 − (W − γ̂₀)/var⁺, a little below what is known.
    let mut pairs = vec![[1.0, rho(1)]];
    let mut last = pairs[0];
    while sum(last) > 0.0 && 2 * pairs.len() + 2 < n {
        last = [rho(2 * pairs.len()), rho(2 * pairs.len() + 1)];
        pairs.push(last);
    }
    // The last pair, the first that is not positive or the last there is, counts with its even lag only.
    pairs.pop();
    let rest = if last[0] > 0.0 || sum(last) >= 0.0 { last[0] } else { 0.0 };
    let mut bound = f64::INFINITY;
    let mut total = 0.0;
    for pair in pairs {
        bound = sum(pair).min(bound);
        total += bound;
    }
    2.0 * total + rest - 1.0
}

fn sum(pair: [f64; 2]) -> f64 {
    let sum = pair[0] + pair[1];
    if sum.abs() < ROUNDING { 0.0 } else { sum }
}
