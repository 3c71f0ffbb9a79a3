//! Laws of trajectories on a CUDA device: its kernels are the processor's, and what has no kernel there is its definition.

use crate::chain::{CASES, Chain, FORWARD, INVERSE, Map, settings, splittings, states};
use crate::gaps::{Worst, relative_gap, values};
use flow_sdk::candle_core::{DType, Device, Tensor, Var};
use flow_sdk::kernels::integrator::{Method, SCHEMES, Scheme};
use flow_sdk::kernels::mlp::Activation;
use flow_sdk::kernels::trajectory::Trajectory;
use flow_sdk::{Layout, Params};
use phase_space::{KineticName, Memory, Settings};

/// Ends and gradients agree with the processor's, in every scheme and with every option, kept or rebuilt.
///
/// 67 points are a tile of 64 and a part of one, or several small ones. The sums have another order, so that tolerances are
/// those of the law that holds the processor's kernel to its definition.
#[test]
fn kernel_is_the_processors() {
    let Some(device) = laws::cuda() else { return };
    let mut worst = [Worst("on CUDA, f64", 0.0), Worst("on CUDA, f32", 0.0)];
    for (index, (scheme, (case, change))) in
        splittings().flat_map(|scheme| CASES.map(|case| (scheme, case))).enumerate()
    {
        for (worst, (dtype, tolerance)) in worst.iter_mut().zip([(DType::F64, 1e-12), (DType::F32, 1e-4)]) {
            for memory in [Memory::Stored, Memory::Reversible] {
                // Every scheme and every option each way, their product in turns: the emulated device is slow.
                let (way, map) = [("forward", FORWARD), ("inverse", INVERSE)][index % 2];
                let chain = Chain::new(Settings { memory, ..settings(scheme, change) }, 2, dtype, 3);
                assert!(is_fused(&chain, &device));
                let place = format!("{} {case}, {memory:?}, {way}", scheme.name);
                compare(&chain, &device, map, 67, worst, tolerance, &place);
            }
        }
    }
}

/// Likewise for dimensions and widths at, below and above those of a tile's runs, one layer to three, one point to many tiles.
#[test]
fn shapes_do_not_matter() {
    let Some(device) = laws::cuda() else { return };
    let scheme = Scheme::named("leapfrog").expect("stands in the table");
    let shapes: [(usize, &[usize], usize); 9] = [
        (1, &[1], 1),
        (3, &[7, 33, 5], 5),
        (2, &[128, 128], 150),
        (5, &[64], 64),
        (16, &[65, 96], 33),
        (17, &[40, 129], 16),
        (64, &[130, 60], 31),
        (2, &[32, 32], 700),
        (2, &[256, 20], 40),
    ];
    let activations = [Activation::Softplus, Activation::Tanh, Activation::Silu];
    let mut worst = [Worst("shapes on CUDA, f64", 0.0), Worst("shapes on CUDA, f32", 0.0)];
    for (index, (dim, hidden, n)) in shapes.into_iter().enumerate() {
        for (worst, (dtype, tolerance)) in worst.iter_mut().zip([(DType::F64, 1e-12), (DType::F32, 1e-4)]) {
            for memory in [Memory::Stored, Memory::Reversible] {
                let settings = Settings {
                    hidden: hidden.to_vec(),
                    activation: activations[index % 3],
                    kinetic: [KineticName::Learnt, KineticName::Fixed][index / 3 % 2],
                    memory,
                    learn_step_size: true,
                    n_steps: 1,
                    ..settings(scheme, |_| ())
                };
                let chain = Chain::near_start(settings, dim, dtype, 6);
                assert!(is_fused(&chain, &device));
                let place = format!("{dim} {hidden:?}, {n} points, {memory:?}");
                compare(&chain, &device, FORWARD, n, worst, tolerance, &place);
            }
        }
    }
}

/// Two runs have the same bits, gradients included, with more tiles than blocks.
#[test]
fn bits_are_the_same_again() {
    let Some(device) = laws::cuda() else { return };
    let scheme = Scheme::named("leapfrog").expect("stands in the table");
    for memory in [Memory::Stored, Memory::Reversible] {
        let settings = Settings { hidden: vec![16, 24], memory, ..settings(scheme, |_| ()) };
        let chain = Chain::new(settings, 2, DType::F32, 8).to_device(&device);
        let state = states(1000, 2, DType::F32).to_device(&device).unwrap();
        let [first, second] = [(); 2].map(|()| chain.pull(FORWARD, &state));
        for (first, second) in first.iter().zip(&second) {
            assert_eq!(values(first), values(second));
        }
    }
}

