//! Laws of samplers with kernels of their own: the kernels are the definition in tensor operations, at every level of vector
//! instructions, and ask the target as often; chains do not depend on how they are grouped. So are their reverse passes.

use flow_sdk::candle_core::{Device, Tensor};
use flow_sdk::kernels::philox::Stream;
use flow_sdk::kernels::simd;
use flow_sdk::{Element, FusedSampler, FusedTrained, Point, PointRows, Proposals, Sampler, TransitionRows};
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
    stand = moved_off(stand);
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

/// With weights and scales that are not those of the start, so that every term matters.
pub fn moved_off<S: Sampler>(stand: Stand<S>) -> Stand<S> {
    let mut stand = stand.perturbed(0.2, 7);
    let layout = stand.sampler.layout().clone();
    if let Ok(scales) = layout.slice("tuned.log_sd") {
        let mut flat = values(&stand.flat);
        for (i, log_sd) in flat[scales.offset..scales.offset + scales.len()].iter_mut().enumerate() {
            *log_sd = 0.3 * (i as f64).sin();
        }
        stand.set(flat);
    }
    stand
}

/// The kernel's gradient of Σ proposal·a + Σ accept·b is the definition's, and its transition that without a gradient.
///
/// In f64 to 1e-9 of the largest entry, in f32 to 1e-3: the sums have thousands of terms of both signs.
pub fn kernels_derive_as_the_definition_does<S: FusedTrained>(name: &str, configs: &[Value]) {
    let wide = json!({"dim": 50, "mean": 1.0, "sd": 2.0});
    let targets = [
        ("gaussian", json!({"dim": 1}), true),
        ("gaussian", wide, true),
        ("u2", json!({}), false),
        ("funnel", json!({"dim": 3}), false),
    ];
    for (target, params, linear) in targets {
        let target = Counted::new(target, &params);
        for (config, n) in configs.iter().flat_map(|config| [1, 7, 64, 200].map(|n| (config, n))) {
            for &width in simd::available() {
                simd::at(width, || {
                    let place = format!("{name} {config} on {} n={n} {width:?}", target.label);
                    derive::<f64, S>(&place, config, &target, n, 1e-9);
                    if linear {
                        derive::<f32, S>(&place, config, &target, n, 1e-3);
                    }
                });
            }
        }
    }
}

fn derive<T: Element, S: FusedTrained>(place: &str, config: &Value, target: &Counted, n: usize, tolerance: f64) {
    let stand = moved_off(Stand::<S>::new(config, target, T::DTYPE));
    let (from, dim) = (stand.base(43, n, 1.0), target.dim());
    let mut stream = Stream::new(5);
    let mut normals = |count: usize| (0..count).map(|_| T::of(stream.normal())).collect::<Vec<T>>();
    let (along, weight) = (normals(n * dim), normals(n));
    target.asked();
    let (_, tape) = stand.sampler.transition_taped(&stand.flat, &from, 44, 1.0).unwrap();
    let along_tensor = Tensor::from_slice(&along, (n, dim), &Device::Cpu).unwrap();
    let weight_tensor = Tensor::from_slice(&weight, n, &Device::Cpu).unwrap();
    let expected = values(&tape.backward(Some(&along_tensor), &weight_tensor).unwrap());
    let asked = target.asked();
    let mut grad = vec![T::ZERO; expected.len()];
    let mut seen = 0;
    let mut pull = |made: Proposals<'_, T>| {
        let m = made.accept.len();
        made.grad_proposal.copy_from_slice(&along[seen * dim..(seen + m) * dim]);
        made.grad_accept.copy_from_slice(&weight[seen..seen + m]);
        seen += m;
        Ok(())
    };
    let moved = on_rows::<T, S>(&stand, &from, 0, n, |params, from, to| {
        stand.sampler.transition_gradient(params, from, 44, 1.0, 0, to, &mut pull, &mut grad)
    });
    assert_eq!((seen, target.asked()), (n, asked), "{place}: chains and evaluations");
    let plain = rows::<T, S>(&stand, &from, 44, 0, n);
    assert!(plain.x == moved.x && plain.accept == moved.accept, "{place}: the gradient changes the transition");
    target.asked();
    let largest = expected.iter().fold(1.0f64, |largest, value| largest.max(value.abs()));
    for slice in stand.sampler.layout().slices() {
        for index in slice.offset..slice.offset + slice.len() {
            let gap = (grad[index].wide() - expected[index]).abs();
            let (at, got, expected) = (index - slice.offset, grad[index], expected[index]);
            assert!(gap <= tolerance * largest, "{place}, {} [{at}]: {got:?} but {expected}", slice.name);
        }
    }
}

/// n chains from `first` on, by the kernel.
fn rows<T: Element, S: FusedSampler>(stand: &Stand<S>, from: &Point, seed: u64, first: usize, n: usize) -> Moved<T> {
    on_rows::<T, S>(stand, from, first, n, |params, from, to| {
        stand.sampler.transition_rows(params, from, seed, 1.0, first, to)
    })
}

/// What `kernel` makes of them.
fn on_rows<T: Element, S: FusedSampler>(
    stand: &Stand<S>,
    from: &Point,
    first: usize,
    n: usize,
    kernel: impl FnOnce(&[T], PointRows<'_, T>, TransitionRows<'_, T>) -> flow_sdk::Result<()>,
) -> Moved<T> {
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
    kernel(&slice(&stand.flat), from, to).unwrap();
    moved
}
