//! An instance of a plugin, of whatever kind: made for a target, asked for its parameters, ended.

use std::ffi::c_void;
use std::ptr::null_mut;
use std::rc::Rc;

use candle_core::{Device, DeviceLocation, Tensor};
use flow_sdk::abi::{
    self, Call, DECLINED, DEVICE_CPU, DEVICE_CUDA, DLDevice, DLTensor, FlowTable, PANICKED, SamplerTable, Text,
};
use flow_sdk::text::{CallBuffer, ask, outcome};
use flow_sdk::view::{self, element_type};
use flow_sdk::{Descriptor, Layout};
use serde_json::{Map, Value};

use super::{CountedTarget, Library, PluginError, TensorOptions};

/// An instance for one target, dtype and device. Ended before its target.
pub(super) struct Instance {
    pub(super) raw: *mut c_void,
    pub(super) descriptor: Descriptor,
    pub(super) layout: Layout,
    pub(super) dim: usize,
    pub(super) options: TensorOptions,
    functions: Functions,
    // The plugin holds a pointer to it, and it one to the target.
    _callbacks: Box<abi::Target>,
    _target: Rc<CountedTarget>,
}

/// The functions that every kind has.
#[derive(Clone, Copy)]
pub(super) struct Functions {
    create: unsafe extern "C" fn(*const u8, usize, *const abi::Setup, *mut *mut c_void, *mut Call) -> i32,
    destroy: unsafe extern "C" fn(*mut c_void),
    layout: unsafe extern "C" fn(*mut c_void, *mut Text, *mut Call) -> i32,
    init: unsafe extern "C" fn(*mut c_void, u64, *mut DLTensor, *mut Call) -> i32,
}

impl From<&FlowTable> for Functions {
    fn from(table: &FlowTable) -> Self {
        Self { create: table.create, destroy: table.destroy, layout: table.layout, init: table.init }
    }
}

impl From<&SamplerTable> for Functions {
    fn from(table: &SamplerTable) -> Self {
        Self { create: table.create, destroy: table.destroy, layout: table.layout, init: table.init }
    }
}

impl Instance {
    /// Makes an instance by the functions of the plugin's table.
    pub(super) fn create(
        library: &Library,
        functions: Functions,
        config: &Map<String, Value>,
        options: TensorOptions,
        target: Rc<CountedTarget>,
    ) -> Result<Self, PluginError> {
        let contract = |problem: String| PluginError::Contract { function: "create", problem };
        let descriptor = library.descriptor().map_err(|error| contract(error.to_string()))?;
        let callbacks = Box::new(target.callbacks());
        let dim = target.uncounted().dim();
        let setup = abi::Setup {
            struct_size: size_of::<abi::Setup>(),
            dim: dim as u64,
            dtype: element_type(options.dtype)?,
            device: device_name(&options.device),
            target: &raw const *callbacks,
        };
        let config = Value::Object(config.clone()).to_string();
        let mut raw = null_mut();
        checked("create", |call| {
            // SAFETY: the pointers are valid for the call, the callbacks as long as the instance.
            unsafe { (functions.create)(config.as_ptr(), config.len(), &raw const setup, &raw mut raw, call) }
        })?;
        if raw.is_null() {
            return Err(contract("returned no instance".into()));
        }
        let layout = Layout::default();
        let mut instance =
            Self { raw, descriptor, layout, dim, options, functions, _callbacks: callbacks, _target: target };
        instance.layout = instance.read_layout()?;
        Ok(instance)
    }

    /// Initial parameters `[P]`.
    pub(super) fn init(&self, seed: u64) -> Result<Tensor, PluginError> {
        let (result, params) = self.write(&[self.layout.len()], |params| {
            // SAFETY: a live instance and a valid view.
            checked("init", |call| unsafe { (self.functions.init)(self.raw, seed, params, call) })
        })?;
        result.map(|()| params)
    }

    /// Calls `f` with a view of memory to be written, of this instance's type and on its device.
    pub(super) fn write<R>(
        &self,
        shape: &[usize],
        f: impl FnOnce(*mut DLTensor) -> R,
    ) -> Result<(R, Tensor), flow_sdk::Error> {
        view::write(shape, self.options.dtype, &self.options.device, f)
    }

    /// Whether functions on rows, which take slices, are out of the question.
    pub(super) fn is_on_cuda(&self) -> bool {
        self.options.device.is_cuda()
    }

    fn read_layout(&self) -> Result<Layout, PluginError> {
        let contract = |problem: String| PluginError::Contract { function: "layout", problem };
        let mut buffer = CallBuffer::new();
        // SAFETY: a live instance and valid buffers.
        let (code, text) = ask(|out| unsafe { (self.functions.layout)(self.raw, out, buffer.call()) });
        failed("layout", code, &buffer)?;
        let layout: Layout = serde_json::from_str(&text).map_err(|error| contract(format!("not a layout: {error}")))?;
        let mut end = 0;
        for slice in layout.slices() {
            if slice.offset != end {
                return Err(contract(format!(
                    "`{}` starts at {}, the one before ends at {end}",
                    slice.name, slice.offset
                )));
            }
            end += slice.len();
        }
        Ok(layout)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // SAFETY: the instance was created by these functions and is dropped once.
        unsafe { (self.functions.destroy)(self.raw) }
    }
}

/// DLPack's name of a device.
fn device_name(device: &Device) -> DLDevice {
    match device.location() {
        DeviceLocation::Cuda { gpu_id } => DLDevice { device_type: DEVICE_CUDA, device_id: gpu_id as i32 },
        _ => DLDevice { device_type: DEVICE_CPU, device_id: 0 },
    }
}

/// What a forward pass left behind in the plugin.
pub struct Tape {
    pub(super) raw: *mut c_void,
    pub(super) free: unsafe extern "C" fn(*mut c_void),
}

impl Drop for Tape {
    fn drop(&mut self) {
        if !self.raw.is_null() {
            // SAFETY: the tape came from the plugin and is freed once.
            unsafe { (self.free)(self.raw) }
        }
    }
}

/// Runs one call with a message buffer and turns its code into a result.
pub(crate) fn checked(function: &'static str, f: impl FnOnce(*mut Call) -> i32) -> Result<(), PluginError> {
    let mut buffer = CallBuffer::new();
    match f(buffer.call()) {
        DECLINED => Err(PluginError::Declined),
        code => failed(function, code, &buffer),
    }
}

fn failed(function: &'static str, code: i32, buffer: &CallBuffer) -> Result<(), PluginError> {
    outcome(code, buffer).map_err(|failure| match failure.code {
        PANICKED => PluginError::Panicked { function, message: failure.message },
        _ => PluginError::Failed { function, message: failure.message },
    })
}
