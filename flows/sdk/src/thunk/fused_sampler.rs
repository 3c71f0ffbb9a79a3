//! The C functions of a sampler with kernels of its own: views to slices, call, catch.

use std::ffi::c_void;

use super::cotangents::ask;
use super::guard::guard;
use super::instance::{OfSampler, live};
use crate::abi::{self, Call, DECLINED, DLTensor, Point as RawPoint};
use crate::view::{elements, elements_mut};
use crate::{Element, Error, FusedSampler, FusedTrained, PointRows, Proposals, Result, TransitionRows};

/// # Safety
/// As [`abi::SamplerTable::transition_rows`].
pub unsafe extern "C" fn transition_rows<S: FusedSampler>(
    instance: *mut c_void,
    params: *const DLTensor,
    from: *const RawPoint<*const DLTensor>,
    seed: u64,
    beta: f64,
    first: u64,
    next: *const RawPoint<*mut DLTensor>,
    proposal: *mut DLTensor,
    accept: *mut DLTensor,
    call: *mut Call,
) -> i32 {
    /// # Safety
    /// As [`read`].
    unsafe fn run<T: Element, S: FusedSampler>(
        sampler: &S,
        views: Views,
        seed: u64,
        beta: f64,
        n: usize,
    ) -> Result<()> {
        // SAFETY: the caller vouches for the pointers.
        let (params, from, to) = unsafe { read::<T, S>(sampler, views)? };
        sampler.transition_rows(params, from, seed, beta, n, to)
    }
    // SAFETY: the host passes a live instance and valid pointers.
    unsafe {
        if live::<OfSampler<S>>(instance).is_ok_and(|sampler| !on_rows(&sampler.0)) {
            return DECLINED;
        }
        guard(call, || {
            let sampler = &live::<OfSampler<S>>(instance)?.0;
            let views = (params, from, next, proposal, accept);
            by_dtype!(params, run::<S>(sampler, views, seed, beta, first as usize))
        })
    }
}

/// # Safety
/// As [`abi::SamplerTable::transition_gradient`].
pub unsafe extern "C" fn transition_gradient<S: FusedTrained>(
    instance: *mut c_void,
    params: *const DLTensor,
    from: *const RawPoint<*const DLTensor>,
    seed: u64,
    beta: f64,
    first: u64,
    next: *const RawPoint<*mut DLTensor>,
    proposal: *mut DLTensor,
    accept: *mut DLTensor,
    pull: *const abi::Pull,
    grad_params: *mut DLTensor,
    call: *mut Call,
) -> i32 {
    /// # Safety
    /// As [`read`]; so are the last two.
    unsafe fn run<T: Element, S: FusedTrained>(
        sampler: &S,
        views: Views,
        (seed, beta, first): (u64, f64, usize),
        pull: *const abi::Pull,
        grad: *mut DLTensor,
    ) -> Result<()> {
        // SAFETY: the caller vouches for the pointers.
        let ((params, from, to), grad, pull) =
            unsafe { (read::<T, S>(sampler, views)?, elements_mut::<T>(grad)?, pull.as_ref()) };
        let (pull, dim) = (pull.ok_or_else(|| Error::View("null pull".into()))?, sampler.setup().dim);
        if grad.len() != params.len() {
            return Err(Error::View(format!("a gradient of {} for {} parameters", grad.len(), params.len())));
        }
        let mut pull = |made: Proposals<'_, T>| {
            ask(pull, dim, (made.proposal, made.accept), (made.grad_proposal, made.grad_accept))
        };
        sampler.transition_gradient(params, from, seed, beta, first, to, &mut pull, grad)
    }
    // SAFETY: the host passes a live instance and valid pointers.
    unsafe {
        if live::<OfSampler<S>>(instance).is_ok_and(|sampler| !on_rows(&sampler.0)) {
            return DECLINED;
        }
        guard(call, || {
            let sampler = &live::<OfSampler<S>>(instance)?.0;
            let (views, at) = ((params, from, next, proposal, accept), (seed, beta, first as usize));
            by_dtype!(params, run::<S>(sampler, views, at, pull, grad_params))
        })
    }
}

/// Rows are slices: of instances on the processor, with kernels.
fn on_rows<S: FusedSampler>(sampler: &S) -> bool {
    sampler.is_fused() && sampler.setup().device.is_cpu()
}

type Views =
    (*const DLTensor, *const RawPoint<*const DLTensor>, *const RawPoint<*mut DLTensor>, *mut DLTensor, *mut DLTensor);

/// # Safety
/// The pointers are null or valid, and so are the points' views, for as long as the result is used.
unsafe fn read<'a, T: Element, S: FusedSampler>(
    sampler: &S,
    (params, from, next, proposal, accept): Views,
) -> Result<(&'a [T], PointRows<'a, T>, TransitionRows<'a, T>)> {
    let missing = || Error::View("null point".into());
    // SAFETY: the caller vouches for the pointers.
    unsafe {
        let (from, next) = (from.as_ref().ok_or_else(missing)?, next.as_ref().ok_or_else(missing)?);
        let params = elements::<T>(params)?;
        let from = PointRows {
            x: elements::<T>(from.x)?,
            log_density: elements(from.log_density)?,
            grad: elements(from.grad)?,
        };
        let to = TransitionRows {
            x: elements_mut::<T>(next.x)?,
            log_density: elements_mut(next.log_density)?,
            grad: elements_mut(next.grad)?,
            proposal: elements_mut(proposal)?,
            accept: elements_mut(accept)?,
        };
        let (m, dim) = (from.log_density.len(), sampler.setup().dim);
        let matrix = |values: &[T]| values.len() == m * dim;
        let gradient = |values: &[T]| values.len() == if S::GRADIENT_FREE { 0 } else { m * dim };
        let whole = params.len() == sampler.layout().len()
            && [from.x, &*to.x, &*to.proposal].into_iter().all(matrix)
            && [from.grad, &*to.grad].into_iter().all(gradient)
            && [&*to.log_density, &*to.accept].into_iter().all(|values| values.len() == m);
        if !whole {
            return Err(Error::View(format!("the views of {m} chains in {dim} dimensions differ in size")));
        }
        Ok((params, from, to))
    }
}
