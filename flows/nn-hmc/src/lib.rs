//! The learnt sampler L2HMC: Hamiltonian Monte Carlo whose trajectories are bent by networks, trained to move far.
//!
//! Levy, Hoffman & Sohl-Dickstein, "Generalizing Hamiltonian Monte Carlo with neural networks" (ICLR 2018, arXiv
//! 1711.09268), section 4. A transition draws v ~ N(0, I) and a direction σ = ±1, takes (x, v) through M augmented steps
//! ([`trajectory`](self), in the form of the authors' code) forth or back in time, and accepts the end with probability
//! min(1, e^{H − H′ + log |J|}) (their equation 9), H = ½ vᵀv − log γ(x). The inverse of going forth is going back, so
//! detailed balance holds whatever the networks say. It is trained through proposals and acceptance; forces are
//! differentiated by the target's Hessian-vector products.
//! The first half of a trajectory's masks is drawn with the initial parameters and stays.
//! Shapes: x, v `[n, d]`, a chain a row. Deviation: v is drawn as σξ with ξ normal, which has the same law, so that with
//! networks of zeros a transition is that of HMC with momentum ξ, bit for bit.

mod config;
mod kernel;
mod network;
mod trajectory;

pub use config::Config;

use flow_sdk::candle_core::{DType, Tensor};
use flow_sdk::kernels::philox::Stream;
use flow_sdk::kernels::scratch::Scratch;
use flow_sdk::{About, ChainProbe, Init, Layout, Params, Point, Result, Sampler, Setup, Trained, Transition};
use flow_sdk::{Element, FusedSampler, FusedTrained, PointRows, PullProposals, TransitionRows};
use flow_sdk::{export_sampler, log_det, metropolis};
use kernel::{Gradient, Kernel};
use network::Network;
use trajectory::{End, Rule};

const LOG_STEP: &str = "step.log_size";
const MASKS: &str = "tuned.masks";
/// Rows that the Jacobian is taken at: 2d reverse passes through all of a trajectory.
const JACOBIANS: usize = 16;

/// A learnt sampler for one target.
#[derive(Debug)]
pub struct NnHmc {
    velocity: Network,
    position: Network,
    layout: Layout,
    setup: Setup,
    /// Of every step, on the setup's device.
    times: Tensor,
    kernel: Kernel,
}

impl Sampler for NnHmc {
    type Config = Config;
    const ABOUT: About = About {
        summary: "L2HMC: Hamiltonian Monte Carlo with learnt trajectories",
        reference: "Levy, Hoffman, Sohl-Dickstein 2018, arXiv 1711.09268",
    };

    fn new(config: Config, setup: &Setup) -> Result<Self> {
        let velocity = Network::of_velocity(setup.dim, config.hidden);
        let position = Network::of_position(setup.dim, config.hidden);
        let log_step = Init::Constant(config.step_size.ln());
        let layout = position.declare(velocity.declare(Layout::new()));
        let layout = if config.learn_step_size {
            layout.with(LOG_STEP, &[1], log_step)
        } else {
            layout.with_tuned(LOG_STEP, &[1], log_step)
        };
        let layout = layout.with_tuned(MASKS, &[config.n_steps, setup.dim], Init::Zeros);
        let offset = |slot: &str| layout.slice(slot).map(|slice| slice.offset);
        let kernel = Kernel {
            dim: setup.dim,
            hidden: config.hidden,
            n_steps: config.n_steps,
            velocity: offset(&velocity.first_slot())?,
            position: offset(&position.first_slot())?,
            log_step: offset(LOG_STEP)?,
            masks: offset(MASKS)?,
            scratch: Scratch::default(),
        };
        let times = trajectory::times(config.n_steps, setup)?;
        Ok(Self { velocity, position, layout, setup: setup.clone(), times, kernel })
    }

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn setup(&self) -> &Setup {
        &self.setup
    }

    /// Each step's mask has ones at ⌊d/2⌋ random coordinates.
    fn init(&self, seed: u64) -> Result<Vec<f64>> {
        let mut flat = self.layout.init(seed);
        let (masks, dim) = (self.layout.slice(MASKS)?.offset, self.setup.dim);
        let mut stream = Stream::substream(seed, u64::MAX);
        for mask in flat[masks..].chunks_exact_mut(dim) {
            // The front of a shuffle (Fisher & Yates 1938).
            let mut order: Vec<usize> = (0..dim).collect();
            for place in 0..dim / 2 {
                order.swap(place, place + stream.below(dim - place));
                mask[order[place]] = 1.0;
            }
        }
        Ok(flat)
    }

    fn transition(&self, params: &Params<'_>, from: &Point, seed: u64, _beta: f64) -> Result<Transition> {
        let (v, signs) = self.start(seed, from.x.dim(0)?)?;
        let grad = match &from.grad {
            Some(grad) => grad.clone(),
            None => self.setup.target.grad(&from.x)?,
        };
        let before = metropolis::hamiltonian(&from.log_density, &v)?;
        let End { x, v, log_density, grad, log_det } = self.rule(params)?.run(&from.x, &v, &grad, &signs)?;
        let log_ratio = ((before - metropolis::hamiltonian(&log_density, &v)?)? + log_det)?;
        let accept = metropolis::acceptance(&log_ratio)?;
        metropolis::choose(&self.setup, seed, from, Point { x, log_density, grad: Some(grad) }, accept)
    }
}

