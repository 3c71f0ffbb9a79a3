//! Autocorrelation of a quantity over several chains, lag by lag, for pictures.
//!
//! ρ̂_t = Σ over chains Σ_s (x_s − x̄)(x_{s+t} − x̄) / Σ (x_s − x̄)², x̄ the mean of all chains: the estimate that divides by n at every
//! lag (Priestley, "Spectral analysis and time series", 1981, section 5.3.3), so that chains that sit apart show as what never decays.
//! Deviation: none.

use super::draws::Draws;
use super::lagged_products::LaggedProducts;

/// At lags 0, 1, … below the number of draws; `None` where nothing moves or values are not finite.
pub fn autocorrelation(draws: Draws<'_>) -> Option<Vec<f64>> {
    let (chains, n) = (draws.chains(), draws.draws());
    let mean = draws.iter().sum::<f64>() / (n * chains) as f64;
    let mut products = LaggedProducts::new(n);
    for chain in 0..chains {
        products.add(draws.iter().skip(chain).step_by(chains).map(|x| x - mean));
    }
    let sums = products.take();
    (sums.first().is_some_and(|&all| all > 0.0 && all.is_finite()))
        .then(|| sums.iter().map(|sum| sum / sums[0]).collect())
}

#[cfg(test)]
mod tests {
    use super::super::laws::autoregressive;
    use super::*;

    /// Of x_t = φ x_{t−1} + noise it is φᵗ; the error of an estimate from 40,000 draws is below (1 + φ²)/(1 − φ²)/√40,000, a tenth.
    #[test]
    fn decays_as_that_of_an_autoregression() {
        let values = autoregressive(0.8, 4, 10_000, 5);
        let found = autocorrelation(Draws::new(&values, 4)).unwrap();
        for (lag, rho) in found.iter().take(20).enumerate() {
            assert!((rho - 0.8f64.powi(lag as i32)).abs() < 0.1, "{lag}: {rho}");
        }
        assert_eq!(autocorrelation(Draws::new(&[1.0; 8], 2)), None);
    }
}
