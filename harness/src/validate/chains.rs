//! Laws of a sampler's transition: what it returns is of a piece, and it leaves its target alone.

use candle_core::{DType, Device, Tensor};
use flow_sdk::{Point, Transition};
use serde_json::json;

use super::numbers::{first_gap, mean_and_se, moved, normals, values};
use super::observation::seed_of;
use super::subject::counted;
use super::verdict::{Finding, Objection, expect};
use super::{Case, Subject};
use crate::host::{HostSampler, Tempering};

const CHAINS: usize = 4_000;
const TRANSITIONS: u64 = 2;
/// Standard errors that a mean may move: by luck one of two million moves farther.
const SE_LIMIT: f64 = 5.0;
/// Of a log-density that is carried along, relative to one and itself: some roundings of a sum.
const CARRIED: [f64; 2] = [1e-4, 1e-10];

/// Every chain is where it was or where it was asked to go; what is carried along is what the target says there.
pub fn transitions_are_of_a_piece(subject: &Subject, case: &Case) -> Finding {
    let dtype = subject.precise();
    let target = counted("rough-well", &json!({"dim": case.dim, "eta": 0.5}))?;
    let sampler = subject.sampler(case, dtype, target)?;
    let params = sampler.init(case.seed)?;
    for tempering in [Tempering::None, Tempering::Bridge { beta: 0.4, sd: 2.0 }] {
        let from = sampler.place(&(normals(3, &[500, case.dim], dtype)? * 2.0)?, tempering)?;
        let moved = sampler.transition(&params, &from, seed_of(case, 1), tempering)?;
        let (before, after) = (values(&from.x)?, values(&moved.next.x)?);
        let (asked, accept) = (values(&moved.proposal)?, values(&moved.accept)?);
        for (chain, &accept) in accept.iter().enumerate() {
            let of = |all: &[f64]| all[chain * case.dim..(chain + 1) * case.dim].to_vec();
            expect((0.0..=1.0).contains(&accept), || format!("chain {chain}: acceptance probability {accept}"))?;
            let (before, after, asked) = (of(&before), of(&after), of(&asked));
            expect(after == before || after == asked, || {
                format!("chain {chain} came from {before:?}, was asked to go to {asked:?} and is at {after:?}")
            })?;
        }
        carried(&sampler, &moved.next, tempering)?;
    }
    Ok(())
}

/// log γ and its gradient at the chains' new places, asked again.
fn carried(sampler: &HostSampler, next: &Point, tempering: Tempering) -> Finding {
    let again = sampler.place(&next.x, tempering)?;
    let tolerance = CARRIED[usize::from(sampler.dtype() == DType::F64)];
    let pairs = [
        ("log_density", Some(&next.log_density), Some(&again.log_density)),
        ("grad", next.grad.as_ref(), again.grad.as_ref()),
    ];
    for (what, carried, truth) in pairs {
        let (Some(carried), Some(truth)) = (carried, truth) else { continue };
        let (carried, truth) = (values(carried)?, values(truth)?);
        if let Some(at) = first_gap(&carried, &truth, tolerance) {
            let words = format!(
                "`{what}` that it carries along is {} and the target's {} (element {at})",
                carried[at], truth[at]
            );
            return Err(Objection::Failed(words));
        }
    }
    Ok(())
}

/// Exact draws are exact draws after some transitions: x, its products, and log γ gain nothing on average. Each chain's gain
/// against its own standard error: pairs leave nothing of the spread of the target itself.
pub fn exact_draws_stay_exact(subject: &Subject, case: &Case) -> Finding {
    let gaussian = ("gaussian", json!({"dim": case.dim, "mean": 0.5, "sd": 1.5}));
    let rough = ("rough-well", json!({"dim": case.dim, "eta": 0.5}));
    let curved = ("banana", json!({}));
    let targets = [Some(gaussian), Some(rough), (case.dim == 2).then_some(curved)];
    let mut acceptance = Vec::new();
    for (name, params) in targets.into_iter().flatten() {
        let target = counted(name, &params)?;
        let Some(exact) = target.uncounted().exact_draws() else { continue };
        let x = Tensor::from_vec(exact.draw(seed_of(case, 1), CHAINS), (CHAINS, case.dim), &Device::Cpu)?;
        let sampler = subject.sampler(case, subject.precise(), std::rc::Rc::clone(&target))?;
        let start = sampler.init(case.seed)?;
        // Learnt networks away from their start: a sampler is exact whatever it has learnt.
        let params = moved(&start, case.seed, 0.1)?;
        let from = sampler.place(&x.to_dtype(subject.precise())?, Tempering::None)?;
        let mut at = from.clone();
        for step in 0..TRANSITIONS {
            let Transition { next, accept, .. } =
                sampler.transition(&params, &at, seed_of(case, 10 + step), Tempering::None)?;
            acceptance.extend(values(&accept)?);
            at = next;
        }
        let (before, after) = (statistics(&from)?, statistics(&at)?);
        for ((what, before), (_, after)) in before.into_iter().zip(after) {
            let gains: Vec<f64> = after.iter().zip(&before).map(|(after, before)| after - before).collect();
            let (mean, se) = mean_and_se(&gains);
            expect(mean.abs() <= SE_LIMIT * se, || {
                format!(
                    "on {name} the mean of {what} moved by {mean:.4} ± {se:.4} in {TRANSITIONS} transitions from exact draws"
                )
            })?;
        }
    }
    let (accepted, _) = mean_and_se(&acceptance);
    if !(0.01..=0.9999).contains(&accepted) {
        let words =
            format!("acceptance is {accepted:.4}: with nothing to refuse, or nothing accepted, little is tested");
        return Err(Objection::Skipped(words));
    }
    Ok(())
}

