//! The edge that no panic crosses.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::abi::{Call, FAILED, OK, PANICKED, Text};
use crate::text::answer;
use crate::{Descriptor, Result};

/// Runs `f`; a panic or an error becomes a status code and a message.
///
/// # Safety
/// `call` is null or valid.
pub unsafe fn guard(call: *mut Call, f: impl FnOnce() -> Result<()>) -> i32 {
    let (code, message) = match catch_unwind(AssertUnwindSafe(f)) {
        Ok(Ok(())) => return OK,
        Ok(Err(error)) => (FAILED, error.to_string()),
        Err(payload) => (PANICKED, panic_message(&*payload)),
    };
    // SAFETY: the caller vouches for `call`.
    if let Some(call) = unsafe { call.as_mut() } {
        // SAFETY: a valid call has a valid message buffer.
        unsafe { answer(&message, &raw mut call.message) };
    }
    code
}

/// `describe` of a plugin with the given descriptor.
///
/// # Safety
/// The pointers are null or valid for the length of the call.
pub unsafe fn describe(descriptor: impl FnOnce() -> Descriptor, out: *mut Text, call: *mut Call) -> i32 {
    // SAFETY: the caller vouches for the pointers.
    unsafe {
        guard(call, || {
            answer(&serde_json::to_string(&descriptor())?, out);
            Ok(())
        })
    }
}

fn panic_message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "panic without a message".into())
}
