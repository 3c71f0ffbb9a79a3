//! An instance of a flow plugin: the ABI's functions as safe calls on tensors.

use std::ffi::c_void;
use std::ptr::{null, null_mut};

use candle_core::{DType, Tensor};
use flow_sdk::abi::{self, Call, DEVICE_CPU, DLDevice, DLTensor, FlowTable, PANICKED};
use flow_sdk::text::{CallBuffer, ask, outcome};
use flow_sdk::view::{View, element_type};
use flow_sdk::{Descriptor, Draws, Layout};
use serde_json::{Map, Value};

use super::{CountedTarget, Library, PluginError};

/// A flow for one target, dtype and device. Dropped before its target.
pub struct HostFlow {
    table: &'static FlowTable,
    instance: *mut c_void,
    descriptor: Descriptor,
    layout: Layout,
    dim: usize,
    dtype: DType,
    // The plugin holds a pointer to it, and it one to the target.
    _callbacks: Box<abi::Target>,
    _target: std::rc::Rc<CountedTarget>,
}

/// What a forward pass left behind in the plugin.
pub struct Tape {
    raw: *mut c_void,
    free: unsafe extern "C" fn(*mut c_void),
}

impl HostFlow {
    /// Makes an instance.
    pub fn create(
        library: &Library,
        config: &Map<String, Value>,
        dtype: DType,
        target: std::rc::Rc<CountedTarget>,
    ) -> Result<Self, PluginError> {
        let contract = |problem: String| PluginError::Contract { function: "create", problem };
        let table = library.flow().ok_or_else(|| contract("the plugin has no flow table".into()))?;
        let descriptor = library.descriptor().map_err(|error| contract(error.to_string()))?;
        let callbacks = Box::new(target.callbacks());
        let dim = target.uncounted().dim();
        let setup = abi::Setup {
            struct_size: size_of::<abi::Setup>(),
            dim: dim as u64,
            dtype: element_type(dtype)?,
            device: DLDevice { device_type: DEVICE_CPU, device_id: 0 },
            target: &raw const *callbacks,
        };
        let config = Value::Object(config.clone()).to_string();
        let mut instance = null_mut();
        checked("create", |call| {
            // SAFETY: the pointers are valid for the call, the callbacks as long as the instance.
            unsafe { (table.create)(config.as_ptr(), config.len(), &raw const setup, &raw mut instance, call) }
        })?;
        if instance.is_null() {
            return Err(contract("returned no instance".into()));
        }
        let mut flow = Self {
            table,
            instance,
            descriptor,
            layout: Layout::default(),
            dim,
            dtype,
            _callbacks: callbacks,
            _target: target,
        };
        flow.layout = flow.read_layout()?;
        Ok(flow)
    }

    /// What the plugin says of itself.
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// Number of parameters P.
    pub fn n_params(&self) -> usize {
        self.layout.len()
    }

    /// Its named parameters.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Whether [`HostFlow::density`] can be called.
    pub fn has_density(&self) -> bool {
        self.table.density.is_some()
    }

    /// Whether log q is a one-sample estimate, which [`HostFlow::sample`] and [`HostFlow::density`] make apart.
    pub fn is_augmented(&self) -> bool {
        self.descriptor.can("augmented")
    }

    /// Initial parameters `[P]`.
    pub fn init(&self, seed: u64) -> Result<Tensor, PluginError> {
        let (result, params) = View::write(&[self.n_params()], self.dtype, |params| {
            // SAFETY: a live instance and a valid view, here and in every call below.
            checked("init", |call| unsafe { (self.table.init)(self.instance, seed, params, call) })
        })?;
        result.map(|()| params)
    }

    /// `n` draws, without a tape.
    pub fn sample(&self, params: &Tensor, seed: u64, n: usize) -> Result<Draws, PluginError> {
        self.sample_into(params, seed, n, null_mut())
    }

    /// `n` draws with the tape for [`HostFlow::backward`].
    pub fn sample_taped(&self, params: &Tensor, seed: u64, n: usize) -> Result<(Draws, Tape), PluginError> {
        let mut tape = Tape { raw: null_mut(), free: self.table.free_tape };
        let draws = self.sample_into(params, seed, n, &raw mut tape.raw)?;
        Ok((draws, tape))
    }

    /// log q(x) `[n]`, without a tape.
    pub fn density(&self, params: &Tensor, x: &Tensor, seed: u64) -> Result<Tensor, PluginError> {
        self.density_into(params, x, seed, null_mut())
    }

