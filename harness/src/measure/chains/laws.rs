//! Laws of the diagnosis, on chains whose answer is known.
//!
//! Monte-Carlo tolerances are five standard deviations of the estimate about its expected value, measured over 300
//! seeds of 8 chains of 5,000 draws.

use super::halves::Halves;
use super::ranks::Sorted;
use super::rhat::rhat;
use super::{Diagnosis, Draws, diagnose};
use flow_kernels::philox::Stream;
use proptest::prelude::*;

const CHAINS: usize = 8;
const DRAWS: usize = 5000;

/// AR(1) chains of unit variance from their stationary law, draw by draw.
pub(super) fn autoregressive(phi: f64, chains: usize, draws: usize, seed: u64) -> Vec<f64> {
    let mut stream = Stream::new(seed);
    let mut x: Vec<f64> = (0..chains).map(|_| stream.normal()).collect();
    let mut values = x.clone();
    for _ in 1..draws {
        x.iter_mut().for_each(|x| *x = phi * *x + (1.0 - phi * phi).sqrt() * stream.normal());
        values.extend(&x);
    }
    values
}

/// Some function of the draws of the first chain, the others left as they are.
fn change_first(values: &[f64], chains: usize, change: impl Fn(f64) -> f64) -> Vec<f64> {
    values.iter().enumerate().map(|(at, &x)| if at.is_multiple_of(chains) { change(x) } else { x }).collect()
}

fn bulk_rhat(draws: Draws) -> Option<f64> {
    let halves = Halves::of(draws);
    rhat(&halves.with(Sorted::new(&halves.values).normal_scores()))
}

/// Equal up to the rounding of sums in another order, which an ESS passes on by about its ratio to the draws.
fn close(a: Option<f64>, b: Option<f64>) -> bool {
    a.zip(b).is_some_and(|(a, b)| (a / b - 1.0).abs() < 1e-10)
}

/// ESS = N T (1 − φ)/(1 + φ): the ranks of normal draws give back the draws.
#[test]
fn an_autoregression_has_its_closed_form() {
    for (phi, tolerance) in [(0.0, 0.08), (0.5, 0.16), (0.9, 0.31)] {
        let ess = diagnose(Draws::new(&autoregressive(phi, CHAINS, DRAWS, 1), CHAINS)).ess_bulk.unwrap();
        let expected = (CHAINS * DRAWS) as f64 * (1.0 - phi) / (1.0 + phi);
        assert!((ess / expected - 1.0).abs() < tolerance, "{phi}: {ess} for {expected}");
    }
}

#[test]
fn independent_draws_are_worth_themselves_in_the_tails() {
    let ess = diagnose(Draws::new(&autoregressive(0.0, CHAINS, DRAWS, 2), CHAINS)).ess_tail.unwrap();
    assert!((ess / (CHAINS * DRAWS) as f64 - 1.0).abs() < 0.09, "{ess}");
}

#[test]
fn rhat_is_one_until_a_chain_is_elsewhere() {
    let values = autoregressive(0.5, CHAINS, DRAWS, 3);
    let shifted = |by: f64| diagnose(Draws::new(&change_first(&values, CHAINS, |x| x + by), CHAINS)).rhat.unwrap();
    // Mean 1.0004 and standard deviation 0.0002.
    assert!((shifted(0.0) - 1.0).abs() < 0.0014, "{}", shifted(0.0));
    let grown = [0.0, 0.25, 0.5, 1.0, 2.0, 4.0].map(shifted);
    assert!(grown.is_sorted_by(|a, b| a < b), "{grown:?}");
    // Of a chain 1 σ away from seven others, B/n is about 1/8 in units of W: R̂ ≈ √(1 + 1/8).
    assert!((grown[3] - 1.06).abs() < 0.02, "{grown:?}");
}

#[test]
fn folding_sees_a_chain_of_another_scale() {
    let values = change_first(&autoregressive(0.0, CHAINS, DRAWS, 4), CHAINS, |x| 4.0 * x);
    let draws = Draws::new(&values, CHAINS);
    assert!(bulk_rhat(draws).unwrap() < 1.002 && diagnose(draws).rhat.unwrap() > 1.05);
}

#[test]
fn halves_see_chains_that_drift_together() {
    let drifting = |at: usize| (at / CHAINS) as f64 * 2.0 / DRAWS as f64;
    let values: Vec<f64> =
        autoregressive(0.0, CHAINS, DRAWS, 5).iter().enumerate().map(|(at, x)| x + drifting(at)).collect();
    assert!(diagnose(Draws::new(&values, CHAINS)).rhat.unwrap() > 1.1);
}

