//! Laws of reverse passes.

use crate::{DIMS, instance, params, values};
use flow_sdk::candle_core::{DType, Device, Tensor};
use flow_sdk::kernels::philox::Stream;
use flow_sdk::{Density, Draws};
use serde_json::Value;

/// The reverse pass is the derivative, parameter by parameter, of sampling and of density.
///
/// Central differences with h = 1e-5 in f64: truncation h²f‴/6 and cancellation ε|f|/h are both near 1e-10 for f = O(10);
/// where log q is in the thousands, four roundings of it over h are allowed for.
pub fn backward_is_the_derivative<F: Density>(name: &str, configs: &[Value]) {
    let n = 16;
    for (config, dim) in configs.iter().flat_map(|config| DIMS.map(|dim| (config, dim))) {
        let (flow, flat) = instance::<F>(config, dim, DType::F64, 5);
        let mut stream = Stream::new(6);
        let mut normals = |count: usize| (0..count).map(|_| stream.normal()).collect::<Vec<f64>>();
        let grad_x = Tensor::from_vec(normals(n * dim), (n, dim), &Device::Cpu).unwrap();
        let grad_log_q = Tensor::new(normals(n), &Device::Cpu).unwrap();
        let x = Tensor::from_vec(normals(n * dim), (n, dim), &Device::Cpu).unwrap();
        let dot = |a: &Tensor, b: &Tensor| values(&(a * b).unwrap()).iter().sum::<f64>();
        let by_sample = |flat: &Tensor| {
            let Draws { x, log_q } = flow.sample(&params(flat, flow.layout()), 7, n).unwrap();
            dot(&x, &grad_x) + dot(&log_q, &grad_log_q)
        };
        let by_density = |flat: &Tensor| dot(&flow.density(&params(flat, flow.layout()), &x, 7).unwrap(), &grad_log_q);
        let (draws, sample_tape) = flow.sample_taped(&flat, 7, n).unwrap();
        let (log_q, density_tape) = flow.density_taped(&flat, &x, 7).unwrap();
        let size = |log_q: &Tensor| dot(&log_q.abs().unwrap(), &grad_log_q.abs().unwrap());
        type Scalar<'a> = &'a dyn Fn(&Tensor) -> f64;
        let cases: [(&str, Tensor, Scalar<'_>, f64); 2] = [
            ("sample", sample_tape.backward(Some(&grad_x), &grad_log_q).unwrap(), &by_sample, size(&draws.log_q)),
            ("density", density_tape.backward(None, &grad_log_q).unwrap(), &by_density, size(&log_q)),
        ];
        for (what, grad, scalar, size) in cases {
            let (grad, start, h) = (values(&grad), values(&flat), 1e-5);
            for index in 0..start.len() {
                let moved = |by: f64| {
                    let mut moved = start.clone();
                    moved[index] += by;
                    scalar(&Tensor::new(moved, &Device::Cpu).unwrap())
                };
                let difference = (moved(h) - moved(-h)) / (2.0 * h);
                let gap = (grad[index] - difference).abs();
                let place = format!("{name} {config} in {dim}-d, {what}, parameter {index}");
                let tolerance = 1e-6 * (1.0 + difference.abs()) + 4.0 * f64::EPSILON * size / h;
                assert!(gap < tolerance, "{place}: {} but differences {difference}", grad[index]);
            }
        }
    }
}

/// The reverse passes of sampling and of density reach every parameter: at one of five starts, since a ReLU unit that is
/// off at all points of a batch rightly has no gradient there. Draws are weighed beside log q: log q at its own draws does not
/// depend on the last shift, which moves both alike.
pub fn backward_reaches_all<F: Density>(name: &str, configs: &[Value]) {
    let n = 16;
    for (config, dim) in configs.iter().flat_map(|config| DIMS.map(|dim| (config, dim))) {
        let mut reached = [Vec::new(), Vec::new()];
        for seed in 20..25 {
            let (flow, flat) = instance::<F>(config, dim, DType::F64, seed);
            let ones = |shape: &[usize]| Tensor::ones(shape, DType::F64, &Device::Cpu).unwrap();
            let (draws, sample_tape) = flow.sample_taped(&flat, seed, n).unwrap();
            let density_tape = flow.density_taped(&flat, &draws.x, seed).unwrap().1;
            let of_sample = sample_tape.backward(Some(&ones(&[n, dim])), &ones(&[n])).unwrap();
            let of_density = density_tape.backward(None, &ones(&[n])).unwrap();
            for (reached, grad) in reached.iter_mut().zip([of_sample, of_density]) {
                let grad = values(&grad);
                reached.resize(grad.len(), false);
                reached.iter_mut().zip(grad).for_each(|(reached, grad)| *reached |= grad != 0.0);
            }
        }
        for (what, reached) in ["sample", "density"].iter().zip(reached) {
            let missed = reached.iter().position(|reached| !reached);
            assert_eq!(missed, None, "{name} {config} in {dim}-d, {what}: no gradient reaches this parameter");
        }
    }
}
