//! Evaluation of a trained flow: every metric that the target allows.

use std::rc::Rc;

use candle_core::{DType, Device, Tensor};

use super::coverage::mode_coverage;
use super::importance::{Estimate, forward_ess, importance_weighted_bound, log_mean_exp, mean, reverse_ess};
use super::percentile::percentile;
use super::wasserstein::sliced_wasserstein2;
use crate::host::{CountedTarget, HostFlow, TensorOptions};
use crate::streams::{Purpose, seed_for};
use targets::Target;

/// Draws in one call: bounds memory, and the tensors stay in cache.
const CHUNK: usize = 2048;

/// What one evaluation found; `None` where the target or the flow does not allow it.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// E_q log w, in nats.
    pub elbo: Estimate,
    /// K-sample bound, in nats.
    pub iw_bound: Estimate,
    /// LME of log w, in nats.
    pub reverse_log_z: f64,
    /// Share of the draws.
    pub reverse_ess: f64,
    /// E_π log w, in nats.
    pub eubo: Option<Estimate>,
    /// −LME of −log w over exact draws, in nats.
    pub forward_log_z: Option<f64>,
    /// Share of the exact draws.
    pub forward_ess: Option<f64>,
    /// Evenness over the target's components.
    pub mode_coverage: Option<f64>,
    /// Sliced Wasserstein-2 distance from exact draws.
    pub w2: Option<f64>,
    /// Median of |log q by sample − log q by density|, in nats; where both are exact.
    pub density_error_p50: Option<f64>,
    /// Draws with a log weight that is not finite.
    pub nonfinite_draws: usize,
}

/// How like the target's the draws themselves are.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Likeness {
    /// Evenness over the target's components.
    pub mode_coverage: Option<f64>,
    /// Sliced Wasserstein-2 distance from exact draws.
    pub w2: Option<f64>,
}

impl Likeness {
    /// Of draws `[n, d]`, beside as many exact ones where there are some; `seed` is the cell's.
    pub fn of(target: &dyn Target, x: &[f64], exact: Option<&[f64]>, seed: u64) -> Self {
        if !x.iter().all(|value| value.is_finite()) {
            return Self::default();
        }
        let dim = target.dim();
        Self {
            mode_coverage: target.modes().map(|modes| mode_coverage(x, dim, modes)),
            w2: exact.map(|exact| sliced_wasserstein2(x, exact, dim, seed_for(seed, Purpose::Directions, 0))),
        }
    }
}

impl Evaluation {
    /// From log weights of draws that come from the base, and of exact draws where there are some.
    pub fn of(log_w: &[f64], forward: Option<&[f64]>, iw_samples: usize, likeness: Likeness) -> Self {
        Self {
            elbo: mean(log_w),
            iw_bound: importance_weighted_bound(log_w, iw_samples),
            reverse_log_z: log_mean_exp(log_w),
            reverse_ess: reverse_ess(log_w),
            eubo: forward.map(mean),
            forward_log_z: forward.map(|log_w| {
                let negated: Vec<f64> = log_w.iter().map(|w| -w).collect();
                -log_mean_exp(&negated)
            }),
            forward_ess: forward.map(forward_ess),
            mode_coverage: likeness.mode_coverage,
            w2: likeness.w2,
            density_error_p50: None,
            nonfinite_draws: log_w.iter().filter(|w| !w.is_finite()).count(),
        }
    }
}

/// Evaluates flows against one target.
pub struct Evaluator {
    target: Rc<CountedTarget>,
    options: TensorOptions,
    seed: u64,
    iw_samples: usize,
}

/// Draws of the flow, flattened, with their log weights.
struct Weighted {
    x: Vec<f64>,
    log_w: Vec<f64>,
    density_errors: Vec<f64>,
}

impl Evaluator {
    /// For a cell with that seed.
    pub fn new(target: Rc<CountedTarget>, options: TensorOptions, seed: u64, iw_samples: usize) -> Self {
        Self { target, options, seed, iw_samples }
    }

