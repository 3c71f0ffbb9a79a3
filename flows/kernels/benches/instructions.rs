//! Instructions of kernels, counted by callgrind: the same numbers on any load, where a wall clock is noise.
//!
//! `cargo install gungraun-runner --version 0.20.0`, then
//! `cargo bench -p flow-kernels --features callgrind --bench instructions`; needs valgrind. What it counts is the AVX2 path: valgrind knows no
//! AVX-512. A count says nothing of caches and waits: a change that it shows is one of work done.

#![allow(missing_docs, unused_qualifications, reason = "what the macros of gungraun make")]

use std::hint::black_box;

use flow_kernels::mlp::{Activation, Mlp};
use flow_kernels::noise::normals;
use flow_kernels::trajectory::{Energy, Move, Trajectory};
use gungraun::{library_benchmark, library_benchmark_group, main};

const POINTS: usize = 64;
const DIM: usize = 2;

fn buffer() -> Vec<f32> {
    vec![0.0; 4096]
}

#[library_benchmark]
#[bench::of_4096(buffer())]
fn noise(mut out: Vec<f32>) -> Vec<f32> {
    normals(black_box(1), 0, &mut out);
    out
}

/// One Hamiltonian of two networks 2-64-64-1, two leapfrog steps, with parameters and points.
fn hamiltonian() -> (Trajectory, Vec<f32>, Vec<f32>) {
    let net = Mlp::new(DIM, &[64, 64], Activation::Softplus);
    let one = Energy::Network(net).n_params(DIM);
    let energies = [0, one].map(|offset| (Energy::Network(Mlp::new(DIM, &[64, 64], Activation::Softplus)), offset));
    let stage = |kick: bool, coefficient| Move { energy: usize::from(!kick), kick, step: 0, coefficient };
    let moves = vec![stage(true, 0.5), stage(false, 1.0), stage(true, 1.0), stage(false, 1.0), stage(true, 0.5)];
    let (mut params, mut points) = (vec![0.0; 2 * one], vec![0.0; 2 * DIM * POINTS]);
    normals(1, 0, &mut params);
    normals(2, 0, &mut points);
    params.iter_mut().for_each(|value| *value *= 0.1);
    (Trajectory { dim: DIM, energies: energies.into(), moves }, params, points)
}

#[library_benchmark]
#[bench::of_64_points(hamiltonian())]
fn trajectory((trajectory, params, points): (Trajectory, Vec<f32>, Vec<f32>)) -> Vec<f32> {
    trajectory.run(black_box(&params), &[0.25], &points, false).0
}

library_benchmark_group!(name = kernels; benchmarks = noise, trajectory);
main!(library_benchmark_groups = kernels);
