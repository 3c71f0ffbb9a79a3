//! A force with its reverse pass, and whole trajectories, as shares of one core's peak of fused multiply-adds.
//!
//! 512 points in two dimensions, one thread, two hidden layers of equal width. A force with its reverse pass is six products
//! of width × width and six of width × d a point, two operations a term; activations, bias and packing count as nothing.
//! A trajectory is four Hamiltonians with two leapfrog steps each: twenty forces. Shares are of the shortest of many runs.

use std::hint::black_box;
use std::time::Instant;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flow_kernels::dispatch;
use flow_kernels::mlp::{Activation, Mlp};
use flow_kernels::panel::Buffer;
use flow_kernels::philox::Stream;
use flow_kernels::real::Real;
use flow_kernels::simd::{Level, Width, at, available};
use flow_kernels::trajectory::{Accumulator, Energy, KeptTile, Move, Prepared, TILE, Tile, Trajectory, Workspace};

const POINTS: usize = 512;
const DIM: usize = 2;
const WIDTHS: [usize; 3] = [128, 64, 32];

/// Seconds of the shortest of many runs: the machine may be shared.
fn shortest(mut f: impl FnMut()) -> f64 {
    let mut run = || {
        let start = Instant::now();
        f();
        start.elapsed().as_secs_f64()
    };
    (0..100).map(|_| run()).fold(f64::MAX, f64::min)
}

/// M × N sums of products with one row, over and over, in registers: rows are spelt out, for the compiler to keep them there.
#[inline(always)]
fn sums<L: Level, T: Real, const M: usize, const N: usize>(
    left: &[[T; M]],
    right: &[T; N],
    count: usize,
) -> [[T; N]; M] {
    let mut sums = [[T::ONE; N]; M];
    macro_rules! rows {
        ($left:ident: $($r:literal)*) => {$(
            if M > $r {
                for c in 0..N {
                    sums[$r][c] = $left[$r].fma::<L>(right[c], sums[$r][c]);
                }
            }
        )*};
    }
    for _ in 0..count {
        for left in left {
            rows!(left: 0 1 2 3 4 5 6 7);
        }
    }
    sums
}

/// Operations a second of a loop of nothing but fused multiply-adds.
fn peak<T: Real, const M: usize, const N: usize>() -> f64 {
    let (left, right, count) = (black_box([[T::of(1e-6); M]; 64]), black_box([T::of(1e-6); N]), 500);
    let seconds = shortest(|| {
        black_box(dispatch!(L => sums::<L, T, M, N>(&left, &right, count)));
    });
    (2 * M * N * left.len() * count) as f64 / seconds
}

/// Operations of a force with its reverse pass at all points.
fn operations(width: usize) -> f64 {
    (POINTS * 2 * 6 * (width * width + width * DIM)) as f64
}

fn normals<T: Real>(count: usize, sd: f64) -> Vec<T> {
    let mut stream = Stream::new(1);
    (0..count).map(|_| T::of(sd * stream.normal())).collect()
}

/// A closure that takes all points through a force and its reverse pass.
fn field<T: Real>(width: usize) -> impl FnMut() {
    let (net, m) = (Mlp::new(DIM, &[width, width], Activation::Softplus), TILE);
    let rows = |count: usize| {
        let mut buffer = Buffer::default();
        buffer.resize(count);
        buffer.rows_mut().as_flattened_mut().copy_from_slice(&normals::<T>(count * 32, 1.0));
        buffer
    };
    let (mut packed, x, v) = (rows(net.packed_rows()), rows(m), rows(m));
    packed.clear();
    net.pack(&normals(net.n_params(), 1.0 / (width as f64).sqrt()), packed.rows_mut());
    let (mut kept, mut scratch) = (rows(net.kept_rows(m)), rows(net.scratch_rows(m)));
    let (mut grad, mut into) = (rows(net.grad_rows()), rows(m));
    move || {
        for _ in 0..POINTS / m {
            let (kept, scratch, into) = (kept.rows_mut(), scratch.rows_mut(), into.rows_mut());
            net.add_gradient(packed.rows(), x.rows(), m, T::of(0.1), kept, scratch, into);
            black_box(net.reverse(packed.rows(), kept, v.rows(), m, T::of(0.1), scratch, grad.rows_mut(), into));
        }
    }
}

