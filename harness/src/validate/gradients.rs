//! Reverse passes against finite differences: a slice of the parameters at a time, the parameter at fault by name.

use candle_core::{DType, Device, Tensor};
use flow_sdk::{Layout, Slice};
use serde_json::json;

use super::numbers::{dot, moved, normals, values};
use super::observation::seed_of;
use super::subject::{away_from_start, counted};
use super::verdict::{Finding, Objection};
use super::{Case, Subject};
use crate::host::Tempering;

/// Rows of a batch.
const ROWS: usize = 16;
/// Of a slice that is at fault, so many parameters are looked at one by one.
const ONE_BY_ONE: usize = 2048;

/// Of Σ x·a + Σ log_q·b over draws.
pub fn of_sample(subject: &Subject, case: &Case) -> Finding {
    let flow = subject.flow(case, subject.precise())?;
    let (params, seed) = (away_from_start(&flow, case.seed)?, seed_of(case, 0));
    let a = normals(1, &[ROWS, case.dim], params.dtype())?;
    let b = normals(2, &[ROWS], params.dtype())?;
    let (weights_x, weights_log_q) = (values(&a)?, values(&b)?);
    let scalar = |params: &Tensor| -> Result<Scalar, Objection> {
        let draws = flow.sample(params, seed, ROWS)?;
        Ok(Scalar::of(&[(values(&draws.x)?, &weights_x), (values(&draws.log_q)?, &weights_log_q)]))
    };
    let (_, tape) = flow.sample_taped(&params, seed, ROWS)?;
    let grad = values(&flow.backward(tape, Some(&a), &b)?)?;
    agree(&params, &grad, flow.layout(), &scalar)
}

/// Of Σ log_q·b over given points.
pub fn of_density(subject: &Subject, case: &Case) -> Finding {
    let flow = subject.flow_with_density(case)?;
    let (params, seed) = (away_from_start(&flow, case.seed)?, seed_of(case, 0));
    let x = flow.sample(&params, seed_of(case, 1), ROWS)?.x;
    let b = normals(2, &[ROWS], params.dtype())?;
    let weights = values(&b)?;
    let scalar = |params: &Tensor| -> Result<Scalar, Objection> {
        Ok(Scalar::of(&[(values(&flow.density(params, &x, seed)?)?, &weights)]))
    };
    let (_, tape) = flow.density_taped(&params, &x, seed)?;
    let grad = values(&flow.backward(tape, None, &b)?)?;
    agree(&params, &grad, flow.layout(), &scalar)
}

/// Of Σ proposal·a + Σ accept·b of a sampler that is trained.
pub fn of_transition(subject: &Subject, case: &Case) -> Finding {
    // Its Hessian is not constant: forces are differentiated, too.
    let target = counted("rough-well", &json!({"dim": case.dim, "eta": 0.5}))?;
    let sampler = subject.sampler(case, subject.precise(), target)?;
    if !sampler.is_trained() {
        return Err(Objection::Skipped("the sampler is not trained".into()));
    }
    let params = moved(&sampler.init(case.seed)?, case.seed, 0.1)?;
    let (plain, seed) = (Tempering::None, seed_of(case, 0));
    let from = sampler.place(&normals(3, &[ROWS, case.dim], params.dtype())?, plain)?;
    let a = normals(1, &[ROWS, case.dim], params.dtype())?;
    let b = normals(2, &[ROWS], params.dtype())?;
    let (weights_x, weights_accept) = (values(&a)?, values(&b)?);
    let scalar = |params: &Tensor| -> Result<Scalar, Objection> {
        let moved = sampler.transition(params, &from, seed, plain)?;
        Ok(Scalar::of(&[(values(&moved.proposal)?, &weights_x), (values(&moved.accept)?, &weights_accept)]))
    };
    let (_, tape) = sampler.transition_taped(&params, &from, seed, plain)?;
    let grad = values(&sampler.backward(tape, plain, &a, &b)?)?;
    agree(&params, &grad, sampler.layout(), &scalar)
}

/// A weighted sum, and that of its terms' sizes, to which its rounding is in proportion.
#[derive(Clone, Copy)]
struct Scalar {
    value: f64,
    size: f64,
}

impl Scalar {
    fn of(terms: &[(Vec<f64>, &Vec<f64>)]) -> Self {
        let size =
            |values: &[f64], weights: &[f64]| values.iter().zip(weights).map(|(v, w)| (v * w).abs()).sum::<f64>();
        Self {
            value: terms.iter().map(|(values, weights)| dot(values, weights)).sum(),
            size: terms.iter().map(|(values, weights)| size(values, weights)).sum(),
        }
    }
}

type Function<'a> = &'a dyn Fn(&Tensor) -> Result<Scalar, Objection>;

