//! One gradient of the objective `esjd`: that chains move far, wherever they are.
//!
//! Levy, Hoffman & Sohl-Dickstein (ICLR 2018, arXiv 1711.09268), equations 10 and 11, in the form of the authors' code: with
//! δ = ‖x′ − x‖² A(x′|x) + 10⁻⁴ of each chain, for chains p that are being run and chains q that start in the base,
//!
//! ```text
//! loss = λ² E_p[1/δ] − E_p[δ]/λ² + w (λ² E_q[1/δ] − E_q[δ]/λ²)
//! ```
//!
//! The reciprocal keeps any chain from being left behind. After the step the chains p are where Metropolis' test left them.
//! Both kinds go through the sampler together: the first half of its rows are p, the second q. Shapes: x `[n, d]`.
//! Deviation: a chain whose proposal is not finite moves nothing, instead of spoiling the mean.

use std::ops::Range;

use candle_core::{DType, Device, Tensor};
use flow_kernels::philox::derive_seed;
use flow_kernels::real::Real;
use flow_sdk::{Base, Element, Point, Proposals, Transition};
use serde::{Deserialize, Serialize};
use targets::Float;

use super::At;
use crate::cell;
use crate::host::{HostSampler, PullProposals, Tempering};

/// Keeps 1/δ finite.
const FLOOR: f64 = 1e-4;

/// The objective of a sampler's cell.
pub struct Esjd {
    settings: cell::Esjd,
    base_sd: f64,
    dim: usize,
}

/// What a gradient saw on the way.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Jump {
    /// The loss.
    pub loss: f64,
    /// Mean squared jump E δ of the chains that are being run.
    pub square: f64,
    /// Their mean acceptance probability.
    pub acceptance: f64,
}

impl Esjd {
    /// For chains in `dim` dimensions, from a Gaussian base of that standard deviation.
    pub fn new(settings: cell::Esjd, base_sd: f64, dim: usize) -> Self {
        Self { settings, base_sd, dim }
    }

    /// Gradient `[P]` of the loss over `batch` chains of either kind. Moves `at.chains`, or puts them into the base first.
    pub fn gradient(&self, sampler: &HostSampler, at: At<'_>) -> anyhow::Result<(Tensor, Jump)> {
        let (batch, tempering) = (at.batch, Tempering::Power { beta: at.beta });
        let base = |stream: u64| -> anyhow::Result<Tensor> {
            let z = Base::Gaussian.draw(
                derive_seed(at.seed, stream, 0),
                batch,
                self.dim,
                sampler.dtype(),
                sampler.device(),
            )?;
            Ok((z * self.base_sd)?)
        };
        let running = match at.chains.take() {
            Some(chains) => chains,
            None => base(2)?,
        };
        let x = Tensor::cat(&[running, base(1)?], 0)?;
        let from = sampler.place(&x, tempering)?;
        let jumps = Jumps { settings: &self.settings, batch };
        let (step, grad) = match sampler.transition_gradient(at.params, &from, at.seed, tempering, &jumps)? {
            Some(both) => both,
            None => jumps.by_tape(sampler, at.params, &from, at.seed, tempering)?,
        };
        *at.chains = Some(step.next.x.narrow(0, 0, batch)?.contiguous()?);
        let jump = match sampler.dtype() {
            DType::F32 => jumps.sum::<f32>(&x, &step)?,
            _ => jumps.sum::<f64>(&x, &step)?,
        };
        Ok((grad, jump))
    }
}

/// The loss as a sum over chains: `batch` that are run, as many from the base.
struct Jumps<'a> {
    settings: &'a cell::Esjd,
    batch: usize,
}

/// What one chain adds to the loss.
struct Term {
    /// ‖x′ − x‖²; zero where that is not finite.
    square: f64,
    /// δ.
    delta: f64,
    loss: f64,
    /// ∂ loss/∂ δ.
    slope: f64,
}