#[test]
fn what_is_undefined_is_missing() {
    let nothing = Diagnosis::default();
    let values = autoregressive(0.3, 4, 100, 6);
    // Nothing moves: at one point, or each chain at its own.
    assert_eq!(diagnose(Draws::new(&[2.0; 400], 4)), nothing);
    assert_eq!(diagnose(Draws::new(&[0.1, 0.2, 0.3, 0.7].repeat(100), 4)), nothing);
    // Too few draws; not finite.
    assert_eq!(diagnose(Draws::new(&values[..12], 4)), nothing);
    assert_eq!(diagnose(Draws::new(&[], 4)), nothing);
    for bad in [f64::NAN, f64::INFINITY] {
        let mut values = values.clone();
        values[7] = bad;
        assert_eq!(diagnose(Draws::new(&values, 4)), nothing);
    }
    // A chain alone has nothing to be compared with.
    let alone = diagnose(Draws::new(&values, 1));
    assert!(alone.rhat.is_none() && alone.ess_bulk.is_some() && alone.ess_tail.is_some());
    // One chain of four that stands still is a finding.
    let stuck = diagnose(Draws::new(&change_first(&values, 4, |_| 0.5), 4));
    assert!(stuck.rhat.unwrap() > 1.05 && stuck.ess_bulk.unwrap() < 200.0, "{stuck:?}");
}

#[test]
fn discrete_draws_are_taken_for_what_they_are() {
    // A coin has no tails: its 95 % quantile is its largest value. This one falls as often on either side, by chains
    // that mirror others: its median is exactly 0, and nothing folded varies.
    let half = autoregressive(0.0, CHAINS / 2, DRAWS, 7);
    let coin: Vec<f64> = half.chunks(CHAINS / 2).flat_map(|row| [row, row].concat()).map(f64::signum).collect();
    let coin: Vec<f64> =
        coin.iter().enumerate().map(|(at, x)| if at % CHAINS < CHAINS / 2 { *x } else { -x }).collect();
    let diagnosis = diagnose(Draws::new(&coin, CHAINS));
    assert!((diagnosis.rhat.unwrap() - 1.0).abs() < 0.0014, "{diagnosis:?}");
    assert!((diagnosis.ess_bulk.unwrap() / coin.len() as f64 - 1.0).abs() < 0.08, "{diagnosis:?}");
    assert_eq!(diagnosis.ess_tail, None);
    // Coins of ±1 and one of ±3 differ for certain, which no variance within chains is there to compare with.
    assert_eq!(diagnose(Draws::new(&change_first(&coin, CHAINS, |x| 3.0 * x), CHAINS)).rhat, None);
}

proptest! {
    /// Ranks are all that bulk figures know, and the indicators of the tails: to the last bit.
    #[test]
    fn monotone_maps_change_nothing(seed: u64, draws in 4usize..60, phi in -0.9..0.9) {
        let values = autoregressive(phi, 3, draws, seed);
        let mapped: Vec<f64> = values.iter().map(|x| x.exp()).collect();
        let (a, b) = (Draws::new(&values, 3), Draws::new(&mapped, 3));
        prop_assert_eq!(bulk_rhat(a), bulk_rhat(b));
        let (a, b) = (diagnose(a), diagnose(b));
        prop_assert_eq!((a.ess_bulk, a.ess_tail), (b.ess_bulk, b.ess_tail));
    }

    /// Folding knows the scale, but neither its unit, nor its origin, nor its direction.
    ///
    /// On a grid where all of this is exact: elsewhere rounding decides whether the two values in the middle, equally
    /// far from the median between them, are a tie (as in ArviZ), which a short chain shows in the third digit.
    #[test]
    fn affine_maps_change_nothing(seed: u64, draws in 4usize..60, unit in -9i32..9, turned: bool, shift in -9i32..9) {
        let values: Vec<f64> = autoregressive(0.5, 3, draws, seed).iter().map(|x| (x * 1e6).round()).collect();
        let slope = if turned { -1.0 } else { 1.0 } * 2f64.powi(unit);
        let mapped: Vec<f64> = values.iter().map(|x| slope * x + f64::from(shift)).collect();
        let (a, b) = (diagnose(Draws::new(&values, 3)), diagnose(Draws::new(&mapped, 3)));
        prop_assert!(close(a.rhat, b.rhat) && close(a.ess_bulk, b.ess_bulk), "{:?} {:?}", a, b);
    }

    #[test]
    fn chains_have_no_order(seed: u64, draws in 4usize..60, order in Just([0, 1, 2, 3, 4]).prop_shuffle()) {
        let values = autoregressive(0.5, 5, draws, seed);
        let shuffled: Vec<f64> = values.chunks(5).flat_map(|row| order.map(|chain| row[chain])).collect();
        let (a, b) = (diagnose(Draws::new(&values, 5)), diagnose(Draws::new(&shuffled, 5)));
        prop_assert!(close(a.rhat, b.rhat) && close(a.ess_bulk, b.ess_bulk), "{:?} {:?}", a, b);
        prop_assert!(a.ess_tail == b.ess_tail || close(a.ess_tail, b.ess_tail), "{:?} {:?}", a, b);
    }
}
