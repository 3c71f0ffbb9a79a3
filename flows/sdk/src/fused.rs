//! What the author of a flow with kernels of its own writes: the same flow, a few rows at a time, on slices.
//!
//! The kernels stand beside the definition in tensor operations, and a law holds the two equal. They are called by several
//! threads at once, each with rows of its own, and are pure functions: what they need of memory is theirs.

use std::ops::Range;

use candle_core::Tensor;

use crate::{Density, Draws, Element, Flow, Result, Tape};

/// Rows that were just computed, and where their cotangents go.
#[derive(Debug)]
pub struct Rows<'a, T> {
    /// `[m, d]`.
    pub x: &'a [T],
    /// log q(x), `[m]`.
    pub log_q: &'a [T],
    /// ∂/∂x `[m, d]`, to be written; empty for densities, whose x is given.
    pub grad_x: &'a mut [T],
    /// ∂/∂ log q `[m]`, to be written.
    pub grad_log_q: &'a mut [T],
}

/// Writes the cotangents of rows: the derivative of whatever they are for.
pub type Pull<'a, T> = dyn FnMut(Rows<'_, T>) -> Result<()> + 'a;

/// A flow's kernels on a device that is not the processor: whole batches, on tensors there.
pub trait DeviceKernels {
    /// [`Flow::sample`], with what its derivative needs where that is asked for.
    fn sample(&self, flat: &Tensor, seed: u64, n: usize, taped: bool) -> Result<(Draws, Option<Box<dyn Tape>>)>;

    /// [`Density::density`] likewise.
    fn density(&self, flat: &Tensor, x: &Tensor, seed: u64, taped: bool) -> Result<(Tensor, Option<Box<dyn Tape>>)>;
}

/// A flow that samples, and derives its samples, by kernels of its own on the processor, and maybe on other devices.
pub trait Fused: Flow + Sync {
    /// Whether there are kernels for what this instance was made for; where not, the definition is the only way.
    fn is_fused(&self) -> bool {
        true
    }

    /// Its kernels on the device that it was made for, where that is not the processor and there are any; the definition goes
    /// there, too.
    fn on_device(&self) -> Option<Box<dyn DeviceKernels>> {
        None
    }

    /// Rows `first..` of [`Flow::sample`], as many as `log_q` has: x `[m, d]`, log q `[m]`.
    fn sample_rows<T: Element>(
        &self,
        params: &[T],
        seed: u64,
        first: usize,
        x: &mut [T],
        log_q: &mut [T],
    ) -> Result<()>;

    /// Adds to `grad` `[P]` the gradient of Σ x·grad_x + Σ log_q·grad_log_q over rows of a sample, whose cotangents `pull`
    /// tells, a few rows at a time and in their order.
    fn sample_gradient<T: Element>(
        &self,
        params: &[T],
        seed: u64,
        rows: Range<usize>,
        pull: &mut Pull<'_, T>,
        grad: &mut [T],
    ) -> Result<()>;
}

/// A flow that also tells densities, and derives them, by kernels of its own, wherever [`Fused::is_fused`].
pub trait FusedDensity: Density + Fused {
    /// [`Density::density`] at x `[m, d]`, into `log_q` `[m]`; x are rows `first..` of a batch.
    fn density_rows<T: Element>(&self, params: &[T], x: &[T], seed: u64, first: usize, log_q: &mut [T]) -> Result<()>;

    /// Adds to `grad` `[P]` the gradient of Σ log_q·grad_log_q at x `[m, d]`, which are rows `first..` of a batch.
    fn density_gradient<T: Element>(
        &self,
        params: &[T],
        x: &[T],
        seed: u64,
        first: usize,
        pull: &mut Pull<'_, T>,
        grad: &mut [T],
    ) -> Result<()>;
}
