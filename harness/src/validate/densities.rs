//! Draws and log q belong together: importance sampling between the flow and a normal density that is like it.

use candle_core::{Device, Tensor};
use flow_kernels::philox::Stream;
use nalgebra::{Cholesky, DMatrix, DVector, Dyn};

use super::numbers::{mean_and_se, values};
use super::observation::seed_of;
use super::subject::away_from_start;
use super::verdict::{Finding, Objection, expect};
use super::{Case, Subject};
use crate::host::HostFlow;

/// Draws of a test, and of the pilot that chooses its normal density.
const DRAWS: usize = 20_000;
const PILOT: usize = 2_000;
/// Standard errors that a mean may be off: by luck one of two million is farther.
const SE_LIMIT: f64 = 5.0;
/// Fewer effective draws tell nothing, nor does their standard error.
const LEAST_ESS: f64 = 200.0;

/// E_q[g(x)/q(x)] = ∫ g = 1 for a density g that q covers, also where log q is an unbiased estimate on an extended space: then
/// g times the extension's conditional is what is integrated. A log-det of the wrong sign, or log q off by a constant,
/// makes it another number.
pub fn draws_have_their_density(subject: &Subject, case: &Case) -> Finding {
    let flow = subject.flow(case, subject.precise())?;
    let params = away_from_start(&flow, case.seed)?;
    let pilot = flow.sample(&params, seed_of(case, 1), PILOT)?;
    let (x, log_q) = (rows(&pilot.x)?, values(&pilot.log_q)?);
    let whole = Normal::like(&x, 1.0).ok_or_else(|| Objection::Failed("the draws are all in one plane".into()))?;
    // About the mean, or about one of the draws, where q has mass for sure; the one that q covers best.
    let centres = std::iter::once(whole.mean.clone()).chain(x.iter().take(4).cloned());
    let candidates = centres.flat_map(|centre| [0.9, 0.6, 0.35].map(|scale| whole.about(centre.clone(), scale)));
    let weights = |normal: &Normal, x: &[DVector<f64>], log_q: &[f64]| -> Vec<f64> {
        x.iter().zip(log_q).map(|(x, log_q)| (normal.log_density(x) - log_q).exp()).collect()
    };
    let best = candidates.max_by(|a, b| ess(&weights(a, &x, &log_q)).total_cmp(&ess(&weights(b, &x, &log_q))));
    let Some(normal) = best else { return Ok(()) };
    let mut all = Vec::with_capacity(DRAWS);
    for part in 0..4 {
        let draws = flow.sample(&params, seed_of(case, 10 + part), DRAWS / 4)?;
        all.extend(weights(&normal, &rows(&draws.x)?, &values(&draws.log_q)?));
    }
    one(&all, "g(x)/q(x) over draws x of the flow, g a normal density", Power::Inverse, flow.is_augmented())
}

/// What `sample` says of a draw, `density` says too; an estimate says less of it on average, being a lower bound of log q where
/// that of `sample` is an upper one.
pub fn sample_and_density_agree(subject: &Subject, case: &Case) -> Finding {
    let flow = with_density(subject, case)?;
    let params = away_from_start(&flow, case.seed)?;
    let n = if flow.is_augmented() { 2_000 } else { 200 };
    let draws = flow.sample(&params, seed_of(case, 1), n)?;
    let density = values(&flow.density(&params, &draws.x, seed_of(case, 2))?)?;
    let stated = values(&draws.log_q)?;
    if flow.is_augmented() {
        let gaps: Vec<f64> = stated.iter().zip(&density).map(|(stated, density)| stated - density).collect();
        let (mean, se) = mean_and_se(&gaps);
        return expect(mean + SE_LIMIT * se >= 0.0, || {
            format!("log q of `density` is larger than that of `sample`, by {} ± {se:.2e} on average", -mean)
        });
    }
    // An inverse may be iterated and badly conditioned; a wrong formula is off by far more.
    let tolerance = if subject.computes_in("f64") { 1e-6 } else { 1e-2 };
    let gap = |(stated, density): (&f64, &f64)| (stated - density).abs() / (1.0 + stated.abs());
    let worst = stated.iter().zip(&density).map(gap).enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
    let (row, gap) = worst.unwrap_or_default();
    expect(gap < tolerance, || {
        let shift = mean_and_se(&density.iter().zip(&stated).map(|(d, s)| d - s).collect::<Vec<_>>());
        format!(
            "draw {row}: `sample` says log q = {:.9}, `density` {:.9}; over all draws they differ by {:.6} ± {:.1e}",
            stated[row], density[row], shift.0, shift.1
        )
    })
}

