//! A training step's trajectory on a CUDA device, forward and in reverse: four Hamiltonians of networks 2-128-128-1, two
//! leapfrog steps each, which are twenty forces.
//!
//! A step takes 4.0 million operations a point (5.3 where states are rebuilt); the benchmark prints what share of the time they
//! would need at 67 TFLOP/s, an H100's multiply-adds in single precision, its time is. Small batches are bound by launches and
//! by the length of one block's chain of products.

use std::hint::black_box;
use std::time::Instant;

use candle_core::{DType, Device, Result, Tensor, Var};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use flow_kernels::mlp::{Activation, Mlp};
use flow_kernels::philox::Stream;
use flow_kernels::trajectory::{Energy, Move, Trajectory};

const DIM: usize = 2;
const WIDTH: usize = 128;
const BATCHES: [usize; 3] = [64, 512, 8192];
/// Operations a second of an H100 SXM in single precision, from its data sheet.
const PEAK: f64 = 67e12;

/// Eight networks and the moves through them, as a list that adjacent half kicks are merged in.
fn workload() -> (Trajectory, usize) {
    let net = Mlp::new(DIM, &[WIDTH, WIDTH], Activation::Softplus);
    let stage = |i: usize, (kick, coefficient): (bool, f64)| Move {
        energy: 2 * i + usize::from(!kick),
        kick,
        step: i,
        coefficient,
    };
    let leapfrog = [(true, 0.5), (false, 1.0), (true, 1.0), (false, 1.0), (true, 0.5)];
    let n_params = 8 * net.n_params();
    let trajectory = Trajectory {
        dim: DIM,
        energies: (0..8).map(|i| (Energy::Network(net.clone()), i * net.n_params())).collect(),
        moves: (0..4).flat_map(|i| leapfrog.map(|what| stage(i, what))).collect(),
    };
    (trajectory, n_params)
}

fn normals(count: usize, sd: f64, device: &Device) -> Result<Tensor> {
    let mut stream = Stream::new(1);
    let values: Vec<f32> = (0..count).map(|_| (sd * stream.normal()) as f32).collect();
    Tensor::from_vec(values, count, device)
}

fn step(trajectory: &Trajectory, keep: bool, flat: &Var, steps: &Tensor, start: &Tensor) -> Result<Tensor> {
    let end = flow_cuda::trajectory(trajectory, keep, flat.as_tensor(), steps, start)?.expect("a kernel serves");
    let grads = end.sqr()?.sum_all()?.backward()?;
    Ok(grads.get(flat.as_tensor()).expect("the end depends on them").clone())
}

/// Operations of a step: of a force two products of d·h + h·h, each a multiply-add a term; of its reverse pass four.
fn operations(n: usize, keep: bool) -> f64 {
    let products = if keep { 6 } else { 8 };
    (20 * n * 2 * products * (WIDTH * WIDTH + WIDTH * DIM)) as f64
}

fn bench(criterion: &mut Criterion) {
    let device = match flow_cuda::device(0) {
        Ok(device) => device,
        Err(error) => return println!("skipped: no CUDA device: {error}"),
    };
    let (trajectory, n_params) = workload();
    let flat = Var::from_tensor(&normals(n_params, 1.0 / (WIDTH as f64).sqrt(), &device).expect("fits")).expect("fits");
    let steps = Tensor::full(0.1f32, 4, &device).and_then(|steps| steps.to_dtype(DType::F32)).expect("fits");
    let mut group = criterion.benchmark_group("trajectory on CUDA, f32, 2-128-128-1, T 4, L 2");
    for (name, keep) in [("kept", true), ("rebuilt", false)] {
        for n in BATCHES {
            let start = normals(n * 2 * DIM, 1.0, &device).and_then(|start| start.reshape((n, 2 * DIM))).expect("fits");
            let timed = |count: u32| {
                let from = Instant::now();
                for _ in 0..count {
                    black_box(step(&trajectory, keep, &flat, &steps, &start).expect("runs"));
                }
                // Launches return at once: the time is that until the last one is done.
                device.synchronize().expect("runs");
                from.elapsed()
            };
            timed(2);
            let seconds = timed(10).as_secs_f64() / 10.0;
            let share = operations(n, keep) / PEAK / seconds;
            println!("{name}, batch {n}: {:.3} ms, {share:.3} of the multiply-adds' peak", 1e3 * seconds);
            group.throughput(Throughput::Elements(n as u64));
            group.bench_function(BenchmarkId::new(name, n), |bencher| {
                bencher.iter_custom(|count| timed(u32::try_from(count).unwrap_or(u32::MAX)));
            });
        }
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = bench
}
criterion_main!(benches);
