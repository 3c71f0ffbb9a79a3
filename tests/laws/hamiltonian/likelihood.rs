//! Laws of the likelihood on the line, where quadrature knows it.

use crate::gaps::{Worst, largest_gap, values};
use crate::{flow, shaken};
use flow_sdk::candle_core::{DType, Device, Tensor};
use flow_sdk::{Base, Density, Flow, Params};
use hamiltonian::{Hamiltonian, Momentum};
use phase_space::{Dynamics, Encoder, Settings};
use serde_json::{Value, json};

/// A flow on the line with what is needed to find its likelihood by quadrature: its prior and its dynamics.
struct Line {
    name: String,
    config: Value,
    flow: Hamiltonian,
    flat: Tensor,
    dynamics: Dynamics,
    momentum: Option<Encoder>,
    base: Base,
}

/// Cells of the quadratures are this wide.
const CELL: f64 = 0.1;
/// They reach from −this to this.
const WINDOW: f64 = 10.0;

fn lines() -> Vec<Line> {
    [
        json!({}),
        json!({"base": "soft-uniform", "base_width": 3.0, "base_softness": 6.0, "n_steps": 3}),
        json!({"integrator": "symplectic-euler", "kinetic": "fixed", "learn_step_size": true, "shared": true}),
        json!({"momentum": "conditional", "activation": "silu"}),
        json!({"integrator": "explicit-euler", "hamiltonians": 1, "n_steps": 4, "step_size": 0.4, "activation": "silu"}),
        json!({"integrator": "rk4", "momentum": "conditional", "hamiltonians": 1, "n_steps": 1, "step_size": 0.5}),
    ]
    .into_iter()
    .map(Line::new)
    .collect()
}

impl Line {
    fn new(changes: Value) -> Self {
        let mut config = json!({"hamiltonians": 2, "n_steps": 2, "hidden": [5, 4], "encoder_hidden": [4]});
        config.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let flow: Hamiltonian = flow(&config, 1);
        // Energies as elsewhere, the conditionals half as rough.
        let start = flow.init(10).unwrap();
        let (rough, fine) = (values(&shaken(start.clone(), 0.5, 10, DType::F64)), shaken(start, 0.2, 11, DType::F64));
        let mut flat = values(&fine);
        for slice in flow.layout().slices() {
            let range = slice.offset..slice.offset + slice.len();
            if !slice.name.starts_with("encoder") && !slice.name.starts_with("momentum") {
                flat[range].copy_from_slice(&rough[slice.offset..slice.offset + slice.len()]);
            }
        }
        let parsed: hamiltonian::Config = serde_json::from_value(config.clone()).unwrap();
        let settings = Settings {
            hamiltonians: parsed.hamiltonians,
            shared: parsed.shared,
            scheme: parsed.integrator.scheme(),
            n_steps: parsed.n_steps,
            step_size: parsed.step_size,
            learn_step_size: parsed.learn_step_size,
            hidden: parsed.hidden,
            activation: parsed.activation.into(),
            kinetic: parsed.kinetic,
            memory: parsed.memory,
        };
        let momentum = (parsed.momentum == Momentum::Conditional).then(|| Encoder::new("momentum", 1, &[4]));
        Self {
            name: changes.to_string(),
            config,
            flow,
            flat: Tensor::new(flat, &Device::Cpu).unwrap(),
            dynamics: Dynamics::new(settings, 1),
            momentum,
            base: Base::new(parsed.base, parsed.base_width, parsed.base_softness),
        }
    }

    /// The parameters with an encoder that is wider or narrower by that factor's logarithm, about.
    fn with_encoder(&self, log_sd: f64) -> Tensor {
        let mut flat = values(&self.flat);
        let slice = self.flow.layout().slices().iter().find(|slice| slice.name == "encoder.log_sd.b1").unwrap();
        flat[slice.offset] = log_sd;
        Tensor::new(flat, &Device::Cpu).unwrap()
    }

    /// q(x) = ∫ π(φ⁻¹(x, p)) |det ∂φ⁻¹| dp by the midpoint rule with cells of width `cell`.
    fn likelihood(&self, x: &[f64], cell: f64) -> Vec<f64> {
        let m = (2.0 * WINDOW / cell).round() as usize;
        let rows: Vec<f64> =
            x.iter().flat_map(|&x| (0..m).flat_map(move |i| [x, -WINDOW + (i as f64 + 0.5) * cell])).collect();
        let end = Tensor::from_vec(rows, (x.len() * m, 2), &Device::Cpu).unwrap();
        let params = Params::new(&self.flat, self.flow.layout());
        let (start, log_det) = self.dynamics.inverse(&params, &end).unwrap();
        let (q, p) = (start.narrow(1, 0, 1).unwrap(), start.narrow(1, 1, 1).unwrap());
        let of_p = match &self.momentum {
            Some(momentum) => momentum.log_density(&params, &q.contiguous().unwrap(), &p).unwrap(),
            None => self.base.log_density(&p).unwrap(),
        };
        let log_joint = ((self.base.log_density(&q).unwrap() + of_p).unwrap() - log_det).unwrap();
        values(&log_joint.exp().unwrap()).chunks(m).map(|row| row.iter().sum::<f64>() * cell).collect()
    }

    /// Midpoints of the cells, and q there.
    fn on_grid(&self) -> Vec<(f64, f64)> {
        let m = (2.0 * WINDOW / CELL).round() as usize;
        let x: Vec<f64> = (0..m).map(|i| -WINDOW + (i as f64 + 0.5) * CELL).collect();
        let q = self.likelihood(&x, CELL);
        x.into_iter().zip(q).collect()
    }

