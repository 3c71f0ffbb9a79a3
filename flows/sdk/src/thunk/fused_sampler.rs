//! The C functions of a sampler with kernels of its own: views to slices, call, catch.

use std::ffi::c_void;

use candle_core::DType;

use super::guard::guard;
use super::instance::{OfSampler, live};
#[cfg(doc)]
use crate::abi;
use crate::abi::{Call, DECLINED, DLTensor, Point as RawPoint};
use crate::view::{dtype_of, elements, elements_mut};
use crate::{Element, Error, FusedSampler, PointRows, Result, TransitionRows};

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
    // SAFETY: the host passes a live instance and valid pointers.
    unsafe {
        if live::<OfSampler<S>>(instance).is_ok_and(|sampler| !sampler.0.is_fused()) {
            return DECLINED;
        }
        guard(call, || {
            let sampler = &live::<OfSampler<S>>(instance)?.0;
            let views = (params, from, next, proposal, accept);
            match dtype_of(params)? {
                DType::F32 => run::<f32, S>(sampler, views, seed, beta, first as usize),
                _ => run::<f64, S>(sampler, views, seed, beta, first as usize),
            }
        })
    }
}

type Views =
    (*const DLTensor, *const RawPoint<*const DLTensor>, *const RawPoint<*mut DLTensor>, *mut DLTensor, *mut DLTensor);

/// # Safety
/// The pointers are null or valid, and so are the points' views.
unsafe fn run<T: Element, S: FusedSampler>(
    sampler: &S,
    (params, from, next, proposal, accept): Views,
    seed: u64,
    beta: f64,
    first: usize,
) -> Result<()> {
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
        sampler.transition_rows(params, from, seed, beta, first, to)
    }
}
