//! What the chains of a sampler are worth, against what is known of their target.
//!
//! Effective sample sizes and R̂ are those of Vehtari et al. (2021), of the worst coordinate, beside the estimator of Levy et
//! al. (2018). Where either says that the chains did not move as far as it can see, none is given: see
//! [`ChainFigures::frozen`].

use super::chains::{Diagnosis, Draws, diagnose, levy_ess};
use super::importance::{Estimate, mean};
use crate::sample::Trace;
use targets::Target;

/// Figures of the measured transitions; `None` where they cannot be told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChainFigures {
    /// Mean probability of acceptance.
    pub acceptance: f64,
    /// Share of proposals that had none: they blew up, or their energy did.
    pub hopeless: f64,
    /// Mean squared jump, of proposals times their acceptance.
    pub jump: f64,
    /// Whether the estimator of Levy et al. is within a factor of two of its floor, or no chain moved at all.
    pub frozen: bool,
    /// Effective draws of the worst coordinate, of N T: for its middle, for its tails, the smaller of the two.
    pub ess_bulk: Option<f64>,
    /// Likewise, tails.
    pub ess_tail: Option<f64>,
    /// The smaller of both.
    pub ess: Option<f64>,
    /// Split R̂ of the worst coordinate.
    pub rhat: Option<f64>,
    /// Effective draws a transition, after Levy et al.
    pub levy_ess: Option<f64>,
    /// Largest distance of a coordinate's mean from the known one, in known standard deviations.
    pub mean_error: Option<f64>,
    /// Largest relative distance of a coordinate's standard deviation from the known one.
    pub sd_error: Option<f64>,
    /// Mean of log γ over the chains less that over exact draws, in nats.
    pub log_density_error: Option<Estimate>,
}

/// Figures of a trace; `exact` has log γ of exact draws. `None` where the chains have left the finite numbers.
pub fn chain_figures(trace: &Trace, target: &dyn Target, exact: Option<&[f64]>) -> Option<ChainFigures> {
    let (n, dim, total) = (trace.chains, target.dim(), trace.accept.len());
    if total == 0 || !trace.x.iter().chain(&trace.log_density).all(|value| value.is_finite()) {
        return None;
    }
    let known = target.known();
    let moments: Vec<(f64, f64)> = (0..dim).map(|j| moments(Draws::of_trace(&trace.x, n, dim, j))).collect();
    let variance = match &known.sd {
        Some(sd) => sd.iter().map(|sd| sd * sd).sum(),
        None => moments.iter().map(|(_, sd)| sd * sd).sum::<f64>(),
    };
    let levy = levy_ess(&trace.x, n, dim, variance);
    let frozen = trace.frozen_chains == n || levy.as_ref().is_some_and(|levy| levy.at_floor);
    let diagnoses: Vec<Diagnosis> = (0..dim).map(|j| diagnose(Draws::of_trace(&trace.x, n, dim, j))).collect();
    // A coordinate of which nothing can be told is the worst one.
    let worst = |figure: fn(&Diagnosis) -> Option<f64>, worse: fn(f64, f64) -> f64| {
        diagnoses.iter().map(figure).collect::<Option<Vec<f64>>>()?.into_iter().reduce(worse)
    };
    let moving = |figure: Option<f64>| figure.filter(|_| !frozen);
    let (bulk, tail) = (moving(worst(|d| d.ess_bulk, f64::min)), moving(worst(|d| d.ess_tail, f64::min)));
    let largest = |errors: Vec<f64>| errors.into_iter().reduce(f64::max);
    let mean_error = known.mean.as_ref().zip(known.sd.as_ref()).and_then(|(means, sds)| {
        largest(moments.iter().zip(means.iter().zip(sds)).map(|((m, _), (mean, sd))| (m - mean).abs() / sd).collect())
    });
    let sd_error = known
        .sd
        .as_ref()
        .and_then(|sds| largest(moments.iter().zip(sds).map(|((_, s), sd)| (s / sd - 1.0).abs()).collect()));
    let accepted = trace.accept.iter().filter(|p| p.is_finite());
    Some(ChainFigures {
        acceptance: accepted.clone().sum::<f64>() / total as f64,
        hopeless: 1.0 - accepted.filter(|p| **p > 0.0).count() as f64 / total as f64,
        jump: trace.jumps / total as f64,
        frozen,
        ess_bulk: bulk,
        ess_tail: tail,
        ess: bulk.zip(tail).map(|(bulk, tail)| bulk.min(tail)),
        rhat: worst(|d| d.rhat, f64::max),
        levy_ess: moving(levy.map(|levy| levy.ess_per_step)),
        mean_error,
        sd_error,
        log_density_error: exact.and_then(|exact| log_density_error(trace, exact)),
    })
}

