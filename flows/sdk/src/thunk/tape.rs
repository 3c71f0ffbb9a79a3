//! Tapes behind the edge: their reverse pass, their end.

use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};

use candle_core::Tensor;

use super::guard::guard;
#[cfg(doc)]
use crate::abi;
use crate::abi::{Call, DLTensor};
use crate::autograd::Tape;
use crate::view::{copy_in, copy_out};
use crate::{Error, Result};

/// # Safety
/// As [`abi::FlowTable::backward`].
pub unsafe extern "C" fn backward(
    _instance: *mut c_void,
    tape: *mut c_void,
    grad_x: *const DLTensor,
    grad_log_q: *const DLTensor,
    grad_params: *mut DLTensor,
    call: *mut Call,
) -> i32 {
    // SAFETY: the host passes a live tape and valid pointers.
    unsafe {
        guard(call, || {
            let tape = tape.cast::<Box<dyn Tape>>().as_ref().ok_or_else(|| Error::View("null tape".into()))?;
            let grad_x = if grad_x.is_null() { None } else { Some(copy_in(grad_x)?) };
            copy_out(&tape.backward(grad_x.as_ref(), &copy_in(grad_log_q)?)?, grad_params)
        })
    }
}

/// # Safety
/// `tape` came from a forward pass of this plugin and is not used again.
pub unsafe extern "C" fn free_tape(tape: *mut c_void) {
    if !tape.is_null() {
        // SAFETY: the host passes each tape once.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(unsafe { Box::from_raw(tape.cast::<Box<dyn Tape>>()) })));
    }
}

/// What a batch without rows leaves behind: many tensor operations refuse empty tensors, so none is run.
struct NoRows {
    zeros: Tensor,
}

impl Tape for NoRows {
    fn backward(&self, _: Option<&Tensor>, _: &Tensor) -> Result<Tensor> {
        Ok(self.zeros.clone())
    }
}

/// The tape of a batch without rows, where one is wanted.
///
/// # Safety
/// `tape` is null or valid.
pub(super) unsafe fn record_no_rows(flat: &Tensor, tape: *mut *mut c_void) -> Result<()> {
    // SAFETY: the caller vouches for the pointer.
    if let Some(tape) = unsafe { tape.as_mut() } {
        *tape = into_raw_tape(Box::new(NoRows { zeros: flat.zeros_like()? }));
    }
    Ok(())
}

/// A fat pointer does not fit a C pointer: it is boxed once more.
pub(super) fn into_raw_tape(tape: Box<dyn Tape>) -> *mut c_void {
    Box::into_raw(Box::new(tape)).cast()
}
