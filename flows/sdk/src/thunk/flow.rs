//! The C functions of a flow, generic over the flow: convert, call, catch.

use std::ffi::c_void;

use candle_core::Tensor;

use super::guard::guard;
use super::instance::{OfFlow, flat, live};
use super::tape::{into_raw_tape, record_no_rows};
#[cfg(doc)]
use crate::abi;
use crate::abi::{Call, DLTensor};
use crate::view::{copy_in, copy_out};
use crate::{Density, Draws, Error, Flow, Params, Probe, Result, Tape};

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
        sample_by::<F>(instance, params, x, log_q, tape, call, |flow, flat, n, taped| {
            defined(flow, flat, seed, n, taped)
        })
    }
}

/// What a pass gives, with what its derivative needs where that was asked for.
pub(super) type Taped<R> = Result<(R, Option<Box<dyn Tape>>)>;

/// Samples as `how` does, given the flow, its parameters, n and whether there is to be a tape.
///
/// # Safety
/// As [`sample`].
pub(super) unsafe fn sample_by<F: Flow>(
    instance: *mut c_void,
    params: *const DLTensor,
    x: *mut DLTensor,
    log_q: *mut DLTensor,
    tape: *mut *mut c_void,
    call: *mut Call,
    how: impl FnOnce(&F, &Tensor, usize, bool) -> Taped<Draws>,
) -> i32 {
    // SAFETY: the caller's promise.
    unsafe {
        guard(call, || {
            let flow = &live::<OfFlow<F>>(instance)?.0;
            let flat = flat(params, flow.layout())?;
            let n = rows(log_q)?;
            if n == 0 {
                return record_no_rows(&flat, tape);
            }
            let (draws, recorded) = how(flow, &flat, n, !tape.is_null())?;
            if let Some(recorded) = recorded {
                *tape = into_raw_tape(recorded);
            }
            copy_out(&draws.x, x)?;
            copy_out(&draws.log_q, log_q)
        })
    }
}

/// A sample by the flow's definition.
pub(super) fn defined<F: Flow>(flow: &F, flat: &Tensor, seed: u64, n: usize, taped: bool) -> Taped<Draws> {
    if taped {
        let (draws, tape) = flow.sample_taped(flat, seed, n)?;
        return Ok((draws, Some(tape)));
    }
    Ok((flow.sample(&Params::new(flat, flow.layout()), seed, n)?, None))
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
        density_by::<F>(instance, params, x, log_q, tape, call, |flow, flat, x, taped| {
            defined_density(flow, flat, x, seed, taped)
        })
    }
}

/// Tells densities as `how` does, given the flow, its parameters, x and whether there is to be a tape.
///
/// # Safety
/// As [`density`].
pub(super) unsafe fn density_by<F: Density>(
    instance: *mut c_void,
    params: *const DLTensor,
    x: *const DLTensor,
    log_q: *mut DLTensor,
    tape: *mut *mut c_void,
    call: *mut Call,
    how: impl FnOnce(&F, &Tensor, &Tensor, bool) -> Taped<Tensor>,
) -> i32 {
    // SAFETY: the caller's promise.
    unsafe {
        guard(call, || {
            let flow = &live::<OfFlow<F>>(instance)?.0;
            let (flat, x) = (flat(params, flow.layout())?, copy_in(x)?);
            if x.dim(0)? == 0 {
                return record_no_rows(&flat, tape);
            }
            let (density, recorded) = how(flow, &flat, &x, !tape.is_null())?;
            if let Some(recorded) = recorded {
                *tape = into_raw_tape(recorded);
            }
            copy_out(&density, log_q)
        })
    }
}

/// A density by the flow's definition.
pub(super) fn defined_density<F: Density>(
    flow: &F,
    flat: &Tensor,
    x: &Tensor,
    seed: u64,
    taped: bool,
) -> Taped<Tensor> {
    if taped {
        let (density, tape) = flow.density_taped(flat, x, seed)?;
        return Ok((density, Some(tape)));
    }
    Ok((flow.density(&Params::new(flat, flow.layout()), x, seed)?, None))
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
