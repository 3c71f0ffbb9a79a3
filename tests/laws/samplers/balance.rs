//! The law of detailed balance: from exact draws, as many chains go one way as the other.

use flow_sdk::Sampler;
use flow_sdk::candle_core::DType;
use serde_json::Value;

use crate::invariance::exact;
use crate::stand::Stand;
use crate::statistics::{Cells, chi_square_limit};

const CHAINS: usize = 20_000;
const CELLS: usize = 16;

/// Bowker's test of symmetry (J. Am. Stat. Assoc. 43, 1948): with n_ij chains that one transition takes from cell i to
/// cell j, Σ (n_ij − n_ji)²/(n_ij + n_ji) is χ² with as many degrees of freedom as pairs of cells between which any went.
///
/// Holds of all samplers here, of the No-U-Turn sampler too: any two points of its tree part at one doubling, and the
/// probabilities of going from one half to the other, biased as they are, are in balance at each doubling alone.
pub fn as_many_go_as_come<S: Sampler>(name: &str, configs: &[Value]) {
    for (config, (target, exact)) in configs.iter().flat_map(|config| exact().into_iter().map(move |t| (config, t))) {
        let stand = Stand::<S>::new(config, &target, DType::F64).perturbed(0.3, 6);
        let cells = Cells::new(&exact.exact(4, CHAINS), CELLS);
        let start = stand.place(&exact.exact(5, CHAINS));
        let (from, to) = (cells.of(&start.x), cells.of(&stand.step(&start, 6).next.x));
        let mut counts = vec![0.0; cells.count() * cells.count()];
        from.iter().zip(to).for_each(|(from, to)| counts[from * cells.count() + to] += 1.0);
        let pairs = (0..cells.count()).flat_map(|i| (0..i).map(move |j| (i, j)));
        let flows = pairs.map(|(i, j)| (counts[i * cells.count() + j], counts[j * cells.count() + i]));
        let terms: Vec<f64> =
            flows.filter(|(go, come)| go + come > 0.0).map(|(a, b): (f64, f64)| (a - b).powi(2) / (a + b)).collect();
        let (sum, dof) = (terms.iter().sum::<f64>(), terms.len());
        let what = format!("{name} {config} on {}: {sum:.1} with {dof} pairs", target.label);
        println!("{what}");
        assert!(dof >= 15 && sum < chi_square_limit(dof), "{what}");
    }
}