/// Columns with their names: x_j, x_i x_j, log γ.
fn statistics(at: &Point) -> Result<Vec<(String, Vec<f64>)>, Objection> {
    let (dim, x) = (at.x.dim(1)?, values(&at.x)?);
    let column = |j: usize| x.chunks_exact(dim).map(move |row| row[j]);
    let mut all: Vec<(String, Vec<f64>)> = (0..dim).map(|j| (format!("x[{j}]"), column(j).collect())).collect();
    for (i, j) in (0..dim).flat_map(|i| (i..dim).map(move |j| (i, j))) {
        all.push((format!("x[{i}]·x[{j}]"), column(i).zip(column(j)).map(|(a, b)| a * b).collect()));
    }
    all.push(("log γ".into(), values(&at.log_density)?));
    Ok(all)
}

/// A warm-up writes the tuned parameters alone, and numbers.
pub fn warm_up_keeps_to_its_own(subject: &Subject, case: &Case) -> Finding {
    let sampler = subject.sampler(case, subject.precise(), counted("gaussian", &json!({"dim": case.dim}))?)?;
    if !sampler.adapts() {
        return Err(Objection::Skipped("the sampler has no `adapt`".into()));
    }
    let mut params = sampler.init(case.seed)?;
    let start = values(&params)?;
    let mut at = sampler.place(&normals(3, &[64, case.dim], subject.precise())?, Tempering::None)?;
    let steps = 50;
    for step in 0..steps {
        let moved = sampler.transition(&params, &at, seed_of(case, step), Tempering::None)?;
        params = sampler.adapt(&params, &moved, step, steps)?;
        at = moved.next;
    }
    let end = values(&params)?;
    for slice in sampler.layout().slices() {
        let range = slice.offset..slice.offset + slice.len();
        let (before, after) = (&start[range.clone()], &end[range]);
        expect(after.iter().all(|value| value.is_finite()), || {
            format!("`{}` is {after:?} after a warm-up", slice.name)
        })?;
        expect(slice.tuned || before == after, || {
            format!("`adapt` wrote `{}`, which the layout does not call tuned", slice.name)
        })?;
    }
    Ok(())
}

/// Transitions and gradients by rows are those of whole batches, which is all that an older harness knows.
pub fn rows_are_those_of_the_batch(subject: &Subject, case: &Case) -> Finding {
    let target = counted("rough-well", &json!({"dim": case.dim, "eta": 0.5}))?;
    let sampler = subject.sampler(case, subject.precise(), target)?;
    if !sampler.has_rows() {
        return Err(Objection::Skipped("the sampler has no kernels of its own".into()));
    }
    let (params, seed) = (sampler.init(case.seed)?, seed_of(case, 1));
    let from = sampler.place(&normals(3, &[130, case.dim], subject.precise())?, Tempering::None)?;
    let rows = sampler.transition(&params, &from, seed, Tempering::None)?;
    let whole = sampler.transition_whole(&params, &from, seed, Tempering::None)?;
    for (what, a, b) in [("proposal", &rows.proposal, &whole.proposal), ("accept", &rows.accept, &whole.accept)] {
        // A trajectory amplifies the rounding of sums in another order.
        let (a, b) = (values(a)?, values(b)?);
        if let Some(at) = first_gap(&a, &b, 1e-6) {
            let words = format!("`{what}` by rows is {}, of the whole batch {} (element {at})", a[at], b[at]);
            return Err(Objection::Failed(words));
        }
    }
    Ok(())
}
