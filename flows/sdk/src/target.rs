//! The target as a flow sees it: call-backs into the host, which counts every row.

use candle_core::Tensor;

use crate::abi;
use crate::text::{CallBuffer, outcome};
use crate::view::View;
use crate::{Error, Result};

/// The target density of the cell. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Target {
    raw: Option<*const abi::Target>,
}

impl Target {
    /// A target for uses that need none, such as checking a flow on its own: every call is an error.
    pub fn absent() -> Self {
        Self { raw: None }
    }

    /// # Safety
    /// `raw` is null or valid for as long as the result and its clones are used.
    pub(crate) unsafe fn from_raw(raw: *const abi::Target) -> Self {
        Self { raw: (!raw.is_null()).then_some(raw) }
    }

    /// log γ(x): `[n, d]` → `[n]`.
    pub fn log_density(&self, x: &Tensor) -> Result<Tensor> {
        let n = x.dim(0)?;
        self.call(x, &[n], |target, x, out, call| {
            // SAFETY: `from_raw` vouches for the table; the views live through the call.
            unsafe { (target.log_density)(target.context, x, out, call) }
        })
    }

    /// ∇ log γ(x): `[n, d]` → `[n, d]`.
    pub fn grad(&self, x: &Tensor) -> Result<Tensor> {
        self.call(x, x.dims(), |target, x, out, call| {
            // SAFETY: as above.
            unsafe { (target.grad)(target.context, x, out, call) }
        })
    }

    /// Hessian of log γ at x times v: `[n, d]` → `[n, d]`.
    pub fn hvp(&self, x: &Tensor, v: &Tensor) -> Result<Tensor> {
        View::read(v, |v| {
            self.call(x, x.dims(), |target, x, out, call| {
                // SAFETY: as above.
                unsafe { (target.hvp)(target.context, x, v, out, call) }
            })
        })?
    }

    fn call(
        &self,
        x: &Tensor,
        shape: &[usize],
        f: impl FnOnce(&abi::Target, *const abi::DLTensor, *mut abi::DLTensor, *mut abi::Call) -> i32,
    ) -> Result<Tensor> {
        let raw = self.raw.ok_or_else(|| Error::Target("there is none here".into()))?;
        // SAFETY: `from_raw` vouches for the pointer.
        let target = unsafe { &*raw };
        let mut buffer = CallBuffer::new();
        let (code, out) = View::read(x, |x| View::write(shape, x_dtype(x), |out| f(target, x, out, buffer.call())))??;
        outcome(code, &buffer).map_err(|failure| Error::Target(failure.message))?;
        Ok(out)
    }
}

/// The dtype of a view that [`View::read`] made.
fn x_dtype(x: *const abi::DLTensor) -> candle_core::DType {
    // SAFETY: `View::read` passes a valid pointer.
    let bits = unsafe { (*x).dtype.bits };
    if bits == 32 { candle_core::DType::F32 } else { candle_core::DType::F64 }
}
