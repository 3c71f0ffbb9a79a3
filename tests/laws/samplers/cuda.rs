//! Laws of samplers on a CUDA device: with one seed they move as on the processor, learn alike, tune alike, find their target.

use flow_sdk::candle_core::{DType, Device, Tensor};
use flow_sdk::kernels::noise;
use flow_sdk::kernels::philox::Stream;
use flow_sdk::{Point, Sampler, Trained, metropolis};
use serde_json::{Value, json};

use crate::fused::moved_off;
use crate::oracle::{Counted, values};
use crate::stand::{Stand, WarmUp};
use crate::statistics::{SE_LIMIT, z_score};

/// Targets, and whether the dynamics on them is linear: then it does not tear two roundings apart.
fn targets() -> Vec<(Counted, bool)> {
    let gaussian = |dim: usize| (Counted::new("gaussian", &json!({"dim": dim, "mean": 1.0, "sd": 2.0})), true);
    let u2 = (Counted::new("u2", &json!({})), false);
    vec![gaussian(1), u2, gaussian(5), gaussian(100), gaussian(131)]
}

/// One transition on the device is that on the processor, which may be by other kernels or by the definition, and asks the
/// target as often.
///
/// In f64 to 1e-9 of the largest entry, in f32 to 2e-4: a thousand roundings. A chain whose uniform is that near to its
/// probability may go where the other one stays; it must be in one of the two places.
pub fn devices_move_alike<S: Sampler>(name: &str, configs: &[Value]) {
    let Some(device) = laws::cuda() else { return };
    for (target, linear) in targets() {
        for (config, n) in configs.iter().flat_map(|config| [1, 7, 67].map(|n| (config, n))) {
            let what = format!("{name} {config} on {} n={n}", target.label);
            if config["integrator"] == "implicit-midpoint" && !linear {
                println!("skipped: {what}: where the iteration does not settle, roundings decide where it stops");
                continue;
            }
            alike::<S>(&format!("{what} f64"), &device, config, &target, (n, DType::F64), 1e-9);
            if linear {
                alike::<S>(&format!("{what} f32"), &device, config, &target, (n, DType::F32), 2e-4);
            }
        }
    }
}

fn alike<S: Sampler>(
    what: &str,
    device: &Device,
    config: &Value,
    target: &Counted,
    (n, dtype): (usize, DType),
    tolerance: f64,
) {
    const SEED: u64 = 42;
    let [here, there] = [&Device::Cpu, device].map(|d| moved_off(Stand::<S>::on(d, config, target, dtype)));
    let from = here.base(41, n, 1.0);
    // Where the chains are given is a part of something, as far as its memory goes.
    let on_device = |tensor: &Tensor| {
        let more = Tensor::cat(&[&tensor.narrow(0, 0, 1).unwrap(), tensor], 0).unwrap();
        more.to_device(device).unwrap().narrow(0, 1, n).unwrap()
    };
    let same = Point {
        x: on_device(&from.x),
        log_density: on_device(&from.log_density),
        grad: from.grad.as_ref().map(on_device),
    };
    let expected = here.step(&from, SEED);
    let asked = target.asked();
    let found = there.step(&same, SEED);
    if config["integrator"] != "implicit-midpoint" {
        assert_eq!(target.asked(), asked, "{what}: evaluations");
    }
    for tensor in
        [&found.next.x, &found.next.log_density, &found.proposal, &found.accept].into_iter().chain(&found.next.grad)
    {
        assert!(tensor.device().is_cuda(), "{what}: a result has left the device");
    }
    near(&format!("{what}: proposal"), &found.proposal, &expected.proposal, tolerance);
    near(&format!("{what}: acceptance"), &found.accept, &expected.accept, tolerance);
    let mut uniforms = vec![0.0; n];
    noise::uniforms(metropolis::streams(SEED).acceptance, 0, &mut uniforms);
    let (accept, dim) = (values(&expected.accept), target.dim());
    let (next, stays, goes) = (values(&found.next.x), values(&from.x), values(&expected.proposal));
    let sure: Vec<bool> = accept.iter().zip(&uniforms).map(|(p, u)| (p - u).abs() > tolerance).collect();
    assert!(sure.iter().filter(|sure| !**sure).count() <= 1 + n / 50, "{what}: too many chains on the edge");
    for row in 0..n {
        let cells = row * dim..(row + 1) * dim;
        let is = |place: &[f64]| {
            let largest = place.iter().fold(1.0f64, |largest, value| largest.max(value.abs()));
            next[cells.clone()].iter().zip(place).all(|(a, b)| (a - b).abs() <= tolerance * largest)
        };
        let (stayed, went) = (is(&stays[cells.clone()]), is(&goes[cells.clone()]));
        let right = if uniforms[row] < accept[row] { went } else { stayed };
        assert!(right || !sure[row] && (stayed || went), "{what}: chain {row} is elsewhere");
    }
    // What it carries is the target's word, whichever way it went.
    let word = there.place(&found.next.x);
    near(&format!("{what}: log density"), &found.next.log_density, &word.log_density, tolerance);
    if let (Some(carried), Some(word)) = (&found.next.grad, &word.grad) {
        near(&format!("{what}: gradient"), carried, word, tolerance);
    }
}

