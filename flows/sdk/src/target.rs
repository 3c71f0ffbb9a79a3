//! The target as a plugin sees it: call-backs into the host, which counts every row.

use std::fmt::{Debug, Formatter};
use std::sync::Arc;

use candle_core::{Device, Tensor};

use crate::abi;
use crate::text::{CallBuffer, outcome, with_call};
use crate::view::{self, View, ViewMut};
use crate::{Element, Error, Result};

/// The target density of the cell. Cheap to clone.
///
/// A sampler that is called at an inverse temperature β gets the tempered target: nothing else needs to know of β.
#[derive(Clone)]
pub struct Target(Source);

/// A density that is there without a host: for tests and benchmarks of a plugin.
pub trait Oracle: Send + Sync {
    /// log γ(x) `[n]` and ∇ log γ(x) `[n, d]` at x `[n, d]`.
    fn log_density_and_grad(&self, x: &Tensor) -> Result<(Tensor, Tensor)>;

    /// Hessian of log γ at x times v: both `[n, d]`.
    fn hvp(&self, x: &Tensor, v: &Tensor) -> Result<Tensor>;
}

#[derive(Clone)]
enum Source {
    Absent,
    Host(Host),
    Own(Arc<dyn Oracle>),
}

/// The host's table.
#[derive(Clone, Copy)]
struct Host(*const abi::Target);

// SAFETY: the table is immutable, and its call-backs may be called by all threads that use an instance.
unsafe impl Send for Host {}
// SAFETY: as above.
unsafe impl Sync for Host {}

impl Target {
    /// A target for uses that need none, such as checking a flow on its own: every call is an error.
    pub fn absent() -> Self {
        Self(Source::Absent)
    }

    /// A target of one's own.
    pub fn own(oracle: impl Oracle + 'static) -> Self {
        Self(Source::Own(Arc::new(oracle)))
    }

    /// # Safety
    /// `raw` is null or valid for as long as the result and its clones are used.
    pub(crate) unsafe fn from_raw(raw: *const abi::Target) -> Self {
        Self(if raw.is_null() { Source::Absent } else { Source::Host(Host(raw)) })
    }

    /// log γ(x): `[n, d]` → `[n]`.
    pub fn log_density(&self, x: &Tensor) -> Result<Tensor> {
        match &self.0 {
            Source::Own(oracle) => Ok(oracle.log_density_and_grad(x)?.0),
            _ => self.call(x, &[x.dim(0)?], |target, x, out, call| {
                // SAFETY: `from_raw` vouches for the table; the views live through the call.
                unsafe { (target.log_density)(target.context, x, out, call) }
            }),
        }
    }

    /// ∇ log γ(x): `[n, d]` → `[n, d]`.
    pub fn grad(&self, x: &Tensor) -> Result<Tensor> {
        match &self.0 {
            Source::Own(oracle) => Ok(oracle.log_density_and_grad(x)?.1),
            _ => self.call(x, x.dims(), |target, x, out, call| {
                // SAFETY: as above.
                unsafe { (target.grad)(target.context, x, out, call) }
            }),
        }
    }

    /// log γ(x) and ∇ log γ(x), counted as one evaluation: `[n, d]` → `[n]`, `[n, d]`.
    pub fn log_density_and_grad(&self, x: &Tensor) -> Result<(Tensor, Tensor)> {
        if let Source::Own(oracle) = &self.0 {
            return oracle.log_density_and_grad(x);
        }
        let (grad, log_density) = view::write(&[x.dim(0)?], x.dtype(), x.device(), |log_density| {
            self.call(x, x.dims(), |target, x, out, call| {
                // SAFETY: as above.
                unsafe { (target.log_density_and_grad)(target.context, x, log_density, out, call) }
            })
        })?;
        Ok((log_density, grad?))
    }

    /// ∇ log γ on slices: x `[m, d]` → out `[m, d]`.
    pub fn grad_rows<T: Element>(&self, x: &[T], dim: usize, out: &mut [T]) -> Result<()> {
        let m = x.len() / dim;
        match &self.0 {
            Source::Host(Host(raw)) => {
                let (mut x, mut out) = (View::of(x, &[m, dim]), ViewMut::of(out, &[m, dim]));
                // SAFETY: `from_raw` vouches for the table; the views live through the call.
                self.call_rows(|call| unsafe { ((**raw).grad)((**raw).context, x.raw(), out.raw(), call) })
            }
            _ => {
                let grad = self.grad(&Tensor::from_slice(x, (m, dim), &Device::Cpu)?)?;
                out.copy_from_slice(&grad.flatten_all()?.to_vec1::<T>()?);
                Ok(())
            }
        }
    }

