//! A registered target, or a power of it, that counts the rows at which a sampler asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use flow_sdk::candle_core::{DType, Device, Tensor};
use flow_sdk::{Error, Oracle, Result};
use serde_json::Value;
use targets::{Known, registry};

/// The target γ^β of a law. Clones count together.
#[derive(Clone)]
pub struct Counted {
    /// What it is called in messages.
    pub label: String,
    target: Arc<dyn targets::Target>,
    beta: f64,
    asked: Arc<AtomicUsize>,
}

impl Counted {
    /// The registered target of that name.
    pub fn new(name: &str, params: &Value) -> Self {
        let target = registry::build(name, params.as_object().unwrap()).unwrap();
        Self { label: format!("{name} {params}"), target: target.into(), beta: 1.0, asked: Arc::default() }
    }

    /// Likewise, to the power `beta`.
    pub fn raised(self, beta: f64) -> Self {
        Self { label: format!("{}^{beta}", self.label), beta, ..self }
    }

    pub fn dim(&self) -> usize {
        self.target.dim()
    }

    /// What is known of γ itself.
    pub fn known(&self) -> Known {
        self.target.known()
    }

    /// Exact draws `[n, d]` of γ itself, in f64.
    pub fn exact(&self, seed: u64, n: usize) -> Tensor {
        let draws = self.target.exact_draws().expect("laws that need exact draws have targets that give them");
        Tensor::from_vec(draws.draw(seed, n), (n, self.dim()), &Device::Cpu).unwrap()
    }

    /// Rows at which log γ, its gradient, or both at once, were asked for since the last call.
    pub fn asked(&self) -> usize {
        self.asked.swap(0, Ordering::Relaxed)
    }
}

impl Oracle for Counted {
    fn log_density_and_grad(&self, x: &Tensor) -> Result<(Tensor, Tensor)> {
        self.asked.fetch_add(x.dim(0)?, Ordering::Relaxed);
        let (value, grad) = targets::evaluate(&*self.target, x, true, true).map_err(failed)?;
        let (value, grad) = (value.expect("asked for"), grad.expect("asked for"));
        Ok(if self.beta == 1.0 { (value, grad) } else { ((value * self.beta)?, (grad * self.beta)?) })
    }

    fn hvp(&self, x: &Tensor, v: &Tensor) -> Result<Tensor> {
        Ok((targets::hvp(&*self.target, x, v).map_err(failed)? * self.beta)?)
    }
}

fn failed(error: targets::Error) -> Error {
    Error::Target(error.to_string())
}

/// Every number of a tensor.
pub fn values(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}
