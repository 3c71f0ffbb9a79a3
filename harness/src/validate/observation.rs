//! Everything that a plugin computes in one case, to be compared: with itself, on another thread, in another precision.

use std::rc::Rc;

use candle_core::{DType, Tensor};
use flow_kernels::philox::derive_seed;
use flow_sdk::Rows;
use serde_json::json;
use sha2::{Digest, Sha256};
use targets::Float;

use super::numbers::{normals, values};
use super::subject::{away_from_start, counted};
use super::{Case, Objection, Subject};
use crate::host::{HostFlow, HostSampler, PullBack, Tempering, TensorOptions};

/// An instance of either kind, with parameters away from their start.
pub struct Observed {
    instance: Instance,
    params: Tensor,
    options: TensorOptions,
    dim: usize,
}

enum Instance {
    Flow(Box<HostFlow>),
    Sampler(Box<HostSampler>),
}

/// What it computed.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation(pub Vec<Output>);

/// One result.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// What it is.
    pub name: &'static str,
    /// Numbers a row; none where the result is one of all rows.
    pub width: Option<usize>,
    /// Row by row.
    pub values: Vec<f64>,
}

/// Of the flow's gradient by its own kernels: cotangents of one everywhere.
struct Ones;

impl PullBack for Ones {
    fn pull<T: flow_sdk::Element + Float>(&self, rows: Rows<'_, T>) -> flow_sdk::Result<()> {
        rows.grad_x.fill(T::of(1.0));
        rows.grad_log_q.fill(T::of(1.0));
        Ok(())
    }
}

impl Observed {
    /// Makes the instance of a case.
    pub fn new(subject: &Subject, case: &Case, dtype: DType) -> Result<Self, Objection> {
        if subject.descriptor.kind == "sampler" {
            let target = counted("gaussian", &json!({"dim": case.dim, "mean": 0.5, "sd": 1.5}))?;
            let sampler = subject.sampler(case, dtype, target)?;
            // Tuned parameters are logarithms of scales and the like: as they start, they are sensible.
            let params = sampler.init(case.seed)?;
            let instance = Instance::Sampler(Box::new(sampler));
            return Ok(Self { instance, params, options: dtype.into(), dim: case.dim });
        }
        let flow = subject.flow(case, dtype)?;
        let params = away_from_start(&flow, case.seed)?;
        Ok(Self { instance: Instance::Flow(Box::new(flow)), params, options: dtype.into(), dim: case.dim })
    }

    /// With these parameters instead.
    pub fn with_params(mut self, params: &Tensor) -> Self {
        self.params = params.clone();
        self
    }

    /// Another instance of the same case, with the same parameters, of another element type or on another device.
    pub fn elsewhere(&self, subject: &Subject, case: &Case, options: TensorOptions) -> Result<Self, Objection> {
        let instance = match &self.instance {
            Instance::Flow(_) => Instance::Flow(Box::new(subject.flow_on(case, options.clone())?)),
            Instance::Sampler(sampler) => {
                Instance::Sampler(Box::new(subject.sampler(case, options.clone(), Rc::clone(sampler.target()))?))
            }
        };
        let params = self.params.to_dtype(options.dtype)?.to_device(&options.device)?;
        Ok(Self { instance, params, options, dim: self.dim })
    }

    fn normals(&self, number: u64, shape: &[usize]) -> candle_core::Result<Tensor> {
        normals(number, shape, self.options.dtype)?.to_device(&self.options.device)
    }

    /// Its parameters.
    pub fn params(&self) -> &Tensor {
        &self.params
    }

    /// Everything for n rows and one seed.
    pub fn observe(&self, n: usize, seed: u64) -> Result<Observation, Objection> {
        match &self.instance {
            Instance::Flow(flow) => self.observe_flow(flow, n, seed),
            Instance::Sampler(sampler) => self.observe_sampler(sampler, n, seed),
        }
    }

