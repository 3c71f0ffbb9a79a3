//! Borrowed tensor views ↔ candle tensors: the only place where foreign memory is read or written.

use std::ffi::c_void;
use std::marker::PhantomData;

use candle_core::{CpuStorage, DType, Device, Storage, Tensor};
use flow_cuda::memory;

use crate::abi::{DEVICE_CPU, DEVICE_CUDA, DLDataType, DLDevice, DLTensor, TYPE_FLOAT};
use crate::{Element, Error, Result};

/// Calls `f` with a read-only view of a contiguous tensor. Copies only if the tensor is not contiguous.
pub fn read<R>(tensor: &Tensor, f: impl FnOnce(*const DLTensor) -> R) -> Result<R> {
    let tensor = tensor.contiguous()?;
    if tensor.device().is_cuda() {
        return Ok(f(Borrowed::of_device(&tensor)?.raw()));
    }
    let (storage, layout) = tensor.storage_and_layout();
    let offset = layout.start_offset();
    match &*storage {
        Storage::Cpu(CpuStorage::F32(values)) => Ok(f(View::of(&values[offset..], tensor.dims()).raw())),
        Storage::Cpu(CpuStorage::F64(values)) => Ok(f(View::of(&values[offset..], tensor.dims()).raw())),
        _ => Err(Error::View(format!("no view of {:?} on {:?}", tensor.dtype(), tensor.device()))),
    }
}

/// Calls `f` with a view of fresh memory, which it is to write, and returns that as a tensor of that shape.
pub fn write<R>(
    shape: &[usize],
    dtype: DType,
    device: &Device,
    f: impl FnOnce(*mut DLTensor) -> R,
) -> Result<(R, Tensor)> {
    if device.is_cuda() {
        let tensor = memory::uninitialised(device, shape, dtype)?;
        let result = f(Borrowed::of_device(&tensor)?.raw());
        return Ok((result, tensor));
    }
    match dtype {
        DType::F32 => write_as::<f32, R>(shape, f),
        DType::F64 => write_as::<f64, R>(shape, f),
        other => Err(Error::View(format!("no view of {other:?}"))),
    }
}

fn write_as<T: Element, R>(shape: &[usize], f: impl FnOnce(*mut DLTensor) -> R) -> Result<(R, Tensor)> {
    let mut values = vec![T::ZERO; shape.iter().product()];
    let result = f(ViewMut::of(&mut values, shape).raw());
    Ok((result, Tensor::from_vec(values, shape, &Device::Cpu)?))
}

/// Nothing that crosses the edge has more dimensions.
const MOST_DIMENSIONS: usize = 2;

/// A read-only view of a slice.
#[derive(Debug)]
pub struct View<'a> {
    borrowed: Borrowed,
    _values: PhantomData<&'a ()>,
}

/// A view of a slice, to be written.
#[derive(Debug)]
pub struct ViewMut<'a> {
    borrowed: Borrowed,
    _values: PhantomData<&'a mut ()>,
}

impl<'a> View<'a> {
    /// Of the beginning of `values`, in `shape`.
    pub fn of<T: Element>(values: &'a [T], shape: &[usize]) -> Self {
        Self { borrowed: Borrowed::new::<T>(values.as_ptr().cast_mut(), values.len(), shape), _values: PhantomData }
    }

    /// What crosses: valid for as long as the view stays where it is.
    pub fn raw(&mut self) -> *const DLTensor {
        self.borrowed.raw()
    }
}

impl<'a> ViewMut<'a> {
    /// Of the beginning of `values`, in `shape`.
    pub fn of<T: Element>(values: &'a mut [T], shape: &[usize]) -> Self {
        Self { borrowed: Borrowed::new::<T>(values.as_mut_ptr(), values.len(), shape), _values: PhantomData }
    }

    /// What crosses: valid for as long as the view stays where it is.
    pub fn raw(&mut self) -> *mut DLTensor {
        self.borrowed.raw()
    }
}

/// A tensor with its shape beside it.
#[derive(Debug)]
struct Borrowed {
    extents: [i64; MOST_DIMENSIONS],
    tensor: DLTensor,
}

