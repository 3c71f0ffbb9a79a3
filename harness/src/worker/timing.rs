//! How fast a cell trains and samples, while no other cell runs.

use anyhow::Result;
use candle_core::Tensor;

use super::flow::FlowSubject;
use super::run::Run;
use super::sampler::SamplerSubject;
use crate::host::Tempering;
use crate::measure::measure;
use crate::results::Figures;
use crate::streams::{Purpose, seed_for};

/// Training steps and draws per second; false where it was asked to stop. Nothing of it enters the result.
pub(super) fn flow(subject: &FlowSubject, run: &mut Run<'_>, figures: &mut Figures) -> Result<bool> {
    let mut scratch = run.trainer.copy()?;
    // The schedule's end may freeze the rate, annealing its start: time steps as they are in the middle.
    scratch.step = scratch.train.steps / 2;
    let (flow, objective, batch) = (&subject.flow, &subject.objective, run.cell.train.batch);
    let (layout, groups) = (&run.layout, &run.groups);
    let draws = run.cell.eval.draws.max(batch);
    let seed = seed_for(run.cell.seed, Purpose::Throughput, 0);
    let (params, device) = (run.trainer.params.clone(), run.device.clone());
    let mut measured = None;
    let mut work = || {
        let train =
            measure(batch, &device, || scratch.step(layout, groups, |at| objective.gradient(flow, at)).map(drop))?;
        let sample = measure(draws, &device, || Ok(flow.sample(&params, seed, draws).map(drop)?))?;
        measured = Some((train, sample));
        Ok(())
    };
    run.target.without_counting(|| run.link.exclusively(&mut work))?;
    let Some((train, sample)) = measured else { return Ok(false) };
    figures.train_samples_per_s = Some(train.per_s);
    figures.draws_per_s = Some(sample.per_s);
    for (name, throughput) in [("train_samples_per_s", train), ("draws_per_s", sample)] {
        for window in throughput.windows {
            run.push(name, Some(window), None, None);
        }
    }
    Ok(true)
}

/// Transitions, and training steps where there are any, a second; false where it was asked to stop.
pub(super) fn sampler(subject: &SamplerSubject, run: &mut Run<'_>, figures: &mut Figures, x: &Tensor) -> Result<bool> {
    let mut scratch = run.trainer.copy()?;
    scratch.step = scratch.train.steps / 2;
    let (layout, groups, batch) = (&run.layout, &run.groups, run.cell.train.batch);
    let (sampler, params) = (&subject.sampler, run.trainer.params.clone());
    let from = run.target.without_counting(|| sampler.place(x, Tempering::None))?;
    let (chains, device) = (x.dim(0)?, run.device.clone());
    let mut measured = None;
    let mut work = || {
        let mut seed = seed_for(run.cell.seed, Purpose::Throughput, 0);
        let mut at = from.clone();
        let sample = measure(chains, &device, || {
            seed = seed.wrapping_add(1);
            at = sampler.transition(&params, &at, seed, Tempering::None)?.next;
            Ok(())
        })?;
        let train = if scratch.train.steps > 0 {
            let step = || scratch.step(layout, groups, |at| Ok(subject.objective.gradient(sampler, at)?.0)).map(drop);
            Some(measure(batch, &device, step)?)
        } else {
            None
        };
        measured = Some((train, sample));
        Ok(())
    };
    run.target.without_counting(|| run.link.exclusively(&mut work))?;
    let Some((train, sample)) = measured else { return Ok(false) };
    figures.train_samples_per_s = train.as_ref().map(|train| train.per_s);
    figures.draws_per_s = Some(sample.per_s);
    if let Some(sampler) = &mut figures.sampler {
        sampler.ess_per_s = sampler.ess_min.map(|ess| ess / sampler.draws as f64 * sample.per_s);
    }
    for (name, throughput) in
        train.map(|train| ("train_samples_per_s", train)).into_iter().chain([("draws_per_s", sample)])
    {
        for window in throughput.windows {
            run.push(name, Some(window), None, None);
        }
    }
    Ok(true)
}
