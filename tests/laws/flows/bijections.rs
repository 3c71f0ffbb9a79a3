//! Laws of flows that push a base through a bijection, so that their densities are exact.

use crate::{DIMS, instance, largest_gap, params, values};
use flow_sdk::candle_core::{DType, Device, Tensor};
use flow_sdk::{Density, Flow, Inverse, log_det};
use serde_json::Value;

/// The stated log-det is that of the Jacobian. 1e-9: d ≤ 5 reverse passes and an LU in f64 lose a few digits of 16.
pub fn log_det_is_the_jacobians<B: Inverse>(name: &str, configs: &[Value]) {
    for (config, dim) in configs.iter().flat_map(|config| DIMS.map(|dim| (config, dim))) {
        let (flow, flat) = instance::<B>(config, dim, DType::F64, 1);
        let params = params(&flat, Flow::layout(&flow));
        let z = flow.base().draw(2, 50, dim, DType::F64, &Device::Cpu).unwrap();
        let stated = values(&flow.forward(&params, &z).unwrap().1);
        let oracle = log_det::by_autograd(&z, |z| Ok(flow.forward(&params, z)?.0)).unwrap();
        for (stated, oracle) in stated.iter().zip(oracle) {
            assert!((stated - oracle).abs() < 1e-9, "{name} {config} in {dim}-d: {stated} but autograd {oracle}");
        }
    }
}

/// Inverse after forward is the identity, and both tell the same log-det.
///
/// Rounding is amplified by at most the layers' condition numbers, here under 10⁴: 1e-10 in f64, 1e-2 in f32.
pub fn inverse_undoes_forward<B: Inverse>(name: &str, configs: &[Value]) {
    for (config, dim) in configs.iter().flat_map(|config| DIMS.map(|dim| (config, dim))) {
        for (dtype, tolerance) in [(DType::F64, 1e-10), (DType::F32, 1e-2)] {
            let (flow, flat) = instance::<B>(config, dim, dtype, 3);
            let params = params(&flat, Flow::layout(&flow));
            let z = flow.base().draw(4, 200, dim, dtype, &Device::Cpu).unwrap();
            let (x, forward) = flow.forward(&params, &z).unwrap();
            let (back, inverse) = flow.inverse(&params, &x).unwrap();
            let (gap, log_det_gap) = (largest_gap(&z, &back), largest_gap(&forward, &inverse));
            assert!(gap < tolerance, "{name} {config} {dtype:?} in {dim}-d: {gap:e}");
            assert!(log_det_gap < 10.0 * tolerance, "{name} {config} {dtype:?} in {dim}-d: log-det {log_det_gap:e}");
        }
    }
}

/// exp(log q) integrates to one over the plane.
///
/// Midpoint rule with step 0.05 on [−15, 15]²: the kinks of tanh layers are smooth at that step, and a base within
/// 5 of the origin cannot be moved past 15 by three to five layers with these parameters. 2e-3 is what halving the step
/// changes, tenfold.
pub fn density_is_normalised<F: Density>(name: &str, configs: &[Value]) {
    let (half, step) = (15.0f64, 0.05f64);
    let m = (2.0 * half / step) as usize;
    for config in configs {
        let (flow, flat) = instance::<F>(config, 2, DType::F64, 8);
        let params = params(&flat, flow.layout());
        let centre = |i: usize| -half + (i as f64 + 0.5) * step;
        let mut mass = 0.0;
        for i in 0..m {
            let row: Vec<f64> = (0..m).flat_map(|j| [centre(i), centre(j)]).collect();
            let x = Tensor::from_vec(row, (m, 2), &Device::Cpu).unwrap();
            let log_q = values(&flow.density(&params, &x, 0).unwrap());
            mass += log_q.iter().map(|log_q| log_q.exp()).sum::<f64>() * step * step;
        }
        assert!((mass - 1.0).abs() < 2e-3, "{name} {config}: mass {mass}");
    }
}

/// What `sample` says of a draw, `density` says of the same point.
pub fn sample_and_density_agree<F: Density>(name: &str, configs: &[Value]) {
    for (config, dim) in configs.iter().flat_map(|config| DIMS.map(|dim| (config, dim))) {
        let (flow, flat) = instance::<F>(config, dim, DType::F64, 9);
        let params = params(&flat, flow.layout());
        let draws = flow.sample(&params, 10, 200).unwrap();
        let gap = largest_gap(&draws.log_q, &flow.density(&params, &draws.x, 0).unwrap());
        assert!(gap < 1e-8, "{name} {config} in {dim}-d: {gap:e}");
    }
}

/// A density is that of its own row, whatever stands beside it. (An estimate depends on the row's number, too.)
pub fn densities_are_row_by_row<F: Density>(name: &str, configs: &[Value]) {
    for (config, dim) in configs.iter().flat_map(|config| DIMS.map(|dim| (config, dim))) {
        let (flow, flat) = instance::<F>(config, dim, DType::F64, 11);
        let params = params(&flat, flow.layout());
        let x = flow.sample(&params, 12, 64).unwrap().x;
        let all = flow.density(&params, &x, 0).unwrap();
        let one = flow.density(&params, &x.narrow(0, 3, 1).unwrap(), 0).unwrap();
        assert!(largest_gap(&one, &all.narrow(0, 3, 1).unwrap()) < 1e-9, "{name}: densities depend on the batch");
    }
}
