//! The CUDA devices of this process, each opened once.

use candle_core::{Device, Result};

/// The CUDA device of that ordinal: the same one at every call, so that its tensors go together.
///
/// # Errors
/// There is none, its driver does not answer, or this is a build without CUDA.
pub fn device(ordinal: usize) -> Result<Device> {
    opened::device(ordinal)
}

#[cfg(not(feature = "cuda"))]
mod opened {
    use candle_core::{Device, Result, bail};

    pub(super) fn device(_: usize) -> Result<Device> {
        bail!("this build has no CUDA")
    }
}

#[cfg(feature = "cuda")]
mod opened {
    use std::collections::BTreeMap;
    use std::sync::{Mutex, PoisonError};

    use candle_core::backend::BackendDevice;
    use candle_core::{CudaDevice, Device, Result};

    static OPENED: Mutex<BTreeMap<usize, CudaDevice>> = Mutex::new(BTreeMap::new());

    pub(super) fn device(ordinal: usize) -> Result<Device> {
        let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(device) = opened.get(&ordinal) {
            return Ok(Device::Cuda(device.clone()));
        }
        let device = CudaDevice::new(ordinal)?;
        // SAFETY: everything goes by this device's one stream, so there is nothing that events would order.
        unsafe { device.disable_event_tracking() };
        opened.insert(ordinal, device.clone());
        Ok(Device::Cuda(device))
    }
}
