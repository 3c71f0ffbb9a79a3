//! The law that ELBO and EUBO bound log Z.

use crate::{instance, params, values};
use flow_sdk::candle_core::{DType, Device, Tensor};
use flow_sdk::{Density, Flow, Result};
use serde_json::Value;

/// ELBO ≤ log Z ≤ EUBO, at random parameters and after training on the target.
///
/// Three standard errors, and seeds that are fixed: a law that held once holds again.
pub fn bounds_hold<F: Density>(name: &str, configs: &[Value]) {
    for (config, target) in configs.iter().flat_map(|config| ["gaussian", "u1", "banana", "gmm-9"].map(|t| (config, t)))
    {
        let target = targets::registry::build(target, &serde_json::Map::new()).unwrap();
        let log_z = target.known().log_z.unwrap();
        let (flow, mut flat) = instance::<F>(config, target.dim(), DType::F64, 16);
        for step in 0..150u64 {
            if step.is_multiple_of(149) {
                let params = params(&flat, flow.layout());
                let draws = flow.sample(&params, 17, 5000).unwrap();
                let (elbo, se) = mean((target.log_density(&draws.x).unwrap() - &draws.log_q).unwrap());
                assert!(elbo - 3.0 * se <= log_z, "{name} {config} step {step}: elbo {elbo} ± {se} > {log_z}");
                let exact = target.exact_draws().unwrap().draw(18, 5000);
                let x = Tensor::from_vec(exact, (5000, target.dim()), &Device::Cpu).unwrap();
                let log_q = flow.density(&params, &x, 0).unwrap();
                let (eubo, se) = mean((target.log_density(&x).unwrap() - log_q).unwrap());
                assert!(eubo + 3.0 * se >= log_z, "{name} {config} step {step}: eubo {eubo} ± {se} < {log_z}");
            }
            flat = descend(&flow, &flat, &*target, step).unwrap();
        }
    }
}

/// One step of normalised gradient descent on the reverse KL divergence.
fn descend<F: Flow>(flow: &F, flat: &Tensor, target: &dyn targets::Target, step: u64) -> Result<Tensor> {
    let n = 128;
    let (draws, tape) = flow.sample_taped(flat, 1000 + step, n)?;
    let grad_x = (target.grad(&draws.x).unwrap() * (-1.0 / n as f64))?;
    let grad = tape.backward(Some(&grad_x), &Tensor::full(1.0 / n as f64, n, &Device::Cpu)?)?;
    let norm = values(&grad).iter().map(|g| g * g).sum::<f64>().sqrt();
    Ok((flat - (grad * (0.05 / norm))?)?)
}

fn mean(log_w: Tensor) -> (f64, f64) {
    let log_w = values(&log_w);
    let n = log_w.len() as f64;
    let mean = log_w.iter().sum::<f64>() / n;
    let variance = log_w.iter().map(|w| (w - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, (variance / n).sqrt())
}
