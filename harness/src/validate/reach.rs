//! Whether every parameter matters.

use flow_kernels::philox::derive_seed;
use flow_sdk::Layout;
use serde_json::json;

use super::numbers::{moved, normals, values};
use super::observation::seed_of;
use super::subject::{away_from_start, counted};
use super::verdict::{Finding, Objection};
use super::{Case, Subject};
use crate::host::Tempering;

/// A ReLU unit that is off at every point of a batch rightly has no gradient there.
const STARTS: u64 = 10;
/// Nor has one that is off from every start: of a wide network a few are, one in a hundred at most.
const RARE: usize = 100;
const ROWS: usize = 64;

/// A gradient reaches every trained parameter from one start at least: one that it never reaches costs, counts and learns nothing.
pub fn every_parameter_matters(subject: &Subject, case: &Case) -> Finding {
    if subject.descriptor.kind == "flow" { of_flow(subject, case) } else { of_sampler(subject, case) }
}

fn of_flow(subject: &Subject, case: &Case) -> Finding {
    let flow = subject.flow(case, subject.precise())?;
    let mut reached = vec![false; flow.n_params()];
    for start in 0..STARTS {
        let params = away_from_start(&flow, derive_seed(case.seed, 8, start))?;
        let (_, tape) = flow.sample_taped(&params, seed_of(case, start), ROWS)?;
        let (a, b) = (normals(1, &[ROWS, case.dim], params.dtype())?, normals(2, &[ROWS], params.dtype())?);
        let grad = values(&flow.backward(tape, Some(&a), &b)?)?;
        reached.iter_mut().zip(grad).for_each(|(reached, slope)| *reached |= slope != 0.0);
    }
    all(&reached, flow.layout())
}

fn of_sampler(subject: &Subject, case: &Case) -> Finding {
    if case.dim == 1 {
        return Err(Objection::Skipped("of one coordinate a sampler may mask all that a network would see".into()));
    }
    let target = counted("rough-well", &json!({"dim": case.dim, "eta": 0.5}))?;
    let sampler = subject.sampler(case, subject.precise(), target)?;
    if !sampler.is_trained() {
        return Err(Objection::Skipped("the sampler is not trained".into()));
    }
    let mut reached = vec![false; sampler.layout().len()];
    for start in 0..STARTS {
        let params = moved(&sampler.init(case.seed)?, derive_seed(case.seed, 8, start), 0.3)?;
        let from = sampler.place(&normals(3 + start, &[ROWS, case.dim], params.dtype())?, Tempering::None)?;
        let (_, tape) = sampler.transition_taped(&params, &from, seed_of(case, start), Tempering::None)?;
        let (a, b) = (normals(1, &[ROWS, case.dim], params.dtype())?, normals(2, &[ROWS], params.dtype())?);
        let grad = values(&sampler.backward(tape, Tempering::None, &a, &b)?)?;
        reached.iter_mut().zip(grad).for_each(|(reached, slope)| *reached |= slope != 0.0);
    }
    all(&reached, sampler.layout())
}

/// What is dead weight, slice by slice.
fn all(reached: &[bool], layout: &Layout) -> Finding {
    let dead = |slice: &flow_sdk::Slice| {
        let reached = &reached[slice.offset..slice.offset + slice.len()];
        let count = reached.iter().filter(|reached| !**reached).count();
        (count > slice.len() / RARE).then(|| format!("{count} of {} parameters of `{}`", slice.len(), slice.name))
    };
    let found: Vec<String> = layout.slices().iter().filter(|slice| !slice.tuned).filter_map(dead).collect();
    if found.is_empty() {
        return Ok(());
    }
    Err(Objection::Warning(format!("no gradient reaches {}, from any of {STARTS} starts", found.join(", "))))
}
