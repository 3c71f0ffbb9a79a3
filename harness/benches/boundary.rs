//! What it costs to ask a plugin: the smallest flow through the C ABI, for one point, where crossing is nearly all, and for many.
//!
//! Needs the plugins beside the binary: `cargo build --release` first.

use std::hint::black_box;
use std::path::PathBuf;
use std::rc::Rc;

use candle_core::{DType, Device, Tensor};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use harness::host::{CountedTarget, HostFlow, Library};
use serde_json::{Map, json};

fn plugin() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_harness")).with_file_name("libplanar.so")
}

fn bench(criterion: &mut Criterion) {
    let library = Library::open(&plugin()).expect("`cargo build --release` comes first");
    let target = targets::registry::build("gaussian", &Map::from_iter([("dim".to_owned(), json!(2))])).expect("known");
    let params = Map::from_iter([("layers".to_owned(), json!(1))]);
    let flow = HostFlow::create(&library, &params, DType::F32, Rc::new(CountedTarget::new(target))).expect("valid");
    let flat = flow.init(0).expect("initialises");
    let x = |n: usize| Tensor::zeros((n, 2), DType::F32, &Device::Cpu).expect("small");
    let mut group = criterion.benchmark_group("density of one planar layer through the ABI");
    for n in [1, 64, 4096] {
        let x = x(n);
        group.bench_function(BenchmarkId::from_parameter(n), |bencher| {
            bencher.iter(|| black_box(flow.density(&flat, &x, 0).expect("finite")));
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
