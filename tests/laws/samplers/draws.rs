//! Laws of what a transition depends on: the seed, bit by bit, its own row, the precision no more than by rounding.

use flow_sdk::candle_core::{DType, Tensor};
use flow_sdk::{Point, Sampler, Transition};
use serde_json::{Value, json};

use crate::oracle::{Counted, values};
use crate::stand::Stand;
use crate::statistics::largest_gap;

fn targets() -> Vec<Counted> {
    let rough = |dim: usize| Counted::new("rough-well", &json!({"dim": dim, "eta": 0.5}));
    vec![rough(1), Counted::new("u1", &json!({})), rough(5)]
}

/// Same seed, same bits; another seed, other draws; the first five of 64 chains go where they go when they are alone.
///
/// 1e-12, a few thousand roundings: the order of the sum in a network's matrix product depends on how many rows it has.
pub fn transitions_are_a_function_of_the_seed<S: Sampler>(name: &str, configs: &[Value]) {
    for (config, target) in configs.iter().flat_map(|config| targets().into_iter().map(move |t| (config, t))) {
        let what = format!("{name} {config} on {}", target.label);
        let stand = Stand::<S>::new(config, &target, DType::F64).perturbed(0.3, 7);
        let x = target.exact(8, 64);
        let from = stand.place(&x);
        let (first, again, other) = (stand.step(&from, 9), stand.step(&from, 9), stand.step(&from, 10));
        for (first, again) in tensors(&first).into_iter().zip(tensors(&again)) {
            assert_eq!(bits(first), bits(again), "{what}");
        }
        assert!(largest_gap(&first.proposal, &other.proposal) > 0.1, "{what}: the seed does not matter");
        assert_eq!((first.next.x.dims(), first.accept.dims()), (x.dims(), &x.dims()[..1]), "{what}");
        let few = stand.step(&stand.place(&x.narrow(0, 0, 5).unwrap()), 9);
        for (few, many) in tensors(&few).into_iter().zip(tensors(&first)) {
            let gap = largest_gap(few, &many.narrow(0, 0, 5).unwrap());
            assert!(gap < 1e-12, "{what}: rows depend on their number by {gap:e}");
        }
    }
}

/// f32 moves a chain where f64 does: proposals to 1e-4, acceptance to 1e-3, thousands of roundings of 6e-8 in states and
/// energies of order ten, and the choice between going and staying but for a uniform that falls between the two.
pub fn single_precision_agrees_with_double<S: Sampler>(name: &str, configs: &[Value]) {
    if name == "nuts" {
        println!("skipped: nuts: where a tree ends, and which leaf is drawn, turns on signs and comparisons a step");
        return;
    }
    let mut worst = [0.0f64; 2];
    for (config, target) in configs.iter().flat_map(|config| targets().into_iter().map(move |t| (config, t))) {
        let [(single, from), (double, _)] = [DType::F32, DType::F64].map(|dtype| {
            let stand = Stand::<S>::new(config, &target, dtype).perturbed(0.3, 11);
            let from: Point = stand.place(&target.exact(12, 200).to_dtype(DType::F32).unwrap());
            (stand.step(&from, 13), from)
        });
        let what = format!("{name} {config} on {}", target.label);
        let (x, accept) =
            (largest_gap(&single.proposal, &double.proposal), largest_gap(&single.accept, &double.accept));
        assert!(x < 1e-4 && accept < 1e-3, "{what}: proposals {x:e}, acceptance {accept:e}");
        let gone = |moved: &Transition| {
            let (x, was) = (values(&moved.next.x), values(&from.x));
            x.chunks(target.dim()).zip(was.chunks(target.dim())).map(|(x, was)| x != was).collect::<Vec<bool>>()
        };
        assert_eq!(gone(&single), gone(&double), "{what}");
        worst = [worst[0].max(x), worst[1].max(accept)];
    }
    println!("{name}: proposals {:.1e}, acceptance {:.1e}", worst[0], worst[1]);
}

fn tensors(moved: &Transition) -> Vec<&Tensor> {
    let next = &moved.next;
    [&next.x, &next.log_density, &moved.proposal, &moved.accept].into_iter().chain(&next.grad).collect()
}

fn bits(tensor: &Tensor) -> Vec<u64> {
    values(tensor).into_iter().map(f64::to_bits).collect()
}