    /// Evaluates on `n` draws; `purpose` and `step` key the random streams. Target evaluations are not counted, those of
    /// a flow that looks at the target included: they are the measurement's, not the method's.
    pub fn evaluate(
        &self,
        flow: &HostFlow,
        params: &Tensor,
        n: usize,
        purpose: Purpose,
        step: u64,
    ) -> anyhow::Result<Evaluation> {
        let target = self.target.uncounted();
        let seed = seed_for(self.seed, purpose, step);
        let Weighted { x, log_w, density_errors } =
            self.target.without_counting(|| self.draw(flow, params, seed, n))?;
        let exact_seed = seed_for(seed, Purpose::Exact, step);
        let exact = target.exact_draws().map(|exact| exact.draw(exact_seed, n));
        // Augmented flows weigh an exact draw x with momenta p ~ r(p | x): (x, p) is an exact draw from the extended target
        // γ(x) r(p | x), which has the same Z, and log q̂ = log q(x, p) − log r(p | x) makes log γ(x) − log q̂ its log weight.
        // So forward log Z and ESS hold for it, and so does the EUBO: E log q̂ ≤ log q(x) by Jensen's inequality.
        let forward = match &exact {
            Some(exact) if flow.has_density() => {
                Some(self.target.without_counting(|| self.weigh_exact(flow, params, exact_seed, exact))?)
            }
            _ => None,
        };
        let likeness = Likeness::of(target, &x, exact.as_deref(), self.seed);
        let evaluation = Evaluation::of(&log_w, forward.as_deref(), self.iw_samples, likeness);
        Ok(Evaluation { density_error_p50: percentile(&density_errors, 0.5), ..evaluation })
    }

    fn draw(&self, flow: &HostFlow, params: &Tensor, seed: u64, n: usize) -> anyhow::Result<Weighted> {
        let mut all = Weighted { x: Vec::new(), log_w: Vec::with_capacity(n), density_errors: Vec::new() };
        for (index, rows) in chunks(n) {
            let draws = flow.sample(params, seed_for(seed, Purpose::Evaluate, index), rows.len())?;
            let log_gamma = to_f64(&targets::log_density(self.target.uncounted(), &draws.x)?)?;
            let log_q = to_f64(&draws.log_q)?;
            all.log_w.extend(log_gamma.iter().zip(&log_q).map(|(gamma, q)| gamma - q));
            all.x.extend(to_f64(&draws.x)?);
            if index == 0 && flow.has_density() && !flow.is_augmented() {
                let again = to_f64(&flow.density(params, &draws.x, seed)?)?;
                all.density_errors = log_q.iter().zip(&again).map(|(a, b)| (a - b).abs()).collect();
            }
        }
        Ok(all)
    }

    /// log w at exact draws.
    fn weigh_exact(&self, flow: &HostFlow, params: &Tensor, seed: u64, exact: &[f64]) -> anyhow::Result<Vec<f64>> {
        let target = self.target.uncounted();
        let dim = target.dim();
        let mut log_w = Vec::with_capacity(exact.len() / dim);
        for (index, rows) in chunks(exact.len() / dim) {
            let n = rows.len();
            let values = &exact[rows.start * dim..rows.end * dim];
            let TensorOptions { dtype, device } = &self.options;
            let x = Tensor::from_slice(values, (n, dim), &Device::Cpu)?.to_dtype(*dtype)?.to_device(device)?;
            let log_gamma = to_f64(&targets::log_density(target, &x)?)?;
            // What an estimate draws is independent of x, and of other chunks.
            let seed = seed_for(seed, Purpose::Evaluate, index);
            let log_q = to_f64(&flow.density(params, &x, seed)?)?;
            log_w.extend(log_gamma.iter().zip(&log_q).map(|(gamma, q)| gamma - q));
        }
        Ok(log_w)
    }
}

fn chunks(n: usize) -> impl Iterator<Item = (u64, std::ops::Range<usize>)> {
    (0..n.div_ceil(CHUNK)).map(move |index| (index as u64, index * CHUNK..((index + 1) * CHUNK).min(n)))
}

fn to_f64(tensor: &Tensor) -> candle_core::Result<Vec<f64>> {
    tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1()
}
