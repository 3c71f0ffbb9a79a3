//! The target of a cell, with every row it evaluates counted.

use std::cell::Cell;
use std::ffi::c_void;

use candle_core::Tensor;
use flow_sdk::abi::{self, Call, DLTensor};
use flow_sdk::thunk::guard;
use flow_sdk::view::{copy_in, copy_out};
use targets::Target;

use super::Tempering;

/// A target and the count of rows at which its density or a derivative was evaluated.
pub struct CountedTarget {
    target: Box<dyn Target>,
    evaluations: Cell<u64>,
    tempering: Cell<Tempering>,
}

impl CountedTarget {
    /// Counts from zero.
    pub fn new(target: Box<dyn Target>) -> Self {
        Self { target, evaluations: Cell::new(0), tempering: Cell::default() }
    }

    /// The target itself, for uses that do not count (evaluation of a trained flow).
    pub fn uncounted(&self) -> &dyn Target {
        &*self.target
    }

    /// Rows evaluated so far: a value, a gradient, both in one call and a Hessian-vector product count one each.
    pub fn evaluations(&self) -> u64 {
        self.evaluations.get()
    }

    /// Runs `f` without counting what it evaluates: measurements are not the method's.
    pub fn without_counting<T>(&self, f: impl FnOnce() -> T) -> T {
        let count = self.evaluations();
        let result = f();
        self.set_evaluations(count);
        result
    }

    /// Runs `f` while the call-backs evaluate the tempered target.
    pub fn tempered<T>(&self, tempering: Tempering, f: impl FnOnce() -> T) -> T {
        let before = self.tempering.replace(tempering);
        let result = f();
        self.tempering.set(before);
        result
    }

    /// Continues from a checkpoint's count.
    pub fn set_evaluations(&self, count: u64) {
        self.evaluations.set(count);
    }

    /// ∇ log γ(x), counted.
    pub fn grad(&self, x: &Tensor) -> targets::Result<Tensor> {
        self.count(x);
        self.target.grad(x)
    }

    /// log γ(x), counted.
    pub fn log_density(&self, x: &Tensor) -> targets::Result<Tensor> {
        self.count(x);
        self.target.log_density(x)
    }

    /// The call-backs that a plugin gets. They are valid as long as `self` stays where it is.
    pub fn callbacks(&self) -> abi::Target {
        abi::Target {
            struct_size: size_of::<abi::Target>(),
            context: std::ptr::from_ref(self).cast_mut().cast(),
            log_density,
            grad,
            hvp,
            log_density_and_grad,
        }
    }

    fn count(&self, x: &Tensor) {
        self.evaluations.set(self.evaluations.get() + x.dim(0).unwrap_or(0) as u64);
    }
}

unsafe extern "C" fn log_density(context: *mut c_void, x: *const DLTensor, out: *mut DLTensor, call: *mut Call) -> i32 {
    // SAFETY: `callbacks` made the context; the plugin passes valid views.
    unsafe {
        evaluate(context, x, call, |target, tempering, x| {
            let value = tempering.value(x, &target.log_density(x).map_err(failed)?)?;
            copy_out(&value, out)
        })
    }
}

unsafe extern "C" fn grad(context: *mut c_void, x: *const DLTensor, out: *mut DLTensor, call: *mut Call) -> i32 {
    // SAFETY: as above.
    unsafe {
        evaluate(context, x, call, |target, tempering, x| {
            let slope = tempering.slope(x, &target.grad(x).map_err(failed)?)?;
            copy_out(&slope, out)
        })
    }
}

unsafe extern "C" fn log_density_and_grad(
    context: *mut c_void,
    x: *const DLTensor,
    value_out: *mut DLTensor,
    grad_out: *mut DLTensor,
    call: *mut Call,
) -> i32 {
    // SAFETY: as above.
    unsafe {
        evaluate(context, x, call, |target, tempering, x| {
            copy_out(&tempering.value(x, &target.log_density(x).map_err(failed)?)?, value_out)?;
            copy_out(&tempering.slope(x, &target.grad(x).map_err(failed)?)?, grad_out)
        })
    }
}

unsafe extern "C" fn hvp(
    context: *mut c_void,
    x: *const DLTensor,
    v: *const DLTensor,
    out: *mut DLTensor,
    call: *mut Call,
) -> i32 {
    // SAFETY: as above.
    unsafe {
        evaluate(context, x, call, |target, tempering, x| {
            let v = copy_in(v)?;
            let product = tempering.slope(&v, &target.hvp(x, &v).map_err(failed)?)?;
            copy_out(&product, out)
        })
    }
}

/// # Safety
/// `context` came from [`CountedTarget::callbacks`]; `x` is a valid view.
unsafe fn evaluate(
    context: *mut c_void,
    x: *const DLTensor,
    call: *mut Call,
    f: impl FnOnce(&dyn Target, Tempering, &Tensor) -> flow_sdk::Result<()>,
) -> i32 {
    // SAFETY: the caller vouches for the pointers.
    unsafe {
        guard(call, || {
            let counted = &*context.cast::<CountedTarget>();
            let x = copy_in(x)?;
            counted.count(&x);
            f(&*counted.target, counted.tempering.get(), &x)
        })
    }
}

fn failed(error: targets::Error) -> flow_sdk::Error {
    flow_sdk::Error::Target(error.to_string())
}
