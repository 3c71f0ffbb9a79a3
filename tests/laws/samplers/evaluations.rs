//! Laws of what the target is asked: what chains carry is its word, and it is asked as often as the method needs.

use flow_sdk::candle_core::DType;
use flow_sdk::kernels::integrator::{Scheme, Stage};
use flow_sdk::{Sampler, metropolis};
use serde_json::{Value, json};

use crate::oracle::{Counted, values};
use crate::stand::Stand;
use crate::statistics::largest_gap;

const CHAINS: usize = 50;

/// After each of five transitions, log γ and its gradient are those of where the chains are, bit for bit, and the target
/// was asked as often as `expected` says.
pub fn chains_carry_the_targets_word<S: Sampler>(name: &str, configs: &[Value]) {
    let rough = |dim: usize| Counted::new("rough-well", &json!({"dim": dim, "eta": 0.5}));
    for (config, target) in
        configs.iter().flat_map(|c| [rough(1), Counted::new("u1", &json!({})), rough(3)].map(|t| (c, t)))
    {
        let what = format!("{name} {config} on {}", target.label);
        let stand = Stand::<S>::new(config, &target, DType::F64).perturbed(0.3, 14);
        let mut at = stand.place(&target.exact(15, CHAINS));
        for seed in 0..5 {
            let moved = stand.step(&at, seed).next;
            let asked = target.asked();
            let back = values(&metropolis::signs(stand.sampler.setup(), seed, CHAINS).unwrap());
            let back = back.iter().filter(|sign| **sign < 0.0).count();
            if let Some(expected) = expected(name, config, back) {
                assert_eq!(asked, expected, "{what}, transition {seed}");
            }
            assert!(asked >= CHAINS, "{what}: it was not asked");
            let truth = stand.place(&moved.x);
            assert_eq!(values(&moved.log_density), values(&truth.log_density), "{what}");
            assert_eq!(moved.grad.is_none(), S::GRADIENT_FREE, "{what}");
            if let (Some(carried), Some(truth)) = (&moved.grad, &truth.grad) {
                assert_eq!(largest_gap(carried, truth), 0.0, "{what}");
            }
            at = moved;
        }
    }
}

/// Rows a transition; none where that depends on the chains. Where they stand they are never asked again.
///
/// A scheme that ends with a drift, or begins with one, needs the density at its end beside its gradients, but where the
/// first gradient is the one that is carried. `back` chains of a scheme that is not its own reverse are asked once more:
/// their way back begins with a drift.
fn expected(name: &str, config: &Value, back: usize) -> Option<usize> {
    let n_steps = config["n_steps"].as_u64().unwrap_or(10) as usize;
    match name {
        "rwmh" => Some(CHAINS),
        "nn-hmc" => Some(CHAINS * n_steps),
        "hmc" => {
            let scheme = Scheme::named(config["integrator"].as_str().unwrap_or("leapfrog"))?;
            let gradients = scheme.gradients? as usize * n_steps;
            let drifts_first = matches!(scheme.stages(1)?[0], Stage::Drift(_));
            let more = if drifts_first { CHAINS } else { 0 };
            Some(CHAINS * gradients + more + if scheme.reversible { 0 } else { back })
        }
        _ => None,
    }
}