/// A point that is not a number spoils no other, and the gradient shows it.
#[test]
fn not_a_number_stays_where_it_is() {
    let Some(device) = laws::cuda() else { return };
    let scheme = Scheme::named("leapfrog").expect("stands in the table");
    let chain = Chain::new(settings(scheme, |_| ()), 2, DType::F64, 9).to_device(&device);
    let good = states(70, 2, DType::F64);
    let mut rows = good.to_vec2::<f64>().unwrap();
    rows[69] = vec![f64::NAN; 4];
    let bad = Tensor::new(rows, &device).unwrap();
    let good = chain.forward(&good.to_device(&device).unwrap()).to_vec2::<f64>().unwrap();
    let [end, of_params, _] = chain.pull(FORWARD, &bad);
    let end = end.to_vec2::<f64>().unwrap();
    assert_eq!(good[..69], end[..69]);
    assert!(end[69].iter().all(|x| x.is_nan()) && values(&of_params).iter().any(|x| x.is_nan()));
}

/// Schemes without a kernel run by their definition there.
#[test]
fn other_schemes_run_by_their_definition() {
    let Some(device) = laws::cuda() else { return };
    let mut worst = Worst("other schemes on CUDA, f64", 0.0);
    for scheme in SCHEMES.iter().filter(|scheme| !matches!(scheme.method, Method::Splitting(_))) {
        let chain = Chain::new(settings(scheme, |_| ()), 2, DType::F64, 3);
        for (way, map) in [("forward", FORWARD), ("inverse", INVERSE)] {
            // Iterations end at four roundings of the state, which the inverse of a step amplifies.
            compare(&chain, &device, map, 7, &mut worst, 1e-10, &format!("{}, {way}", scheme.name));
        }
    }
}

/// Whether the device's kernel serves, and not the definition behind it.
fn is_fused(chain: &Chain, device: &Device) -> bool {
    let trajectory: Trajectory = chain.dynamics.trajectory(&chain.layout).expect("a splitting");
    let on_device = chain.to_device(device);
    let steps = on_device.dynamics.step_sizes(&on_device.params()).unwrap();
    let state = states(1, trajectory.dim, chain.flat.dtype()).to_device(device).unwrap();
    flow_cuda::trajectory(&trajectory, false, &on_device.flat, &steps, &state).unwrap().is_some()
}

/// Ends, gradients in parameters and in the state, on the device and on the processor.
fn compare(chain: &Chain, device: &Device, map: Map, n: usize, worst: &mut Worst, tolerance: f64, place: &str) {
    let dim = chain.dynamics.trajectory(&chain.layout).map_or(2, |trajectory| trajectory.dim);
    let state = states(n, dim, chain.flat.dtype());
    let got = chain.to_device(device).pull(map, &state.to_device(device).unwrap());
    let expected = chain.pull(map, &state);
    for ((what, got), expected) in ["end", "in parameters", "in state"].iter().zip(got).zip(expected) {
        worst.hold(relative_gap(&got, &expected), tolerance, &format!("{place}: {what}"));
    }
}

/// Gradients in step sizes that are no parameters, against the processor's kernel: they go through the operation alone.
#[test]
fn step_sizes_have_their_gradient() {
    let Some(device) = laws::cuda() else { return };
    let scheme = Scheme::named("forest-ruth").expect("stands in the table");
    let chain = Chain::new(Settings { learn_step_size: true, ..settings(scheme, |_| ()) }, 3, DType::F64, 4);
    let slices = |layout: &Layout| layout.slices().iter().find(|slice| slice.name == "step_size.log").cloned();
    let slice = slices(&chain.layout).expect("step sizes are learnt");
    let of_steps = |device: &Device| {
        let chain = chain.to_device(device);
        let flat = Var::from_tensor(&chain.flat).unwrap();
        let state = states(100, 3, DType::F64).to_device(device).unwrap();
        let params = Params::new(flat.as_tensor(), &chain.layout);
        let end = chain.dynamics.forward(&params, &state).unwrap().0;
        let grads = end.sqr().unwrap().sum_all().unwrap().backward().unwrap();
        grads.get(flat.as_tensor()).unwrap().narrow(0, slice.offset, slice.len()).unwrap()
    };
    // As elsewhere: hundreds of roundings of the largest value.
    Worst("step sizes on CUDA", 0.0).hold(relative_gap(&of_steps(&device), &of_steps(&Device::Cpu)), 1e-12, "");
}
