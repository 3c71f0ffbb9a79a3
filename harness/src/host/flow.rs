//! An instance of a flow plugin: the ABI's functions as safe calls on tensors.

use std::ffi::c_void;
use std::ptr::{null, null_mut};
use std::rc::Rc;

use candle_core::Tensor;
use flow_sdk::abi::{DLTensor, FlowTable};
use flow_sdk::view;
use flow_sdk::{Descriptor, Draws, Layout};
use serde_json::{Map, Value};

use super::instance::{Instance, Tape, checked};
use super::{CountedTarget, Library, PluginError, TensorOptions};

/// A flow for one target, dtype and device.
pub struct HostFlow {
    pub(super) table: FlowTable,
    pub(super) instance: Instance,
}

impl HostFlow {
    /// Makes an instance; of an element type alone, on the processor.
    pub fn create(
        library: &Library,
        config: &Map<String, Value>,
        options: impl Into<TensorOptions>,
        target: Rc<CountedTarget>,
    ) -> Result<Self, PluginError> {
        let table = library.flow().ok_or_else(|| PluginError::Contract {
            function: "create",
            problem: "the plugin has no flow table".into(),
        })?;
        Ok(Self { table, instance: Instance::create(library, (&table).into(), config, options.into(), target)? })
    }

    /// What the plugin says of itself.
    pub fn descriptor(&self) -> &Descriptor {
        &self.instance.descriptor
    }

    /// The plugin's own functions and the instance that they are called with: valid as long as this is.
    pub(crate) fn raw(&self) -> (&FlowTable, *mut c_void) {
        (&self.table, self.instance.raw)
    }

    /// Dimension d.
    pub fn dim(&self) -> usize {
        self.instance.dim
    }

    /// Number of parameters P.
    pub fn n_params(&self) -> usize {
        self.instance.layout.len()
    }

    /// Its named parameters.
    pub fn layout(&self) -> &Layout {
        &self.instance.layout
    }

    /// Whether [`HostFlow::density`] can be called.
    pub fn has_density(&self) -> bool {
        self.table.density.is_some()
    }

    /// Whether log q is a one-sample estimate, which [`HostFlow::sample`] and [`HostFlow::density`] make apart.
    pub fn is_augmented(&self) -> bool {
        self.instance.descriptor.can("augmented")
    }

    /// Initial parameters `[P]`.
    pub fn init(&self, seed: u64) -> Result<Tensor, PluginError> {
        self.instance.init(seed)
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
            let (result, grad) = view::read(grad_log_q, |grad_log_q| {
                self.instance.write(&[self.n_params()], |out| {
                    checked("backward", |call| {
                        // SAFETY: the tape is live: `Tape` frees it once, on drop.
                        unsafe { (self.table.backward)(self.instance.raw, tape.raw, grad_x, grad_log_q, out, call) }
                    })
                })
            })??;
            result.map(|()| grad)
        };
        match grad_x {
            Some(grad_x) => view::read(grad_x, run)?,
            None => run(null()),
        }
    }

    /// The plugin's own stability figures, by name; empty where it has none.
    pub fn probe(&self, params: &Tensor, seed: u64, n: usize) -> Result<Vec<(String, f64)>, PluginError> {
        let Some(probe) = self.table.probe else { return Ok(Vec::new()) };
        let mut figures = vec![f64::NAN; self.instance.descriptor.probes.len()];
        view::read(params, |params| {
            checked("probe", |call| {
                // SAFETY: the descriptor says how many figures there are.
                unsafe { probe(self.instance.raw, params, seed, n as u64, figures.as_mut_ptr(), call) }
            })
        })??;
        Ok(self.instance.descriptor.probes.iter().cloned().zip(figures).collect())
    }

    fn sample_into(&self, params: &Tensor, seed: u64, n: usize, tape: *mut *mut c_void) -> Result<Draws, PluginError> {
        let (written, x) = view::read(params, |params| {
            self.instance.write(&[n, self.instance.dim], |x| {
                self.instance.write(&[n], |log_q| {
                    checked("sample", |call| {
                        // SAFETY: a live instance and valid views.
                        unsafe { (self.table.sample)(self.instance.raw, params, seed, x, log_q, tape, call) }
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
        let (result, log_q) = view::read(params, |params| {
            view::read(x, |x| {
                self.instance.write(&[x_rows(x)], |log_q| {
                    checked("density", |call| {
                        // SAFETY: a live instance and valid views.
                        unsafe { density(self.instance.raw, params, x, seed, log_q, tape, call) }
                    })
                })
            })
        })???;
        result.map(|()| log_q)
    }
}

fn x_rows(x: *const DLTensor) -> usize {
    // SAFETY: `View::read` passes a valid view of `[n, d]`.
    unsafe { *(*x).shape as usize }
}