/// With the standard error of both means, that of the chains by their effective size.
fn log_density_error(trace: &Trace, exact: &[f64]) -> Option<Estimate> {
    let (of_chains, of_target) = (mean(&trace.log_density), mean(exact));
    let draws = Draws::new(&trace.log_density, trace.chains);
    let n = diagnose(draws).ess_bulk?;
    let (_, sd) = moments(draws);
    let se = (sd * sd / n + of_target.se.powi(2)).sqrt();
    Some(Estimate { value: of_chains.value - of_target.value, se, n: trace.log_density.len() })
}

/// Mean and standard deviation.
fn moments(draws: Draws<'_>) -> (f64, f64) {
    let n = (draws.chains() * draws.draws()) as f64;
    let mean = draws.iter().sum::<f64>() / n;
    (mean, (draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use flow_kernels::philox::Stream;

    fn trace(chains: usize, transitions: usize, mut x: impl FnMut(usize, usize) -> f64) -> Trace {
        let x: Vec<f64> =
            (0..transitions).flat_map(|t| (0..chains).map(move |n| (t, n))).map(|(t, n)| x(t, n)).collect();
        let accept = vec![1.0; x.len()];
        Trace { log_density: x.iter().map(|x| -0.5 * x * x).collect(), x, accept, chains, ..Trace::default() }
    }

    fn gaussian() -> Box<dyn Target> {
        let params = serde_json::json!({"dim": 1}).as_object().cloned().unwrap_or_default();
        targets::registry::build("gaussian", &params).expect("it is there")
    }

    /// Independent draws are worth what they are many: within 10 % of N T, the spread of the estimators there.
    #[test]
    fn independent_draws_are_worth_themselves() {
        let mut stream = Stream::new(3);
        let trace = trace(200, 50, |_, _| stream.normal());
        let figures = chain_figures(&trace, &*gaussian(), Some(&[-0.5, -0.2, -0.8])).unwrap();
        assert!((figures.ess.unwrap() / 1e4 - 1.0).abs() < 0.1 && figures.rhat.unwrap() < 1.01, "{figures:?}");
        // Of its last lags, which few pairs are left for, some exceed 0.05 by chance.
        assert!(figures.levy_ess.unwrap() > 0.5 && !figures.frozen);
        // Five standard errors: 0.05 of the mean, 0.035 of the deviation, 0.035 of E log γ beside that of the three.
        assert!(figures.mean_error.unwrap() < 0.05 && figures.sd_error.unwrap() < 0.035);
        assert!((figures.log_density_error.unwrap().value).abs() < 0.035);
    }

    /// Chains that stand at their different places give no effective size, however many they are; nor do chains that left
    /// the finite numbers give anything.
    #[test]
    fn chains_that_stand_still_are_frozen() {
        let still = trace(20, 500, |_, n| n as f64 / 7.0 - 1.4);
        let figures = chain_figures(&Trace { frozen_chains: 20, ..still }, &*gaussian(), None).unwrap();
        assert!(figures.frozen && figures.ess.is_none() && figures.levy_ess.is_none() && figures.ess_bulk.is_none());
        assert_eq!(chain_figures(&trace(2, 10, |t, _| if t == 9 { f64::NAN } else { 0.1 }), &*gaussian(), None), None);
    }
}