/// Each slice along a random direction of unit length, which no parameter of it escapes; then, at fault, one by one.
fn agree(params: &Tensor, grad: &[f64], layout: &Layout, scalar: Function<'_>) -> Finding {
    if let Some(at) = grad.iter().position(|slope| !slope.is_finite()) {
        let (slice, index) = locate(layout, at);
        return Err(Objection::Failed(format!("the gradient of `{slice}`[{index}] is {}", grad[at])));
    }
    for (number, slice) in layout.slices().iter().filter(|slice| !slice.tuned && !slice.is_empty()).enumerate() {
        let mut along = values(&normals(number as u64 + 11, &[slice.len()], params.dtype())?)?;
        let norm = dot(&along, &along).sqrt();
        along.iter_mut().for_each(|component| *component /= norm);
        let stated = dot(&grad[slice.offset..slice.offset + slice.len()], &along);
        if let Some(slope) = disagreement(params, slice.offset, &along, stated, scalar)? {
            return Err(Objection::Failed(culprit(params, grad, slice, scalar, (stated, slope))?));
        }
    }
    Ok(())
}

/// The slope by differences, where the stated one is another.
///
/// Central differences with step h: truncation is h²f‴/6, cancellation ε·size/h. In f64 h = 1e-5, so that both are near 1e-10 for
/// terms and derivatives of order one, and 1e-5 of the slope is left for third derivatives; in f32 h = 1e-2 and 2 %. Where the
/// function is steep, or has a kink (a ReLU unit, an acceptance of one), narrower differences may agree; a wrong slope never does.
fn disagreement(
    params: &Tensor,
    offset: usize,
    along: &[f64],
    stated: f64,
    scalar: Function<'_>,
) -> Result<Option<f64>, Objection> {
    let (steps, share, epsilon) = match params.dtype() {
        DType::F32 => ([1e-2, 3e-3, 3e-2], 2e-2, f64::from(f32::EPSILON)),
        _ => ([1e-5, 1e-6, 1e-7], 1e-5, f64::EPSILON),
    };
    let start = values(params)?;
    let mut last = None;
    for h in steps {
        let at = |by: f64| -> Result<Scalar, Objection> {
            let mut flat = start.clone();
            flat[offset..].iter_mut().zip(along).for_each(|(value, component)| *value += by * component);
            scalar(&Tensor::new(flat, &Device::Cpu)?.to_dtype(params.dtype())?)
        };
        let (after, before) = (at(h)?, at(-h)?);
        let slope = (after.value - before.value) / (2.0 * h);
        let rounding = 8.0 * epsilon * (after.size + before.size) / h;
        if (slope - stated).abs() <= share * (1.0 + slope.abs() + stated.abs()) + rounding {
            return Ok(None);
        }
        last = Some(slope);
    }
    Ok(last)
}

/// Which parameter of a slice is at fault.
fn culprit(
    params: &Tensor,
    grad: &[f64],
    slice: &Slice,
    scalar: Function<'_>,
    (stated, slope): (f64, f64),
) -> Result<String, Objection> {
    let name = &slice.name;
    let mut wrong = Vec::new();
    for index in 0..slice.len().min(ONE_BY_ONE) {
        let at = slice.offset + index;
        if let Some(slope) = disagreement(params, at, &[1.0], grad[at], scalar)? {
            wrong.push((index, grad[at], slope));
        }
    }
    let Some(&(index, stated_there, slope_there)) = wrong.first() else {
        return Ok(format!("`{name}` along a random direction: backward says {stated:.6e}, differences {slope:.6e}"));
    };
    let looks = hint(&wrong).map(|hint| format!("; {hint}")).unwrap_or_default();
    Ok(format!(
        "`{name}`[{index}], parameter {}: backward says {stated_there:.6e}, differences {slope_there:.6e} \
         ({} of {} parameters of `{name}` disagree{looks})",
        slice.offset + index,
        wrong.len(),
        slice.len()
    ))
}

/// What is common to wrong slopes.
fn hint(wrong: &[(usize, f64, f64)]) -> Option<String> {
    let ratio = |&(_, stated, slope): &(usize, f64, f64)| stated / slope;
    let first = ratio(wrong.first()?);
    if !wrong.iter().all(|each| (ratio(each) - first).abs() < 1e-3 * (1.0 + first.abs())) {
        return None;
    }
    Some(match first {
        0.0 => "their gradient is zero: the reverse pass leaves them out, or the forward pass detaches them".into(),
        ratio if (ratio + 1.0).abs() < 1e-3 => "the sign is wrong".into(),
        ratio => format!("all are {ratio:.4} of what they should be"),
    })
}

/// The slice of a parameter, and its number there.
fn locate(layout: &Layout, at: usize) -> (&str, usize) {
    let within = |slice: &&Slice| (slice.offset..slice.offset + slice.len()).contains(&at);
    layout.slices().iter().find(within).map_or(("?", at), |slice| (slice.name.as_str(), at - slice.offset))
}
