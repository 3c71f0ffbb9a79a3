//! Time of one evaluation of every target: log-density, then gradient, of 512 exact draws in f32.

use candle_core::{DType, Device, Tensor};
use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::Map;
use std::hint::black_box;
use targets::registry;

const BATCH: usize = 512;

fn evaluations(criterion: &mut Criterion) {
    for name in registry::names() {
        let target = registry::build(name, &Map::new()).expect("a target builds with its defaults");
        let draws = target.exact_draws().map(|exact| exact.draw(1, BATCH)).unwrap_or(vec![0.5; BATCH * target.dim()]);
        let x = Tensor::from_vec(draws, (BATCH, target.dim()), &Device::Cpu)
            .and_then(|x| x.to_dtype(DType::F32))
            .expect("draws fill a batch");
        let mut group = criterion.benchmark_group(name);
        group.bench_function("log_density", |b| b.iter(|| target.log_density(black_box(&x))));
        group.bench_function("grad", |b| b.iter(|| target.grad(black_box(&x))));
        group.finish();
    }
}

criterion_group!(benches, evaluations);
criterion_main!(benches);
