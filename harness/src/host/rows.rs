//! Gradients of a flow by its own kernels: the rows of a batch in parts, each by one thread, summed in a fixed order.
//!
//! How many parts there are depends on the flow and the batch alone, and so do the bits of the sum: not on the threads.

use std::ffi::c_void;
use std::ops::Range;

use candle_core::{DType, Device, Tensor};
use flow_sdk::abi::{self, Call, DLTensor};
use flow_sdk::thunk::guard;
use flow_sdk::view::{self, View, ViewMut, elements, elements_mut};
use flow_sdk::{Element, Rows};
use rayon::prelude::*;
use targets::Float;

use super::instance::checked;
use super::{HostFlow, PluginError};

/// An objective that is a sum over rows: what each row adds to its gradient.
pub trait PullBack: Sync {
    /// Writes the cotangents of rows.
    fn pull<T: Element + Float>(&self, rows: Rows<'_, T>) -> flow_sdk::Result<()>;
}

/// Below this many parameters times rows a part is not worth the hand-off to another thread: some 5 µs of work.
const LEAST_WORK: usize = 1 << 15;
/// Fewer rows leave the vector registers empty.
const LEAST_ROWS: usize = 32;
/// Every part has a gradient of its own, which must be cleared and added: that shows in parts of fewer rows than this.
const MANY_ROWS: usize = 128;
/// As many cores as one cell keeps busy.
const MOST_PARTS: usize = 16;

impl HostFlow {
    /// Gradient `[P]` of the objective over `n` draws; none where the flow has no kernels for it.
    pub fn sample_gradient(
        &self,
        params: &Tensor,
        seed: u64,
        n: usize,
        objective: &impl PullBack,
    ) -> Result<Option<Tensor>, PluginError> {
        if self.table.sample_gradient.is_none() || self.instance.is_on_cuda() {
            return Ok(None);
        }
        match self.instance.options.dtype {
            DType::F32 => self.gradient::<f32, _>(params, seed, n, None, objective),
            _ => self.gradient::<f64, _>(params, seed, n, None, objective),
        }
    }

    /// Gradient `[P]` of the objective over log q at x `[n, d]`; none where the flow has no kernels for it.
    pub fn density_gradient(
        &self,
        params: &Tensor,
        x: &Tensor,
        seed: u64,
        objective: &impl PullBack,
    ) -> Result<Option<Tensor>, PluginError> {
        if self.table.density_gradient.is_none() || self.instance.is_on_cuda() {
            return Ok(None);
        }
        let n = x.dim(0).map_err(flow_sdk::Error::from)?;
        match self.instance.options.dtype {
            DType::F32 => self.gradient::<f32, _>(params, seed, n, Some(x), objective),
            _ => self.gradient::<f64, _>(params, seed, n, Some(x), objective),
        }
    }

