//! What crosses the edge: borrowed tensors as DLPack has them, texts, the context of a call.

use std::ffi::c_void;

/// DLPack device type of the processor.
pub const DEVICE_CPU: i32 = 1;
/// DLPack device type of a CUDA device.
pub const DEVICE_CUDA: i32 = 2;
/// DLPack type code of IEEE floats.
pub const TYPE_FLOAT: u8 = 2;

/// DLPack's `DLDevice`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DLDevice {
    /// [`DEVICE_CPU`] or [`DEVICE_CUDA`].
    pub device_type: i32,
    /// Ordinal among devices of that type.
    pub device_id: i32,
}

/// DLPack's `DLDataType`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DLDataType {
    /// [`TYPE_FLOAT`].
    pub code: u8,
    /// 32 or 64.
    pub bits: u8,
    /// 1.
    pub lanes: u16,
}

/// DLPack's `DLTensor`: a borrowed view.
#[repr(C)]
#[derive(Debug)]
pub struct DLTensor {
    /// First element, before `byte_offset`; a device pointer where the device is one.
    pub data: *mut c_void,
    /// Where the data is.
    pub device: DLDevice,
    /// Number of dimensions.
    pub ndim: i32,
    /// Element type.
    pub dtype: DLDataType,
    /// `ndim` extents.
    pub shape: *mut i64,
    /// `ndim` strides in elements, or null for row-major.
    pub strides: *mut i64,
    /// Bytes from `data` to the first element.
    pub byte_offset: u64,
}

/// A text buffer that the host provides and the plugin fills.
#[repr(C)]
#[derive(Debug)]
pub struct Text {
    /// `capacity` writable bytes.
    pub data: *mut u8,
    /// Bytes that fit.
    pub capacity: usize,
    /// Bytes of the whole text; more than `capacity` when it was cut.
    pub length: usize,
}

/// What accompanies every call.
#[repr(C)]
#[derive(Debug)]
pub struct Call {
    /// Size of this struct as the host knows it.
    pub struct_size: usize,
    /// CUDA stream that orders the views of this call, where they are on a CUDA device.
    pub stream: *mut c_void,
    /// Receives the message of a call that fails.
    pub message: Text,
}
