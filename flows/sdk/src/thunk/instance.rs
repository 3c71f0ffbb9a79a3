//! What instances of every kind have in common, as C functions: made, asked for their parameters, ended.

use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};

use candle_core::{Device, Tensor};
use serde::de::DeserializeOwned;

use super::guard::guard;
use crate::abi::{self, Call, DEVICE_CPU, DEVICE_CUDA, DLDevice, DLTensor, Text};
use crate::text::answer;
use crate::view::{copy_in, copy_out, dtype};
use crate::{Error, Flow, Layout, Result, Sampler, Setup, Target};

/// Something with parameters, made for a target.
pub trait Instance: Sized {
    /// Its parameters in a sweep.
    type Config: DeserializeOwned;

    /// Makes it.
    fn new(config: Self::Config, setup: &Setup) -> Result<Self>;

    /// Its parameters.
    fn layout(&self) -> &Layout;

    /// Their first values.
    fn init(&self, seed: u64) -> Result<Vec<f64>>;
}

/// A flow behind the edge.
pub struct OfFlow<F>(pub(super) F);

/// A sampler behind the edge.
pub struct OfSampler<S>(pub(super) S);

impl<F: Flow> Instance for OfFlow<F> {
    type Config = F::Config;

    fn new(config: F::Config, setup: &Setup) -> Result<Self> {
        F::new(config, setup).map(Self)
    }

    fn layout(&self) -> &Layout {
        self.0.layout()
    }

    fn init(&self, seed: u64) -> Result<Vec<f64>> {
        self.0.init(seed)
    }
}

impl<S: Sampler> Instance for OfSampler<S> {
    type Config = S::Config;

    fn new(config: S::Config, setup: &Setup) -> Result<Self> {
        S::new(config, setup).map(Self)
    }

    fn layout(&self) -> &Layout {
        self.0.layout()
    }

    fn init(&self, seed: u64) -> Result<Vec<f64>> {
        self.0.init(seed)
    }
}

/// # Safety
/// As [`abi::FlowTable::create`]: pointers are valid for the call, the target until the instance is destroyed.
pub unsafe extern "C" fn create<I: Instance>(
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
            let setup = Setup {
                dim: setup.dim as usize,
                dtype: dtype(setup.dtype)?,
                device: device(setup.device)?,
                target: Target::from_raw(setup.target),
            };
            let config = if config_length == 0 { b"{}" } else { std::slice::from_raw_parts(config, config_length) };
            // Not read at once: serde takes a list for a struct, too.
            let config = serde_json::Value::Object(serde_json::from_slice(config)?);
            let made = I::new(serde_json::from_value(config)?, &setup)?;
            *instance = Box::into_raw(Box::new(made)).cast();
            Ok(())
        })
    }
}

/// The device that a host names.
fn device(named: DLDevice) -> Result<Device> {
    match (named.device_type, usize::try_from(named.device_id)) {
        (DEVICE_CPU, _) => Ok(Device::Cpu),
        (DEVICE_CUDA, Ok(ordinal)) => Ok(flow_cuda::device(ordinal)?),
        (kind, _) => Err(Error::Message(format!("no device number {} of type {kind} is known", named.device_id))),
    }
}

/// # Safety
/// `instance` came from [`create`] for the same instance and is not used again.
pub unsafe extern "C" fn destroy<I: Instance>(instance: *mut c_void) {
    if !instance.is_null() {
        // A panicking drop must not cross the edge either; there is no one to tell.
        // SAFETY: the host passes each instance once.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(unsafe { Box::from_raw(instance.cast::<I>()) })));
    }
}

/// # Safety
/// As [`abi::FlowTable::layout`].
pub unsafe extern "C" fn layout<I: Instance>(instance: *mut c_void, out: *mut Text, call: *mut Call) -> i32 {
    // SAFETY: the host passes a live instance and valid pointers.
    unsafe {
        guard(call, || {
            answer(&serde_json::to_string(live::<I>(instance)?.layout())?, out);
            Ok(())
        })
    }
}

/// # Safety
/// As [`abi::FlowTable::init`].
pub unsafe extern "C" fn init<I: Instance>(
    instance: *mut c_void,
    seed: u64,
    params: *mut DLTensor,
    call: *mut Call,
) -> i32 {
    // SAFETY: the host passes a live instance and valid pointers.
    unsafe {
        guard(call, || {
            let values = live::<I>(instance)?.init(seed)?;
            let count = values.len();
            copy_out(&Tensor::from_vec(values, count, &Device::Cpu)?, params)
        })
    }
}

/// The flat parameters `[P]` of a layout.
///
/// # Safety
/// As [`copy_in`].
pub(super) unsafe fn flat(params: *const DLTensor, layout: &Layout) -> Result<Tensor> {
    // SAFETY: the caller's promise.
    let flat = unsafe { copy_in(params)? };
    if *flat.dims() != [layout.len()] {
        return Err(Error::View(format!("parameters of shape {:?} where there are {}", flat.dims(), layout.len())));
    }
    Ok(flat)
}

/// # Safety
/// `instance` came from [`create`] of the same kind and lives.
pub(super) unsafe fn live<'a, I>(instance: *mut c_void) -> Result<&'a I> {
    // SAFETY: the caller vouches for it.
    unsafe { instance.cast::<I>().as_ref() }.ok_or_else(|| Error::View("null instance".into()))
}
