//! Laws of the map: it is its definition, has its log-det, its gradient, its inverse.

use crate::chain::{CASES, Chain, DIMS, FORWARD, INVERSE, Map, settings, splittings, states};
use crate::gaps::{Worst, largest_gap, relative_gap, values};
use flow_sdk::candle_core::{DType, Device, Tensor, Var};
use flow_sdk::kernels::integrator::SCHEMES;
use flow_sdk::kernels::philox::Stream;
use flow_sdk::{Params, log_det};
use phase_space::{KineticName, Memory, Settings};

/// The kernel computes what the tensor operations define, and so does its reverse pass, whether states are kept or
/// rebuilt. 67 states are a block and a part of one.
///
/// Up to 8 steps of up to 11 stages, some hundred roundings each that mostly cancel: of the largest value, 1e-12 in f64 and
/// 1e-4 in f32 are several hundred to several thousand roundings.
#[test]
fn kernel_is_its_definition() {
    const PAIRS: [(&str, Map, Map); 2] = [
        ("forward", FORWARD, |dynamics, params, state| dynamics.forward_by_definition(params, state)),
        ("inverse", INVERSE, |dynamics, params, state| dynamics.inverse_by_definition(params, state)),
    ];
    let mut worst = [Worst("kernel, f64", 0.0), Worst("kernel, f32", 0.0)];
    for (scheme, (case, change)) in splittings().flat_map(|scheme| CASES.map(|case| (scheme, case))) {
        for (worst, (dtype, tolerance)) in worst.iter_mut().zip([(DType::F64, 1e-12), (DType::F32, 1e-4)]) {
            for memory in [Memory::Stored, Memory::Reversible] {
                let chain = Chain::new(Settings { memory, ..settings(scheme, change) }, 2, dtype, 3);
                let state = states(67, 2, dtype);
                for (way, kernel, definition) in PAIRS {
                    let (got, expected) = (chain.pull(kernel, &state), chain.pull(definition, &state));
                    for ((what, got), expected) in ["end", "in parameters", "in state"].iter().zip(got).zip(expected) {
                        let place = format!("{} {case}, {memory:?}, {way}: {what}", scheme.name);
                        worst.hold(relative_gap(&got, &expected), tolerance, &place);
                    }
                }
            }
        }
    }
}

/// Rebuilding the states gives the gradient that keeping them gives, over 40 steps as well.
///
/// Rounding is amplified on the way back by at most the Jacobian, here below 10³: 1e-10 in f64, 1e-3 in f32.
#[test]
fn rebuilt_gradient_is_the_stored_one() {
    let mut worst = [Worst("rebuilt gradient, f64", 0.0), Worst("rebuilt gradient, f32", 0.0)];
    for (scheme, (case, change)) in splittings().flat_map(|scheme| CASES.map(|case| (scheme, case))) {
        for (worst, (dtype, tolerance)) in worst.iter_mut().zip([(DType::F64, 1e-10), (DType::F32, 1e-3)]) {
            for (way, map) in [("forward", FORWARD), ("inverse", INVERSE)] {
                let [stored, rebuilt] = [Memory::Stored, Memory::Reversible].map(|memory| {
                    let settings = Settings { memory, n_steps: 20, step_size: 0.1, ..settings(scheme, change) };
                    Chain::new(settings, 3, dtype, 4).pull(map, &states(67, 3, dtype))
                });
                assert_eq!(values(&stored[0]), values(&rebuilt[0]));
                for i in [1, 2] {
                    let place = format!("{} {case}, {way}", scheme.name);
                    worst.hold(relative_gap(&rebuilt[i], &stored[i]), tolerance, &place);
                }
            }
        }
    }
}

/// The stated log-det is that of autograd's Jacobian of (q, p), the inverse's that of the forward map at the point found.
///
/// 1e-10: 2d ≤ 6 reverse passes and an LU in f64 lose a few digits of 16.
#[test]
fn stated_log_det_is_that_of_the_jacobian() {
    let mut worst = Worst("log-det", 0.0);
    for (scheme, dim) in SCHEMES.iter().flat_map(|scheme| DIMS.map(|dim| (scheme, dim))) {
        for (case, change) in CASES {
            let chain = Chain::new(settings(scheme, change), dim, DType::F64, 5);
            let (params, state) = (chain.params(), states(7, dim, DType::F64));
            let (end, stated) = chain.dynamics.forward(&params, &state).unwrap();
            let oracle = log_det::by_autograd(&state, |state| Ok(chain.dynamics.forward(&params, state)?.0)).unwrap();
            let place = format!("{} {case} in {dim}-d", scheme.name);
            worst.hold(largest_gap(&values(&stated), &oracle), 1e-10, &place);
            let by_inverse = chain.dynamics.inverse(&params, &end).unwrap().1;
            worst.hold(largest_gap(&values(&by_inverse), &oracle), 1e-10, &format!("{place}, inverse"));
        }
    }
}