    /// log q(x) `[n]` with the tape for [`HostFlow::backward`].
    pub fn density_taped(&self, params: &Tensor, x: &Tensor, seed: u64) -> Result<(Tensor, Tape), PluginError> {
        let mut tape = Tape { raw: null_mut(), free: self.table.free_tape };
        let log_q = self.density_into(params, x, seed, &raw mut tape.raw)?;
        Ok((log_q, tape))
    }

    /// Gradient `[P]` of Σ x·grad_x + Σ log_q·grad_log_q.
    pub fn backward(&self, tape: Tape, grad_x: Option<&Tensor>, grad_log_q: &Tensor) -> Result<Tensor, PluginError> {
        let run = |grad_x: *const DLTensor| -> Result<Tensor, PluginError> {
            let (result, grad) = View::read(grad_log_q, |grad_log_q| {
                View::write(&[self.n_params()], self.dtype, |out| {
                    checked("backward", |call| {
                        // SAFETY: the tape is live: `Tape` frees it once, on drop.
                        unsafe { (self.table.backward)(self.instance, tape.raw, grad_x, grad_log_q, out, call) }
                    })
                })
            })??;
            result.map(|()| grad)
        };
        match grad_x {
            Some(grad_x) => View::read(grad_x, run)?,
            None => run(null()),
        }
    }

    /// The plugin's own stability figures, by name; empty where it has none.
    pub fn probe(&self, params: &Tensor, seed: u64, n: usize) -> Result<Vec<(String, f64)>, PluginError> {
        let Some(probe) = self.table.probe else { return Ok(Vec::new()) };
        let mut figures = vec![f64::NAN; self.descriptor.probes.len()];
        View::read(params, |params| {
            checked("probe", |call| {
                // SAFETY: the descriptor says how many figures there are.
                unsafe { probe(self.instance, params, seed, n as u64, figures.as_mut_ptr(), call) }
            })
        })??;
        Ok(self.descriptor.probes.iter().cloned().zip(figures).collect())
    }

    fn sample_into(&self, params: &Tensor, seed: u64, n: usize, tape: *mut *mut c_void) -> Result<Draws, PluginError> {
        let (written, x) = View::read(params, |params| {
            View::write(&[n, self.dim], self.dtype, |x| {
                View::write(&[n], self.dtype, |log_q| {
                    checked("sample", |call| {
                        // SAFETY: as in `init`.
                        unsafe { (self.table.sample)(self.instance, params, seed, x, log_q, tape, call) }
                    })
                })
            })
        })??;
        let (result, log_q) = written?;
        result.map(|()| Draws { x, log_q })
    }

    fn density_into(
        &self,
        params: &Tensor,
        x: &Tensor,
        seed: u64,
        tape: *mut *mut c_void,
    ) -> Result<Tensor, PluginError> {
        let Some(density) = self.table.density else {
            let problem = "the flow has no density".into();
            return Err(PluginError::Contract { function: "density", problem });
        };
        let (result, log_q) = View::read(params, |params| {
            View::read(x, |x| {
                View::write(&[x_rows(x)], self.dtype, |log_q| {
                    checked("density", |call| {
                        // SAFETY: as in `init`.
                        unsafe { density(self.instance, params, x, seed, log_q, tape, call) }
                    })
                })
            })
        })???;
        result.map(|()| log_q)
    }

    fn read_layout(&self) -> Result<Layout, PluginError> {
        let contract = |problem: String| PluginError::Contract { function: "layout", problem };
        let mut buffer = CallBuffer::new();
        // SAFETY: as in `init`.
        let (code, text) = ask(|out| unsafe { (self.table.layout)(self.instance, out, buffer.call()) });
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

impl Drop for HostFlow {
    fn drop(&mut self) {
        // SAFETY: the instance was created by this table and is dropped once.
        unsafe { (self.table.destroy)(self.instance) }
    }
}

impl Drop for Tape {
    fn drop(&mut self) {
        if !self.raw.is_null() {
            // SAFETY: the plugin made the tape, and it is freed once.
            unsafe { (self.free)(self.raw) }
        }
    }
}

/// Runs one call with a message buffer and turns its code into a result.
fn checked(function: &'static str, f: impl FnOnce(*mut Call) -> i32) -> Result<(), PluginError> {
    let mut buffer = CallBuffer::new();
    let code = f(buffer.call());
    failed(function, code, &buffer)
}

fn failed(function: &'static str, code: i32, buffer: &CallBuffer) -> Result<(), PluginError> {
    outcome(code, buffer).map_err(|failure| match failure.code {
        PANICKED => PluginError::Panicked { function, message: failure.message },
        _ => PluginError::Failed { function, message: failure.message },
    })
}

fn x_rows(x: *const DLTensor) -> usize {
    // SAFETY: `View::read` passes a valid view of `[n, d]`.
    unsafe { *(*x).shape as usize }
}
