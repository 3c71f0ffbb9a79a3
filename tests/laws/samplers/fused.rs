//! Laws of samplers with kernels of their own: the kernels are the definition in tensor operations, at every level of vector
//! instructions, and ask the target as often; chains do not depend on how they are grouped.

use flow_sdk::candle_core::Tensor;
use flow_sdk::kernels::simd;
use flow_sdk::{Element, FusedSampler, Point, PointRows, TransitionRows};
use serde_json::{Value, json};

use crate::oracle::{Counted, values};
use crate::stand::Stand;

/// One transition's results, row-major.
struct Moved<T> {
    x: Vec<T>,
    log_density: Vec<T>,
    grad: Vec<T>,
    proposal: Vec<T>,
    accept: Vec<T>,
}

/// Rows of a transition are the transition's, and cost as many evaluations.
///
/// In f64 to 1e-9 of the largest entry, in f32 to 2e-4: a thousand roundings. No chain of these seeds stands so near to its
/// uniform that a rounding decides.
pub fn kernels_move_as_the_definition_does<S: FusedSampler>(name: &str, configs: &[Value]) {
    let wide = json!({"dim": 50, "mean": 1.0, "sd": 2.0});
    // On a Gaussian the dynamics is linear: it does not tear two roundings apart.
    for (target, params, linear) in
        [("gaussian", json!({"dim": 1}), true), ("gaussian", wide, true), ("u2", json!({}), false)]
    {
        let target = Counted::new(target, &params);
        for (config, n) in configs.iter().flat_map(|config| [1, 7, 200].map(|n| (config, n))) {
            for &width in simd::available() {
                simd::at(width, || {
                    let place = format!("{name} {config} on {} n={n} {width:?}", target.label);
                    agree::<f64, S>(&place, config, &target, n, 1e-9);
                    if linear {
                        agree::<f32, S>(&place, config, &target, n, 2e-4);
                    }
                });
            }
        }
    }
}

fn agree<T: Element, S: FusedSampler>(place: &str, config: &Value, target: &Counted, n: usize, tolerance: f64) {
    let mut stand = Stand::<S>::new(config, target, T::DTYPE);
    if !stand.sampler.is_fused() {
        println!("skipped: {place}: no kernel for this instance");
        return;
    }
    // Scales that are not one.
    let layout = stand.sampler.layout().clone();
    let mut flat = values(&stand.flat);
    let scales = layout.slice("tuned.log_sd").unwrap();
    for (i, log_sd) in flat[scales.offset..scales.offset + scales.len()].iter_mut().enumerate() {
        *log_sd = 0.3 * (i as f64).sin();
    }
    stand.set(flat);
    let from = stand.base(41, n, 1.0);
    let step = stand.step(&from, 42);
    let asked = target.asked();
    let moved = rows::<T, S>(&stand, &from, 42, 0, n);
    assert_eq!(target.asked(), asked, "{place}: evaluations");
    let pairs = [
        ("proposal", &moved.proposal, &step.proposal),
        ("acceptance", &moved.accept, &step.accept),
        ("x", &moved.x, &step.next.x),
        ("log density", &moved.log_density, &step.next.log_density),
        ("gradient", &moved.grad, step.next.grad.as_ref().unwrap()),
    ];
    for (what, got, expected) in pairs {
        let expected = values(expected);
        let largest = expected.iter().fold(1.0f64, |largest, value| largest.max(value.abs()));
        for (index, (got, expected)) in got.iter().zip(&expected).enumerate() {
            let gap = (got.wide() - expected).abs();
            assert!(gap <= tolerance * largest, "{place}, {what} {index}: {got:?} but {expected}");
        }
    }
    // Any split has the bits of the whole.
    let (first, dim) = (n / 3, target.dim());
    let part = rows::<T, S>(&stand, &from, 42, first, n - first);
    assert!(part.x == moved.x[first * dim..] && part.accept == moved.accept[first..], "{place}: rows from {first} on");
}

/// n chains from `first` on, by the kernel.
fn rows<T: Element, S: FusedSampler>(stand: &Stand<S>, from: &Point, seed: u64, first: usize, n: usize) -> Moved<T> {
    let dim = stand.target.dim();
    let slice = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<T>().unwrap();
    let (x, log_density, grad) = (slice(&from.x), slice(&from.log_density), slice(from.grad.as_ref().unwrap()));
    let zeros = |count: usize| vec![T::ZERO; count];
    let mut moved = Moved {
        x: zeros(n * dim),
        log_density: zeros(n),
        grad: zeros(n * dim),
        proposal: zeros(n * dim),
        accept: zeros(n),
    };
    let cells = first * dim..(first + n) * dim;
    let from = PointRows { x: &x[cells.clone()], log_density: &log_density[first..first + n], grad: &grad[cells] };
    let to = TransitionRows {
        x: &mut moved.x,
        log_density: &mut moved.log_density,
        grad: &mut moved.grad,
        proposal: &mut moved.proposal,
        accept: &mut moved.accept,
    };
    stand.sampler.transition_rows(&slice(&stand.flat), from, seed, 1.0, first, to).unwrap();
    moved
}
