//! One training step of planar flows on a CUDA device, without target and optimiser: sample, then reverse.
//!
//! Each iteration waits for the device by reading one number. What a pass is bound by is said in `src/kernels/chain.cuh`.

use std::hint::black_box;

use candle_core::{DType, Result, Tensor};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use flow_cuda::chain::{Base, Chain};
use flow_kernels::chain::Kind;
use flow_kernels::philox::Stream;

const DIM: usize = 2;

fn step(chain: &Chain, params: &Tensor, grad_x: &Tensor, grad_log_q: &Tensor, seed: u64) -> Result<f32> {
    let passed = chain.sample(params, seed, grad_log_q.dim(0)?, true)?;
    let grad = chain.sample_backward(params, &passed, Some(grad_x), grad_log_q)?;
    grad.get(0)?.to_scalar()
}

fn bench(criterion: &mut Criterion) {
    let device = match flow_cuda::device(0) {
        Ok(device) => device,
        Err(error) => {
            println!("skipped: no CUDA device: {error}");
            return;
        }
    };
    let mut group = criterion.benchmark_group("planar step on CUDA, d 2, f32");
    for layers in [8, 32] {
        let log_norm = -0.5 * DIM as f64 * std::f64::consts::TAU.ln();
        let chain = Chain { base: Base::Normal, log_norm, kind: Kind::Planar, layers, dim: DIM };
        let mut stream = Stream::new(1);
        let params: Vec<f32> = (0..layers * (2 * DIM + 1)).map(|_| 0.3 * stream.normal() as f32).collect();
        let params = Tensor::new(params, &device).expect("room for parameters");
        for n in [512, 8192, 65_536] {
            let ones = |shape: &[usize]| Tensor::ones(shape, DType::F32, &device).expect("room for cotangents");
            let (grad_x, grad_log_q) = (ones(&[n, DIM]), ones(&[n]));
            let mut seed = 0;
            group.throughput(Throughput::Elements(n as u64));
            group.bench_function(BenchmarkId::new(format!("{layers} layers"), n), |bencher| {
                bencher.iter(|| {
                    seed += 1;
                    black_box(step(&chain, &params, &grad_x, &grad_log_q, seed).expect("the device answers"))
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