/// A closure that makes a training step's trajectory: packing, all points forward and in reverse, folding.
fn trajectory(width: usize, keep: bool) -> impl FnMut() {
    let net = Mlp::new(DIM, &[width, width], Activation::Softplus);
    let params: Vec<f32> = normals(8 * net.n_params(), 1.0 / (width as f64).sqrt());
    let stage = |i: usize, (kick, coefficient): (bool, f64)| Move {
        energy: 2 * i + usize::from(!kick),
        kick,
        step: i,
        coefficient,
    };
    let leapfrog = [(true, 0.5), (false, 1.0), (true, 1.0), (false, 1.0), (true, 0.5)];
    let trajectory = Trajectory {
        dim: DIM,
        energies: (0..8).map(|i| (Energy::Network(net.clone()), i * net.n_params())).collect(),
        moves: (0..4).flat_map(|i| leapfrog.map(|what| stage(i, what))).collect(),
    };
    let (mut prepared, mut workspace) = (Prepared::default(), Workspace::default());
    let (mut kept, mut grad, mut flat) = (KeptTile::default(), Accumulator::default(), vec![0.0; params.len()]);
    let (mut tile, mut cotangent) = (Tile::new(DIM, TILE), Tile::new(DIM, TILE));
    let (steps, start) = ([0.1; 4], normals::<f32>(POINTS * 2 * DIM, 1.0));
    move || {
        trajectory.prepare(&params, &mut prepared);
        grad.reset(&trajectory, steps.len());
        for points in start.chunks(TILE * 2 * DIM) {
            tile.read(points);
            cotangent.read(points);
            let keeping = keep.then_some(&mut kept);
            trajectory.forward_tile(&prepared, &steps, &mut tile, keeping, &mut workspace);
            let kept = keep.then_some(&kept);
            trajectory.reverse_tile(&prepared, &steps, &tile, kept, &mut cotangent, &mut grad, &mut workspace);
        }
        grad.fold_into(&trajectory, &mut flat);
    }
}

fn fields<T: Real>(c: &mut Criterion) {
    for &level in available() {
        let mut group = c.benchmark_group(format!("field/{}/{level:?}", std::any::type_name::<T>()));
        at(level, || {
            let peak = match (level, size_of::<T>()) {
                (Width::Avx512, 4) => peak::<T, 8, 32>(),
                (Width::Avx512, _) => peak::<T, 8, 16>(),
                (Width::Avx2, 4) => peak::<T, 6, 16>(),
                (Width::Avx2, _) => peak::<T, 6, 8>(),
                (Width::Portable, 4) => peak::<T, 4, 8>(),
                (Width::Portable, _) => peak::<T, 4, 4>(),
            };
            for width in WIDTHS {
                let mut f = field::<T>(width);
                let share = operations(width) / shortest(&mut f) / peak;
                println!("width {width}: {share:.3} of a peak of {:.1} GFLOP/s", peak / 1e9);
                group.throughput(Throughput::Elements(operations(width) as u64));
                group.bench_function(format!("{width}"), |b| b.iter(&mut f));
            }
        });
    }
}

fn trajectories(c: &mut Criterion) {
    let mut group = c.benchmark_group("trajectory/f32");
    for width in WIDTHS {
        group.throughput(Throughput::Elements(20 * operations(width) as u64));
        for (name, keep) in [("kept", true), ("rebuilt", false)] {
            let mut f = trajectory(width, keep);
            println!("width {width}, {name}: {:.2} ms", 1e3 * shortest(&mut f));
            group.bench_function(format!("{width}/{name}"), |b| b.iter(&mut f));
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = fields::<f32>, fields::<f64>, trajectories
}
criterion_main!(benches);
