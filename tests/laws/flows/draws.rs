//! Laws of what draws depend on: the seed, bit by bit, the precision no more than by rounding.

use crate::{DIMS, instance, largest_gap, params, values};
use flow_sdk::Density;
use flow_sdk::candle_core::DType;
use serde_json::Value;

/// Same seed, same bits; another seed, other draws; neither a draw nor a density depends on how many rows follow it (up
/// to the order of a sum in a matrix product).
pub fn draws_are_a_function_of_the_seed<F: Density>(name: &str, configs: &[Value]) {
    for (config, dim) in configs.iter().flat_map(|config| DIMS.map(|dim| (config, dim))) {
        let (flow, flat) = instance::<F>(config, dim, DType::F64, 11);
        let params = params(&flat, flow.layout());
        let draw = |seed, n| flow.sample(&params, seed, n).unwrap();
        let (first, again, other) = (draw(12, 64), draw(12, 64), draw(13, 64));
        assert_eq!(values(&first.x), values(&again.x), "{name}");
        assert_eq!(values(&first.log_q), values(&again.log_q), "{name}");
        assert!(largest_gap(&first.x, &other.x) > 0.1, "{name}: the seed does not matter");
        assert_eq!(first.x.dims(), [64, dim], "{name}");
        assert_eq!(first.log_q.dims(), [64], "{name}");
        let few = draw(12, 5);
        assert!(largest_gap(&few.x, &first.x.narrow(0, 0, 5).unwrap()) < 1e-12, "{name}: rows depend on the batch");
        let all = flow.density(&params, &first.x, 14).unwrap();
        assert_eq!(values(&all), values(&flow.density(&params, &first.x, 14).unwrap()), "{name}");
        let few = flow.density(&params, &first.x.narrow(0, 0, 5).unwrap(), 14).unwrap();
        assert!(largest_gap(&few, &all.narrow(0, 0, 5).unwrap()) < 1e-9, "{name}: densities depend on the batch");
    }
}

/// f32 computes what f64 does: draws to 1e-4, log q to 1e-4 of itself: a thousand roundings of 6e-8.
pub fn single_precision_agrees_with_double<F: Density>(name: &str, configs: &[Value]) {
    for (config, dim) in configs.iter().flat_map(|config| DIMS.map(|dim| (config, dim))) {
        let draws = [DType::F32, DType::F64].map(|dtype| {
            let (flow, flat) = instance::<F>(config, dim, dtype, 14);
            flow.sample(&params(&flat, flow.layout()), 15, 200).unwrap()
        });
        let gap = largest_gap(&draws[0].x, &draws[1].x);
        assert!(gap < 1e-4, "{name} {config} in {dim}-d: {gap:e}");
        for (single, double) in values(&draws[0].log_q).iter().zip(values(&draws[1].log_q)) {
            let gap = (single - double).abs() / (1.0 + double.abs());
            assert!(gap < 1e-4, "{name} {config} in {dim}-d: log q {single} and {double}");
        }
    }
}