    /// Estimates of log q(x) with `k` importance samples: `rows` from each of `seeds` seeds.
    ///
    /// The encoder is wider than what it stands in for, so that its weights have a variance.
    fn estimates(&self, x: f64, k: usize, seeds: u64, rows: usize) -> Vec<f64> {
        let mut config = self.config.clone();
        config["importance_samples"] = k.into();
        let flow: Hamiltonian = flow(&config, 1);
        let flat = self.with_encoder(0.5);
        let params = Params::new(&flat, flow.layout());
        let x = Tensor::full(x, (rows, 1), &Device::Cpu).unwrap();
        (0..seeds).flat_map(|seed| values(&flow.density(&params, &x, 100 + seed).unwrap())).collect()
    }
}

/// Mean and its standard error.
fn mean(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, (variance / n).sqrt())
}

/// The likelihood integrates to one, and draws follow it.
///
/// The integrand is analytic in a strip about the real line and vanishes with all derivatives at ±10, so the midpoint rule
/// converges exponentially: 1e-8, as halving the cell shows. The kinks of a learnt conditional's ReLU leave it the second
/// order of 0.1: 1e-3. Draws: Kolmogorov and Smirnov's statistic at the edges of cells, where the distribution function is
/// known to h²q′/24 < 1e-3; 1.95/√n is its 0.1 % point.
#[test]
fn likelihood_integrates_to_one_and_draws_follow_it() {
    let mut worst = ["quadrature", "mass", "Kolmogorov–Smirnov √n D"].map(|name| Worst(name, 0.0));
    for line in lines() {
        let exact = if line.momentum.is_some() { 1e-3 } else { 1e-8 };
        let [coarse, fine] = [CELL, CELL / 2.0].map(|cell| line.likelihood(&[-1.5, 0.0, 1.0], cell));
        worst[0].hold(largest_gap(&coarse, &fine), exact, &line.name);
        let n = 20_000;
        let params = Params::new(&line.flat, line.flow.layout());
        let mut draws = values(&line.flow.sample(&params, 12, n).unwrap().x);
        draws.sort_by(f64::total_cmp);
        let (mut mass, mut largest) = (0.0, 0.0f64);
        for (x, q) in line.on_grid() {
            mass += q * CELL;
            let below = draws.partition_point(|&draw| draw < x + CELL / 2.0) as f64 / n as f64;
            largest = largest.max((below - mass).abs());
        }
        worst[1].hold((mass - 1.0).abs(), exact, &line.name);
        worst[2].hold(largest * (n as f64).sqrt(), 1.95, &line.name);
    }
}

/// Densities are estimates of log q(x) from below (Jensen; three standard errors), closer with more importance samples,
/// and their exponentials are unbiased (four standard errors). Seeds are fixed: a law that held once holds again.
#[test]
fn densities_bound_the_likelihood_and_are_unbiased() {
    for line in lines() {
        let points = [-1.5, 0.0, 1.0];
        for (x, q) in points.into_iter().zip(line.likelihood(&points, CELL)) {
            let mut gaps = Vec::new();
            for (k, seeds, rows) in [(1, 20, 1000), (64, 4, 100)] {
                let place = format!("{} at {x}, {k} samples", line.name);
                let log_q = line.estimates(x, k, seeds, rows);
                let (bound, se) = mean(&log_q);
                assert!(bound - 3.0 * se <= q.ln(), "{place}: {bound} ± {se} but log q {}", q.ln());
                gaps.push((q.ln() - bound, se));
                let (estimate, se) = mean(&log_q.iter().map(|log_q| log_q.exp()).collect::<Vec<f64>>());
                let off = (estimate - q).abs() / se;
                assert!(off < 4.0, "{place}: {estimate} ± {se} but q {q}");
                println!(
                    "{place}: log q − bound {:.4} ± {:.4}, q off by {off:.1} SE",
                    gaps.last().unwrap().0,
                    gaps.last().unwrap().1
                );
            }
            let (one, many) = (gaps[0], gaps[1]);
            assert!(many.0 + 3.0 * many.1 < one.0 - 3.0 * one.1, "{} at {x}: {gaps:?}", line.name);
        }
    }
}

/// Draws weigh to one: E[g(x)/e^{log q}] = ∫∫ g(x) f(p|x) dp dx = 1 for any density g, here a normal of variance ½ in their
/// midst, within four standard errors. This is what makes E[log γ − log q] a bound of log Z. The encoder is narrow, so that the weights have a variance.
#[test]
fn draws_weigh_to_one() {
    for line in lines() {
        let flat = line.with_encoder(-0.7);
        let draws = line.flow.sample(&Params::new(&flat, line.flow.layout()), 17, 200_000).unwrap();
        let x = values(&draws.x);
        let centre = mean(&x).0;
        let log_g = |x: f64| -(x - centre).powi(2) - 0.5 * std::f64::consts::PI.ln();
        let log_w = x.into_iter().zip(values(&draws.log_q)).map(|(x, log_q)| log_g(x) - log_q);
        let (mean, se) = mean(&log_w.map(f64::exp).collect::<Vec<f64>>());
        println!("{}: weights are {mean:.4} ± {se:.4}", line.name);
        assert!((mean - 1.0).abs() < 4.0 * se && se < 0.01, "{}: weights are {mean} ± {se}", line.name);
    }
}
