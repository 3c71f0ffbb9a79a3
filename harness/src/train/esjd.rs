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

use candle_core::{DType, Device, Tensor};
use flow_kernels::philox::derive_seed;
use flow_sdk::Base;
use serde::{Deserialize, Serialize};

use super::At;
use crate::cell;
use crate::host::{HostSampler, Tempering};

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
            let z =
                Base::Gaussian.draw(derive_seed(at.seed, stream, 0), batch, self.dim, sampler.dtype(), &Device::Cpu)?;
            Ok((z * self.base_sd)?)
        };
        let running = match at.chains.take() {
            Some(chains) => chains,
            None => base(2)?,
        };
        let x = Tensor::cat(&[running, base(1)?], 0)?;
        let from = sampler.place(&x, tempering)?;
        let (step, tape) = sampler.transition_taped(at.params, &from, at.seed, tempering)?;
        *at.chains = Some(step.next.x.narrow(0, 0, batch)?.contiguous()?);

        let wide = |tensor: &Tensor| tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>();
        let jumps = wide(&(&step.proposal - &x)?)?;
        let accept = wide(&step.accept)?;
        let (mut grad_jump, mut grad_accept) = (vec![0.0; jumps.len()], vec![0.0; accept.len()]);
        let (mut loss, mut jump, scale) = (0.0, 0.0, self.settings.scale);
        let rows = jumps.chunks_exact(self.dim).zip(grad_jump.chunks_exact_mut(self.dim));
        for (index, ((row, grad), (accept, grad_accept))) in rows.zip(accept.iter().zip(&mut grad_accept)).enumerate() {
            let weight = if index < batch { 1.0 } else { self.settings.burn_in } / batch as f64;
            let square: f64 = row.iter().map(|v| v * v).sum();
            let square = if square.is_finite() { square } else { 0.0 };
            let delta = square * accept + FLOOR;
            loss += weight * (scale / delta - delta / scale);
            if index < batch {
                jump += delta / batch as f64;
            }
            if square == 0.0 {
                continue;
            }
            let slope = -weight * (scale / (delta * delta) + 1.0 / scale);
            grad.iter_mut().zip(row).for_each(|(grad, v)| *grad = slope * 2.0 * v * accept);
            *grad_accept = slope * square;
        }
        let (n, dtype) = (2 * batch, sampler.dtype());
        let grad_proposal = Tensor::from_vec(grad_jump, (n, self.dim), &Device::Cpu)?.to_dtype(dtype)?;
        let grad_accept = Tensor::from_vec(grad_accept, n, &Device::Cpu)?.to_dtype(dtype)?;
        let grad = sampler.backward(tape, tempering, &grad_proposal, &grad_accept)?;
        let acceptance = accept[..batch].iter().sum::<f64>() / batch as f64;
        Ok((grad, Jump { loss, square: jump, acceptance }))
    }
}
