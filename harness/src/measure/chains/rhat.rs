//! Potential scale reduction: how much more widely all draws lie than those of one series.
//!
//! Gelman & Rubin (1992) as in Vehtari et al. (Bayesian Analysis 2021), equations 1 to 4: with n draws a series, the
//! variance W within series (mean over them) and B/n of their means, R̂² = ((n − 1)/n · W + B/n)/W.
//! Deviation: none where W > 0. Undefined where no series moves, of which infinity would be the limit.

use super::halves::{Halves, mean, variance};

/// R̂ over the halves; `None` if none of them moves.
pub(super) fn rhat(halves: &Halves) -> Option<f64> {
    if !halves.any_moves() {
        return None;
    }
    let n = halves.len as f64;
    let means: Vec<f64> = halves.series().map(mean).collect();
    let within = halves.series().map(variance).sum::<f64>() / means.len() as f64;
    Some(((n - 1.0) / n + variance(&means) / within).sqrt())
}
