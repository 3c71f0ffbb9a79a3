//! One training step of the radial flow, without target and optimiser: sample with tape, then reverse.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use flow_sdk::candle_core::{DType, Device, Tensor};
use flow_sdk::{Flow, Result, Setup, Target};
use radial::{Config, Radial};

fn step(flow: &Radial, flat: &Tensor, weights: &(Tensor, Tensor), n: usize) -> Result<Tensor> {
    let (draws, tape) = Flow::sample_taped(flow, flat, 1, n)?;
    black_box(&draws);
    tape.backward(Some(&weights.0), &weights.1)
}

fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("radial step, batch 512, d 2");
    let n = 512;
    for layers in [2, 8, 32] {
        let setup = Setup { dim: 2, dtype: DType::F32, device: Device::Cpu, target: Target::absent() };
        let flow = <Radial as Flow>::new(Config { layers, ..Config::default() }, &setup).expect("defaults are valid");
        let start = Flow::init(&flow, 0).expect("initialises");
        let flat = Tensor::new(start, &Device::Cpu).and_then(|t| t.to_dtype(DType::F32)).expect("a vector");
        let ones = |shape: &[usize]| Tensor::ones(shape, DType::F32, &Device::Cpu).expect("small");
        let weights = (ones(&[n, 2]), ones(&[n]));
        group.bench_function(BenchmarkId::from_parameter(layers), |bencher| {
            bencher.iter(|| step(&flow, &flat, &weights, n).expect("finite"));
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
