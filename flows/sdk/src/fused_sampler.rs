//! What the author of a sampler with kernels of its own writes: the same transition, some chains at a time, on slices.
//!
//! The kernel stands beside the definition in tensor operations, and a law holds the two equal. It is called by several
//! threads at once, each with chains of its own.

use std::ops::Range;

use crate::{Element, Result, Sampler, Trained};

/// Where chains are, and what the target says there: [`Point`](crate::Point) on slices.
#[derive(Clone, Copy, Debug)]
pub struct PointRows<'a, T> {
    /// `[m, d]`.
    pub x: &'a [T],
    /// log γ(x), `[m]`.
    pub log_density: &'a [T],
    /// ∇ log γ(x), `[m, d]`; empty for samplers that are gradient-free.
    pub grad: &'a [T],
}

impl<'a, T> PointRows<'a, T> {
    /// Those chains of these, in `dim` dimensions.
    pub fn rows(&self, chains: Range<usize>, dim: usize) -> Self {
        let cells = chains.start * dim..chains.end * dim;
        let grad = if self.grad.is_empty() { &[] } else { &self.grad[cells.clone()] };
        Self { x: &self.x[cells], log_density: &self.log_density[chains], grad }
    }
}

/// What a transition writes: [`Transition`](crate::Transition) on slices.
#[derive(Debug)]
pub struct TransitionRows<'a, T> {
    /// Where the chains are now, `[m, d]`.
    pub x: &'a mut [T],
    /// log γ there, `[m]`.
    pub log_density: &'a mut [T],
    /// ∇ log γ there, `[m, d]`; empty for samplers that are gradient-free.
    pub grad: &'a mut [T],
    /// Where they were asked to go, `[m, d]`.
    pub proposal: &'a mut [T],
    /// Probability of going there, `[m]`.
    pub accept: &'a mut [T],
}

impl<T> TransitionRows<'_, T> {
    /// Those chains of these, in `dim` dimensions.
    pub fn rows(&mut self, chains: Range<usize>, dim: usize) -> TransitionRows<'_, T> {
        let cells = chains.start * dim..chains.end * dim;
        let grad = if self.grad.is_empty() { &mut [] } else { &mut self.grad[cells.clone()] };
        TransitionRows {
            x: &mut self.x[cells.clone()],
            log_density: &mut self.log_density[chains.clone()],
            grad,
            proposal: &mut self.proposal[cells],
            accept: &mut self.accept[chains],
        }
    }
}

/// A sampler that moves its chains by kernels of its own on the processor.
pub trait FusedSampler: Sampler + Sync {
    /// Whether there are kernels for what this instance was made for; where not, the definition is the only way.
    fn is_fused(&self) -> bool {
        true
    }

    /// Rows `first..` of [`Sampler::transition`], as many as `from` has.
    fn transition_rows<T: Element>(
        &self,
        params: &[T],
        from: PointRows<'_, T>,
        seed: u64,
        beta: f64,
        first: usize,
        to: TransitionRows<'_, T>,
    ) -> Result<()>;
}

/// Proposals that were just made, and where their cotangents go.
#[derive(Debug)]
pub struct Proposals<'a, T> {
    /// Where chains were asked to go, `[m, d]`.
    pub proposal: &'a [T],
    /// Probability of going there, `[m]`.
    pub accept: &'a [T],
    /// ∂/∂ proposal `[m, d]`, to be written.
    pub grad_proposal: &'a mut [T],
    /// ∂/∂ accept `[m]`, to be written.
    pub grad_accept: &'a mut [T],
}

/// Writes the cotangents of proposals: the derivative of whatever they are for.
pub type PullProposals<'a, T> = dyn FnMut(Proposals<'_, T>) -> Result<()> + 'a;

/// A sampler whose reverse pass is a kernel of its own, too.
pub trait FusedTrained: FusedSampler + Trained {
    /// [`FusedSampler::transition_rows`], and adds to `grad` `[P]` the gradient of Σ proposal·grad_proposal +
    /// Σ accept·grad_accept, whose cotangents `pull` tells, a few chains at a time and in their order.
    #[allow(clippy::too_many_arguments, reason = "those of a transition, and its derivative's")]
    fn transition_gradient<T: Element>(
        &self,
        params: &[T],
        from: PointRows<'_, T>,
        seed: u64,
        beta: f64,
        first: usize,
        to: TransitionRows<'_, T>,
        pull: &mut PullProposals<'_, T>,
        grad: &mut [T],
    ) -> Result<()>;
}
