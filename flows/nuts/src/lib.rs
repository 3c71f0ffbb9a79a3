//! The No-U-Turn sampler: trajectories that end where they would turn back.
//!
//! Hoffman & Gelman, "The No-U-Turn sampler" (JMLR 15, 2014), in the implementation of the crate `nuts-rs`; step size and
//! diagonal masses are tuned by [`flow_sdk::WarmUp`], the same for it as for HMC. Each chain runs a tree of its own, so a
//! transition costs as many evaluations as the trees have leaves. `accept` is the mean acceptance over a tree, which is
//! what the warm-up steers; `proposal` is the next state, since a tree has no other.
//! Shapes: x `[n, d]`, a chain a row. Deviation: all arithmetic is in f64, whatever the dtype of the chains; of nuts-rs's
//! own adaptation nothing is used (see [`tree`]).

#[cfg(test)]
mod laws;
pub mod tree;

use flow_sdk::candle_core::{DType, Device, Tensor};
use flow_sdk::kernels::philox::derive_seed;
use flow_sdk::{About, Adapt, Layout, Params, Point, Result, Sampler, Seen, Setup, Transition, WarmUp};
use flow_sdk::{Error, Tune, export_sampler};
use schemars::JsonSchema;
use serde::Deserialize;
use tree::{Drawn, Settings, Start};

/// Parameters of the No-U-Turn sampler.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Step size ε: the first one where it is tuned.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub step_size: f64,
    /// A trajectory has fewer than 2 to this power steps.
    #[schemars(range(min = 1, max = 16))]
    pub max_depth: u64,
    /// What the warm-up tunes: scales are the roots of the inverse of a diagonal mass matrix.
    pub tune: Tune,
    /// Mean acceptance over a tree that a tuned step size aims at.
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub target_acceptance: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self { step_size: 0.1, max_depth: 10, tune: Tune::All, target_acceptance: 0.8 }
    }
}

/// The No-U-Turn sampler for one target.
#[derive(Debug)]
pub struct Nuts {
    max_depth: u64,
    warm_up: WarmUp,
    layout: Layout,
    setup: Setup,
}

impl Sampler for Nuts {
    type Config = Config;
    const ABOUT: About = About {
        summary: "No-U-Turn sampler (nuts-rs), tuned step size and masses",
        reference: "Hoffman & Gelman 2014, arXiv 1111.4246",
    };
    /// A tree asks for one point at a time.
    const CUDA: bool = false;

    fn new(config: Config, setup: &Setup) -> Result<Self> {
        let warm_up = WarmUp::new(config.step_size, config.tune, config.target_acceptance);
        let layout = warm_up.declare(Layout::new(), setup.dim);
        Ok(Self { max_depth: config.max_depth, warm_up, layout, setup: setup.clone() })
    }

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn setup(&self) -> &Setup {
        &self.setup
    }

    fn transition(&self, params: &Params<'_>, from: &Point, seed: u64, _beta: f64) -> Result<Transition> {
        let (n, dim) = from.x.dims2()?;
        let (step_size, sd) = self.warm_up.read(params)?;
        let sd = wide(&sd)?;
        let grad = match &from.grad {
            Some(grad) => wide(grad)?,
            None => wide(&self.setup.target.grad(&from.x)?)?,
        };
        let (x, log_density) = (wide(&from.x)?, wide(&from.log_density)?);
        let settings = Settings { step_size, sd: &sd, max_depth: self.max_depth };
        let mut next =
            [Vec::with_capacity(n * dim), Vec::with_capacity(n), Vec::with_capacity(n * dim), Vec::with_capacity(n)];
        for (row, &log_density) in log_density.iter().enumerate() {
            let part = row * dim..(row + 1) * dim;
            let start = Start { x: &x[part.clone()], log_density, grad: &grad[part] };
            let target = |x: &[f64], grad: &mut [f64]| self.ask(x, grad);
            let Drawn { x, log_density, grad, accept, .. } =
                match tree::transition(start, settings, derive_seed(seed, row as u64, 0), target) {
                    Ok(drawn) => drawn,
                    Err(tree::Error::Target(error)) => return Err(error),
                    Err(error) => return Err(Error::Message(error.to_string())),
                };
            next[0].extend(x);
            next[1].push(log_density);
            next[2].extend(grad);
            next[3].push(accept);
        }
        let [x, log_density, grad, accept] = next;
        let matrix = |values: Vec<f64>| self.tensor(Tensor::from_vec(values, (n, dim), &Device::Cpu)?);
        let column = |values: Vec<f64>| self.tensor(Tensor::from_vec(values, n, &Device::Cpu)?);
        let next = Point { x: matrix(x)?, log_density: column(log_density)?, grad: Some(matrix(grad)?) };
        Ok(Transition { proposal: next.x.clone(), next, accept: column(accept)? })
    }
}

impl Adapt for Nuts {
    fn adapt(&self, params: &Params<'_>, seen: &Seen<'_>, step: u64, steps: u64) -> Result<Vec<f64>> {
        self.warm_up.adapt(params, seen, step, steps)
    }
}

impl Nuts {
    /// log γ and ∇ log γ at one point.
    fn ask(&self, x: &[f64], grad: &mut [f64]) -> Result<f64> {
        let x = Tensor::from_slice(x, (1, x.len()), &self.setup.device)?;
        let (value, slope) = self.setup.target.log_density_and_grad(&x)?;
        grad.copy_from_slice(&wide(&slope)?);
        Ok(wide(&value)?[0])
    }

    fn tensor(&self, values: Tensor) -> Result<Tensor> {
        Ok(values.to_dtype(self.setup.dtype)?.to_device(&self.setup.device)?)
    }
}

fn wide(tensor: &Tensor) -> Result<Vec<f64>> {
    Ok(tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?)
}

export_sampler!(Nuts, adapt);
