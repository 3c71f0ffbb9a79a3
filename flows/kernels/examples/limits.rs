//! What this machine can do at most: multiply-adds in registers, and bytes from memory, by so many threads.
//!
//! `limits [THREADS]` prints GFLOP/s of a loop of nothing but f32 multiply-adds (two operations each), 10⁹ f32 divisions and square
//! roots a second, and GB/s of the triad a = b + s·c on arrays far larger than the caches (McCalpin, "STREAM", 1995), which
//! moves three numbers a result; the best of several rounds.

use std::hint::black_box;
use std::sync::Barrier;
use std::time::Instant;

use flow_kernels::dispatch;
use flow_kernels::real::Real;
use flow_kernels::simd::Level;

const ROUNDS: usize = 8;
/// Independent sums: enough for the latency of any machine, few enough for its registers.
const SUMS: usize = 12;
/// f32 in the widest register.
const LANES: usize = 16;
const MULTIPLIES: usize = 4_000_000;
/// f32 in the first-level cache.
const SHORT: usize = 1 << 12;
const REPEATS: usize = 10_000;
/// 256 MiB an array and thread.
const ELEMENTS: usize = 1 << 26;

fn main() {
    let threads = std::env::args().nth(1).map_or(1, |count| count.parse().expect("a number of threads"));
    let flops = best(threads, || {
        let mut sums = [[0.0f32; LANES]; SUMS];
        move || {
            sums = dispatch!(L => multiply_add::<L>(black_box(sums)));
            black_box(&sums);
        }
    });
    let operations = (2 * MULTIPLIES * SUMS * LANES * threads) as f64;
    println!("multiply-add,{threads},{:.1},GFLOP/s", operations / flops / 1e9);
    for (name, operation) in [("division", divide as fn(&mut [f32])), ("square root", root)] {
        let seconds = best(threads, || {
            let mut values = vec![1.5f32; SHORT];
            move || (0..REPEATS).for_each(|_| operation(black_box(&mut values)))
        });
        println!("{name},{threads},{:.2},10⁹/s", (SHORT * REPEATS * threads) as f64 / seconds / 1e9);
    }
    let triad = best(threads, || {
        let (mut a, b, c) = (vec![0.0f32; ELEMENTS], vec![1.0f32; ELEMENTS], vec![2.0f32; ELEMENTS]);
        move || {
            let s = black_box(3.0f32);
            dispatch!(_L => for ((a, &b), &c) in a.iter_mut().zip(&b).zip(&c) {
                *a = b + s * c;
            });
            black_box(&a);
        }
    });
    println!("triad,{threads},{:.1},GB/s", (3 * size_of::<f32>() * ELEMENTS * threads) as f64 / triad / 1e9);
}

/// Seconds of the fastest round, in which every thread runs its work once: of its slowest thread.
fn best<W: FnMut()>(threads: usize, work: impl Fn() -> W + Sync) -> f64 {
    let barrier = Barrier::new(threads);
    let run = || {
        let mut work = work();
        work();
        let round = |_| {
            barrier.wait();
            let started = Instant::now();
            work();
            started.elapsed().as_secs_f64()
        };
        (0..ROUNDS).map(round).collect::<Vec<f64>>()
    };
    let times: Vec<Vec<f64>> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        running.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    let slowest = |round| times.iter().map(|times: &Vec<f64>| times[round]).fold(0.0, f64::max);
    (0..ROUNDS).map(slowest).fold(f64::INFINITY, f64::min)
}

fn divide(values: &mut [f32]) {
    dispatch!(_L => for value in values.iter_mut() {
        *value = 1.0 / *value;
    });
}

fn root(values: &mut [f32]) {
    dispatch!(_L => for value in values.iter_mut() {
        *value = value.sqrt();
    });
}

#[inline(always)]
fn multiply_add<L: Level>(start: [[f32; LANES]; SUMS]) -> [[f32; LANES]; SUMS] {
    let (mut sums, factor) = (start, black_box([0.5f32; LANES]));
    for _ in 0..MULTIPLIES {
        macro_rules! each {
            ($($i:literal)*) => {$(
                for c in 0..LANES {
                    sums[$i][c] = sums[$i][c].fma::<L>(factor[c], factor[c]);
                }
            )*};
        }
        each!(0 1 2 3 4 5 6 7 8 9 10 11);
    }
    sums
}
