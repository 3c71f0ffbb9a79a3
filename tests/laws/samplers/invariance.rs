//! The law that a transition leaves its target invariant, tested on exact draws.

use flow_sdk::Sampler;
use flow_sdk::candle_core::{DType, Tensor};
use serde_json::{Value, json};

use crate::oracle::{Counted, values};
use crate::stand::Stand;
use crate::statistics::{Cells, SE_LIMIT, chi_square, chi_square_limit, larger, z_score};

const CHAINS: usize = 20_000;
const TRANSITIONS: u64 = 3;
const CELLS: usize = 20;
const REFERENCE: usize = 100_000;

/// Each a target with one that gives its exact draws: itself but for a power of a Gaussian, which is the Gaussian with
/// β^−½ times the deviation. Gradients are curved, one target is of one dimension and one of an odd number.
pub fn exact() -> Vec<(Counted, Counted)> {
    let same = |name: &str, params: Value| (Counted::new(name, &params), Counted::new(name, &params));
    let of_sd = |sd: f64| Counted::new("gaussian", &json!({"dim": 2, "mean": -1.0, "sd": sd}));
    vec![
        same("gaussian", json!({"dim": 3, "mean": 0.5, "sd": 1.5})),
        same("rough-well", json!({"dim": 1, "eta": 0.5})),
        same("u1", json!({})),
        same("banana", json!({})),
        (of_sd(0.8).raised(0.16), of_sd(2.0)),
    ]
}

/// 20,000 exact draws are exact draws after three transitions.
///
/// χ² over 20 cells of equal probability; and for x, all products of two coordinates, and log γ, the mean of what every
/// chain gained, against its own standard error: pairs leave nothing of the spread of the target itself. Networks are
/// random ones. A tenth is accepted everywhere, a hundredth refused somewhere: else nothing is tested.
pub fn exact_draws_stay_exact<S: Sampler>(name: &str, configs: &[Value]) {
    let mut least = vec![1.0; configs.len()];
    for (target, exact) in exact() {
        let cells = Cells::new(&exact.exact(1, REFERENCE), CELLS);
        let starts = exact.exact(2, CHAINS);
        for (config, least) in configs.iter().zip(&mut least) {
            let stand = Stand::<S>::new(config, &target, DType::F64).perturbed(0.3, 5);
            let acceptance = stays_exact(&format!("{name} {config}"), &stand, &cells, &starts);
            *least = acceptance.min(*least);
        }
    }
    for (config, least) in configs.iter().zip(least) {
        assert!((0.1..0.99).contains(&least), "{name} {config}: acceptance {least}");
    }
}

/// Half of the implicit midpoint's iterations do not settle at this step, which is h·ω up to 4: their trajectories do not
/// lead back, and accepted all the same they would leave another law (χ² near 500).
#[test]
fn trajectories_that_do_not_lead_back_are_refused() {
    let target = Counted::new("rough-well", &json!({"dim": 1, "eta": 0.2}));
    let config = json!({"integrator": "implicit-midpoint", "n_steps": 3, "step_size": 0.9, "tune": "none"});
    let cells = Cells::new(&target.exact(1, REFERENCE), CELLS);
    let stand = Stand::<hmc::Hmc>::new(&config, &target, DType::F64);
    let acceptance = stays_exact("implicit midpoint, unsettled", &stand, &cells, &target.exact(2, CHAINS));
    assert!((0.05..0.9).contains(&acceptance), "{acceptance}");
}

/// On one target; returns the acceptance.
fn stays_exact<S: Sampler>(name: &str, stand: &Stand<S>, cells: &Cells, starts: &Tensor) -> f64 {
    let (start, mut accept) = (stand.place(starts), Vec::new());
    let end = stand.walk(start.clone(), 3, TRANSITIONS, |moved| accept.extend(values(&moved.accept)));
    let acceptance = accept.iter().sum::<f64>() / accept.len() as f64;
    let mut counts = vec![0; cells.count()];
    cells.of(&end.x).into_iter().for_each(|cell| counts[cell] += 1);
    let chi_square = chi_square(&counts, REFERENCE);
    let (before, after) = (statistics(&start.x, &start.log_density), statistics(&end.x, &end.log_density));
    let gains = before.iter().zip(&after).map(|(before, after)| after.iter().zip(before).map(|(a, b)| a - b).collect());
    let z = gains.map(|gains: Vec<f64>| z_score(&gains).abs()).fold(0.0, larger);
    let what = format!("{name} on {}: χ² {chi_square:.1}, z {z:.2}, acceptance {acceptance:.3}", stand.target.label);
    println!("{what}");
    assert!(chi_square < chi_square_limit(cells.count() - 1) && z < SE_LIMIT, "{what}");
    acceptance
}

/// Columns: x_j, x_i x_j, log γ.
fn statistics(x: &Tensor, log_density: &Tensor) -> Vec<Vec<f64>> {
    let dim = x.dims()[1];
    let columns: Vec<Vec<f64>> = (0..dim).map(|j| values(&x.narrow(1, j, 1).unwrap())).collect();
    let pairs = (0..dim).flat_map(|i| (i..dim).map(move |j| (i, j)));
    let products = pairs.map(|(i, j)| columns[i].iter().zip(&columns[j]).map(|(a, b)| a * b).collect());
    let products: Vec<Vec<f64>> = products.collect();
    columns.into_iter().chain(products).chain([values(log_density)]).collect()
}