impl Borrowed {
    fn new<T: Element>(data: *mut T, len: usize, shape: &[usize]) -> Self {
        assert!(len >= shape.iter().product(), "values fill the shape");
        let dtype = DLDataType { code: TYPE_FLOAT, bits: 8 * size_of::<T>() as u8, lanes: 1 };
        Self::at(data.cast(), DLDevice { device_type: DEVICE_CPU, device_id: 0 }, dtype, shape)
    }

    /// Of a contiguous tensor on a CUDA device, whose memory the caller keeps.
    fn of_device(tensor: &Tensor) -> Result<Self> {
        let (address, ordinal) = memory::address(tensor)?;
        let device = DLDevice { device_type: DEVICE_CUDA, device_id: ordinal as i32 };
        let data = std::ptr::without_provenance_mut(address as usize);
        Ok(Self::at(data, device, element_type(tensor.dtype())?, tensor.dims()))
    }

    fn at(data: *mut c_void, device: DLDevice, dtype: DLDataType, shape: &[usize]) -> Self {
        let mut extents = [0; MOST_DIMENSIONS];
        extents.iter_mut().zip(shape).for_each(|(extent, &size)| *extent = size as i64);
        let tensor = DLTensor {
            data,
            device,
            ndim: shape.len() as i32,
            dtype,
            shape: std::ptr::null_mut(),
            strides: std::ptr::null_mut(),
            byte_offset: 0,
        };
        Self { extents, tensor }
    }

    /// The shape is pointed to only here, where it no longer moves.
    fn raw(&mut self) -> *mut DLTensor {
        self.tensor.shape = self.extents.as_mut_ptr();
        &raw mut self.tensor
    }
}

/// The elements of a view, which must be of type T, on the processor and contiguous; none of a null view.
///
/// # Safety
/// `view` is null or points to a valid [`DLTensor`] whose memory is readable, and written by no one, for as long as `'a`.
pub unsafe fn elements<'a, T: Element>(view: *const DLTensor) -> Result<&'a [T]> {
    // SAFETY: the caller vouches for the pointer.
    let Some(view) = (unsafe { view.as_ref() }) else { return Ok(&[]) };
    let count = count::<T>(view)?;
    // SAFETY: the caller vouches for `count` readable elements.
    if count == 0 { Ok(&[]) } else { Ok(unsafe { std::slice::from_raw_parts(first::<T>(view)?, count) }) }
}

/// The elements of a view, to be written; none of a null view.
///
/// # Safety
/// `view` is null or points to a valid [`DLTensor`] whose memory is writable, and used by no one else, for as long as `'a`.
pub unsafe fn elements_mut<'a, T: Element>(view: *mut DLTensor) -> Result<&'a mut [T]> {
    // SAFETY: the caller vouches for the pointer.
    let Some(view) = (unsafe { view.as_ref() }) else { return Ok(&mut []) };
    let count = count::<T>(view)?;
    // SAFETY: the caller vouches for `count` writable elements.
    if count == 0 { Ok(&mut []) } else { Ok(unsafe { std::slice::from_raw_parts_mut(first::<T>(view)?, count) }) }
}

/// The dtype of the elements of a view.
///
/// # Safety
/// `view` is null or points to a valid [`DLTensor`].
pub unsafe fn dtype_of(view: *const DLTensor) -> Result<DType> {
    // SAFETY: the caller vouches for the pointer.
    let view = unsafe { view.as_ref() }.ok_or_else(|| Error::View("null".into()))?;
    dtype(view.dtype)
}

/// Whether the elements of a view are on a CUDA device.
///
/// # Safety
/// `view` is null or points to a valid [`DLTensor`].
pub unsafe fn is_on_cuda(view: *const DLTensor) -> bool {
    // SAFETY: the caller vouches for the pointer.
    unsafe { view.as_ref() }.is_some_and(|view| view.device.device_type == DEVICE_CUDA)
}

