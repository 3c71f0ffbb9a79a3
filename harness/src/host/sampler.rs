//! An instance of a sampler plugin: the ABI's functions as safe calls on tensors.

use std::ffi::c_void;
use std::ptr::{null, null_mut};
use std::rc::Rc;

use candle_core::{DType, Device, Tensor};
use flow_sdk::abi::{self, DLTensor, SamplerTable};
use flow_sdk::view;
use flow_sdk::{Descriptor, Element, Layout, Point, Transition};
use serde_json::{Map, Value};
use targets::{Float, Out};

use super::instance::{Instance, Tape, checked};
use super::rows::with_elements;
use super::{CountedTarget, Library, PluginError, Tempering, TensorOptions};

/// A sampler for one target, dtype and device.
pub struct HostSampler {
    pub(super) table: SamplerTable,
    pub(super) instance: Instance,
    pub(super) target: Rc<CountedTarget>,
}

impl HostSampler {
    /// Makes an instance; of an element type alone, on the processor.
    pub fn create(
        library: &Library,
        config: &Map<String, Value>,
        options: impl Into<TensorOptions>,
        target: Rc<CountedTarget>,
    ) -> Result<Self, PluginError> {
        let table = library.sampler().ok_or_else(|| PluginError::Contract {
            function: "create",
            problem: "the plugin has no sampler table".into(),
        })?;
        let instance = Instance::create(library, (&table).into(), config, options.into(), Rc::clone(&target))?;
        Ok(Self { table, instance, target })
    }

    /// What the plugin says of itself.
    pub fn descriptor(&self) -> &Descriptor {
        &self.instance.descriptor
    }

    /// Its named parameters.
    pub fn layout(&self) -> &Layout {
        &self.instance.layout
    }

    /// The plugin's own functions and the instance that they are called with: valid as long as this is.
    pub(crate) fn raw(&self) -> (&SamplerTable, *mut c_void) {
        (&self.table, self.instance.raw)
    }

    /// Dimension d.
    pub fn dim(&self) -> usize {
        self.instance.dim
    }

    /// Number of parameters that are trained.
    pub fn n_trained(&self) -> usize {
        self.layout().slices().iter().filter(|slice| !slice.tuned).map(flow_sdk::Slice::len).sum()
    }

    /// Whether it has parameters that an objective can train.
    pub fn is_trained(&self) -> bool {
        self.table.backward.is_some() && self.n_trained() > 0
    }

    /// Whether its warm-up tunes it.
    pub fn adapts(&self) -> bool {
        self.table.adapt.is_some()
    }

    /// Its target.
    pub(crate) fn target(&self) -> &Rc<CountedTarget> {
        &self.target
    }

    /// Element type of its chains.
    pub fn dtype(&self) -> DType {
        self.instance.options.dtype
    }

    /// Device of its chains.
    pub fn device(&self) -> &Device {
        &self.instance.options.device
    }

    /// Initial parameters `[P]`.
    pub fn init(&self, seed: u64) -> Result<Tensor, PluginError> {
        self.instance.init(seed)
    }

    /// Chains at x `[n, d]`, with what the tempered target says there; counted once a row.
    pub fn place(&self, x: &Tensor, tempering: Tempering) -> Result<Point, PluginError> {
        let x = x.to_device(self.device()).map_err(flow_sdk::Error::from)?;
        match self.dtype() {
            _ if self.instance.is_on_cuda() => self.place_tensors(x, tempering),
            DType::F32 => self.place_as::<f32>(&x, tempering),
            _ => self.place_as::<f64>(&x, tempering),
        }
    }

    fn place_tensors(&self, x: Tensor, tempering: Tempering) -> Result<Point, PluginError> {
        let target_error = |error: targets::Error| flow_sdk::Error::Target(error.to_string());
        let (value, slope) = self.target.evaluate_tensors(&x, true, !self.is_gradient_free()).map_err(target_error)?;
        let build = || -> candle_core::Result<Point> {
            let log_density = tempering.value(&x, &value.expect("it was asked for"))?;
            let grad = slope.map(|slope| tempering.slope(&x, &slope)).transpose()?;
            Ok(Point { log_density, grad, x })
        };
        Ok(build().map_err(flow_sdk::Error::from)?)
    }

