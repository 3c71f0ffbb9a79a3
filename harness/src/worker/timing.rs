//! How fast a cell trains and samples, while no other cell runs.

use anyhow::Result;

use super::flow::FlowSubject;
use super::run::Run;
use crate::measure::measure;
use crate::results::Figures;
use crate::streams::{Purpose, seed_for};

/// Training steps and draws per second; false where it was asked to stop. Nothing of it enters the result.
pub(super) fn flow(subject: &FlowSubject, run: &mut Run<'_>, figures: &mut Figures) -> Result<bool> {
    let mut scratch = run.trainer.clone();
    // The schedule's end may freeze the rate, annealing its start: time steps as they are in the middle.
    scratch.step = scratch.train.steps / 2;
    let (flow, objective, batch) = (&subject.flow, &subject.objective, run.cell.train.batch);
    let (layout, groups) = (&run.layout, &run.groups);
    let draws = run.cell.eval.draws.max(batch);
    let seed = seed_for(run.cell.seed, Purpose::Throughput, 0);
    let params = run.trainer.params.clone();
    let mut measured = None;
    let mut work = || {
        let train = measure(batch, || scratch.step(layout, groups, |at| objective.gradient(flow, at)).map(drop))?;
        let sample = measure(draws, || Ok(flow.sample(&params, seed, draws).map(drop)?))?;
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