/// How many elements a view of type T has.
fn count<T: Element>(view: &DLTensor) -> Result<usize> {
    if dtype(view.dtype)? != T::DTYPE {
        return Err(Error::View(format!("element type {:?}, where {:?} is expected", dtype(view.dtype)?, T::DTYPE)));
    }
    Ok(extents(view)?.iter().product())
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
    if view.device.device_type == DEVICE_CUDA {
        let (dims, dtype) = (extents(view)?, dtype(view.dtype)?);
        // SAFETY: the caller vouches for as many readable elements there.
        return Ok(unsafe { memory::copy_in(ordinal(view)?, address(view) as u64, &*dims, dtype) }?);
    }
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
    if *dims != *tensor.dims() {
        return Err(Error::View(format!("the host expects shape {:?}, the result has {:?}", &*dims, tensor.dims())));
    }
    let tensor = tensor.to_dtype(dtype(view.dtype)?)?.contiguous()?;
    if view.device.device_type == DEVICE_CUDA {
        let tensor = tensor.to_device(&flow_cuda::device(ordinal(view)?)?)?;
        // SAFETY: shape and dtype agree, so the view has room for these elements.
        return Ok(unsafe { memory::copy_out(&tensor, address(view) as u64) }?);
    }
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

unsafe fn copy_in_as<T: Element>(view: &DLTensor) -> Result<Tensor> {
    let dims = extents(view)?;
    let count = dims.iter().product();
    let values: &[T] = if count == 0 {
        &[]
    } else {
        // SAFETY: the caller vouches for `count` readable elements of type T.
        unsafe { std::slice::from_raw_parts(first::<T>(view)?, count) }
    };
    Ok(Tensor::from_slice(values, &*dims, &Device::Cpu)?)
}

unsafe fn write_values<T: Element>(values: &[T], count: usize, view: &DLTensor) -> Result<()> {
    let target = first::<T>(view)?;
    // SAFETY: the caller vouches for `count` writable elements; the tensor's memory is its own, so they do not overlap.
    unsafe { std::ptr::copy_nonoverlapping(values.as_ptr(), target, count) };
    Ok(())
}

/// Address of the first element.
fn address(view: &DLTensor) -> usize {
    view.data.addr() + view.byte_offset as usize
}

/// Which CUDA device a view is on.
fn ordinal(view: &DLTensor) -> Result<usize> {
    let id = view.device.device_id;
    usize::try_from(id).map_err(|_| Error::View(format!("CUDA device number {id}")))
}

/// The first element on the processor, checked for device and alignment.
fn first<T>(view: &DLTensor) -> Result<*mut T> {
    if view.device.device_type != DEVICE_CPU {
        let kind = view.device.device_type;
        return Err(Error::View(format!("elements on a device of type {kind}, where the processor's are expected")));
    }
    let address = view.data.wrapping_byte_add(view.byte_offset as usize).cast::<T>();
    if address.is_null() || !address.is_aligned() {
        return Err(Error::View(format!("data at {address:p} is null or not aligned")));
    }
    Ok(address)
}

/// The extents of a view, which must be row-major and contiguous.
fn extents(view: &DLTensor) -> Result<Extents> {
    let ndim = usize::try_from(view.ndim).unwrap_or(usize::MAX);
    if ndim > MOST_DIMENSIONS {
        return Err(Error::View(format!("{} dimensions", view.ndim)));
    }
    let mut extents = Extents { sizes: [1; MOST_DIMENSIONS], ndim };
    if ndim == 0 {
        return Ok(extents);
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
    for (size, &extent) in extents.sizes.iter_mut().zip(shape) {
        *size = usize::try_from(extent).map_err(|_| Error::View(format!("shape {shape:?}")))?;
    }
    Ok(extents)
}

/// A shape, without memory of its own: views are made by the thousand.
struct Extents {
    sizes: [usize; MOST_DIMENSIONS],
    ndim: usize,
}

impl std::ops::Deref for Extents {
    type Target = [usize];

    fn deref(&self) -> &[usize] {
        &self.sizes[..self.ndim]
    }
}
