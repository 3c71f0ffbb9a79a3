//! What the author of a flow writes.

use candle_core::{DType, Device, Tensor};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::autograd::{AutogradTape, Tape};
use crate::{Base, Layout, Params, Result, Target, log_det};

/// What a flow says of itself beside name, version and parameters.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// One line on what it is.
    pub summary: &'static str,
    /// The paper it follows.
    pub reference: &'static str,
}

/// What an instance is made for.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Dimension d of the target's space.
    pub dim: usize,
    /// Element type of parameters and draws.
    pub dtype: DType,
    /// Device of parameters and draws.
    pub device: Device,
    /// The target, for flows that look at it.
    pub target: Target,
}

/// Draws with their log-density.
#[derive(Clone, Debug)]
pub struct Draws {
    /// `[n, d]`.
    pub x: Tensor,
    /// log q(x) in nats, `[n]`; for augmented flows the extended one, so that E[log γ(x) − log q] still bounds log Z.
    pub log_q: Tensor,
}

/// A learnt distribution: a pure function of parameters and seed. Most flows implement [`Bijection`] instead.
pub trait Flow: Sized + 'static {
    /// Parameters as they stand in a sweep; every field needs a default.
    type Config: DeserializeOwned + JsonSchema;
    /// What it is.
    const ABOUT: About;

    /// An instance for one dimension, dtype and device.
    fn new(config: Self::Config, setup: &Setup) -> Result<Self>;

    /// Its parameters.
    fn layout(&self) -> &Layout;

    /// What it was made for.
    fn setup(&self) -> &Setup;

    /// Initial parameters, flat, in the order of the layout.
    fn init(&self, seed: u64) -> Result<Vec<f64>> {
        Ok(self.layout().init(seed))
    }

    /// `n` draws, by differentiable tensor operations on `params`. Row i depends on `params`, `seed` and i alone.
    fn sample(&self, params: &Params<'_>, seed: u64, n: usize) -> Result<Draws>;

    /// [`Flow::sample`] with what its derivative needs: autograd, unless a flow has a faster reverse pass of its own.
    fn sample_taped(&self, flat: &Tensor, seed: u64, n: usize) -> Result<(Draws, Box<dyn Tape>)> {
        AutogradTape::record(flat, |flat| self.sample(&Params::new(flat, self.layout()), seed, n))
    }
}

/// A flow that can tell the log-density of any point.
pub trait Density: Flow {
    /// log q(x), x `[n, d]` → `[n]`, differentiable in `params`. `seed` is for flows that estimate it.
    ///
    /// An augmented flow on (x, p) with an encoder r draws p ~ r(p | x) and returns log q(x, p) − log r(p | x), of which the
    /// mean is at most log q(x). At its own draw [`Flow::sample`] has another p and another estimate: such a flow is exported
    /// with the flag `augmented`, or the harness refuses it as one that contradicts itself.
    fn density(&self, params: &Params<'_>, x: &Tensor, seed: u64) -> Result<Tensor>;

    /// [`Density::density`] with what its derivative needs.
    fn density_taped(&self, flat: &Tensor, x: &Tensor, seed: u64) -> Result<(Tensor, Box<dyn Tape>)> {
        let (draws, tape) = AutogradTape::record(flat, |flat| {
            let log_q = self.density(&Params::new(flat, self.layout()), x, seed)?;
            Ok(Draws { x: x.clone(), log_q })
        })?;
        Ok((draws.log_q, tape))
    }
}

/// A flow that reports figures on its own stability.
pub trait Probe: Flow {
    /// Their names.
    const FIGURES: &'static [&'static str];

    /// Their values over about `n` draws, in that order.
    fn probe(&self, params: &Params<'_>, seed: u64, n: usize) -> Result<Vec<f64>>;
}

/// An invertible map that pushes a base distribution forward: the common kind of flow.
///
/// Sampling, log-density and the probe of the log-det follow from it.
pub trait Bijection: Sized + 'static {
    /// Parameters as they stand in a sweep; every field needs a default.
    type Config: DeserializeOwned + JsonSchema;
    /// What it is.
    const ABOUT: About;

    /// An instance for one dimension, dtype and device.
    fn new(config: Self::Config, setup: &Setup) -> Result<Self>;

    /// Its parameters.
    fn layout(&self) -> &Layout;

    /// What it was made for.
    fn setup(&self) -> &Setup;

    /// What it transforms.
    fn base(&self) -> Base;

    /// Initial parameters, flat, in the order of the layout.
    fn init(&self, seed: u64) -> Result<Vec<f64>> {
        Ok(self.layout().init(seed))
    }

    /// z `[n, d]` → (x `[n, d]`, log |det ∂x/∂z| `[n]`): never one without the other.
    fn forward(&self, params: &Params<'_>, z: &Tensor) -> Result<(Tensor, Tensor)>;
}

/// A bijection whose inverse can be computed.
pub trait Inverse: Bijection {
    /// x `[n, d]` → (z `[n, d]`, log |det ∂x/∂z| `[n]` of the *forward* map at z), differentiable in `params`.
    fn inverse(&self, params: &Params<'_>, x: &Tensor) -> Result<(Tensor, Tensor)>;
}

impl<B: Bijection> Flow for B {
    type Config = B::Config;
    const ABOUT: About = B::ABOUT;

    fn new(config: Self::Config, setup: &Setup) -> Result<Self> {
        B::new(config, setup)
    }

    fn layout(&self) -> &Layout {
        B::layout(self)
    }

    fn setup(&self) -> &Setup {
        B::setup(self)
    }

    fn init(&self, seed: u64) -> Result<Vec<f64>> {
        B::init(self, seed)
    }

    fn sample(&self, params: &Params<'_>, seed: u64, n: usize) -> Result<Draws> {
        let z = base_draws(self, seed, n)?;
        let (x, log_det) = self.forward(params, &z)?;
        let log_q = (self.base().log_density(&z)? - log_det)?;
        Ok(Draws { x, log_q })
    }
}

impl<B: Inverse> Density for B {
    fn density(&self, params: &Params<'_>, x: &Tensor, _seed: u64) -> Result<Tensor> {
        let (z, log_det) = self.inverse(params, x)?;
        Ok((self.base().log_density(&z)? - log_det)?)
    }
}

impl<B: Bijection> Probe for B {
    const FIGURES: &'static [&'static str] = &["log_det_error", "log_det_error_p50"];

    /// Largest and median distance of the stated log-det from autograd's.
    fn probe(&self, params: &Params<'_>, seed: u64, n: usize) -> Result<Vec<f64>> {
        let z = base_draws(self, seed, n)?;
        let (_, stated) = self.forward(params, &z)?;
        let stated = stated.to_dtype(DType::F64)?.to_vec1::<f64>()?;
        let oracle = log_det::by_autograd(&z, |z| Ok(self.forward(params, z)?.0))?;
        let mut errors: Vec<f64> = stated.iter().zip(&oracle).map(|(a, b)| (a - b).abs()).collect();
        errors.sort_by(f64::total_cmp);
        let largest = errors.last().copied().unwrap_or(f64::NAN);
        Ok(vec![largest, errors.get(errors.len() / 2).copied().unwrap_or(f64::NAN)])
    }
}

fn base_draws<B: Bijection>(flow: &B, seed: u64, n: usize) -> Result<Tensor> {
    let setup = B::setup(flow);
    flow.base().draw(seed, n, setup.dim, setup.dtype, &setup.device)
}
