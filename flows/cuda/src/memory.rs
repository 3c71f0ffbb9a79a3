//! Device memory as it crosses a plugin's edge: addresses instead of tensors.
//!
//! Both sides use the device's primary context and its per-thread default stream, which orders all that is said here: nothing
//! waits. In a build without CUDA every function is an error.

use candle_core::{DType, Device, Result, Shape, Tensor};

/// Address of the first element of a contiguous tensor on a CUDA device, valid while the tensor lives; the device's ordinal.
///
/// # Errors
/// The tensor is not contiguous, on another device, or of another type than f32 and f64.
pub fn address(tensor: &Tensor) -> Result<(u64, usize)> {
    by_driver::address(tensor)
}

/// A tensor of whatever was in its memory before, to be written as a whole.
///
/// # Errors
/// The device is none of CUDA's, has no memory left, or the type is neither f32 nor f64.
pub fn uninitialised(device: &Device, shape: impl Into<Shape>, dtype: DType) -> Result<Tensor> {
    by_driver::uninitialised(device, shape.into(), dtype)
}

/// A tensor with a copy of the elements at an address.
///
/// # Errors
/// The device cannot be opened, has no memory left, or the type is neither f32 nor f64.
///
/// # Safety
/// At the address are as many elements of that type, on the device of that ordinal.
pub unsafe fn copy_in(ordinal: usize, address: u64, shape: impl Into<Shape>, dtype: DType) -> Result<Tensor> {
    // SAFETY: the caller's promise.
    unsafe { by_driver::copy_in(ordinal, address, shape.into(), dtype) }
}

/// Copies the elements of a contiguous tensor to an address.
///
/// # Errors
/// As [`address`].
///
/// # Safety
/// At the address is room for them, on the tensor's device.
pub unsafe fn copy_out(tensor: &Tensor, address: u64) -> Result<()> {
    // SAFETY: the caller's promise.
    unsafe { by_driver::copy_out(tensor, address) }
}

#[cfg(feature = "cuda")]
mod by_driver {
    use candle_core::cuda_backend::WrapErr;
    use candle_core::cuda_backend::cudarc::driver::result;
    use candle_core::{CudaDevice, DType, Device, Result, Shape, Tensor};

    use crate::launch;

    pub(super) fn address(tensor: &Tensor) -> Result<(u64, usize)> {
        let ordinal = tensor.device().as_cuda_device()?.cuda_stream().context().ordinal();
        Ok((launch::address(tensor)?, ordinal))
    }

    pub(super) fn uninitialised(device: &Device, shape: Shape, dtype: DType) -> Result<Tensor> {
        launch::uninitialised(device.as_cuda_device()?, shape, dtype)
    }

    pub(super) unsafe fn copy_in(ordinal: usize, address: u64, shape: Shape, dtype: DType) -> Result<Tensor> {
        let device = crate::device(ordinal)?;
        let device = device.as_cuda_device()?;
        let tensor = launch::uninitialised(device, shape, dtype)?;
        // SAFETY: the caller vouches for the address; the tensor has room for as many.
        unsafe { copy(device, address, launch::address(&tensor)?, &tensor)? };
        Ok(tensor)
    }

    pub(super) unsafe fn copy_out(tensor: &Tensor, address: u64) -> Result<()> {
        // SAFETY: the caller vouches for the address; the tensor has as many elements.
        unsafe { copy(tensor.device().as_cuda_device()?, launch::address(tensor)?, address, tensor) }
    }

    /// Copies as many bytes as the tensor has.
    unsafe fn copy(device: &CudaDevice, from: u64, to: u64, tensor: &Tensor) -> Result<()> {
        let bytes = tensor.elem_count() * tensor.dtype().size_in_bytes();
        if bytes == 0 {
            return Ok(());
        }
        let stream = device.cuda_stream();
        stream.context().bind_to_thread().w()?;
        // SAFETY: the caller vouches for both addresses.
        unsafe { result::memcpy_dtod_async(to, from, bytes, stream.cu_stream()) }.w()
    }
}

#[cfg(not(feature = "cuda"))]
mod by_driver {
    use candle_core::{DType, Device, Result, Shape, Tensor, bail};

    const REASON: &str = "this build has no CUDA";

    pub(super) fn address(_: &Tensor) -> Result<(u64, usize)> {
        bail!("{REASON}")
    }

    pub(super) fn uninitialised(_: &Device, _: Shape, _: DType) -> Result<Tensor> {
        bail!("{REASON}")
    }

    pub(super) unsafe fn copy_in(_: usize, _: u64, _: Shape, _: DType) -> Result<Tensor> {
        bail!("{REASON}")
    }

    pub(super) unsafe fn copy_out(_: &Tensor, _: u64) -> Result<()> {
        bail!("{REASON}")
    }
}
