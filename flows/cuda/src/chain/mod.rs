//! A base pushed through a chain of planar or radial layers, one launch a pass: samples, densities, gradients.
//!
//! log q(x) = log π(z) − log |det ∂x/∂z|, x = f(z), as `flow_kernels::chain` and its neighbours in flow-sdk compute it. Up to sixteen
//! dimensions, a point is in the registers of a thread; beyond, and where a chain's parameters exceed shared memory, in a warp's
//! rows of memory. Shapes: parameters `[P]` in the flow's layout; x, z `[n, d]`; log q `[n]`; kept `[K, n]`; all contiguous or
//! made so, of one dtype, f32 or f64, on one device.

mod call;

use candle_core::{Result, Tensor};
use flow_kernels::chain::Kind;

use crate::launch::{address, launch};
use call::Call;

/// What is pushed through.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Base {
    /// Standard normal.
    Normal,
    /// Uniform about zero with logistic edges.
    SoftUniform {
        /// Width.
        width: f64,
        /// Sharpness of the edges.
        softness: f64,
    },
}

/// K layers in d dimensions over a base.
#[derive(Clone, Copy, Debug)]
pub struct Chain {
    /// What is pushed through.
    pub base: Base,
    /// log π's constant, of all d coordinates.
    pub log_norm: f64,
    /// Which layers.
    pub kind: Kind,
    /// K.
    pub layers: usize,
    /// d.
    pub dim: usize,
}

/// What a pass leaves: where the points came to, and log q of the points x.
#[derive(Clone, Debug)]
pub struct Passed {
    /// x of a sample, z of a density: `[n, d]`.
    pub points: Tensor,
    /// `[n]`.
    pub log_q: Tensor,
    /// For the reverse pass, where one is wanted: `[K, n]`.
    pub kept: Option<Tensor>,
}

impl Chain {
    /// Rows 0 … n − 1 of the sample under `seed`.
    ///
    /// # Errors
    /// Here and below: tensors of other shapes than the module's head says, on another device, or a device that refuses.
    pub fn sample(&self, params: &Tensor, seed: u64, n: usize, taped: bool) -> Result<Passed> {
        let call = Call::new(self, params)?;
        let passed = call.passed(n, taped)?;
        let (soft, width, softness) = self.base();
        // SAFETY: here and below, these are the kernel's arguments, and shapes were checked or made.
        unsafe {
            launch!(
                call.kernel("sample")?,
                call.config(call.blocks(n), false),
                address(&call.params)?,
                maybe(call.table.as_ref())?,
                soft,
                width,
                softness,
                self.log_norm,
                seed,
                address(&passed.points)?,
                address(&passed.log_q)?,
                maybe(passed.kept.as_ref())?,
                n,
                self.layers as i32,
                self.dim as i32,
            )?;
        }
        Ok(passed)
    }

    /// log q of x.
    pub fn density(&self, params: &Tensor, x: &Tensor, taped: bool) -> Result<Passed> {
        let call = Call::new(self, params)?;
        let n = x.dim(0)?;
        let x = call.input(x, &[n, self.dim])?;
        let passed = call.passed(n, taped)?;
        let (soft, width, softness) = self.base();
        // SAFETY: as above.
        unsafe {
            launch!(
                call.kernel("density")?,
                call.config(call.blocks(n), false),
                address(&call.params)?,
                maybe(call.table.as_ref())?,
                soft,
                width,
                softness,
                self.log_norm,
                address(&x)?,
                address(&passed.points)?,
                address(&passed.log_q)?,
                maybe(passed.kept.as_ref())?,
                n,
                self.layers as i32,
                self.dim as i32,
            )?;
        }
        Ok(passed)
    }

    /// Gradient `[P]` of Σ x·grad_x + Σ log_q·grad_log_q over a sample; no `grad_x` means zero.
    pub fn sample_backward(
        &self,
        params: &Tensor,
        passed: &Passed,
        grad_x: Option<&Tensor>,
        grad_log_q: &Tensor,
    ) -> Result<Tensor> {
        let call = Call::new(self, params)?;
        let n = passed.log_q.dim(0)?;
        if n == 0 {
            return call.params.zeros_like();
        }
        let grad_x = grad_x.map(|grad| call.input(grad, &[n, self.dim])).transpose()?;
        let grad_log_q = call.input(grad_log_q, &[n])?;
        let partial = call.partial(n)?;
        // SAFETY: as above.
        unsafe {
            launch!(
                call.kernel("sample_backward")?,
                call.config(partial.count, true),
                address(&call.params)?,
                maybe(call.table.as_ref())?,
                address(&call.input(&passed.points, &[n, self.dim])?)?,
                address(&call.kept(passed)?)?,
                maybe(grad_x.as_ref())?,
                address(&grad_log_q)?,
                maybe(partial.scratch.as_ref())?,
                address(&partial.slots)?,
                n,
                self.layers as i32,
                self.dim as i32,
            )?;
        }
        call.finish(&partial)
    }

    /// Gradient `[P]` of Σ log_q·grad_log_q over a density.
    pub fn density_backward(&self, params: &Tensor, passed: &Passed, grad_log_q: &Tensor) -> Result<Tensor> {
        let call = Call::new(self, params)?;
        let n = passed.log_q.dim(0)?;
        if n == 0 {
            return call.params.zeros_like();
        }
        let grad_log_q = call.input(grad_log_q, &[n])?;
        let partial = call.partial(n)?;
        let (soft, width, softness) = self.base();
        // SAFETY: as above.
        unsafe {
            launch!(
                call.kernel("density_backward")?,
                call.config(partial.count, true),
                address(&call.params)?,
                maybe(call.table.as_ref())?,
                soft,
                width,
                softness,
                address(&call.input(&passed.points, &[n, self.dim])?)?,
                address(&call.kept(passed)?)?,
                address(&grad_log_q)?,
                maybe(partial.scratch.as_ref())?,
                address(&partial.slots)?,
                n,
                self.layers as i32,
                self.dim as i32,
            )?;
        }
        call.finish(&partial)
    }

    /// Whether it is a soft uniform, its width and softness.
    fn base(&self) -> (i32, f64, f64) {
        match self.base {
            Base::Normal => (0, 1.0, 1.0),
            Base::SoftUniform { width, softness } => (1, width, softness),
        }
    }
}

/// Address of what may not be there.
fn maybe(tensor: Option<&Tensor>) -> Result<u64> {
    tensor.map_or(Ok(0), address)
}