    fn gradient<T: Element + Float, P: PullBack>(
        &self,
        params: &Tensor,
        seed: u64,
        n: usize,
        x: Option<&Tensor>,
        objective: &P,
    ) -> Result<Option<Tensor>, PluginError> {
        let pull =
            abi::Pull { context: std::ptr::from_ref(objective).cast_mut().cast(), cotangents: cotangents::<T, P> };
        let (dim, p) = (self.instance.dim, self.n_params());
        let call = Part { flow: self, seed, pull: &pull };
        let run = |params: &[T], x: Option<&[T]>| {
            let parts = parts(p, n);
            let each = |part: usize| -> Result<Vec<T>, PluginError> {
                let mut grad = vec![T::ZERO; p];
                let rows = part * n / parts..(part + 1) * n / parts;
                let x = x.map(|x| &x[rows.start * dim..rows.end * dim]);
                call.run(params, x, rows, &mut grad)?;
                Ok(grad)
            };
            if parts == 1 {
                return each(0);
            }
            let mut grads = (0..parts).into_par_iter().map(each).collect::<Result<Vec<_>, _>>()?;
            let mut sum = std::mem::take(&mut grads[0]);
            let width = sum.len().div_ceil(parts);
            sum.par_chunks_mut(width).enumerate().for_each(|(index, sum)| {
                for grad in &grads[1..] {
                    sum.iter_mut().zip(&grad[index * width..]).for_each(|(sum, &grad)| *sum += grad);
                }
            });
            Ok(sum)
        };
        let grad = match x {
            None => with_elements(params, |params| run(params, None))?,
            Some(x) => with_elements(params, |params| with_elements(x, |x| run(params, Some(x))))??,
        };
        match grad {
            Ok(grad) => Ok(Some(Tensor::from_vec(grad, p, &Device::Cpu).map_err(flow_sdk::Error::from)?)),
            Err(PluginError::Declined) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Into how many parts a batch is cut.
fn parts(n_params: usize, n: usize) -> usize {
    let rows = (n / LEAST_ROWS).min((n / MANY_ROWS).max(2));
    (n_params * n / LEAST_WORK).min(rows).clamp(1, MOST_PARTS)
}

/// The call for one part of a batch.
struct Part<'a> {
    flow: &'a HostFlow,
    seed: u64,
    pull: &'a abi::Pull,
}

// SAFETY: the functions that `Part::run` calls may be called by several threads at once: by the ABI's rule for functions on
// rows, and the call-back's context is a `PullBack`, which is `Sync`. Nothing else of the flow is touched.
unsafe impl Sync for Part<'_> {}

impl Part<'_> {
    /// Adds the gradient of rows to `grad`.
    fn run<T: Element>(
        &self,
        params: &[T],
        x: Option<&[T]>,
        rows: Range<usize>,
        grad: &mut [T],
    ) -> Result<(), PluginError> {
        let (table, raw, dim) = (&self.flow.table, self.flow.instance.raw, self.flow.instance.dim);
        let (first, n, p) = (rows.start as u64, rows.len(), params.len());
        let missing = |function| PluginError::Contract { function, problem: "the flow has no such kernel".into() };
        let (mut params, mut grad) = (View::of(params, &[p]), ViewMut::of(grad, &[p]));
        let Some(x) = x else {
            let f = table.sample_gradient.ok_or_else(|| missing("sample_gradient"))?;
            // SAFETY: a live instance and valid views, here and below.
            return checked("sample_gradient", |call| unsafe {
                f(raw, params.raw(), self.seed, first, n as u64, self.pull, grad.raw(), call)
            });
        };
        let f = table.density_gradient.ok_or_else(|| missing("density_gradient"))?;
        let mut x = View::of(x, &[n, dim]);
        // SAFETY: as above.
        checked("density_gradient", |call| unsafe {
            f(raw, params.raw(), x.raw(), self.seed, first, self.pull, grad.raw(), call)
        })
    }
}

/// The elements of a contiguous tensor on the processor.
pub(super) fn with_elements<T: Element, R>(tensor: &Tensor, f: impl FnOnce(&[T]) -> R) -> Result<R, flow_sdk::Error> {
    // SAFETY: `read` passes a valid view, and holds the tensor's lock meanwhile.
    view::read(tensor, |view| unsafe { elements::<T>(view) }.map(f))?
}

unsafe extern "C" fn cotangents<T: Element + Float, P: PullBack>(
    context: *mut c_void,
    x: *const DLTensor,
    log_q: *const DLTensor,
    grad_x: *mut DLTensor,
    grad_log_q: *mut DLTensor,
    call: *mut Call,
) -> i32 {
    // SAFETY: `gradient` made the context, which outlives the call; the plugin passes valid views.
    unsafe {
        guard(call, || {
            let objective = &*context.cast::<P>();
            let rows = Rows {
                x: elements::<T>(x)?,
                log_q: elements(log_q)?,
                grad_x: elements_mut(grad_x)?,
                grad_log_q: elements_mut(grad_log_q)?,
            };
            let lengths = [rows.x.len(), rows.log_q.len(), rows.grad_x.len(), rows.grad_log_q.len()];
            if rows.grad_log_q.len() != rows.log_q.len() || !(rows.grad_x.is_empty() || lengths[0] == lengths[2]) {
                return Err(flow_sdk::Error::View(format!("rows and cotangents of lengths {lengths:?}")));
            }
            objective.pull(rows)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_batches_stay_whole_and_large_ones_have_bounded_parts() {
        assert_eq!(parts(40, 512), 1);
        assert_eq!(parts(160, 512), 2);
        assert_eq!(parts(170_000, 64), 2);
        assert_eq!(parts(170_000, 512), 4);
        assert_eq!(parts(170_000, 8192), 16);
        assert_eq!(parts(170_000, 5), 1);
    }
}
