//! The law that a learnt trajectory is the published one, written out for one chain on slices.
//!
//! Levy, Hoffman & Sohl-Dickstein (ICLR 2018, arXiv 1711.09268), equations 5–8, in the form of the authors' code, where Q is
//! within e^{εQ} and T beside the force within ½ε(…). Back in time is the inverse, stage by stage: a ← (a − t) e^{−s}.

use flow_sdk::candle_core::{DType, Device, Tensor};
use flow_sdk::{Oracle, Sampler, metropolis};
use nn_hmc::NnHmc;
use serde_json::json;

use crate::oracle::{Counted, values};
use crate::stand::Stand;

const CHAINS: usize = 20;

/// Proposals, and acceptance where it is not one, to 1e-10: some hundred roundings through three steps.
#[test]
fn trajectories_are_those_of_the_paper() {
    let rough = |dim: usize| Counted::new("rough-well", &json!({"dim": dim, "eta": 0.5}));
    for target in [rough(1), Counted::new("u1", &json!({})), rough(5)] {
        let config = json!({"n_steps": 3, "hidden": 4, "step_size": 0.2});
        let stand = Stand::<NnHmc>::new(&config, &target, DType::F64).perturbed(0.3, 1);
        let (start, setup, d) = (stand.place(&target.exact(2, CHAINS)), stand.sampler.setup(), target.dim());
        let moved = stand.step(&start, 3);
        let (x, noise) = (values(&start.x), values(&metropolis::normals(setup, 3, CHAINS).unwrap()));
        let signs = values(&metropolis::signs(setup, 3, CHAINS).unwrap());
        let (proposal, accept) = (values(&moved.proposal), values(&moved.accept));
        for (chain, sign) in signs.iter().enumerate() {
            let row = chain * d..(chain + 1) * d;
            let v: Vec<f64> = noise[row.clone()].iter().map(|xi| sign * xi).collect();
            let mut at = Chain { stand: &stand, x: x[row.clone()].to_vec(), v, log_det: 0.0 };
            let before = at.energy();
            at.run(*sign > 0.0);
            let ours = (before - at.energy() + at.log_det).min(0.0).exp();
            let gap =
                at.x.iter()
                    .zip(&proposal[row])
                    .map(|(a, b)| (a - b).abs())
                    .fold((ours - accept[chain]).abs(), f64::max);
            assert!(gap < 1e-10, "{}, direction {sign}: {gap:e}", target.label);
        }
    }
}

/// One chain.
struct Chain<'a> {
    stand: &'a Stand<NnHmc>,
    x: Vec<f64>,
    v: Vec<f64>,
    log_det: f64,
}

impl Chain<'_> {
    fn run(&mut self, forth: bool) {
        let masks = self.get("tuned.masks");
        let n_steps = masks.len() / self.x.len();
        for step in 0..n_steps {
            let k = if forth { step } else { n_steps - 1 - step };
            let angle = std::f64::consts::TAU * k as f64 / n_steps as f64;
            let (time, mask) = ([angle.cos(), angle.sin()], &masks[k * self.x.len()..(k + 1) * self.x.len()]);
            self.kick(time, forth);
            // Forth, the coordinates outside of the mask go first; back, they come last.
            for moves in if forth { [0.0, 1.0] } else { [1.0, 0.0] } {
                self.drift(time, mask.iter().map(|m| *m == moves).collect(), forth);
            }
            self.kick(time, forth);
        }
    }

    fn kick(&mut self, time: [f64; 2], forth: bool) {
        let (epsilon, grad) = (self.get("step.log_size")[0].exp(), self.look().1);
        let uphill: Vec<f64> = grad.iter().map(|grad| -grad).collect();
        let [scale, translate, transform] = self.network("velocity", &self.x, &uphill, time);
        for i in 0..self.v.len() {
            let force = -uphill[i] * (epsilon * transform[i]).exp() + translate[i];
            self.log_det += turn(&mut self.v[i], 0.5 * epsilon * scale[i], 0.5 * epsilon * force, forth);
        }
    }

    fn drift(&mut self, time: [f64; 2], moves: Vec<bool>, forth: bool) {
        let epsilon = self.get("step.log_size")[0].exp();
        let kept: Vec<f64> = self.x.iter().zip(&moves).map(|(x, moves)| if *moves { 0.0 } else { *x }).collect();
        let [scale, translate, transform] = self.network("position", &self.v, &kept, time);
        for i in (0..self.x.len()).filter(|i| moves[*i]) {
            let velocity = self.v[i] * (epsilon * transform[i]).exp() + translate[i];
            self.log_det += turn(&mut self.x[i], epsilon * scale[i], epsilon * velocity, forth);
        }
    }

    /// S, T, Q.
    fn network(&self, name: &str, first: &[f64], second: &[f64], time: [f64; 2]) -> [Vec<f64>; 3] {
        let get = |part: &str| self.get(&format!("{name}.{part}"));
        let product = |x: &[f64], weights: &[f64], into: &mut [f64]| {
            let width = into.len();
            for (x, row) in x.iter().zip(weights.chunks(width)) {
                into.iter_mut().zip(row).for_each(|(sum, weight)| *sum += x * weight);
            }
        };
        let mut embedded = get("bias");
        for (x, weights) in [(first, "first"), (second, "second"), (&time, "time")] {
            product(x, &get(weights), &mut embedded);
        }
        let relu = |x: Vec<f64>| x.into_iter().map(|x| x.max(0.0)).collect::<Vec<f64>>();
        let mut inner = get("inner_bias");
        product(&relu(embedded), &get("inner"), &mut inner);
        let mut heads = get("heads_bias");
        product(&relu(inner), &get("heads"), &mut heads);
        let d = self.x.len();
        let bounded = |part: &[f64], log_scale: &str| -> Vec<f64> {
            part.iter().zip(get(log_scale)).map(|(head, log_scale)| log_scale.exp() * head.tanh()).collect()
        };
        [bounded(&heads[..d], "log_scale_s"), heads[d..2 * d].to_vec(), bounded(&heads[2 * d..], "log_scale_q")]
    }

    /// ½ v·v − log γ(x).
    fn energy(&self) -> f64 {
        0.5 * self.v.iter().map(|v| v * v).sum::<f64>() - self.look().0
    }

    fn look(&self) -> (f64, Vec<f64>) {
        let x = Tensor::from_slice(&self.x, (1, self.x.len()), &Device::Cpu).unwrap();
        let (value, grad) = self.stand.target.log_density_and_grad(&x).unwrap();
        (values(&value)[0], values(&grad))
    }

    fn get(&self, name: &str) -> Vec<f64> {
        values(&self.stand.params().get(name).unwrap())
    }
}

/// a ← a eˢ + t, or its inverse; returns the log of its slope.
fn turn(a: &mut f64, s: f64, t: f64, forth: bool) -> f64 {
    *a = if forth { *a * s.exp() + t } else { (*a - t) * (-s).exp() };
    if forth { s } else { -s }
}