/// A scheme that does not preserve volume has a log-det to speak of at a large step, with its derivative as gradient.
///
/// Central differences with h = 1e-6: cancellation near 1e-9, truncation likewise, although the logarithm of a determinant
/// near zero has large third derivatives.
#[test]
fn log_det_of_other_schemes_matters_and_has_its_gradient() {
    let mut worst = Worst("gradient of the log-det", 0.0);
    for scheme in SCHEMES.iter().filter(|scheme| !scheme.volume_preserving) {
        let settings = Settings { step_size: 2.0, ..settings(scheme, |s| s.learn_step_size = true) };
        let mut chain = Chain::new(settings, 2, DType::F64, 6);
        chain.flat = (&chain.flat * 1.5).unwrap();
        let state = states(7, 2, DType::F64);
        let flat = Var::from_tensor(&chain.flat).unwrap();
        let params = Params::new(flat.as_tensor(), &chain.layout);
        let log_det = chain.dynamics.forward(&params, &state).unwrap().1;
        let largest = values(&log_det).iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
        assert!(largest > 0.1, "{}: log-det is at most {largest}", scheme.name);
        println!("{}: log-det up to {largest:.2}", scheme.name);
        let grad = values(log_det.sum_all().unwrap().backward().unwrap().get(flat.as_tensor()).unwrap());
        let start = values(&chain.flat);
        for (index, grad) in grad.iter().enumerate() {
            let mut moved = |by: f64| {
                let mut moved = start.clone();
                moved[index] += by;
                chain.flat = Tensor::new(moved, &Device::Cpu).unwrap();
                values(&chain.dynamics.forward(&chain.params(), &state).unwrap().1).iter().sum::<f64>()
            };
            let difference = (moved(1e-6) - moved(-1e-6)) / 2e-6;
            let gap = (grad - difference).abs() / (1.0 + difference.abs());
            worst.hold(gap, 1e-7, &format!("{} parameter {index}", scheme.name));
        }
    }
}

/// The inverse undoes the map. Rounding is amplified by at most the Jacobian: 1e-10 in f64, 1e-4 in f32.
///
/// The step is such that the iterations of explicit schemes contract, and that explicit Euler does not fold phase space.
///
/// With −h in place of h the map is undone by time-symmetric schemes, and by no other: published code has it otherwise.
#[test]
fn inverse_undoes_the_chain() {
    let mut worst = [Worst("inverse, f64", 0.0), Worst("inverse, f32", 0.0)];
    for (scheme, dim) in SCHEMES.iter().flat_map(|scheme| DIMS.map(|dim| (scheme, dim))) {
        for (case, change) in CASES {
            let place = format!("{} {case} in {dim}-d", scheme.name);
            for (worst, (dtype, tolerance)) in worst.iter_mut().zip([(DType::F64, 1e-10), (DType::F32, 1e-4)]) {
                let settings = Settings { step_size: 0.15, ..settings(scheme, change) };
                let chain = Chain::new(settings, dim, dtype, 7);
                let state = states(67, dim, dtype);
                let end = chain.forward(&state);
                let back = chain.dynamics.inverse(&chain.params(), &end).unwrap().0;
                worst.hold(largest_gap(&values(&state), &values(&back)), tolerance, &place);
                let moved = largest_gap(&values(&state), &values(&end));
                assert!(moved > 0.1, "{place}: nothing moves");
                if dtype == DType::F64 {
                    let negated = chain.dynamics.forward_with_negated_step(&chain.params(), &end).unwrap();
                    let gap = largest_gap(&values(&state), &values(&negated));
                    assert_eq!(gap < 1e-12, scheme.reversible, "{place}: −h is off by {gap:e}");
                }
            }
        }
    }
}

/// Every parameter group of U and of K moves the trajectory: published code has a K that is learnt and never used.
#[test]
fn both_energies_move_the_trajectory() {
    for scheme in &SCHEMES {
        for (case, change) in CASES {
            let mut chain = Chain::new(settings(scheme, change), 2, DType::F64, 8);
            let (state, start) = (states(7, 2, DType::F64), values(&chain.flat));
            let end = values(&chain.forward(&state));
            for slice in chain.layout.slices().to_vec() {
                let mut stream = Stream::new(9);
                let mut moved = start.clone();
                moved[slice.offset..slice.offset + slice.len()].iter_mut().for_each(|v| *v += 0.3 * stream.normal());
                chain.flat = Tensor::new(moved, &Device::Cpu).unwrap();
                let gap = largest_gap(&end, &values(&chain.forward(&state)));
                assert!(gap > 1e-4, "{} {case}: `{}` moves the end by {gap:e}", scheme.name, slice.name);
            }
            let has = |energy: &str| chain.layout.slices().iter().any(|slice| slice.name.starts_with(energy));
            let unit = chain.dynamics.settings().kinetic == KineticName::Unit;
            assert!(has("potential") && has("kinetic") != unit, "{case}");
        }
    }
}