    fn place_as<T: Element + Float>(&self, x: &Tensor, tempering: Tempering) -> Result<Point, PluginError> {
        let x = x.contiguous().map_err(flow_sdk::Error::from)?;
        let (n, dim) = x.dims2().map_err(flow_sdk::Error::from)?;
        let mut value = vec![T::ZERO; n];
        let mut slope = (!self.is_gradient_free()).then(|| vec![T::ZERO; n * dim]);
        with_elements::<T, _>(&x, |x| {
            let out = Out { value: Some(&mut value), grad: slope.as_deref_mut() };
            self.target.evaluate_rows(x, out).map_err(|error| flow_sdk::Error::Target(error.to_string()))?;
            tempering.temper_values(x, &mut value);
            if let Some(slope) = &mut slope {
                tempering.temper_slopes(x, slope);
            }
            Ok::<_, flow_sdk::Error>(())
        })??;
        let build = || -> candle_core::Result<Point> {
            let grad = slope.map(|slope| Tensor::from_vec(slope, (n, dim), &Device::Cpu)).transpose()?;
            Ok(Point { log_density: Tensor::from_vec(value, n, &Device::Cpu)?, grad, x })
        };
        Ok(build().map_err(flow_sdk::Error::from)?)
    }

    /// Moves every chain once, at the tempered target.
    pub fn transition(
        &self,
        params: &Tensor,
        from: &Point,
        seed: u64,
        tempering: Tempering,
    ) -> Result<Transition, PluginError> {
        match self.transition_by_rows(params, from, seed, tempering)? {
            Some(transition) => Ok(transition),
            None => self.transition_whole(params, from, seed, tempering),
        }
    }

    /// Likewise, by the plugin's function on whole batches even where it has one on rows.
    pub fn transition_whole(
        &self,
        params: &Tensor,
        from: &Point,
        seed: u64,
        tempering: Tempering,
    ) -> Result<Transition, PluginError> {
        self.transition_into(params, from, seed, tempering, null_mut())
    }

    /// Whether it has a function on rows.
    pub fn has_rows(&self) -> bool {
        self.table.transition_rows.is_some()
    }

    /// Likewise, with the tape for [`HostSampler::backward`], which needs the same tempering.
    pub fn transition_taped(
        &self,
        params: &Tensor,
        from: &Point,
        seed: u64,
        tempering: Tempering,
    ) -> Result<(Transition, Tape), PluginError> {
        let mut tape = Tape { raw: null_mut(), free: self.table.free_tape };
        let step = self.transition_into(params, from, seed, tempering, &raw mut tape.raw)?;
        Ok((step, tape))
    }

    /// Gradient `[P]` of Σ proposal·grad_proposal + Σ accept·grad_accept.
    pub fn backward(
        &self,
        tape: Tape,
        tempering: Tempering,
        grad_proposal: &Tensor,
        grad_accept: &Tensor,
    ) -> Result<Tensor, PluginError> {
        let Some(backward) = self.table.backward else {
            return Err(PluginError::Contract { function: "backward", problem: "the sampler is not trained".into() });
        };
        let (result, grad) = view::read(grad_proposal, |grad_proposal| {
            view::read(grad_accept, |grad_accept| {
                self.instance.write(&[self.layout().len()], |out| {
                    self.target.tempered(tempering, || {
                        checked("backward", |call| {
                            // SAFETY: the tape is live: `Tape` frees it once, on drop.
                            unsafe { backward(self.instance.raw, tape.raw, grad_proposal, grad_accept, out, call) }
                        })
                    })
                })
            })
        })???;
        result.map(|()| grad)
    }