/// The gradient of Σ proposal·a + Σ accept·b on the device is that on the processor: in f64 to 1e-9 of the largest entry, in
/// f32 to 1e-3, the sums having thousands of terms of both signs.
pub fn devices_derive_alike<S: Trained>(name: &str, configs: &[Value]) {
    let Some(device) = laws::cuda() else { return };
    for (target, linear) in targets() {
        for (config, n) in configs.iter().flat_map(|config| [1, 67].map(|n| (config, n))) {
            for (dtype, tolerance) in [(DType::F64, 1e-9), (DType::F32, 1e-3)] {
                if dtype == DType::F32 && !linear {
                    continue;
                }
                let what = format!("{name} {config} on {} n={n} {dtype:?}", target.label);
                let [here, there] =
                    [&Device::Cpu, &device].map(|d| moved_off(Stand::<S>::on(d, config, &target, dtype)));
                let from = here.base(43, n, 1.0);
                let mut stream = Stream::new(5);
                let mut normals = |shape: &[usize]| {
                    let count = shape.iter().product();
                    let values: Vec<f64> = (0..count).map(|_| stream.normal()).collect();
                    Tensor::from_vec(values, shape, &Device::Cpu).unwrap().to_dtype(dtype).unwrap()
                };
                let (along, weight) = (normals(&[n, target.dim()]), normals(&[n]));
                let gradient = |stand: &Stand<S>| {
                    let on = |tensor: &Tensor| tensor.to_device(&stand.device).unwrap();
                    let from =
                        Point { x: on(&from.x), log_density: on(&from.log_density), grad: from.grad.as_ref().map(on) };
                    let (_, tape) = stand.sampler.transition_taped(&stand.flat, &from, 44, 1.0).unwrap();
                    tape.backward(Some(&on(&along)), &on(&weight)).unwrap()
                };
                near(&what, &gradient(&there), &gradient(&here), tolerance);
            }
        }
    }
}

/// Chains that begin at exact draws: means and mean squares over 200 transitions of 100 of them are the target's. Chains are
/// independent, so their averages tell the standard error.
pub fn chains_on_a_device_find_the_target<S: Sampler>(name: &str, config: &Value) {
    let Some(device) = laws::cuda() else { return };
    let (chains, steps, dim, mean, sd) = (100, 200, 3, 2.0, 0.5);
    let target = Counted::new("gaussian", &json!({"dim": dim, "mean": mean, "sd": sd}));
    let stand = Stand::<S>::on(&device, config, &target, DType::F32);
    let mut sums = vec![[0.0; 2]; chains * dim];
    stand.walk(stand.place(&target.exact(1, chains)), 3, steps, |moved| {
        for (sums, x) in sums.iter_mut().zip(values(&moved.next.x)) {
            let z = (x - mean) / sd;
            *sums = [sums[0] + z, sums[1] + z * z - 1.0];
        }
    });
    for (coordinate, power) in (0..dim).flat_map(|coordinate| [0, 1].map(|power| (coordinate, power))) {
        let averages: Vec<f64> = sums.iter().skip(coordinate).step_by(dim).map(|sums| sums[power]).collect();
        let z = z_score(&averages);
        assert!(z.abs() < SE_LIMIT, "{name} {config}: moment {} of coordinate {coordinate}: z = {z:.1}", power + 1);
    }
}

/// After a warm-up of forty transitions, step size and scales are those of the processor to 1e-6: differences of 1e-16 that
/// grow along the chains. No chain of these seeds stands so near to its uniform that a rounding decides.
pub fn warm_ups_agree<S: WarmUp>(name: &str, config: &Value) {
    let Some(device) = laws::cuda() else { return };
    let target = Counted::new("icg", &json!({"dim": 7}));
    let [here, there] = [&Device::Cpu, &device].map(|device| {
        let mut stand = Stand::<S>::on(device, config, &target, DType::F64);
        stand.warm_up(stand.base(1, 50, 1.0), 2, 40);
        stand.flat
    });
    near(&format!("{name} {config}"), &there, &here, 1e-6);
    let start = Stand::<S>::new(config, &target, DType::F64).flat;
    assert!(values(&start) != values(&here), "{name} {config}: nothing was tuned");
}

fn near(what: &str, found: &Tensor, expected: &Tensor, tolerance: f64) {
    let (found, expected) = (values(found), values(expected));
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(1.0f64, |largest, value| largest.max(value.abs()));
    for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
        let gap = (found - expected).abs();
        assert!(gap <= tolerance * largest, "{what} [{index}]: {found} but {expected}");
    }
}
