//! The C functions of a flow with kernels of its own: views to slices, call, catch.

use std::ffi::c_void;

use super::cotangents::ask;
use super::flow::{defined, defined_density, density_by, sample_by};
use super::guard::guard;
use super::instance::{OfFlow, live};
use crate::abi::{self, Call, DECLINED, DLTensor};
use crate::fused::Rows;
use crate::view::{elements, elements_mut};
use crate::{Element, Error, Fused, FusedDensity, Result};

/// # Safety
/// As [`abi::FlowTable::sample`].
pub unsafe extern "C" fn fused_sample<F: Fused>(
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
        if tape.is_null() && !declines::<F>(instance) {
            return sample_rows::<F>(instance, params, seed, 0, x, log_q, call);
        }
        sample_by::<F>(instance, params, x, log_q, tape, call, |flow, flat, n, taped| match flow.on_device() {
            Some(kernels) => kernels.sample(flat, seed, n, taped),
            None => defined(flow, flat, seed, n, taped),
        })
    }
}

/// # Safety
/// As [`abi::FlowTable::sample_rows`].
pub unsafe extern "C" fn sample_rows<F: Fused>(
    instance: *mut c_void,
    params: *const DLTensor,
    seed: u64,
    first: u64,
    x: *mut DLTensor,
    log_q: *mut DLTensor,
    call: *mut Call,
) -> i32 {
    unsafe fn run<T: Element, F: Fused>(
        flow: &F,
        params: *const DLTensor,
        seed: u64,
        first: u64,
        x: *mut DLTensor,
        log_q: *mut DLTensor,
    ) -> Result<()> {
        // SAFETY: the host passes valid views.
        let (params, x, log_q) = unsafe { (elements::<T>(params)?, elements_mut(x)?, elements_mut(log_q)?) };
        check(flow, params.len(), x.len(), log_q.len())?;
        if log_q.is_empty() {
            return Ok(());
        }
        flow.sample_rows(params, seed, first as usize, x, log_q)
    }
    // SAFETY: the host passes a live instance and valid pointers.
    unsafe {
        if declines::<F>(instance) {
            return DECLINED;
        }
        guard(call, || {
            let flow = &live::<OfFlow<F>>(instance)?.0;
            by_dtype!(params, run::<F>(flow, params, seed, first, x, log_q))
        })
    }
}

/// # Safety
/// As [`abi::FlowTable::sample_gradient`].
pub unsafe extern "C" fn sample_gradient<F: Fused>(
    instance: *mut c_void,
    params: *const DLTensor,
    seed: u64,
    first: u64,
    n: u64,
    pull: *const abi::Pull,
    grad_params: *mut DLTensor,
    call: *mut Call,
) -> i32 {
    unsafe fn run<T: Element, F: Fused>(
        flow: &F,
        params: *const DLTensor,
        seed: u64,
        [first, n]: [u64; 2],
        pull: *const abi::Pull,
        grad: *mut DLTensor,
    ) -> Result<()> {
        // SAFETY: the host passes valid pointers.
        let (params, grad, pull) = unsafe { (elements::<T>(params)?, elements_mut(grad)?, pull.as_ref()) };
        check(flow, params.len(), 0, 0)?;
        let pull = pull.ok_or_else(|| Error::View("null pull".into()))?;
        let dim = flow.setup().dim;
        let rows = first as usize..(first + n) as usize;
        if rows.is_empty() {
            return Ok(());
        }
        flow.sample_gradient(params, seed, rows, &mut |rows| cotangents(pull, dim, rows), grad)
    }
    // SAFETY: the host passes a live instance and valid pointers.
    unsafe {
        if declines::<F>(instance) {
            return DECLINED;
        }
        guard(call, || {
            let flow = &live::<OfFlow<F>>(instance)?.0;
            by_dtype!(params, run::<F>(flow, params, seed, [first, n], pull, grad_params))
        })
    }
}

