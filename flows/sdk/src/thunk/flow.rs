//! The C functions of a flow, generic over the flow: convert, call, catch.

use std::ffi::c_void;

use super::guard::guard;
use super::instance::{OfFlow, flat, live};
use super::tape::{into_raw_tape, record_no_rows};
#[cfg(doc)]
use crate::abi;
use crate::abi::{Call, DLTensor};
use crate::view::{copy_in, copy_out};
use crate::{Density, Error, Flow, Params, Probe, Result};

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
            let flow = &live::<OfFlow<F>>(instance)?.0;
            let flat = flat(params, flow.layout())?;
            let n = rows(log_q)?;
            if n == 0 {
                return record_no_rows(&flat, tape);
            }
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
            let flow = &live::<OfFlow<F>>(instance)?.0;
            let (flat, x) = (flat(params, flow.layout())?, copy_in(x)?);
            if x.dim(0)? == 0 {
                return record_no_rows(&flat, tape);
            }
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
            let flow = &live::<OfFlow<F>>(instance)?.0;
            let flat = flat(params, flow.layout())?;
            let values = flow.probe(&Params::new(&flat, flow.layout()), seed, n as usize)?;
            write_figures(&values, F::FIGURES, figures)
        })
    }
}

/// # Safety
/// `figures` has room for as many values as there are names.
pub(super) unsafe fn write_figures(values: &[f64], names: &[&str], figures: *mut f64) -> Result<()> {
    if values.len() != names.len() {
        let (got, named) = (values.len(), names.len());
        return Err(Error::Message(format!("probe returned {got} figures for {named} names")));
    }
    // SAFETY: the caller vouches for the room; the values are this call's own.
    unsafe { std::ptr::copy_nonoverlapping(values.as_ptr(), figures, values.len()) };
    Ok(())
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
