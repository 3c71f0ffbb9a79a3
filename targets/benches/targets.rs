//! Time a row of every target in f32, by its kernel and by its tensor definition: log-density, gradient, Hessian-vector
//! product. The rows are exact draws, 512 of them, or 200 in 50 dimensions.

use candle_core::{DType, Device, Tensor};
use criterion::{Bencher, Criterion, criterion_group, criterion_main};
use serde_json::{Map, Value, json};
use std::hint::black_box;
use std::time::{Duration, Instant};
use targets::{Float, Out, registry};

fn evaluations(criterion: &mut Criterion) {
    let named = registry::names().into_iter().map(|name| (name, json!({}), 512));
    for (name, params, n) in named.chain([("gaussian", json!({"dim": 50}), 200), ("icg", json!({}), 200)]) {
        one(criterion, name, params.as_object().expect("parameters are a map"), n);
    }
}

fn one(criterion: &mut Criterion, name: &str, params: &Map<String, Value>, n: usize) {
    let target = registry::build(name, params).expect("a target builds with these");
    let dim = target.dim();
    let draws = target.exact_draws().map_or(vec![0.5; n * dim], |exact| exact.draw(1, n));
    let tensor = Tensor::from_vec(draws, (n, dim), &Device::Cpu).and_then(|x| x.to_dtype(DType::F32));
    let tensor = tensor.expect("draws fill a batch");
    let x = tensor.flatten_all().and_then(|x| x.to_vec1::<f32>()).expect("a batch is numbers");
    let (mut value, mut grad) = (vec![0.0; n], vec![0.0; n * dim]);

    let mut group = criterion.benchmark_group(format!("{name} {n}x{dim}"));
    if let Some(kernel) = target.kernel() {
        group.bench_function("value/kernel", |b| {
            per_row(b, n, || f32::evaluate(kernel, black_box(&x), Out { value: Some(&mut value), grad: None }));
        });
        group.bench_function("grad/kernel", |b| {
            per_row(b, n, || f32::evaluate(kernel, black_box(&x), Out { value: None, grad: Some(&mut grad) }));
        });
    }
    group.bench_function("value/tensor", |b| per_row(b, n, || target.log_density(black_box(&tensor))));
    group.bench_function("grad/tensor", |b| per_row(b, n, || target.grad(black_box(&tensor))));
    if let Some(curvature) = target.curvature() {
        group.bench_function("hvp/kernel", |b| {
            per_row(b, n, || f32::hvp(curvature, black_box(&x), black_box(&x), &mut grad));
        });
    }
    group.bench_function("hvp/tensor", |b| per_row(b, n, || target.hvp(black_box(&tensor), &tensor)));
    group.finish();
}

/// Reports the time of a call over the number of its rows.
fn per_row<R>(bencher: &mut Bencher<'_>, n: usize, mut call: impl FnMut() -> R) {
    bencher.iter_custom(|times| {
        let start = Instant::now();
        for _ in 0..times {
            black_box(call());
        }
        start.elapsed() / n as u32
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(300));
    targets = evaluations
}
criterion_main!(benches);
