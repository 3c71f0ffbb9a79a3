//! The CUDA devices of this process: how many there are, each opened once, what they say of themselves.

use candle_core::{Device, Result};

/// What a device says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Properties {
    /// Its model, as the driver names it.
    pub name: String,
    /// Memory in bytes.
    pub memory: u64,
    /// CUDA version that the driver knows, such as 13000.
    pub driver: i32,
}

/// How many CUDA devices this process sees.
///
/// # Errors
/// The driver does not answer, says that there is none, or this is a build without CUDA.
pub fn devices() -> Result<usize> {
    by_driver::devices()
}

/// The CUDA device of that ordinal: the same one at every call, so that its tensors go together.
///
/// # Errors
/// There is none, its driver does not answer, or this is a build without CUDA.
pub fn device(ordinal: usize) -> Result<Device> {
    by_driver::device(ordinal)
}

/// What the device of that ordinal says of itself.
///
/// # Errors
/// As [`devices`].
pub fn properties(ordinal: usize) -> Result<Properties> {
    by_driver::properties(ordinal)
}

/// Most bytes of device memory that this process has had in use at a time; none where the driver does not tell.
pub fn peak_bytes(device: &Device) -> Option<u64> {
    by_driver::peak_bytes(device)
}

#[cfg(feature = "cuda")]
mod by_driver {
    use std::collections::BTreeMap;
    use std::mem::MaybeUninit;
    use std::sync::{Mutex, PoisonError};

    use candle_core::backend::BackendDevice;
    use candle_core::cuda_backend::WrapErr;
    use candle_core::cuda_backend::cudarc::driver::{CudaContext, result, sys};
    use candle_core::{CudaDevice, Device, Result};

    use super::Properties;

    static OPENED: Mutex<BTreeMap<usize, CudaDevice>> = Mutex::new(BTreeMap::new());

    pub(super) fn devices() -> Result<usize> {
        Ok(CudaContext::device_count().w()?.max(0) as usize)
    }

    pub(super) fn device(ordinal: usize) -> Result<Device> {
        let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(device) = opened.get(&ordinal) {
            return Ok(Device::Cuda(device.clone()));
        }
        let device = CudaDevice::new(ordinal)?;
        // SAFETY: everything goes by this device's one stream, so there is nothing that events would order.
        unsafe { device.disable_event_tracking() };
        keep_memory(ordinal);
        opened.insert(ordinal, device.clone());
        Ok(Device::Cuda(device))
    }

    pub(super) fn properties(ordinal: usize) -> Result<Properties> {
        result::init().w()?;
        let device = result::device::get(ordinal as i32).w()?;
        let name = result::device::get_name(device).w()?;
        // SAFETY: the device exists.
        let memory = unsafe { result::device::total_mem(device) }.w()? as u64;
        let mut driver = 0;
        // SAFETY: the pointer is to an i32 that lives.
        unsafe { sys::cuDriverGetVersion(&raw mut driver) }.result().w()?;
        Ok(Properties { name, memory, driver })
    }

    pub(super) fn peak_bytes(device: &Device) -> Option<u64> {
        let ordinal = device.as_cuda_device().ok()?.cuda_stream().context().ordinal();
        let mut bytes = 0u64;
        // SAFETY: this attribute is a 64-bit number, and the pointer is to one that lives.
        let code = unsafe {
            sys::cuMemPoolGetAttribute(
                pool(ordinal)?,
                sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_USED_MEM_HIGH,
                (&raw mut bytes).cast(),
            )
        };
        code.result().ok().map(|()| bytes)
    }

    /// The pool gives what is free back to the system whenever the device is waited for, and each step would ask for it anew.
    /// Where the driver knows no pools, it is only slower.
    fn keep_memory(ordinal: usize) {
        let mut threshold = u64::MAX;
        if let Some(pool) = pool(ordinal) {
            // SAFETY: as in `peak_bytes`.
            let _ = unsafe {
                sys::cuMemPoolSetAttribute(
                    pool,
                    sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD,
                    (&raw mut threshold).cast(),
                )
            };
        }
    }

    /// The pool that stream-ordered memory of the device comes from.
    fn pool(ordinal: usize) -> Option<sys::CUmemoryPool> {
        let device = result::device::get(ordinal as i32).ok()?;
        let mut pool = MaybeUninit::uninit();
        // SAFETY: the pointer is to room for a pool, which is written where the call succeeds.
        unsafe {
            sys::cuDeviceGetDefaultMemPool(pool.as_mut_ptr(), device).result().ok()?;
            Some(pool.assume_init())
        }
    }
}

#[cfg(not(feature = "cuda"))]
mod by_driver {
    use candle_core::{Device, Result, bail};

    use super::Properties;

    const REASON: &str = "this build has no CUDA (cargo's feature `cuda`)";

    pub(super) fn devices() -> Result<usize> {
        bail!("{REASON}")
    }

    pub(super) fn device(_: usize) -> Result<Device> {
        bail!("{REASON}")
    }

    pub(super) fn properties(_: usize) -> Result<Properties> {
        bail!("{REASON}")
    }

    pub(super) fn peak_bytes(_: &Device) -> Option<u64> {
        None
    }
}