    /// Only what comes out of a forward pass without a tape: for many rows.
    pub fn observe_forward(&self, n: usize, seed: u64) -> Result<(), Objection> {
        match &self.instance {
            Instance::Flow(flow) => drop(flow.sample(&self.params, seed, n)?),
            Instance::Sampler(sampler) => {
                let from = sampler.place(&self.normals(3, &[n, self.dim])?, Tempering::None)?;
                drop(sampler.transition(&self.params, &from, seed, Tempering::None)?);
            }
        }
        Ok(())
    }

    fn observe_flow(&self, flow: &HostFlow, n: usize, seed: u64) -> Result<Observation, Objection> {
        let (params, d) = (&self.params, self.dim);
        let mut all = Observation(Vec::new());
        all.add("init", None, &flow.init(seed)?)?;
        let draws = flow.sample(params, seed, n)?;
        all.add("x of sample", Some(d), &draws.x)?;
        all.add("log_q of sample", Some(1), &draws.log_q)?;
        let (taped, tape) = flow.sample_taped(params, seed, n)?;
        all.add("x of sample with a tape", Some(d), &taped.x)?;
        let (grad_x, grad_log_q) = (self.normals(1, &[n, d])?, self.normals(2, &[n])?);
        all.add("gradient of sample", None, &flow.backward(tape, Some(&grad_x), &grad_log_q)?)?;
        if let Some(grad) = flow.sample_gradient(params, seed, n, &Ones)? {
            all.add("gradient by sample_gradient", None, &grad)?;
        }
        if flow.has_density() {
            let x = self.normals(3, &[n, d])?;
            all.add("density", Some(1), &flow.density(params, &x, seed)?)?;
            let (_, tape) = flow.density_taped(params, &x, seed)?;
            all.add("gradient of density", None, &flow.backward(tape, None, &grad_log_q)?)?;
        }
        Ok(all)
    }

    fn observe_sampler(&self, sampler: &HostSampler, n: usize, seed: u64) -> Result<Observation, Objection> {
        let (params, d) = (&self.params, self.dim);
        let mut all = Observation(Vec::new());
        all.add("init", None, &sampler.init(seed)?)?;
        let from = sampler.place(&self.normals(3, &[n, d])?, Tempering::None)?;
        let moved = sampler.transition(params, &from, seed, Tempering::None)?;
        all.add("x of transition", Some(d), &moved.next.x)?;
        all.add("log_density of transition", Some(1), &moved.next.log_density)?;
        all.add("proposal", Some(d), &moved.proposal)?;
        all.add("accept", Some(1), &moved.accept)?;
        if sampler.is_trained() {
            let (_, tape) = sampler.transition_taped(params, &from, seed, Tempering::None)?;
            let (along, weight) = (self.normals(1, &[n, d])?, self.normals(2, &[n])?);
            all.add("gradient of transition", None, &sampler.backward(tape, Tempering::None, &along, &weight)?)?;
        }
        all.add("parameters after adapt", None, &sampler.adapt(params, &moved, 3, 10)?)?;
        Ok(all)
    }
}

impl Observation {
    fn add(&mut self, name: &'static str, width: Option<usize>, tensor: &Tensor) -> Result<(), Objection> {
        self.0.push(Output { name, width, values: values(tensor)? });
        Ok(())
    }

    /// The first result of which a bit differs, in words; both have the same results.
    pub fn first_difference(&self, other: &Self) -> Option<String> {
        self.0.iter().zip(&other.0).find_map(|(a, b)| {
            let at = a.values.iter().zip(&b.values).position(|(a, b)| a.to_bits() != b.to_bits())?;
            Some(format!("{}: element {at} is {:e}, and was {:e}", a.name, b.values[at], a.values[at]))
        })
    }
}

impl Output {
    /// Hash of every bit.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        self.values.iter().for_each(|value| hash.update(value.to_bits().to_le_bytes()));
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// A seed of the plugin for the case, one of several.
pub fn seed_of(case: &Case, number: u64) -> u64 {
    derive_seed(case.seed, 7, number)
}
