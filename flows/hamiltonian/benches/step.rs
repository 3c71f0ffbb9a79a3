//! One training step of the Hamiltonian flow, without target and optimiser: sample with tape, then reverse.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use flow_sdk::candle_core::{DType, Device, Tensor};
use flow_sdk::{Flow, Result, Setup, Target};
use hamiltonian::{Config, Hamiltonian};
use phase_space::Memory;

fn step(flow: &Hamiltonian, flat: &Tensor, weights: &(Tensor, Tensor), n: usize) -> Result<Tensor> {
    let (draws, tape) = flow.sample_taped(flat, 1, n)?;
    black_box(&draws);
    tape.backward(Some(&weights.0), &weights.1)
}

fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("hamiltonian step, batch 256, d 2, 64 × 64");
    let n = 256;
    for (name, hamiltonians, memory) in
        [("1", 1, Memory::Stored), ("4", 4, Memory::Stored), ("4 reversible", 4, Memory::Reversible)]
    {
        let setup = Setup { dim: 2, dtype: DType::F32, device: Device::Cpu, target: Target::absent() };
        let config = Config { hamiltonians, memory, ..Config::default() };
        let flow = Hamiltonian::new(config, &setup).expect("defaults are valid");
        let start = flow.init(0).expect("initialises");
        let flat = Tensor::new(start, &Device::Cpu).and_then(|t| t.to_dtype(DType::F32)).expect("a vector");
        let ones = |shape: &[usize]| Tensor::ones(shape, DType::F32, &Device::Cpu).expect("small");
        let weights = (ones(&[n, 2]), ones(&[n]));
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter(|| step(&flow, &flat, &weights, n).expect("finite"));
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
