//! What a flow says twice: of log Z by its bounds, of its log-det by its own figures, of its gradient by kernels.

use candle_core::{DType, Device, Tensor};
use flow_sdk::{Element, Rows};
use serde_json::json;
use targets::Float;

use super::numbers::{mean_and_se, values};
use super::observation::seed_of;
use super::subject::{away_from_start, counted, near_start};
use super::verdict::{Finding, Objection, expect};
use super::{Case, Subject};
use crate::host::{HostFlow, PullBack};

/// Standard errors of slack, as everywhere in the laws; the seeds of the first cases are fixed.
const SE_LIMIT: f64 = 4.0;
const DRAWS: usize = 4_000;
/// Enough to leave the start, for a flow that can be trained at all.
const STEPS: u64 = 100;
const BATCH: usize = 128;

/// ELBO ≤ log Z ≤ EUBO, before and after some training on targets of which log Z is known.
pub fn bounds_hold(subject: &Subject, case: &Case) -> Finding {
    let flow = subject.flow(case, subject.precise())?;
    let gaussian = ("gaussian", json!({"dim": case.dim, "mean": 0.5, "sd": 0.7}));
    let curved = [("banana", json!({})), ("u1", json!({}))];
    let targets = std::iter::once(gaussian).chain(curved.into_iter().filter(|_| case.dim == 2));
    for (name, params) in targets {
        let target = counted(name, &params)?;
        let target = target.uncounted();
        let Some(log_z) = target.known().log_z else { continue };
        let mut at = flow.init(case.seed)?;
        for step in 0..=STEPS {
            if step == 0 || step == STEPS {
                let when = if step == 0 { "before training" } else { "after training" };
                let draws = flow.sample(&at, seed_of(case, 1), DRAWS)?;
                let (elbo, se) = mean_and_se(&values(&(target.log_density(&draws.x)? - &draws.log_q)?)?);
                expect(elbo.is_finite() && elbo - SE_LIMIT * se <= log_z, || {
                    format!("on {name} {when}: ELBO {elbo:.4} ± {se:.4}, but log Z = {log_z:.4}")
                })?;
                let Some(exact) = target.exact_draws().filter(|_| flow.has_density()) else { continue };
                let x = Tensor::from_vec(exact.draw(seed_of(case, 2), DRAWS), (DRAWS, case.dim), &Device::Cpu)?;
                let x = x.to_dtype(at.dtype())?;
                let log_q = flow.density(&at, &x, seed_of(case, 3))?;
                let (eubo, se) = mean_and_se(&values(&(target.log_density(&x)? - log_q)?)?);
                // Infinite is a bound, too.
                expect(!eubo.is_nan() && (eubo.is_infinite() || eubo + SE_LIMIT * se >= log_z), || {
                    format!("on {name} {when}: EUBO {eubo:.4} ± {se:.4}, but log Z = {log_z:.4}")
                })?;
            }
            at = descend(&flow, &at, target, seed_of(case, 100 + step))?;
        }
    }
    Ok(())
}

/// One step of normalised gradient descent on the reverse KL divergence.
fn descend(flow: &HostFlow, at: &Tensor, target: &dyn targets::Target, seed: u64) -> Result<Tensor, Objection> {
    let (draws, tape) = flow.sample_taped(at, seed, BATCH)?;
    let share = 1.0 / BATCH as f64;
    let grad_x = (target.grad(&draws.x)? * -share)?;
    let grad_log_q = Tensor::full(share, BATCH, &Device::Cpu)?.to_dtype(at.dtype())?;
    let grad = flow.backward(tape, Some(&grad_x), &grad_log_q)?;
    let norm = values(&grad.sqr()?.sum_all()?)?[0].sqrt();
    Ok(if norm > 0.0 { (at - (grad * (0.05 / norm))?)? } else { at.clone() })
}

/// Its own figures are numbers; a log-det error that it states is rounding.
pub fn figures_are_sound(subject: &Subject, case: &Case) -> Finding {
    let flow = subject.flow(case, subject.precise())?;
    // Farther away a long flow amplifies the rounding of its Jacobian without bound.
    let params = near_start(&flow, case.seed)?;
    let figures = flow.probe(&params, seed_of(case, 1), 64)?;
    if figures.is_empty() {
        return Err(Objection::Skipped("the flow has no probe".into()));
    }
    // A Jacobian by autograd and an LU lose a few digits of 16, or of 7.
    let rounding = if subject.precise() == DType::F64 { 1e-7 } else { 1e-2 };
    for (name, value) in figures {
        expect(value.is_finite(), || format!("`{name}` is {value}"))?;
        expect(name != "log_det_error" || value < rounding, || {
            format!(
                "the stated log-det is not that of the Jacobian: `{name}` is {value:.3e}; a sign, or a missing term?"
            )
        })?;
    }
    Ok(())
}

/// Cotangents of a curved objective, so that wrong ones show.
struct Curved;

impl PullBack for Curved {
    fn pull<T: Element + Float>(&self, rows: Rows<'_, T>) -> flow_sdk::Result<()> {
        rows.grad_x.iter_mut().zip(rows.x).for_each(|(grad, &x)| *grad = x);
        rows.grad_log_q.iter_mut().zip(rows.log_q).for_each(|(grad, &log_q)| *grad = T::of(0.1) * log_q);
        Ok(())
    }
}

/// `sample_gradient` and `density_gradient` compute what a tape and `backward` do, which is all that an older harness knows.
pub fn kernels_agree(subject: &Subject, case: &Case) -> Finding {
    let flow = subject.flow(case, subject.precise())?;
    let (params, seed, n) = (away_from_start(&flow, case.seed)?, seed_of(case, 1), 300);
    let mut asked = false;
    if let Some(fused) = flow.sample_gradient(&params, seed, n, &Curved)? {
        asked = true;
        let (draws, tape) = flow.sample_taped(&params, seed, n)?;
        let grad = flow.backward(tape, Some(&draws.x), &(&draws.log_q * 0.1)?)?;
        close("sample_gradient", &values(&fused)?, &values(&grad)?)?;
    }
    let x = flow.sample(&params, seed_of(case, 2), n)?.x;
    let fused = if flow.has_density() { flow.density_gradient(&params, &x, seed, &Curved)? } else { None };
    if let Some(fused) = fused {
        asked = true;
        let (log_q, tape) = flow.density_taped(&params, &x, seed)?;
        let grad = flow.backward(tape, None, &(&log_q * 0.1)?)?;
        close("density_gradient", &values(&fused)?, &values(&grad)?)?;
    }
    if asked { Ok(()) } else { Err(Objection::Skipped("the flow has no kernels of its own here".into())) }
}

/// Gradients of two ways of computing: 1e-8 of the largest entry in f64, for sums of hundreds of rows in another order.
fn close(what: &str, fused: &[f64], tape: &[f64]) -> Finding {
    let largest = tape.iter().fold(1.0, |largest: f64, value| largest.max(value.abs()));
    let gap = |(a, b): (&f64, &f64)| (a - b).abs() / largest;
    let worst = fused.iter().zip(tape).map(gap).enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
    let (at, gap) = worst.unwrap_or_default();
    expect(gap < 1e-8, || {
        format!("`{what}` says {:.9e} of parameter {at}, a tape and `backward` {:.9e}", fused[at], tape[at])
    })
}
