//! chains.json: what a sampler's cell keeps of its chains, for pictures.

use serde::{Deserialize, Serialize};

use crate::measure::{Draws, autocorrelation};
use crate::sample::Trace;

/// Coordinates that are kept, beside the log-density.
const COORDINATES: usize = 3;
/// Chains whose trace is kept.
const CHAINS: usize = 4;
/// Transitions that are kept, evenly spaced.
const TRANSITIONS: usize = 250;
/// Lags of the autocorrelation.
const LAGS: usize = 100;

/// Some coordinates of some chains, and the autocorrelation of all chains.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KeptChains {
    /// Lags of the autocorrelation.
    pub lag: Vec<usize>,
    /// Autocorrelation at each lag, of each coordinate; empty where a coordinate does not move.
    pub autocorrelation: Vec<Vec<f64>>,
    /// Names of the coordinates.
    pub coordinates: Vec<String>,
    /// Of each coordinate, of each of a few chains, a value a transition.
    pub trace: Vec<Vec<Vec<f64>>>,
    /// Numbers of those transitions.
    pub transition: Vec<usize>,
}

impl KeptChains {
    /// Of a trace in d dimensions.
    pub fn of(trace: &Trace, dim: usize) -> Self {
        let (chains, transitions) = (trace.chains.max(1), trace.transitions());
        let kept = transitions.min(TRANSITIONS);
        let transition: Vec<usize> = (0..kept).map(|i| i * transitions / kept).collect();
        let mut of = Self { lag: (0..transitions.min(LAGS)).collect(), transition, ..Self::default() };
        for index in 0..dim.min(COORDINATES) {
            of.push(format!("x{index}"), Draws::of_trace(&trace.x, chains, dim, index));
        }
        of.push("log density".into(), Draws::new(&trace.log_density, chains));
        of
    }

    fn push(&mut self, name: String, draws: Draws<'_>) {
        let values: Vec<f64> = draws.iter().collect();
        let chains = draws.chains();
        let of_chain = |chain: usize| self.transition.iter().map(|t| values[t * chains + chain]).collect();
        self.trace.push((0..chains.min(CHAINS)).map(of_chain).collect());
        self.coordinates.push(name);
        let correlation = autocorrelation(draws).unwrap_or_default();
        self.autocorrelation.push(correlation.into_iter().take(self.lag.len()).collect());
    }
}