    /// The parameters after transition `step` of a warm-up of `steps`; unchanged where the sampler tunes nothing.
    pub fn adapt(&self, params: &Tensor, seen: &Transition, step: u64, steps: u64) -> Result<Tensor, PluginError> {
        let Some(adapt) = self.table.adapt else { return Ok(params.clone()) };
        let (result, after) = view::read(params, |params| {
            view::read(&seen.next.x, |x| {
                view::read(&seen.accept, |accept| {
                    self.instance.write(&[self.layout().len()], |out| {
                        checked("adapt", |call| {
                            // SAFETY: a live instance and valid views, here and below.
                            unsafe { adapt(self.instance.raw, params, x, accept, step, steps, out, call) }
                        })
                    })
                })
            })
        })????;
        result.map(|()| after)
    }

    /// The plugin's own stability figures at x `[n, d]`, by name; empty where it has none.
    pub fn probe(&self, params: &Tensor, x: &Tensor, seed: u64) -> Result<Vec<(String, f64)>, PluginError> {
        let Some(probe) = self.table.probe else { return Ok(Vec::new()) };
        let probes = &self.descriptor().probes;
        let x = x.to_device(self.device()).map_err(flow_sdk::Error::from)?;
        let mut figures = vec![f64::NAN; probes.len()];
        view::read(params, |params| {
            view::read(&x, |x| {
                checked("probe", |call| {
                    // SAFETY: the descriptor says how many figures there are.
                    unsafe { probe(self.instance.raw, params, x, seed, figures.as_mut_ptr(), call) }
                })
            })
        })???;
        Ok(probes.iter().cloned().zip(figures).collect())
    }

    /// Whether it never asks for ∇ log γ.
    pub fn is_gradient_free(&self) -> bool {
        self.descriptor().can("gradient-free")
    }

    fn transition_into(
        &self,
        params: &Tensor,
        from: &Point,
        seed: u64,
        tempering: Tempering,
        tape: *mut *mut c_void,
    ) -> Result<Transition, PluginError> {
        let (n, dim) = from.x.dims2().map_err(flow_sdk::Error::from)?;
        let run = |params, x, log_density, grad| {
            let from = abi::Point { x, log_density, grad };
            self.write_transition(n, dim, |next, proposal, accept| {
                self.target.tempered(tempering, || {
                    checked("transition", |call| {
                        let (from, next, raw) = (&raw const from, &raw const *next, self.instance.raw);
                        // SAFETY: as above.
                        unsafe {
                            (self.table.transition)(
                                raw,
                                params,
                                from,
                                seed,
                                tempering.beta(),
                                next,
                                proposal,
                                accept,
                                tape,
                                call,
                            )
                        }
                    })
                })
            })
        };
        view::read(params, |params| {
            view::read(&from.x, |x| {
                view::read(&from.log_density, |log_density| match &from.grad {
                    Some(grad) => view::read(grad, |grad| run(params, x, log_density, grad))?,
                    None => run(params, x, log_density, null()),
                })
            })
        })???
    }

    /// Calls `f` with views of what a transition returns.
    fn write_transition(
        &self,
        n: usize,
        dim: usize,
        f: impl FnOnce(&abi::Point<*mut DLTensor>, *mut DLTensor, *mut DLTensor) -> Result<(), PluginError>,
    ) -> Result<Transition, PluginError> {
        let (instance, free) = (&self.instance, self.is_gradient_free());
        let matrix = [n, dim];
        let (inner, x) = instance.write(&matrix, |x| {
            instance.write(&[n], |log_density| {
                instance.write(&matrix, |grad| {
                    instance.write(&matrix, |proposal| {
                        instance.write(&[n], |accept| {
                            let grad = if free { null_mut() } else { grad };
                            f(&abi::Point { x, log_density, grad }, proposal, accept)
                        })
                    })
                })
            })
        })?;
        let (inner, log_density) = inner?;
        let (inner, grad) = inner?;
        let (inner, proposal) = inner?;
        let (result, accept) = inner?;
        let grad = (!free).then_some(grad);
        result.map(|()| Transition { next: Point { x, log_density, grad }, proposal, accept })
    }
}
