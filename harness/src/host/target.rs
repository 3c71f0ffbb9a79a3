//! The target of a cell, with every row it evaluates counted.

use std::cell::Cell;
use std::ffi::c_void;

use candle_core::Tensor;
use flow_sdk::abi::{self, Call, DLTensor};
use flow_sdk::thunk::guard;
use flow_sdk::view::{copy_in, copy_out};
use targets::Target;

/// A target and the count of rows at which its density or a derivative was evaluated.
pub struct CountedTarget {
    target: Box<dyn Target>,
    evaluations: Cell<u64>,
}

impl CountedTarget {
    /// Counts from zero.
    pub fn new(target: Box<dyn Target>) -> Self {
        Self { target, evaluations: Cell::new(0) }
    }

    /// The target itself, for uses that do not count (evaluation of a trained flow).
    pub fn uncounted(&self) -> &dyn Target {
        &*self.target
    }

    /// Rows evaluated so far: a value, a gradient and a Hessian-vector product count one each.
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

    /// Continues from a checkpoint's count.
    pub fn set_evaluations(&self, count: u64) {
        self.evaluations.set(count);
    }

    /// ∇ log γ(x), counted.
    pub fn grad(&self, x: &Tensor) -> targets::Result<Tensor> {
        self.count(x);
        self.target.grad(x)
    }

    /// The call-backs that a plugin gets. They are valid as long as `self` stays where it is.
    pub fn callbacks(&self) -> abi::Target {
        abi::Target {
            struct_size: size_of::<abi::Target>(),
            context: std::ptr::from_ref(self).cast_mut().cast(),
            log_density,
            grad,
            hvp,
        }
    }

    fn count(&self, x: &Tensor) {
        self.evaluations.set(self.evaluations.get() + x.dim(0).unwrap_or(0) as u64);
    }
}

unsafe extern "C" fn log_density(context: *mut c_void, x: *const DLTensor, out: *mut DLTensor, call: *mut Call) -> i32 {
    // SAFETY: `callbacks` made the context; the plugin passes valid views.
    unsafe { evaluate(context, x, out, call, |target, x| target.log_density(x)) }
}

unsafe extern "C" fn grad(context: *mut c_void, x: *const DLTensor, out: *mut DLTensor, call: *mut Call) -> i32 {
    // SAFETY: as above.
    unsafe { evaluate(context, x, out, call, |target, x| target.grad(x)) }
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
        let v = copy_in(v);
        evaluate(context, x, out, call, |target, x| target.hvp(x, &v.map_err(candle_core::Error::wrap)?))
    }
}

/// # Safety
/// `context` came from [`CountedTarget::callbacks`]; the views are valid.
unsafe fn evaluate(
    context: *mut c_void,
    x: *const DLTensor,
    out: *mut DLTensor,
    call: *mut Call,
    f: impl FnOnce(&dyn Target, &Tensor) -> targets::Result<Tensor>,
) -> i32 {
    // SAFETY: the caller vouches for the pointers.
    unsafe {
        guard(call, || {
            let counted = &*context.cast::<CountedTarget>();
            let x = copy_in(x)?;
            counted.count(&x);
            let result = f(&*counted.target, &x).map_err(|error| flow_sdk::Error::Target(error.to_string()))?;
            copy_out(&result, out)
        })
    }
}
