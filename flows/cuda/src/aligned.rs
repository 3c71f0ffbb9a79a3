//! Tensors where kernels may read several numbers in one access.

use candle_core::{Result, Tensor};

use crate::launch::address;

/// The tensor, contiguous and at a multiple of so many bytes: itself if it is, else a copy, which is.
pub(crate) fn aligned(tensor: &Tensor, bytes: usize) -> Result<Tensor> {
    let tensor = tensor.contiguous()?;
    // Not `copy`, which keeps the offset into the storage.
    if address(&tensor)?.is_multiple_of(bytes as u64) { Ok(tensor) } else { tensor.force_contiguous() }
}
