//! Laws of the switches that bring back mistakes of published code.

use crate::gaps::{Worst, largest_gap, values};
use crate::{flow, shaken};
use flow_sdk::candle_core::{DType, Device, Tensor};
use flow_sdk::{Base, Density, Flow, Params};
use hamiltonian::Hamiltonian;
use hamiltonian_mistakes::HamiltonianMistakes;
use serde_json::json;

/// Groups of parameters by the prefixes of their names.
const GROUPS: [&str; 4] = ["potential", "kinetic", "encoder.mean", "encoder.log_sd"];

/// Mistakes, and the groups whose gradient each changes: through draws, and through densities.
///
/// Through draws the prior's gradient is zero with p₀ or without, for (q₀, p₀) does not depend on the parameters; and
/// there nothing is inverted. At a given x the encoder's log-density, in terms of its noise, is −Σ log σ(x) alone.
const MISTAKES: [(&str, &[&str], &[&str]); 5] = [
    ("minimised-elbo", &GROUPS, &GROUPS),
    ("prior-on-position-only", &[], &GROUPS),
    ("encoder-without-half", &["potential", "kinetic", "encoder.log_sd"], &["encoder.log_sd"]),
    ("encoder-summed-over-batch", &GROUPS, &["encoder.log_sd"]),
    ("negated-step-as-inverse", &[], &GROUPS),
];

/// With these mistakes, in two dimensions; parameters are the same for all that have the same layout.
fn mistaken(mistakes: &[&str]) -> (HamiltonianMistakes, Tensor) {
    let config = json!({"mistakes": mistakes, "hidden": [5, 4], "n_steps": 2, "step_size": 0.5});
    let flow: HamiltonianMistakes = flow(&config, 2);
    let flat = shaken(flow.init(13).unwrap(), 0.3, 14, DType::F64);
    (flow, flat)
}

const N: usize = 16;

fn points() -> Tensor {
    Base::Gaussian.draw(15, N, 2, DType::F64, &Device::Cpu).unwrap()
}

/// Gradients through draws and through densities.
fn gradients(flow: &HamiltonianMistakes, flat: &Tensor) -> [Vec<f64>; 2] {
    let (grad_x, grad_log_q) = (points(), Tensor::full(1.0 / N as f64, N, &Device::Cpu).unwrap());
    let by_draws = flow.sample_taped(flat, 16, N).unwrap().1.backward(Some(&grad_x), &grad_log_q).unwrap();
    let by_densities = flow.density_taped(flat, &points(), 16).unwrap().1.backward(None, &grad_log_q).unwrap();
    [values(&by_draws), values(&by_densities)]
}

/// x, log q of draws, and densities, as they are evaluated.
fn evaluated<F: Density>(flow: &F, flat: &Tensor) -> [Vec<f64>; 3] {
    let params = Params::new(flat, flow.layout());
    let draws = flow.sample(&params, 16, N).unwrap();
    [values(&draws.x), values(&draws.log_q), values(&flow.density(&params, &points(), 16).unwrap())]
}

/// Each mistake changes the gradients that it should, by a tenth of a per cent at least, and no other, to rounding.
#[test]
fn mistakes_change_the_gradient() {
    let (flow, flat) = mistaken(&[]);
    let right = gradients(&flow, &flat);
    for (mistake, by_draws, by_densities) in MISTAKES {
        let (mistaken, _) = mistaken(&[mistake]);
        let wrong = gradients(&mistaken, &flat);
        for (what, changed, (right, wrong)) in
            [("draws", by_draws, (&right[0], &wrong[0])), ("densities", by_densities, (&right[1], &wrong[1]))]
        {
            if mistake == "minimised-elbo" {
                assert!(right.iter().zip(wrong).all(|(right, wrong)| *right == -wrong), "{mistake}, {what}");
            }
            for group in GROUPS {
                let part = |grad: &[f64]| -> Vec<f64> {
                    let slices = flow.layout().slices().iter().filter(|slice| slice.name.starts_with(group));
                    slices.flat_map(|slice| grad[slice.offset..slice.offset + slice.len()].to_vec()).collect()
                };
                let (right, wrong) = (part(right), part(wrong));
                let gap = largest_gap(&right, &wrong) / right.iter().fold(0.0, |size: f64, g| size.max(g.abs()));
                let place = format!("{mistake}, {what}: {group} is off by {gap:.1e}");
                println!("{place}");
                assert!(if changed.contains(&group) { gap > 1e-3 } else { gap < 1e-12 }, "{place}");
            }
        }
    }
}

/// What is evaluated stays right, bit by bit, and is what the `hamiltonian` flow says with the same parameters.
#[test]
fn mistakes_leave_evaluation_alone() {
    let (right, flat) = mistaken(&[]);
    let expected = evaluated(&right, &flat);
    for (mistake, ..) in MISTAKES {
        assert_eq!(evaluated(&mistaken(&[mistake]).0, &flat), expected, "{mistake}");
    }
    let config = json!({"integrator": "symplectic-euler", "hidden": [5, 4], "encoder_hidden": [5, 4], "n_steps": 2, "step_size": 0.5});
    let same: Hamiltonian = flow(&config, 2);
    assert_eq!(same.layout(), right.layout());
    let mut worst = Worst("flow without mistakes", 0.0);
    for (got, expected) in evaluated(&same, &flat).iter().zip(&expected) {
        worst.hold(largest_gap(got, expected), 1e-12, "hamiltonian");
    }
}

/// Without its K the flow has no parameters of it, and is another: with unit masses.
#[test]
fn unused_kinetic_energy_is_none() {
    let (flow_, flat) = mistaken(&["kinetic-unused"]);
    assert!(flow_.layout().slices().iter().all(|slice| !slice.name.starts_with("kinetic")));
    let config = json!({
        "integrator": "symplectic-euler", "kinetic": "unit", "hidden": [5, 4], "encoder_hidden": [5, 4], "n_steps": 2,
        "step_size": 0.5,
    });
    let same: Hamiltonian = flow(&config, 2);
    assert_eq!(same.layout(), flow_.layout());
    for (got, expected) in evaluated(&same, &flat).iter().zip(evaluated(&flow_, &flat)) {
        assert!(largest_gap(got, &expected) < 1e-12);
    }
}
