//! The C functions of a sampler, generic over the sampler: convert, call, catch.

use std::ffi::c_void;

use candle_core::{Device, Tensor};

use super::flow::write_figures;
use super::guard::guard;
use super::instance::{OfSampler, flat, live};
use super::tape::{into_raw_tape, record_no_rows};
#[cfg(doc)]
use crate::abi;
use crate::abi::{Call, DLTensor, Point as RawPoint};
use crate::view::{copy_in, copy_out};
use crate::{Adapt, ChainProbe, Error, Params, Point, Result, Sampler, Seen, Trained, Transition};

/// # Safety
/// As [`abi::SamplerTable::transition`].
pub unsafe extern "C" fn transition<S: Sampler>(
    instance: *mut c_void,
    params: *const DLTensor,
    from: *const RawPoint<*const DLTensor>,
    seed: u64,
    beta: f64,
    next: *const RawPoint<*mut DLTensor>,
    proposal: *mut DLTensor,
    accept: *mut DLTensor,
    tape: *mut *mut c_void,
    call: *mut Call,
) -> i32 {
    // SAFETY: the host passes a live instance and valid pointers.
    unsafe {
        guard(call, || {
            if !tape.is_null() {
                return Err(Error::Message("this sampler is not trained: it records no tape".into()));
            }
            let sampler = &live::<OfSampler<S>>(instance)?.0;
            let (flat, from) = (flat(params, sampler.layout())?, read(from)?);
            if from.x.dim(0)? == 0 {
                return Ok(());
            }
            let params = Params::new(&flat, sampler.layout());
            answer(&sampler.transition(&params, &from, seed, beta)?, next, proposal, accept)
        })
    }
}

/// # Safety
/// As [`abi::SamplerTable::transition`].
pub unsafe extern "C" fn transition_taped<S: Trained>(
    instance: *mut c_void,
    params: *const DLTensor,
    from: *const RawPoint<*const DLTensor>,
    seed: u64,
    beta: f64,
    next: *const RawPoint<*mut DLTensor>,
    proposal: *mut DLTensor,
    accept: *mut DLTensor,
    tape: *mut *mut c_void,
    call: *mut Call,
) -> i32 {
    // SAFETY: the host passes a live instance and valid pointers.
    unsafe {
        if tape.is_null() {
            return transition::<S>(instance, params, from, seed, beta, next, proposal, accept, tape, call);
        }
        guard(call, || {
            let sampler = &live::<OfSampler<S>>(instance)?.0;
            let (flat, from) = (flat(params, sampler.layout())?, read(from)?);
            if from.x.dim(0)? == 0 {
                return record_no_rows(&flat, tape);
            }
            let (step, recorded) = sampler.transition_taped(&flat, &from, seed, beta)?;
            *tape = into_raw_tape(recorded);
            answer(&step, next, proposal, accept)
        })
    }
}

/// # Safety
/// As [`abi::SamplerTable::adapt`].
pub unsafe extern "C" fn adapt<S: Adapt>(
    instance: *mut c_void,
    params: *const DLTensor,
    x: *const DLTensor,
    accept: *const DLTensor,
    step: u64,
    steps: u64,
    out: *mut DLTensor,
    call: *mut Call,
) -> i32 {
    // SAFETY: the host passes a live instance and valid pointers.
    unsafe {
        guard(call, || {
            let sampler = &live::<OfSampler<S>>(instance)?.0;
            let (flat, x, accept) = (flat(params, sampler.layout())?, copy_in(x)?, copy_in(accept)?);
            let params = Params::new(&flat, sampler.layout());
            let values = sampler.adapt(&params, &Seen { x: &x, accept: &accept }, step, steps)?;
            let count = values.len();
            copy_out(&Tensor::from_vec(values, count, &Device::Cpu)?, out)
        })
    }
}

/// # Safety
/// As [`abi::SamplerTable::probe`]; `figures` has room for `S::FIGURES`.
pub unsafe extern "C" fn probe<S: ChainProbe>(
    instance: *mut c_void,
    params: *const DLTensor,
    x: *const DLTensor,
    seed: u64,
    figures: *mut f64,
    call: *mut Call,
) -> i32 {
    // SAFETY: the host passes a live instance and valid pointers.
    unsafe {
        guard(call, || {
            let sampler = &live::<OfSampler<S>>(instance)?.0;
            let flat = flat(params, sampler.layout())?;
            let values = sampler.probe(&Params::new(&flat, sampler.layout()), &copy_in(x)?, seed)?;
            write_figures(&values, S::FIGURES, figures)
        })
    }
}

/// # Safety
/// `point` is null or valid, and so are its views.
unsafe fn read(point: *const RawPoint<*const DLTensor>) -> Result<Point> {
    // SAFETY: the caller vouches for the pointers.
    unsafe {
        let point = point.as_ref().ok_or_else(|| Error::View("null point".into()))?;
        let grad = if point.grad.is_null() { None } else { Some(copy_in(point.grad)?) };
        Ok(Point { x: copy_in(point.x)?, log_density: copy_in(point.log_density)?, grad })
    }
}

/// # Safety
/// The pointers are null or valid, and so are the point's views.
unsafe fn answer(
    step: &Transition,
    next: *const RawPoint<*mut DLTensor>,
    proposal: *mut DLTensor,
    accept: *mut DLTensor,
) -> Result<()> {
    // SAFETY: the caller vouches for the pointers.
    unsafe {
        let out = next.as_ref().ok_or_else(|| Error::View("null point".into()))?;
        copy_out(&step.next.x, out.x)?;
        copy_out(&step.next.log_density, out.log_density)?;
        if !out.grad.is_null() {
            let grad = step.next.grad.as_ref();
            copy_out(grad.ok_or_else(|| Error::Message("the next point has no gradient".into()))?, out.grad)?;
        }
        copy_out(&step.proposal, proposal)?;
        copy_out(&step.accept, accept)
    }
}