impl Jumps<'_> {
    fn term<T: Real>(&self, chain: usize, x: &[T], proposal: &[T], accept: T) -> Term {
        let weight = if chain < self.batch { 1.0 } else { self.settings.burn_in } / self.batch as f64;
        let scale = self.settings.scale;
        let square: f64 = x.iter().zip(proposal).map(|(x, to)| (*to - *x).wide().powi(2)).sum();
        let square = if square.is_finite() { square } else { 0.0 };
        let delta = square * accept.wide() + FLOOR;
        let loss = weight * (scale / delta - delta / scale);
        Term { square, delta, loss, slope: -weight * (scale / (delta * delta) + 1.0 / scale) }
    }

    /// The loss, and how the chains that are run did.
    fn sum<T: Element>(&self, x: &Tensor, step: &Transition) -> anyhow::Result<Jump> {
        let (x, proposal) = (x.flatten_all()?.to_vec1::<T>()?, step.proposal.flatten_all()?.to_vec1::<T>()?);
        let accept = step.accept.to_vec1::<T>()?;
        let (dim, n) = (x.len() / accept.len().max(1), self.batch as f64);
        let mut jump = Jump { loss: 0.0, square: 0.0, acceptance: 0.0 };
        let rows = x.chunks_exact(dim).zip(proposal.chunks_exact(dim)).zip(accept);
        for (chain, ((x, proposal), accept)) in rows.enumerate() {
            let term = self.term(chain, x, proposal, accept);
            jump.loss += term.loss;
            if chain < self.batch {
                jump.square += term.delta / n;
                jump.acceptance += accept.wide() / n;
            }
        }
        Ok(jump)
    }

    /// Where the sampler has no kernels.
    fn by_tape(
        &self,
        sampler: &HostSampler,
        params: &Tensor,
        from: &Point,
        seed: u64,
        tempering: Tempering,
    ) -> anyhow::Result<(Transition, Tensor)> {
        let (step, tape) = sampler.transition_taped(params, from, seed, tempering)?;
        let (n, dim) = from.x.dims2()?;
        let wide = |tensor: &Tensor| tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>();
        let (x, proposal, accept) = (wide(&from.x)?, wide(&step.proposal)?, wide(&step.accept)?);
        let (mut grad_proposal, mut grad_accept) = (vec![0.0; n * dim], vec![0.0; n]);
        let made = Proposals {
            proposal: &proposal,
            accept: &accept,
            grad_proposal: &mut grad_proposal,
            grad_accept: &mut grad_accept,
        };
        self.pull(0..n, &x, made)?;
        let there = |tensor: Tensor| tensor.to_dtype(sampler.dtype())?.to_device(sampler.device());
        let grad_proposal = there(Tensor::from_vec(grad_proposal, (n, dim), &Device::Cpu)?)?;
        let grad_accept = there(Tensor::from_vec(grad_accept, n, &Device::Cpu)?)?;
        let grad = sampler.backward(tape, tempering, &grad_proposal, &grad_accept)?;
        Ok((step, grad))
    }
}

impl PullProposals for Jumps<'_> {
    fn pull<T: Element + Float>(&self, chains: Range<usize>, x: &[T], made: Proposals<'_, T>) -> flow_sdk::Result<()> {
        let Proposals { proposal, accept, grad_proposal, grad_accept } = made;
        let dim = x.len() / chains.len().max(1);
        for (row, chain) in chains.enumerate() {
            let cells = row * dim..(row + 1) * dim;
            let (x, to, out) = (&x[cells.clone()], &proposal[cells.clone()], &mut grad_proposal[cells]);
            let term = self.term(chain, x, to, accept[row]);
            if term.square == 0.0 {
                out.fill(T::ZERO);
                grad_accept[row] = T::ZERO;
                continue;
            }
            let factor = T::of(2.0 * term.slope * accept[row].wide());
            out.iter_mut().zip(x.iter().zip(to)).for_each(|(out, (&x, &to))| *out = factor * (to - x));
            grad_accept[row] = T::of(term.slope * term.square);
        }
        Ok(())
    }
}
