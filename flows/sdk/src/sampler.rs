//! What the author of a Markov-chain sampler writes.

use candle_core::Tensor;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::autograd::{AutogradTape, Recorded, Tape};
use crate::{About, Layout, Params, Result, Setup};

/// Where n chains are, and what the target says there: all that their next transition needs to know.
#[derive(Clone, Debug)]
pub struct Point {
    /// `[n, d]`.
    pub x: Tensor,
    /// log γ(x) in nats, `[n]`.
    pub log_density: Tensor,
    /// ∇ log γ(x), `[n, d]`; none for samplers that are [`gradient-free`](Sampler::GRADIENT_FREE).
    pub grad: Option<Tensor>,
}

/// One transition of n chains.
#[derive(Clone, Debug)]
pub struct Transition {
    /// Where they are now.
    pub next: Point,
    /// Where they were asked to go, `[n, d]`.
    pub proposal: Tensor,
    /// Probability of going there, `[n]`, in [0, 1].
    pub accept: Tensor,
}

/// A Markov-chain sampler: a pure function of parameters, place and seed that leaves the target invariant.
///
/// It moves many chains at once, a chain a row. What it learns or tunes is in the parameters; what it knows of the place is
/// in the [`Point`]: the target need not be asked again where the chains stand.
pub trait Sampler: Sized + 'static {
    /// Parameters as they stand in a sweep; every field needs a default.
    type Config: DeserializeOwned + JsonSchema;
    /// What it is.
    const ABOUT: About;
    /// Whether it works without ∇ log γ.
    const GRADIENT_FREE: bool = false;
    /// Whether it runs on CUDA devices, in a build that has them.
    const CUDA: bool = true;

    /// An instance for one target, dimension, dtype and device.
    fn new(config: Self::Config, setup: &Setup) -> Result<Self>;

    /// Its parameters: trained ones, and tuned ones that [`Adapt::adapt`] sets.
    fn layout(&self) -> &Layout;

    /// What it was made for.
    fn setup(&self) -> &Setup;

    /// Initial parameters, flat, in the order of the layout.
    fn init(&self, seed: u64) -> Result<Vec<f64>> {
        Ok(self.layout().init(seed))
    }

    /// Moves every chain once. Row i depends on `params`, row i of `from`, `seed`, `beta` and i alone.
    ///
    /// The target of the [`Setup`] is the tempered one during the call; `beta` is for samplers that want to know.
    fn transition(&self, params: &Params<'_>, from: &Point, seed: u64, beta: f64) -> Result<Transition>;
}

/// A sampler whose parameters are learnt by the derivative of its proposals and of their acceptance.
pub trait Trained: Sampler {
    /// [`Sampler::transition`] with what its derivative needs: autograd, unless it has a faster reverse pass of its own.
    fn transition_taped(
        &self,
        flat: &Tensor,
        from: &Point,
        seed: u64,
        beta: f64,
    ) -> Result<(Transition, Box<dyn Tape>)> {
        AutogradTape::record(flat, |flat| self.transition(&Params::new(flat, self.layout()), from, seed, beta))
    }
}

/// A sampler that tunes itself during its warm-up.
pub trait Adapt: Sampler {
    /// The parameters after transition number `step`, from zero, of a warm-up of `steps`.
    fn adapt(&self, params: &Params<'_>, seen: &Seen<'_>, step: u64, steps: u64) -> Result<Vec<f64>>;
}

/// What a transition of a warm-up led to.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// Where the chains are, `[n, d]`.
    pub x: &'a Tensor,
    /// With which probability their proposals were accepted, `[n]`.
    pub accept: &'a Tensor,
}

/// A sampler that reports figures on its own stability.
pub trait ChainProbe: Sampler {
    /// Their names.
    const FIGURES: &'static [&'static str];

    /// Their values at the chains' x `[n, d]`, in that order.
    fn probe(&self, params: &Params<'_>, x: &Tensor, seed: u64) -> Result<Vec<f64>>;
}

impl Recorded for Transition {
    fn points(&self) -> &Tensor {
        &self.proposal
    }

    fn numbers(&self) -> &Tensor {
        &self.accept
    }

    fn detached(&self) -> Self {
        let next = &self.next;
        Self {
            next: Point {
                x: next.x.detach(),
                log_density: next.log_density.detach(),
                grad: next.grad.as_ref().map(Tensor::detach),
            },
            proposal: self.proposal.detach(),
            accept: self.accept.detach(),
        }
    }
}
