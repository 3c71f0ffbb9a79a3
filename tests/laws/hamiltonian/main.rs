//! Laws of Hamiltonian flows, each one check over a table of schemes or of configurations.

mod chain;
mod cuda;
mod dynamics;
mod gaps;
mod likelihood;
mod mistakes;

use flow_sdk::candle_core::{DType, Device, Tensor};
use flow_sdk::kernels::philox::Stream;
use flow_sdk::{Flow, Setup, Target};
use serde_json::Value;

fn flow<F: Flow>(config: &Value, dim: usize) -> F {
    let setup = Setup { dim, dtype: DType::F64, device: Device::Cpu, target: Target::absent() };
    F::new(serde_json::from_value(config.clone()).unwrap(), &setup).unwrap()
}

/// `start` plus normals.
fn shaken(start: Vec<f64>, sd: f64, seed: u64, dtype: DType) -> Tensor {
    let mut stream = Stream::new(seed);
    let values: Vec<f64> = start.into_iter().map(|value| value + sd * stream.normal()).collect();
    Tensor::new(values, &Device::Cpu).unwrap().to_dtype(dtype).unwrap()
}
