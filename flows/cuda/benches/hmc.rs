//! Time Hamiltonian Monte Carlo and densities on a CUDA device, in f32: a transition of 10,000 chains of ten leapfrogs on a
//! 100-dimensional Gaussian, and value with gradient of 65,536 rows. Throughput is of bytes that must be moved: hold it against the
//! device's memory. Chains and their momenta fit a large second cache, which is faster.

use candle_core::{DType, Device, Result, Tensor};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flow_cuda::hmc::{End, Known, Motion, Streams, Trajectory};
use flow_cuda::targets::{Density, evaluate};
use std::time::{Duration, Instant};

const CHAINS: usize = 10_000;
const STEPS: usize = 10;
const DIM: usize = 100;
const ROWS: usize = 1 << 16;

fn all(criterion: &mut Criterion) {
    let device = match flow_cuda::device(0) {
        Ok(device) => device,
        Err(error) => {
            let error = error.to_string();
            println!("skipped: no CUDA device: {}", error.lines().next().unwrap_or_default());
            return;
        }
    };
    transition(criterion, &device).expect("a transition can be made");
    densities(criterion, &device).expect("densities can be evaluated");
}

fn transition(criterion: &mut Criterion, device: &Device) -> Result<()> {
    let table = gaussian_table(device, DIM)?;
    let look = |x: &Tensor, value: bool| evaluate(Density::Gaussian, [0.0; 2], Some(&table), x, (value, true));
    let mut x = Tensor::randn(0f32, 1.0, (CHAINS, DIM), device)?;
    let (value, grad) = look(&x, true)?;
    let (mut value, mut grad) = (value.expect("asked for"), grad.expect("asked for"));
    let (sd, log_step) = (Tensor::ones(DIM, DType::F32, device)?, Tensor::zeros(1, DType::F32, device)?);
    let mut step = |seed: u64| -> Result<()> {
        let motion = Motion {
            sd: &sd,
            log_step: &log_step,
            untuned: (0.2, 0.0),
            jitter: 0.2,
            streams: Streams { momentum: seed, acceptance: seed + 1, jitter: seed + 2 },
        };
        let from = Known { x: &x, log_density: &value, grad: &grad };
        let mut trajectory = Trajectory::start(from, motion, 0.5, 1.0)?;
        for _ in 1..STEPS {
            let (_, grad) = look(trajectory.q(), false)?;
            trajectory.kick_and_drift(&grad.expect("asked for"), 1.0, 1.0)?;
        }
        let (last, slope) = look(trajectory.q(), true)?;
        let End { x: next, log_density, grad: next_grad, .. } =
            trajectory.end(from, &last.expect("asked for"), &slope.expect("asked for"), 0.5)?;
        (x, value, grad) = (next, log_density, next_grad);
        Ok(())
    };
    // Start and end 4d and 5d, a kick with its drift 5d, a gradient 2d.
    let numbers = CHAINS * DIM * (9 + 5 * (STEPS - 1) + 2 * STEPS);
    let mut group = criterion.benchmark_group(format!("hmc {CHAINS}x{DIM}, {STEPS} leapfrogs"));
    group.throughput(Throughput::Bytes(4 * numbers as u64));
    let mut seed = 0;
    group.bench_function("transition", |bencher| {
        bencher.iter_custom(|times| {
            timed(device, times, || {
                seed += 3;
                step(seed)
            })
        });
    });
    group.finish();
    Ok(())
}

fn densities(criterion: &mut Criterion, device: &Device) -> Result<()> {
    let means = |count: usize| Tensor::randn(0f32, 10.0, (count, 2), device);
    let rows: [(Density, usize, [f64; 2], Option<Tensor>); 7] = [
        (Density::Gaussian, 2, [0.0; 2], Some(gaussian_table(device, 2)?)),
        (Density::Gaussian, DIM, [0.0; 2], Some(gaussian_table(device, DIM)?)),
        (Density::U1, 2, [0.0; 2], None),
        (Density::U4, 2, [8.0, 10.0], None),
        (Density::Funnel, 10, [0.0; 2], None),
        (Density::Normals, 2, [0.0, 1.0], Some(means(40)?)),
        (Density::Students, 2, [0.0; 2], Some(means(10)?)),
    ];
    for (density, dim, numbers, table) in rows {
        let x = Tensor::randn(0f32, 1.0, (ROWS, dim), device)?;
        let mut group = criterion.benchmark_group(format!("{density:?} {ROWS}x{dim}"));
        group.throughput(Throughput::Bytes(4 * (ROWS * (2 * dim + 1)) as u64));
        group.bench_function("value and gradient", |bencher| {
            bencher.iter_custom(|times| {
                timed(device, times, || evaluate(density, numbers, table.as_ref(), &x, (true, true)).map(drop))
            });
        });
        group.finish();
    }
    Ok(())
}

/// Means of zero, precisions of one.
fn gaussian_table(device: &Device, dim: usize) -> Result<Tensor> {
    Tensor::cat(&[Tensor::zeros((1, dim), DType::F32, device)?, Tensor::ones((1, dim), DType::F32, device)?], 0)
}

/// From a device at rest to a device at rest.
fn timed(device: &Device, times: u64, mut call: impl FnMut() -> Result<()>) -> Duration {
    device.synchronize().expect("the device answers");
    let start = Instant::now();
    (0..times).try_for_each(|_| call()).expect("what worked once works again");
    device.synchronize().expect("the device answers");
    start.elapsed()
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1000));
    targets = all
}
criterion_main!(benches);
