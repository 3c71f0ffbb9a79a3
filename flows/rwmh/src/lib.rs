//! Random-walk Metropolis: the humble baseline, which needs no gradient.
//!
//! x′ = x + ε s ⊙ ξ, ξ ~ N(0, I), accepted with probability min(1, γ(x′)/γ(x)) (Metropolis et al., J. Chem. Phys. 21,
//! 1953). Tuned to an acceptance of 0.234, which is the best for many coordinates (Roberts, Gelman & Gilks, Ann. Appl.
//! Probab. 7, 1997), with scales s from the spread of the chains. Shapes: x `[n, d]`, a chain a row. Deviation: none.

use flow_sdk::{About, Adapt, Layout, Params, Point, Result, Sampler, Seen, Setup, Transition, WarmUp};
use flow_sdk::{Tune, export_sampler, metropolis};
use schemars::JsonSchema;
use serde::Deserialize;

/// Parameters of a random walk.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Step size ε: the first one where it is tuned.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub step_size: f64,
    /// What the warm-up tunes.
    pub tune: Tune,
    /// Mean acceptance probability that a tuned step size aims at.
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub target_acceptance: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self { step_size: 0.5, tune: Tune::All, target_acceptance: 0.234 }
    }
}

/// A random walk for one target.
#[derive(Debug)]
pub struct Rwmh {
    warm_up: WarmUp,
    layout: Layout,
    setup: Setup,
}

impl Sampler for Rwmh {
    type Config = Config;
    const ABOUT: About = About {
        summary: "random-walk Metropolis: x + ε s ⊙ ξ",
        reference: "Metropolis et al. 1953, J. Chem. Phys. 21",
    };
    const GRADIENT_FREE: bool = true;

    fn new(config: Config, setup: &Setup) -> Result<Self> {
        let warm_up = WarmUp::new(config.step_size, config.tune, config.target_acceptance);
        let layout = warm_up.declare(Layout::new(), setup.dim);
        Ok(Self { warm_up, layout, setup: setup.clone() })
    }

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn setup(&self) -> &Setup {
        &self.setup
    }

    fn transition(&self, params: &Params<'_>, from: &Point, seed: u64, _beta: f64) -> Result<Transition> {
        let n = from.x.dim(0)?;
        let walk = self.warm_up.scaled(params, &metropolis::normals(&self.setup, seed, n)?)?;
        let x = (&from.x + walk)?;
        let log_density = self.setup.target.log_density(&x)?;
        let accept = metropolis::acceptance(&(&log_density - &from.log_density)?)?;
        metropolis::choose(&self.setup, seed, from, Point { x, log_density, grad: None }, accept)
    }
}

impl Adapt for Rwmh {
    fn adapt(&self, params: &Params<'_>, seen: &Seen<'_>, step: u64, steps: u64) -> Result<Vec<f64>> {
        self.warm_up.adapt(params, seen, step, steps)
    }
}

export_sampler!(Rwmh, adapt);
