//! The law that a learnt sampler with its networks off is Hamiltonian Monte Carlo, bit for bit.

use flow_sdk::candle_core::DType;
use flow_sdk::{Sampler, Transition};
use hmc::Hmc;
use nn_hmc::NnHmc;
use serde_json::json;

use crate::oracle::{Counted, values};
use crate::stand::Stand;

const CHAINS: usize = 64;

/// Where all weights are zero, and where those of the heads are: then S, T and Q are.
///
/// A momentum ξ that goes back in time is −ξ that goes forth, so both directions are held to the same transition.
#[test]
fn networks_of_zeros_are_hmc_bit_for_bit() {
    for (dim, dtype) in [1, 2, 5].into_iter().flat_map(|dim| [DType::F32, DType::F64].map(|dtype| (dim, dtype))) {
        for only_heads in [false, true] {
            let target = match dim {
                2 => Counted::new("banana", &json!({})),
                _ => Counted::new("rough-well", &json!({"dim": dim, "eta": 0.5})),
            };
            let learnt = json!({"n_steps": 4, "hidden": 3, "step_size": 0.3});
            let learnt = without_networks(Stand::<NnHmc>::new(&learnt, &target, dtype).perturbed(0.3, 1), only_heads);
            // Whatever the logarithm made of it, in the dtype.
            let step_size = values(&learnt.params().get("step.log_size").unwrap().exp().unwrap())[0];
            let plain = json!({"n_steps": 4, "step_size": step_size, "jitter": 0, "tune": "none"});
            let plain = Stand::<Hmc>::new(&plain, &target, dtype);
            let mut at = plain.place(&target.exact(2, CHAINS));
            let mut accepted = 0;
            for seed in 0..8 {
                let (ours, theirs) = (learnt.step(&at, seed), plain.step(&at, seed));
                assert_eq!(
                    bits(&ours),
                    bits(&theirs),
                    "{} {dtype:?}, only heads: {only_heads}, step {seed}",
                    target.label
                );
                accepted += values(&theirs.next.x).iter().zip(values(&at.x)).filter(|(to, from)| *to != from).count();
                at = theirs.next;
            }
            assert!(accepted > 0 && accepted < 8 * CHAINS * dim, "{}: all or nothing was accepted", target.label);
        }
    }
}

/// Zeros in all weights of the networks, or in the heads' only; the step size stays.
pub fn without_networks(mut stand: Stand<NnHmc>, only_heads: bool) -> Stand<NnHmc> {
    let mut flat = values(&stand.flat);
    for slice in stand.sampler.layout().slices() {
        let (network, part) = slice.name.split_once('.').unwrap();
        if ["velocity", "position"].contains(&network) && (!only_heads || part.starts_with("heads")) {
            flat[slice.offset..slice.offset + slice.len()].fill(0.0);
        }
    }
    stand.set(flat);
    stand
}

fn bits(moved: &Transition) -> [Vec<u64>; 5] {
    let next = &moved.next;
    [&next.x, &next.log_density, next.grad.as_ref().unwrap(), &moved.proposal, &moved.accept]
        .map(|tensor| values(tensor).into_iter().map(f64::to_bits).collect())
}
