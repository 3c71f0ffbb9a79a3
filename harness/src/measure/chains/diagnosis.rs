//! Diagnosis of one scalar quantity from several chains, by ranks.
//!
//! Vehtari, Gelman, Simpson, Carpenter, Bürkner, "Rank-normalization, folding, and localization: an improved R̂ for
//! assessing convergence of MCMC" (Bayesian Analysis 2021, arXiv:1903.08008), sections 4.1 to 4.3, over halves of
//! chains: R̂ = max of R̂(z) and R̂(z of |θ − median|); bulk ESS = ESS(z); tail ESS = min of ESS(1[θ ≤ q]) at the 5 %
//! and 95 % quantiles q of all draws.
//! Deviation: missing where nothing can be said, for which ArviZ, otherwise the same, has a number: ESS = N T for
//! indicators that are constant (a discrete quantity at its extremes), and values from rounding errors for chains of
//! which none moves.

use super::Draws;
use super::ess::ess;
use super::halves::Halves;
use super::lagged_products::LaggedProducts;
use super::ranks::Sorted;
use super::rhat::rhat;

/// Fewer draws a chain have no halves with a variance (ArviZ draws the line there, too).
const LEAST_DRAWS: usize = 4;
/// The tails: quantiles of the two indicators (Vehtari et al. 2021, section 4.3).
const TAILS: [f64; 2] = [0.05, 0.95];

/// What several chains say of one quantity. `None` is undefined: too few draws, a value that is not finite, no chain
/// that moves.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Diagnosis {
    /// Rank-normalised split R̂, the larger of bulk and folded; takes two chains. Mixed chains have less than 1.01.
    pub rhat: Option<f64>,
    /// Effective number of draws, of all N T, for the middle of the distribution.
    pub ess_bulk: Option<f64>,
    /// Effective number of draws, of all N T, for its 5 % and 95 % quantiles, the smaller of the two.
    pub ess_tail: Option<f64>,
}

/// Diagnoses one quantity. Sorts once, whatever the number of figures.
pub fn diagnose(draws: Draws) -> Diagnosis {
    if draws.draws() < LEAST_DRAWS || !draws.iter().all(f64::is_finite) {
        return Diagnosis::default();
    }
    let halves = Halves::of(draws);
    let sorted = Sorted::new(&halves.values);
    let scores = halves.with(sorted.normal_scores());
    let mut products = LaggedProducts::new(halves.len);
    let mut tail = |p| {
        let quantile = quantile(draws, p);
        ess(&halves.with(halves.values.iter().map(|x| f64::from(*x <= quantile)).collect()), &mut products)
    };
    let ess_tail = tail(TAILS[0]).zip(tail(TAILS[1])).map(|(low, high)| low.min(high));
    let ess_bulk = ess(&scores, &mut products);
    let rhat =
        if draws.chains() > 1 { larger_rhat(&scores, &halves.with(sorted.folded().normal_scores())) } else { None };
    Diagnosis { rhat, ess_bulk, ess_tail }
}

/// A quantity that is the same on both sides of its median (a fair ±1) has nothing folded to compare: bulk alone
/// counts.
fn larger_rhat(bulk: &Halves, folded: &Halves) -> Option<f64> {
    let bulk = rhat(bulk)?;
    if folded.is_constant() { Some(bulk) } else { rhat(folded).map(|folded| bulk.max(folded)) }
}

/// The `p`-quantile (type 7 of Hyndman & Fan 1996), by selection: the draws need not be in order for it.
fn quantile(draws: Draws, p: f64) -> f64 {
    let mut values: Vec<f64> = draws.iter().collect();
    let position = p * (values.len() - 1) as f64;
    let (_, below, larger) = values.select_nth_unstable_by(position as usize, f64::total_cmp);
    let above = larger.iter().copied().fold(f64::INFINITY, f64::min);
    // Written so that equal neighbours give themselves exactly: the indicators are of ≤.
    *below + (above - *below) * position.fract()
}