    /// log γ and ∇ log γ on slices: x `[m, d]` → value `[m]`, grad `[m, d]`.
    pub fn evaluate_rows<T: Element>(&self, x: &[T], value: &mut [T], grad: &mut [T]) -> Result<()> {
        let (m, dim) = (value.len(), x.len() / value.len().max(1));
        match &self.0 {
            Source::Host(Host(raw)) => {
                let (mut x, mut value) = (View::of(x, &[m, dim]), ViewMut::of(value, &[m]));
                let mut grad = ViewMut::of(grad, &[m, dim]);
                // SAFETY: as above.
                self.call_rows(|call| unsafe {
                    ((**raw).log_density_and_grad)((**raw).context, x.raw(), value.raw(), grad.raw(), call)
                })
            }
            _ => {
                let x = Tensor::from_slice(x, (m, dim), &Device::Cpu)?;
                let (values, slopes) = self.log_density_and_grad(&x)?;
                value.copy_from_slice(&values.to_vec1::<T>()?);
                grad.copy_from_slice(&slopes.flatten_all()?.to_vec1::<T>()?);
                Ok(())
            }
        }
    }

    /// [`Target::hvp`] on slices: x, v `[m, d]` → out `[m, d]`.
    pub fn hvp_rows<T: Element>(&self, x: &[T], v: &[T], dim: usize, out: &mut [T]) -> Result<()> {
        let shape = [x.len() / dim, dim];
        match &self.0 {
            Source::Host(Host(raw)) => {
                let (mut x, mut v, mut out) = (View::of(x, &shape), View::of(v, &shape), ViewMut::of(out, &shape));
                // SAFETY: as above.
                self.call_rows(|call| unsafe { ((**raw).hvp)((**raw).context, x.raw(), v.raw(), out.raw(), call) })
            }
            _ => {
                let tensor = |rows: &[T]| Tensor::from_slice(rows, &shape, &Device::Cpu);
                out.copy_from_slice(&self.hvp(&tensor(x)?, &tensor(v)?)?.flatten_all()?.to_vec1::<T>()?);
                Ok(())
            }
        }
    }

    fn call_rows(&self, f: impl FnOnce(*mut abi::Call) -> i32) -> Result<()> {
        with_call(f).map_err(|failure| Error::Target(failure.message))
    }

    /// Hessian of log γ at x times v: `[n, d]` → `[n, d]`.
    pub fn hvp(&self, x: &Tensor, v: &Tensor) -> Result<Tensor> {
        match &self.0 {
            Source::Own(oracle) => oracle.hvp(x, v),
            _ => view::read(v, |v| {
                self.call(x, x.dims(), |target, x, out, call| {
                    // SAFETY: as above.
                    unsafe { (target.hvp)(target.context, x, v, out, call) }
                })
            })?,
        }
    }

    fn call(
        &self,
        x: &Tensor,
        shape: &[usize],
        f: impl FnOnce(&abi::Target, *const abi::DLTensor, *mut abi::DLTensor, *mut abi::Call) -> i32,
    ) -> Result<Tensor> {
        let Source::Host(Host(raw)) = self.0 else { return Err(Error::Target("there is none here".into())) };
        // SAFETY: `from_raw` vouches for the pointer.
        let target = unsafe { &*raw };
        let mut buffer = CallBuffer::new();
        let (dtype, device) = (x.dtype(), x.device());
        let (code, out) =
            view::read(x, |x| view::write(shape, dtype, device, |out| f(target, x, out, buffer.call())))??;
        outcome(code, &buffer).map_err(|failure| Error::Target(failure.message))?;
        Ok(out)
    }
}

impl Debug for Target {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.0 {
            Source::Absent => "Target(absent)",
            Source::Host(_) => "Target(of the host)",
            Source::Own(_) => "Target(own)",
        })
    }
}