/// E_h[q(x)/h(x)] = ∫ q = 1 for draws of a density h that covers q.
pub fn density_is_normalised(subject: &Subject, case: &Case) -> Finding {
    let flow = with_density(subject, case)?;
    let params = away_from_start(&flow, case.seed)?;
    let x = rows(&flow.sample(&params, seed_of(case, 1), PILOT)?.x)?;
    let wide = Normal::like(&x, 1.6).ok_or_else(|| Objection::Failed("the draws are all in one plane".into()))?;
    let mut stream = Stream::new(seed_of(case, 3));
    let points: Vec<DVector<f64>> = (0..DRAWS).map(|_| wide.draw(&mut stream)).collect();
    let flat: Vec<f64> = points.iter().flat_map(|point| point.iter().copied()).collect();
    let x = Tensor::from_vec(flat, (DRAWS, case.dim), &Device::Cpu)?.to_dtype(params.dtype())?;
    let log_q = values(&flow.density(&params, &x, seed_of(case, 4))?)?;
    let weights: Vec<f64> =
        points.iter().zip(&log_q).map(|(point, log_q)| (log_q - wide.log_density(point)).exp()).collect();
    one(&weights, "q(x)/h(x) over draws x of h, a wide normal density", Power::First, flow.is_augmented())
}

fn with_density(subject: &Subject, case: &Case) -> Result<HostFlow, Objection> {
    let flow = subject.flow(case, subject.precise())?;
    if flow.has_density() { Ok(flow) } else { Err(Objection::Skipped("the flow has no density".into())) }
}

/// What weights are in proportion to.
#[derive(Clone, Copy, PartialEq)]
enum Power {
    /// q.
    First,
    /// 1/q.
    Inverse,
}

/// Whether the mean of weights is one.
///
/// On an extended space one of the two conditionals has mass where the other draws nothing (an encoder that is learnt, a prior with
/// edges): the mean of what is drawn is then below one, and rightly so. Above one it is never.
fn one(weights: &[f64], what: &str, power: Power, extended: bool) -> Finding {
    let ((mean, se), ess) = (mean_and_se(weights), ess(weights));
    if !mean.is_finite() {
        return Err(Objection::Failed(format!("the mean of {what} is {mean}")));
    }
    // A flow that is a normal density itself has weights without spread: what is left is their rounding.
    let (high, low) = (mean - 1.0 > SE_LIMIT * se + 1e-4, 1.0 - mean > SE_LIMIT * se + 1e-4);
    if ess < LEAST_ESS {
        let words = format!(
            "the mean of {what} is {mean:.3}, but by {ess:.0} effective draws of {}: too few to tell",
            weights.len()
        );
        // Estimates on an extended space often are like that, and rightly.
        return Err(if extended && !high { Objection::Skipped(words) } else { Objection::Warning(words) });
    }
    expect(!high && (extended || !low), || {
        let nats = if power == Power::First { mean.ln() } else { -mean.ln() };
        format!("the mean of {what} is {mean:.4} ± {se:.4}, not 1: log q is off by some {nats:+.3} nats")
    })
}

/// Effective number of weighted draws: (Σ w)² / Σ w².
fn ess(weights: &[f64]) -> f64 {
    let (sum, squares) = (weights.iter().sum::<f64>(), weights.iter().map(|w| w * w).sum::<f64>());
    if squares > 0.0 { sum * sum / squares } else { 0.0 }
}

fn rows(x: &Tensor) -> Result<Vec<DVector<f64>>, Objection> {
    let dim = x.dim(1)?;
    Ok(values(x)?.chunks_exact(dim).map(DVector::from_column_slice).collect())
}

/// A multivariate normal density.
struct Normal {
    mean: DVector<f64>,
    root: Cholesky<f64, Dyn>,
    scale: f64,
    log_norm: f64,
}

impl Normal {
    /// With the mean of the points and their covariance, its root times `scale`.
    fn like(points: &[DVector<f64>], scale: f64) -> Option<Self> {
        let (n, dim) = (points.len() as f64, points.first()?.len());
        let mean = points.iter().fold(DVector::zeros(dim), |sum, point| sum + point) / n;
        let spread = |sum: DMatrix<f64>, point: &DVector<f64>| sum + (point - &mean) * (point - &mean).transpose();
        let covariance = points.iter().fold(DMatrix::zeros(dim, dim), spread) / (n - 1.0);
        let root = Cholesky::new(covariance)?;
        let log_norm = log_norm(&root, scale);
        Some(Self { mean, root, scale, log_norm })
    }

    /// The same shape elsewhere, in another size.
    fn about(&self, mean: DVector<f64>, scale: f64) -> Self {
        Self { mean, root: self.root.clone(), scale, log_norm: log_norm(&self.root, scale) }
    }

    fn log_density(&self, x: &DVector<f64>) -> f64 {
        let away = (x - &self.mean) / self.scale;
        let z = self.root.l_dirty().solve_lower_triangular(&away);
        z.map_or(f64::NEG_INFINITY, |z| self.log_norm - 0.5 * z.norm_squared())
    }

    fn draw(&self, stream: &mut Stream) -> DVector<f64> {
        let z = DVector::from_fn(self.mean.len(), |_, _| stream.normal());
        &self.mean + self.root.l() * z * self.scale
    }
}

fn log_norm(root: &Cholesky<f64, Dyn>, scale: f64) -> f64 {
    let dim = root.l_dirty().nrows();
    let log_det: f64 = (0..dim).map(|i| root.l_dirty()[(i, i)].ln()).sum();
    -0.5 * dim as f64 * std::f64::consts::TAU.ln() - log_det - dim as f64 * scale.ln()
}
