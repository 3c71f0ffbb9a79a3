//! Borrowed tensor views ↔ candle tensors: the only place where foreign memory is read or written.

use std::ffi::c_void;

use candle_core::{CpuStorage, DType, Device, Storage, Tensor, WithDType};

use crate::abi::{DEVICE_CPU, DLDataType, DLDevice, DLTensor, TYPE_FLOAT};
use crate::{Error, Result};

/// A view of memory that someone else owns, with the shape it points to.
#[derive(Debug)]
pub struct View {
    // Boxed, so that the raw tensor's pointer to it survives a move.
    _shape: Box<[i64]>,
    raw: DLTensor,
}

impl View {
    /// Calls `f` with a read-only view of a contiguous tensor. Copies only if the tensor is not contiguous.
    pub fn read<R>(tensor: &Tensor, f: impl FnOnce(*const DLTensor) -> R) -> Result<R> {
        let tensor = tensor.contiguous()?;
        let (storage, layout) = tensor.storage_and_layout();
        let offset = layout.start_offset();
        let data = match &*storage {
            Storage::Cpu(CpuStorage::F32(values)) => values[offset..].as_ptr().cast::<c_void>(),
            Storage::Cpu(CpuStorage::F64(values)) => values[offset..].as_ptr().cast(),
            _ => return Err(Error::View(format!("no view of {:?} on {:?}", tensor.dtype(), tensor.device()))),
        };
        let view = Self::new(data.cast_mut(), tensor.dtype(), tensor.dims())?;
        Ok(f(&raw const view.raw))
    }

    /// Calls `f` with a view of fresh zeros and returns them as a tensor of that shape.
    pub fn write<R>(shape: &[usize], dtype: DType, f: impl FnOnce(*mut DLTensor) -> R) -> Result<(R, Tensor)> {
        match dtype {
            DType::F32 => Self::write_as::<f32, R>(shape, f),
            DType::F64 => Self::write_as::<f64, R>(shape, f),
            other => Err(Error::View(format!("no view of {other:?}"))),
        }
    }

    fn write_as<T: WithDType, R>(shape: &[usize], f: impl FnOnce(*mut DLTensor) -> R) -> Result<(R, Tensor)> {
        let mut values = vec![T::zero(); shape.iter().product()];
        let mut view = Self::new(values.as_mut_ptr().cast(), T::DTYPE, shape)?;
        let result = f(&raw mut view.raw);
        Ok((result, Tensor::from_vec(values, shape, &Device::Cpu)?))
    }

    fn new(data: *mut c_void, dtype: DType, dims: &[usize]) -> Result<Self> {
        let mut shape: Box<[i64]> = dims.iter().map(|&extent| extent as i64).collect();
        let raw = DLTensor {
            data,
            device: DLDevice { device_type: DEVICE_CPU, device_id: 0 },
            ndim: dims.len() as i32,
            dtype: element_type(dtype)?,
            shape: shape.as_mut_ptr(),
            strides: std::ptr::null_mut(),
            byte_offset: 0,
        };
        Ok(Self { _shape: shape, raw })
    }
}

/// DLPack's name of a dtype.
pub fn element_type(dtype: DType) -> Result<DLDataType> {
    let bits = match dtype {
        DType::F32 => 32,
        DType::F64 => 64,
        other => return Err(Error::View(format!("element type {other:?} is not supported, only f32 and f64"))),
    };
    Ok(DLDataType { code: TYPE_FLOAT, bits, lanes: 1 })
}

/// The dtype of DLPack's name.
pub fn dtype(element: DLDataType) -> Result<DType> {
    match (element.code, element.bits, element.lanes) {
        (TYPE_FLOAT, 32, 1) => Ok(DType::F32),
        (TYPE_FLOAT, 64, 1) => Ok(DType::F64),
        other => Err(Error::View(format!("element type {other:?} is not supported, only f32 and f64"))),
    }
}