/// # Safety
/// As [`abi::FlowTable::density`].
pub unsafe extern "C" fn fused_density<F: FusedDensity>(
    instance: *mut c_void,
    params: *const DLTensor,
    x: *const DLTensor,
    seed: u64,
    log_q: *mut DLTensor,
    tape: *mut *mut c_void,
    call: *mut Call,
) -> i32 {
    unsafe fn run<T: Element, F: FusedDensity>(
        flow: &F,
        params: *const DLTensor,
        x: *const DLTensor,
        seed: u64,
        log_q: *mut DLTensor,
    ) -> Result<()> {
        // SAFETY: the host passes valid views.
        let (params, x, log_q) = unsafe { (elements::<T>(params)?, elements(x)?, elements_mut(log_q)?) };
        check(flow, params.len(), x.len(), log_q.len())?;
        if log_q.is_empty() {
            return Ok(());
        }
        flow.density_rows(params, x, seed, 0, log_q)
    }
    // SAFETY: the host passes a live instance and valid pointers.
    unsafe {
        if !tape.is_null() || declines::<F>(instance) {
            return density_by::<F>(instance, params, x, log_q, tape, call, |flow, flat, x, taped| {
                match flow.on_device() {
                    Some(kernels) => kernels.density(flat, x, seed, taped),
                    None => defined_density(flow, flat, x, seed, taped),
                }
            });
        }
        guard(call, || {
            let flow = &live::<OfFlow<F>>(instance)?.0;
            by_dtype!(params, run::<F>(flow, params, x, seed, log_q))
        })
    }
}

/// # Safety
/// As [`abi::FlowTable::density_gradient`].
pub unsafe extern "C" fn density_gradient<F: FusedDensity>(
    instance: *mut c_void,
    params: *const DLTensor,
    x: *const DLTensor,
    seed: u64,
    first: u64,
    pull: *const abi::Pull,
    grad_params: *mut DLTensor,
    call: *mut Call,
) -> i32 {
    unsafe fn run<T: Element, F: FusedDensity>(
        flow: &F,
        params: *const DLTensor,
        x: *const DLTensor,
        [seed, first]: [u64; 2],
        pull: *const abi::Pull,
        grad: *mut DLTensor,
    ) -> Result<()> {
        // SAFETY: the host passes valid pointers.
        let (params, x, grad) = unsafe { (elements::<T>(params)?, elements(x)?, elements_mut(grad)?) };
        // SAFETY: as above.
        let pull = unsafe { pull.as_ref() }.ok_or_else(|| Error::View("null pull".into()))?;
        let dim = flow.setup().dim;
        check(flow, params.len(), x.len(), x.len() / dim)?;
        if x.is_empty() {
            return Ok(());
        }
        flow.density_gradient(params, x, seed, first as usize, &mut |rows| cotangents(pull, dim, rows), grad)
    }
    // SAFETY: the host passes a live instance and valid pointers.
    unsafe {
        if declines::<F>(instance) {
            return DECLINED;
        }
        guard(call, || {
            let flow = &live::<OfFlow<F>>(instance)?.0;
            by_dtype!(params, run::<F>(flow, params, x, [seed, first], pull, grad_params))
        })
    }
}

/// Those of a flow's rows.
fn cotangents<T: Element>(pull: &abi::Pull, dim: usize, rows: Rows<'_, T>) -> Result<()> {
    ask(pull, dim, (rows.x, rows.log_q), (rows.grad_x, rows.grad_log_q))
}

/// Whether a live instance has no kernels on the processor, where it is to work; what is wrong with one that is not live, the call itself says.
///
/// # Safety
/// As [`live`].
unsafe fn declines<F: Fused>(instance: *mut c_void) -> bool {
    // SAFETY: the caller's promise.
    unsafe { live::<OfFlow<F>>(instance) }.is_ok_and(|flow| !flow.0.setup().device.is_cpu() || !flow.0.is_fused())
}

/// Kernels index by these lengths.
fn check<F: crate::Flow>(flow: &F, params: usize, x: usize, log_q: usize) -> Result<()> {
    let (expected, dim) = (flow.layout().len(), flow.setup().dim);
    if params != expected {
        return Err(Error::View(format!("{params} parameters where there are {expected}")));
    }
    if x != log_q * dim {
        return Err(Error::View(format!("{x} coordinates for {log_q} rows of {dim}")));
    }
    Ok(())
}
