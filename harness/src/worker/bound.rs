//! Bounds on log Z by a sampler's annealed draws, with how like the target's the draws of its chains are.

use anyhow::Result;
use candle_core::{Device, Tensor};

use super::run::Run;
use super::sampler::SamplerSubject;
use crate::measure::{Evaluation, Likeness};
use crate::sample::Annealing;
use crate::streams::{Purpose, seed_for};

/// Bounds on log Z by annealed weights of n draws; `Some(None)` where none are wanted, `None` where it was asked to stop.
pub(super) fn bound(
    subject: &SamplerSubject,
    run: &Run<'_>,
    purpose: Purpose,
    n: usize,
) -> Result<Option<Option<Evaluation>>> {
    if subject.sampling.temperatures == 0 {
        return Ok(Some(None));
    }
    let chains = subject.chains(run.cell.seed);
    let annealing = Annealing::new(&chains, &run.trainer.params, seed_for(run.cell.seed, purpose, 0));
    let go_on = || Ok(!run.link.stop_requested());
    let Some(upwards) = annealing.upwards(n, go_on)? else { return Ok(None) };
    let target = run.target.uncounted();
    let mut downwards = None;
    if let Some(exact) = target.exact_draws() {
        let draws = exact.draw(seed_for(run.cell.seed, purpose, 1), n);
        let x = Tensor::from_vec(draws, (n, target.dim()), &Device::Cpu)?.to_dtype(subject.sampler.dtype())?;
        // The bound from above is the measurement's, as a flow's is.
        let weights = run.target.without_counting(|| annealing.downwards(&x, go_on))?;
        let Some(weights) = weights else { return Ok(None) };
        downwards = Some(weights);
    }
    let likeness = likeness(subject, run).unwrap_or_default();
    let k = run.cell.eval.iw_samples.min(n);
    Ok(Some(Some(Evaluation::of(&upwards, downwards.as_deref(), k, likeness))))
}

/// How like the target's the chains' draws are.
pub(super) fn likeness(subject: &SamplerSubject, run: &Run<'_>) -> Option<Likeness> {
    let (target, trace) = (run.target.uncounted(), subject.trace.as_ref()?);
    let x = trace.thinned(run.cell.eval.final_draws);
    let n = x.len() / target.dim();
    let exact = target.exact_draws().map(|exact| exact.draw(seed_for(run.cell.seed, Purpose::Exact, 0), n));
    Some(Likeness::of(target, &x, exact.as_deref(), run.cell.seed))
}
