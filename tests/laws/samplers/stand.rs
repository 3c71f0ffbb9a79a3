//! A sampler at work on a target, all in one process.

use flow_sdk::candle_core::{DType, Device, Tensor};
use flow_sdk::kernels::philox::{Stream, derive_seed};
use flow_sdk::{Adapt, Base, Oracle, Params, Point, Sampler, Seen, Setup, Target, Transition};
use serde_json::Value;

use crate::oracle::Counted;

/// A sampler, its parameters and its target.
pub struct Stand<S> {
    pub sampler: S,
    /// Flat parameters, in the dtype of the chains.
    pub flat: Tensor,
    pub target: Counted,
    pub dtype: DType,
    pub device: Device,
}

impl<S: Sampler> Stand<S> {
    /// With initial parameters, on the processor.
    pub fn new(config: &Value, target: &Counted, dtype: DType) -> Self {
        Self::on(&Device::Cpu, config, target, dtype)
    }

    /// Likewise, on a device.
    pub fn on(device: &Device, config: &Value, target: &Counted, dtype: DType) -> Self {
        let setup = Setup { dim: target.dim(), dtype, device: device.clone(), target: Target::own(target.clone()) };
        let sampler = S::new(serde_json::from_value(config.clone()).unwrap(), &setup).unwrap();
        let flat = flat(sampler.init(1).unwrap(), dtype, device);
        Self { sampler, flat, target: target.clone(), dtype, device: device.clone() }
    }

    /// With what is trained moved by normals of deviation `sd`, so that every term of every formula matters; what is
    /// tuned, masks and step sizes, stays.
    pub fn perturbed(mut self, sd: f64, seed: u64) -> Self {
        let mut stream = Stream::new(seed);
        let mut flat = self.sampler.init(seed).unwrap();
        for slice in self.sampler.layout().slices().iter().filter(|slice| !slice.tuned) {
            flat[slice.offset..slice.offset + slice.len()].iter_mut().for_each(|value| *value += sd * stream.normal());
        }
        self.set(flat);
        self
    }

    /// Takes other parameters.
    pub fn set(&mut self, flat: Vec<f64>) {
        self.flat = self::flat(flat, self.dtype, &self.device);
    }

    pub fn params(&self) -> Params<'_> {
        Params::new(&self.flat, self.sampler.layout())
    }

    /// Chains at x `[n, d]`, with the target's word on it.
    pub fn place(&self, x: &Tensor) -> Point {
        let x = x.to_dtype(self.dtype).unwrap().to_device(&self.device).unwrap();
        let (log_density, grad) = self.target.log_density_and_grad(&x).unwrap();
        self.target.asked();
        Point { x, log_density, grad: (!S::GRADIENT_FREE).then_some(grad) }
    }

    pub fn step(&self, from: &Point, seed: u64) -> Transition {
        self.sampler.transition(&self.params(), from, seed, 1.0).unwrap()
    }

    /// n chains at normals of deviation `sd` about zero.
    pub fn base(&self, seed: u64, n: usize, sd: f64) -> Point {
        let z = Base::Gaussian.draw(seed, n, self.target.dim(), self.dtype, &self.device).unwrap();
        self.place(&(z * sd).unwrap())
    }

    /// One transition after another; `look` sees each.
    pub fn walk(&self, mut at: Point, seed: u64, steps: u64, mut look: impl FnMut(&Transition)) -> Point {
        for step in 0..steps {
            let moved = self.step(&at, derive_seed(seed, 1, step));
            look(&moved);
            at = moved.next;
        }
        at
    }
}

/// Parameters `[P]` where they are used.
fn flat(values: Vec<f64>, dtype: DType, device: &Device) -> Tensor {
    Tensor::new(values, &Device::Cpu).unwrap().to_dtype(dtype).unwrap().to_device(device).unwrap()
}

/// A sampler's warm-up, where it has one.
pub trait WarmUp: Sampler {
    /// The parameters after transition number `step` of `steps`.
    fn tuned(&self, params: &Params<'_>, seen: &Seen<'_>, step: u64, steps: u64) -> Tensor;
}

macro_rules! warm_up {
    ($($sampler:ty),*) => {
        $(impl WarmUp for $sampler {
            fn tuned(&self, params: &Params<'_>, seen: &Seen<'_>, step: u64, steps: u64) -> Tensor {
                let tuned = self.adapt(params, seen, step, steps).unwrap();
                flat(tuned, params.flat().dtype(), params.flat().device())
            }
        })*
    };
}

warm_up!(rwmh::Rwmh, hmc::Hmc, nuts::Nuts);

/// It is trained, not tuned.
impl WarmUp for nn_hmc::NnHmc {
    fn tuned(&self, params: &Params<'_>, _: &Seen<'_>, _: u64, _: u64) -> Tensor {
        params.flat().clone()
    }
}

impl<S: WarmUp> Stand<S> {
    /// Tunes itself over `steps` transitions of the chains; returns where they are then.
    pub fn warm_up(&mut self, mut at: Point, seed: u64, steps: u64) -> Point {
        for step in 0..steps {
            let moved = self.step(&at, derive_seed(seed, 2, step));
            let seen = Seen { x: &moved.next.x, accept: &moved.accept };
            self.flat = self.sampler.tuned(&self.params(), &seen, step, steps);
            at = moved.next;
        }
        at
    }
}
