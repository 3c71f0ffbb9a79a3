//! Kernels as calls: their modules, device memory as arguments.

use std::sync::Arc;

use candle_core::backend::BackendStorage;
use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::driver::sys::CUfunction_attribute_enum;
use candle_core::cuda_backend::cudarc::driver::{CudaFunction, CudaStream, DevicePtr, LaunchArgs};
use candle_core::op::BackpropOp;
use candle_core::{CudaDevice, CudaStorage, DType, Layout, Result, Shape, Storage, Tensor, bail};

/// A compiled file of kernels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Module {
    pub(crate) name: &'static str,
    pub(crate) ptx: &'static str,
}

/// The module of `src/kernels/<name>.cu`.
macro_rules! module {
    ($name:literal) => {
        $crate::launch::Module { name: $name, ptx: include_str!(concat!(env!("OUT_DIR"), "/", $name, ".ptx")) }
    };
}
pub(crate) use module;

/// A kernel with the stream that it goes by.
#[derive(Debug)]
pub(crate) struct Kernel {
    function: CudaFunction,
    stream: Arc<CudaStream>,
}

impl Kernel {
    /// A launch, to be given its arguments.
    pub(crate) fn builder(&self) -> LaunchArgs<'_> {
        self.stream.launch_builder(&self.function)
    }

    /// Lets launches have so much dynamic shared memory: without being asked, a device gives 48 KiB.
    pub(crate) fn allow_shared(&self, bytes: usize) -> Result<()> {
        let what = CUfunction_attribute_enum::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
        self.function.set_attribute(what, bytes as i32).w()
    }
}

impl Module {
    /// The kernel `name` for elements of that type: `name_f32` or `name_f64`.
    pub(crate) fn kernel(self, device: &CudaDevice, name: &str, dtype: DType) -> Result<Kernel> {
        let name = match dtype {
            DType::F32 => format!("{name}_f32"),
            DType::F64 => format!("{name}_f64"),
            other => bail!("no kernel for {other:?}"),
        };
        let function = device.get_or_load_custom_func(&name, self.name, self.ptx)?.into_cuda_function();
        Ok(Kernel { function, stream: device.cuda_stream() })
    }
}

/// Launches a kernel: `launch!(function, config, arguments…)`. An argument is a number or an [`address`].
///
/// The expansion is unsafe: the kernel must take these arguments and stay within their memory.
macro_rules! launch {
    ($function:expr, $config:expr, $($argument:expr),* $(,)?) => {{
        use candle_core::cuda_backend::cudarc::driver::PushKernelArg;
        let function = $function;
        let mut builder = function.builder();
        candle_core::builder_arg!(builder, $($argument),*);
        candle_core::cuda_backend::WrapErr::w(builder.launch($config)).map(drop)
    }};
}
pub(crate) use launch;

/// Device address of the first element of a contiguous tensor, as a kernel's argument: valid while the tensor lives.
pub(crate) fn address(tensor: &Tensor) -> Result<u64> {
    let (storage, layout) = tensor.storage_and_layout();
    let Storage::Cuda(storage) = &*storage else { bail!("a tensor on {:?} given to a CUDA kernel", tensor.device()) };
    address_in(storage, layout)
}

/// The same of an operand of a custom operation.
pub(crate) fn address_in(storage: &CudaStorage, layout: &Layout) -> Result<u64> {
    if !layout.is_contiguous() {
        bail!("a kernel takes contiguous tensors, not {layout:?}");
    }
    let stream = storage.device().cuda_stream();
    let bytes = (layout.start_offset() * storage.dtype().size_in_bytes()) as u64;
    let base = match storage.dtype() {
        DType::F32 => storage.as_cuda_slice::<f32>()?.device_ptr(&stream).0,
        DType::F64 => storage.as_cuda_slice::<f64>()?.device_ptr(&stream).0,
        DType::U32 => storage.as_cuda_slice::<u32>()?.device_ptr(&stream).0,
        other => bail!("no kernel takes {other:?}"),
    };
    Ok(base + bytes)
}

/// A tensor for a kernel to write: its elements are whatever was there.
pub(crate) fn uninitialised(device: &CudaDevice, shape: impl Into<Shape>, dtype: DType) -> Result<Tensor> {
    let shape = shape.into();
    let storage = allocated(device, shape.elem_count(), dtype)?;
    Ok(Tensor::from_storage(Storage::Cuda(storage), shape, BackpropOp::none(), false))
}

/// The same as a custom operation returns it.
pub(crate) fn allocated(device: &CudaDevice, count: usize, dtype: DType) -> Result<CudaStorage> {
    // The driver gives no memory of no bytes.
    let count = count.max(1);
    Ok(match dtype {
        // SAFETY: here and below, floats of any bits are floats; the caller's kernel writes them all.
        DType::F32 => CudaStorage::wrap_cuda_slice(unsafe { device.alloc::<f32>(count)? }, device.clone()),
        // SAFETY: as above.
        DType::F64 => CudaStorage::wrap_cuda_slice(unsafe { device.alloc::<f64>(count)? }, device.clone()),
        other => bail!("no kernel writes {other:?}"),
    })
}
