//! The C functions of a flow, generic over the flow: convert, call, catch.

use std::any::Any;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};

use candle_core::{Device, Tensor};

use crate::abi::{self, Call, DEVICE_CPU, DLTensor, FAILED, OK, PANICKED, Text};
use crate::autograd::Tape;
use crate::text::answer;
use crate::view::{copy_in, copy_out, dtype};
use crate::{Density, Descriptor, Error, Flow, Params, Probe, Result, Setup, Target};

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

/// # Safety
/// As [`abi::FlowTable::create`]: pointers are valid for the call, the target until the instance is destroyed.
pub unsafe extern "C" fn create<F: Flow>(
    config: *const u8,
    config_length: usize,
    setup: *const abi::Setup,
    instance: *mut *mut c_void,
    call: *mut Call,
) -> i32 {
    // SAFETY: the host passes valid pointers.
    unsafe {
        guard(call, || {
            let setup = setup.as_ref().ok_or_else(|| Error::View("null setup".into()))?;
            if setup.device.device_type != DEVICE_CPU {
                return Err(Error::Message("this build of the plugin has no CUDA".into()));
            }
            let setup = Setup {
                dim: setup.dim as usize,
                dtype: dtype(setup.dtype)?,
                device: Device::Cpu,
                target: Target::from_raw(setup.target),
            };
            let config = if config_length == 0 { b"{}" } else { std::slice::from_raw_parts(config, config_length) };
            let flow = F::new(serde_json::from_slice(config)?, &setup)?;
            *instance = Box::into_raw(Box::new(flow)).cast();
            Ok(())
        })
    }
}

/// # Safety
/// `instance` came from [`create`] for the same flow and is not used again.
pub unsafe extern "C" fn destroy<F: Flow>(instance: *mut c_void) {
    if !instance.is_null() {
        // A panicking drop must not cross the edge either; there is no one to tell.
        // SAFETY: the host passes each instance once.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(unsafe { Box::from_raw(instance.cast::<F>()) })));
    }
}

/// # Safety
/// As [`abi::FlowTable::layout`].
pub unsafe extern "C" fn layout<F: Flow>(instance: *mut c_void, out: *mut Text, call: *mut Call) -> i32 {
    // SAFETY: the host passes a live instance and valid pointers.
    unsafe {
        guard(call, || {
            answer(&serde_json::to_string(flow::<F>(instance)?.layout())?, out);
            Ok(())
        })
    }
}

/// # Safety
/// As [`abi::FlowTable::init`].
pub unsafe extern "C" fn init<F: Flow>(
    instance: *mut c_void,
    seed: u64,
    params: *mut DLTensor,
    call: *mut Call,
) -> i32 {
    // SAFETY: the host passes a live instance and valid pointers.
    unsafe {
        guard(call, || {
            let values = flow::<F>(instance)?.init(seed)?;
            let count = values.len();
            copy_out(&Tensor::from_vec(values, count, &Device::Cpu)?, params)
        })
    }
}

/// # Safety
/// As [`abi::FlowTable::sample`].
pub unsafe extern "C" fn sample<F: Flow>(
    instance: *mut c_void,
    params: *const DLTensor,
    seed: u64,
    x: *mut DLTensor,
    log_q: *mut DLTensor,
    tape: *mut *mut c_void,
    call: *mut Call,
) -> i32 {
    // SAFETY: the host passes a live instance and valid pointers.
    unsafe {
        guard(call, || {
            let flow = flow::<F>(instance)?;
            let flat = copy_in(params)?;
            let n = rows(log_q)?;
            let draws = if tape.is_null() {
                flow.sample(&Params::new(&flat, flow.layout()), seed, n)?
            } else {
                let (draws, recorded) = flow.sample_taped(&flat, seed, n)?;
                *tape = into_raw_tape(recorded);
                draws
            };
            copy_out(&draws.x, x)?;
            copy_out(&draws.log_q, log_q)
        })
    }
}

/// # Safety
/// As [`abi::FlowTable::density`].
pub unsafe extern "C" fn density<F: Density>(
    instance: *mut c_void,
    params: *const DLTensor,
    x: *const DLTensor,
    seed: u64,
    log_q: *mut DLTensor,
    tape: *mut *mut c_void,
    call: *mut Call,
) -> i32 {
    // SAFETY: the host passes a live instance and valid pointers.
    unsafe {
        guard(call, || {
            let flow = flow::<F>(instance)?;
            let (flat, x) = (copy_in(params)?, copy_in(x)?);
            let density = if tape.is_null() {
                flow.density(&Params::new(&flat, flow.layout()), &x, seed)?
            } else {
                let (density, recorded) = flow.density_taped(&flat, &x, seed)?;
                *tape = into_raw_tape(recorded);
                density
            };
            copy_out(&density, log_q)
        })
    }
}

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
/// `tape` came from [`sample`] or [`density`] and is not used again.
pub unsafe extern "C" fn free_tape(tape: *mut c_void) {
    if !tape.is_null() {
        // SAFETY: the host passes each tape once.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(unsafe { Box::from_raw(tape.cast::<Box<dyn Tape>>()) })));
    }
}

/// # Safety
/// As [`abi::FlowTable::probe`]; `figures` has room for `F::FIGURES`.
pub unsafe extern "C" fn probe<F: Probe>(
    instance: *mut c_void,
    params: *const DLTensor,
    seed: u64,
    n: u64,
    figures: *mut f64,
    call: *mut Call,
) -> i32 {
    // SAFETY: the host passes a live instance and valid pointers.
    unsafe {
        guard(call, || {
            let flow = flow::<F>(instance)?;
            let flat = copy_in(params)?;
            let values = flow.probe(&Params::new(&flat, flow.layout()), seed, n as usize)?;
            if values.len() != F::FIGURES.len() {
                let (got, named) = (values.len(), F::FIGURES.len());
                return Err(Error::Message(format!("probe returned {got} figures for {named} names")));
            }
            std::ptr::copy_nonoverlapping(values.as_ptr(), figures, values.len());
            Ok(())
        })
    }
}

unsafe fn flow<'a, F: Flow>(instance: *mut c_void) -> Result<&'a F> {
    // SAFETY: the caller vouches that the instance came from `create::<F>` and lives.
    unsafe { instance.cast::<F>().as_ref() }.ok_or_else(|| Error::View("null instance".into()))
}

unsafe fn rows(log_q: *const DLTensor) -> Result<usize> {
    // SAFETY: the caller vouches for the view, which has one extent.
    unsafe {
        match log_q.as_ref() {
            Some(view) if view.ndim == 1 && !view.shape.is_null() => Ok(*view.shape as usize),
            _ => Err(Error::View("log_q must have one dimension".into())),
        }
    }
}

/// A fat pointer does not fit a C pointer: it is boxed once more.
fn into_raw_tape(tape: Box<dyn Tape>) -> *mut c_void {
    Box::into_raw(Box::new(tape)).cast()
}

fn panic_message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "panic without a message".into())
}
