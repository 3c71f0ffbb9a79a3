//! Laws of trajectories: the Jacobian stated is autodiff's, the way back is the inverse, energy is nearly kept.

use flow_sdk::ChainProbe;
use flow_sdk::candle_core::DType;
use flow_sdk::kernels::integrator::SCHEMES;
use hmc::Hmc;
use nn_hmc::NnHmc;
use serde_json::json;

use crate::nets_off::without_networks;
use crate::oracle::Counted;
use crate::stand::Stand;

/// Dimensions, odd ones for masks of unequal halves.
fn targets() -> Vec<Counted> {
    let rough = |dim: usize| Counted::new("rough-well", &json!({"dim": dim, "eta": 0.5}));
    vec![rough(1), Counted::new("u1", &json!({})), Counted::new("funnel", &json!({"dim": 3})), rough(5)]
}

/// The figures of a probe at 24 exact draws, by name.
fn probe<S: ChainProbe>(stand: &Stand<S>) -> impl Fn(&str) -> f64 + use<S> {
    let figures = stand.sampler.probe(&stand.params(), &stand.target.exact(3, 24), 4).unwrap();
    move |name| figures[S::FIGURES.iter().position(|figure| *figure == name).unwrap()]
}

/// log |J| as stated is that of autograd's Jacobian, and the trajectory with the other sign of time is the inverse, with
/// random networks, over 1, 3 and 10 steps.
///
/// 1e-9: reverse passes through ten steps and an LU of at most ten rows lose a few digits of 16; states of order one
/// come back to 1e-9 where the trajectory stretches by less than 10⁶.
#[test]
fn stated_log_det_is_autodiffs_and_back_is_the_inverse() {
    for (target, n_steps) in targets().iter().flat_map(|target| [1, 3, 10].map(|n_steps| (target, n_steps))) {
        let config = json!({"n_steps": n_steps, "hidden": 5, "step_size": 0.1});
        let figure = probe(&Stand::<NnHmc>::new(&config, target, DType::F64).perturbed(0.3, 2));
        let [log_det, inverse, energy] = ["log_det_error", "reversibility_error", "energy_error"].map(figure);
        let what = format!(
            "{}, {n_steps} steps: log-det {log_det:.1e}, inverse {inverse:.1e}, energy {energy:.1e}",
            target.label
        );
        println!("{what}");
        assert!(log_det < 1e-9 && inverse < 1e-9, "{what}");
        // Random networks are not nearly Hamiltonian: the log-det is no zero that anything would agree with.
        assert!(energy > 1e-3, "{what}");
    }
}

/// Hamiltonian dynamics keep the energy but for an error of second order: twice the steps of half the size make a quarter
/// of it, to a tenth, at steps so small that the fourth order does not show.
#[test]
fn with_networks_off_energy_is_kept_to_second_order() {
    for target in targets() {
        let energy = |n_steps: u32, step_size: f64| {
            let config = json!({"n_steps": n_steps, "step_size": step_size});
            probe(&without_networks(Stand::<NnHmc>::new(&config, &target, DType::F64), true))("energy_error")
        };
        let (coarse, fine) = (energy(10, 0.01), energy(20, 0.005));
        println!("{}: {coarse:.1e}, {fine:.1e}", target.label);
        assert!((coarse / fine / 4.0 - 1.0).abs() < 0.1, "{}: {coarse:e} but {fine:e}", target.label);
    }
}

/// Every scheme that Hamiltonian Monte Carlo takes goes back where it came from: to 1e-12, a few thousand roundings. The
/// implicit midpoint method's iteration ends four roundings from its fixed point, which is the same size.
#[test]
fn every_scheme_goes_back_where_it_came_from() {
    for (target, scheme) in targets().iter().flat_map(|t| SCHEMES.iter().map(move |s| (t, s))) {
        if !scheme.volume_preserving {
            println!("skipped: {}: it does not preserve volume, and is refused", scheme.name);
            continue;
        }
        let config = json!({"integrator": scheme.name, "n_steps": 10, "step_size": 0.02, "tune": "none"});
        let figure = probe(&Stand::<Hmc>::new(&config, target, DType::F64));
        let [inverse, energy] = ["reversibility_error", "energy_error"].map(figure);
        let what = format!("{} on {}: inverse {inverse:.1e}, energy {energy:.1e}", scheme.name, target.label);
        println!("{what}");
        assert!(inverse < 1e-12, "{what}");
        // Order one has the largest error of a step of a fiftieth.
        assert!(energy > 0.0 && energy < 0.05, "{what}");
    }
}