/// Copies a view into a tensor.
///
/// # Safety
/// `view` is null or points to a valid [`DLTensor`] whose memory is readable for the length of the call.
pub unsafe fn copy_in(view: *const DLTensor) -> Result<Tensor> {
    // SAFETY: the caller vouches for the pointer.
    let view = unsafe { view.as_ref() }.ok_or_else(|| Error::View("null".into()))?;
    match dtype(view.dtype)? {
        // SAFETY: as above; the dtype was checked.
        DType::F32 => unsafe { copy_in_as::<f32>(view) },
        // SAFETY: as above.
        _ => unsafe { copy_in_as::<f64>(view) },
    }
}

/// Copies a tensor into a view of the same shape and dtype.
///
/// # Safety
/// `view` is null or points to a valid [`DLTensor`] whose memory is writable for the length of the call.
pub unsafe fn copy_out(tensor: &Tensor, view: *mut DLTensor) -> Result<()> {
    // SAFETY: the caller vouches for the pointer.
    let view = unsafe { view.as_ref() }.ok_or_else(|| Error::View("null".into()))?;
    let dims = extents(view)?;
    if dims != tensor.dims() {
        return Err(Error::View(format!("the host expects shape {dims:?}, the result has {:?}", tensor.dims())));
    }
    let tensor = tensor.to_dtype(dtype(view.dtype)?)?.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    let offset = layout.start_offset();
    match &*storage {
        // SAFETY: shape and dtype agree, so the view has room for these elements.
        Storage::Cpu(CpuStorage::F32(values)) => unsafe { write_values(&values[offset..], tensor.elem_count(), view) },
        // SAFETY: as above.
        Storage::Cpu(CpuStorage::F64(values)) => unsafe { write_values(&values[offset..], tensor.elem_count(), view) },
        _ => Err(Error::View(format!("no view of {:?} on {:?}", tensor.dtype(), tensor.device()))),
    }
}

unsafe fn copy_in_as<T: WithDType>(view: &DLTensor) -> Result<Tensor> {
    let dims = extents(view)?;
    let count = dims.iter().product();
    let values: &[T] = if count == 0 {
        &[]
    } else {
        // SAFETY: the caller vouches for `count` readable elements of type T.
        unsafe { std::slice::from_raw_parts(first::<T>(view)?, count) }
    };
    Ok(Tensor::from_slice(values, dims, &Device::Cpu)?)
}

unsafe fn write_values<T: WithDType>(values: &[T], count: usize, view: &DLTensor) -> Result<()> {
    let target = first::<T>(view)?;
    // SAFETY: the caller vouches for `count` writable elements; the tensor's memory is its own, so they do not overlap.
    unsafe { std::ptr::copy_nonoverlapping(values.as_ptr(), target, count) };
    Ok(())
}

/// Address of the first element, checked for device and alignment.
fn first<T>(view: &DLTensor) -> Result<*mut T> {
    if view.device.device_type != DEVICE_CPU {
        return Err(Error::View(format!("device type {} needs a CUDA build", view.device.device_type)));
    }
    let address = view.data.wrapping_byte_add(view.byte_offset as usize).cast::<T>();
    if address.is_null() || !address.is_aligned() {
        return Err(Error::View(format!("data at {address:p} is null or not aligned")));
    }
    Ok(address)
}

/// The extents of a view, which must be row-major and contiguous.
fn extents(view: &DLTensor) -> Result<Vec<usize>> {
    let ndim = usize::try_from(view.ndim).map_err(|_| Error::View(format!("{} dimensions", view.ndim)))?;
    if ndim == 0 {
        return Ok(Vec::new());
    }
    if view.shape.is_null() {
        return Err(Error::View("no shape".into()));
    }
    // SAFETY: a valid DLTensor has `ndim` extents.
    let shape = unsafe { std::slice::from_raw_parts(view.shape, ndim) };
    if !view.strides.is_null() {
        // SAFETY: a valid DLTensor has `ndim` strides or none.
        let strides = unsafe { std::slice::from_raw_parts(view.strides, ndim) };
        let mut expected = 1;
        for (extent, stride) in shape.iter().zip(strides).rev() {
            if *extent > 1 && *stride != expected {
                return Err(Error::View(format!("strides {strides:?} are not row-major for shape {shape:?}")));
            }
            expected *= extent;
        }
    }
    shape.iter().map(|&extent| usize::try_from(extent).map_err(|_| Error::View(format!("shape {shape:?}")))).collect()
}