impl Trained for NnHmc {}

impl FusedSampler for NnHmc {
    fn transition_rows<T: Element>(
        &self,
        params: &[T],
        from: PointRows<'_, T>,
        seed: u64,
        _beta: f64,
        first: usize,
        to: TransitionRows<'_, T>,
    ) -> Result<()> {
        self.kernel.transition_rows(&self.setup.target, params, from, (seed, first), to, None)
    }
}

impl FusedTrained for NnHmc {
    fn transition_gradient<T: Element>(
        &self,
        params: &[T],
        from: PointRows<'_, T>,
        seed: u64,
        _beta: f64,
        first: usize,
        to: TransitionRows<'_, T>,
        pull: &mut PullProposals<'_, T>,
        grad: &mut [T],
    ) -> Result<()> {
        let gradient = Some(Gradient { pull, grad });
        self.kernel.transition_rows(&self.setup.target, params, from, (seed, first), to, gradient)
    }
}

impl ChainProbe for NnHmc {
    const FIGURES: &'static [&'static str] =
        &["energy_error", "reversibility_error", "log_det_error", "log_det_error_p50"];

    /// Median |H′ − H − log |J|| of a trajectory; largest distance of a trajectory and its inverse from where it began;
    /// largest and median distance of the stated log-det from autograd's.
    fn probe(&self, params: &Params<'_>, x: &Tensor, seed: u64) -> Result<Vec<f64>> {
        let (rule, (v, signs)) = (self.rule(params)?, self.start(seed, x.dim(0)?)?);
        let (value, grad) = self.setup.target.log_density_and_grad(x)?;
        let before = metropolis::hamiltonian(&value, &v)?;
        let end = rule.run(x, &v, &grad, &signs)?;
        let after = metropolis::hamiltonian(&end.log_density, &end.v)?;
        let back = rule.run(&end.x, &end.v, &end.grad, &signs.neg()?)?;
        let energy = ((after - before)? - &end.log_det)?.abs()?;
        let round_trip = Tensor::cat(&[(back.x - x)?, (back.v - &v)?], 1)?.abs()?;
        let gap = self.jacobian_gap(params, x, &v, &signs)?;
        let last = |values: &[f64]| values.last().copied().unwrap_or(f64::NAN);
        let middle = |values: &[f64]| values.get(values.len() / 2).copied().unwrap_or(f64::NAN);
        let (energy, round_trip) = (sorted(&energy)?, sorted(&round_trip.flatten_all()?)?);
        Ok(vec![middle(&energy), last(&round_trip), last(&gap), middle(&gap)])
    }
}

impl NnHmc {
    /// v = σξ `[n, d]` with its direction σ `[n, 1]`.
    fn start(&self, seed: u64, n: usize) -> Result<(Tensor, Tensor)> {
        let signs = metropolis::signs(&self.setup, seed, n)?;
        Ok((metropolis::normals(&self.setup, seed, n)?.broadcast_mul(&signs)?, signs))
    }

    fn rule(&self, params: &Params<'_>) -> Result<Rule<'_>> {
        Ok(Rule {
            target: &self.setup.target,
            velocity: self.velocity.read(params)?,
            position: self.position.read(params)?,
            step_size: params.get(LOG_STEP)?.exp()?,
            masks: params.get(MASKS)?.detach(),
            times: self.times.clone(),
        })
    }

    /// |stated − autograd's| of log |det ∂(x′, v′)/∂(x, v)| at the first rows, sorted.
    fn jacobian_gap(&self, params: &Params<'_>, x: &Tensor, v: &Tensor, signs: &Tensor) -> Result<Vec<f64>> {
        let (n, dim) = (x.dim(0)?.min(JACOBIANS), self.setup.dim);
        let flat = params.flat().detach();
        let rule = self.rule(&Params::new(&flat, &self.layout))?;
        let signs = signs.narrow(0, 0, n)?;
        let run = |state: &Tensor| {
            let (x, v) = (state.narrow(1, 0, dim)?, state.narrow(1, dim, dim)?);
            let (_, grad) = self.setup.target.in_graph(&x)?;
            rule.run(&x, &v, &grad, &signs)
        };
        let state = Tensor::cat(&[x.narrow(0, 0, n)?, v.narrow(0, 0, n)?], 1)?;
        let stated = run(&state)?.log_det.to_dtype(DType::F64)?.to_vec1::<f64>()?;
        let exact = log_det::by_autograd(&state, |state| {
            let end = run(state)?;
            Ok(Tensor::cat(&[end.x, end.v], 1)?)
        })?;
        let mut gaps: Vec<f64> = stated.iter().zip(exact).map(|(a, b)| (a - b).abs()).collect();
        gaps.sort_by(f64::total_cmp);
        Ok(gaps)
    }
}

fn sorted(values: &Tensor) -> Result<Vec<f64>> {
    let mut values: Vec<f64> = values.to_dtype(DType::F64)?.to_vec1()?;
    values.sort_by(f64::total_cmp);
    Ok(values)
}

export_sampler!(NnHmc, train, probe, fused, fused_train);
