//! The end of a sampler's cell: its chains warmed up, run and measured, log Z bounded, its speed taken.

use anyhow::Result;
use candle_core::{DType, Device, Tensor};
use flow_sdk::Point;

use super::conclude::{fill, finite};
use super::run::{Ending, Run};
use super::sampler::{SamplerSubject, thinned};
use crate::host::Tempering;
use crate::measure::{ChainFigures, Evaluation, Likeness, chain_figures, impossible, measure, within_bounds};
use crate::results::{Figures, SamplerFigures, Status};
use crate::sample::{Annealing, Trace};
use crate::streams::{Purpose, seed_for};

/// Where the chains are after the warm-up and the measured transitions.
struct Ran {
    end: Tensor,
    trace: Trace,
    evaluations: u64,
}

/// Runs all of it; `None` where it was asked to stop, with the training kept.
pub(super) fn conclude(
    subject: &mut SamplerSubject,
    run: &mut Run<'_>,
    figures: &mut Figures,
) -> Result<Option<Ending>> {
    let recorded = (run.record.metrics.len(), run.trainer.params.clone(), run.target.evaluations());
    let ending = attempt(subject, run, figures)?;
    if ending.is_none() {
        // All of this will be the same next time: only the training is kept.
        run.record.metrics.truncate(recorded.0);
        run.trainer.params = recorded.1;
        run.target.set_evaluations(recorded.2);
        run.checkpoint()?;
    }
    Ok(ending)
}

fn attempt(subject: &mut SamplerSubject, run: &mut Run<'_>, figures: &mut Figures) -> Result<Option<Ending>> {
    let trained_evals = run.target.evaluations();
    let Some(start) = warm_up(subject, run)? else { return Ok(None) };
    let warm_up_evals = run.target.evaluations() - trained_evals;
    if !is_finite(&run.trainer.params)? {
        return diverged("the warm-up has left parameters that are not finite");
    }
    let Some(ran) = sample(subject, run, start)? else { return Ok(None) };
    figures.target_evals = Some(run.target.evaluations());
    let probes = subject.probe(run, &ran.end)?;
    run.note_steps();
    run.note_probes(&probes, ran.end.dim(0)?);
    figures.probes = finite(&probes);
    let Some(of_chains) = note_chains(run, &ran.trace) else {
        return diverged("a chain has left the finite numbers");
    };
    let sampler = SamplerFigures::new(&of_chains, &ran.trace, ran.evaluations, warm_up_evals);
    let detail = explain(&of_chains, &ran.trace);
    figures.sampler = Some(sampler);
    subject.trace = Some(ran.trace);

    let before = run.target.evaluations();
    let Some(evaluation) = bound(subject, run, Purpose::Anneal, run_draws(subject))? else { return Ok(None) };
    let annealing_evals = run.target.evaluations() - before;
    run.target.set_evaluations(before);
    if let Some(mut evaluation) = evaluation {
        let dim = run.target.uncounted().dim();
        let log_z = run.target.uncounted().known().log_z;
        let mut refused = impossible(&evaluation, log_z, run.cell.dtype, dim);
        if refused.is_some() {
            // As for flows: independent draws decide, and more of them.
            let again =
                run.target.without_counting(|| bound(subject, run, Purpose::Confirm, 4 * run_draws(subject)))?;
            let Some(Some(again)) = again else { return Ok(None) };
            evaluation = again;
            refused = impossible(&evaluation, log_z, run.cell.dtype, dim);
        }
        run.note(&evaluation, evaluation.elbo.n);
        if let Some(reason) = refused {
            return Ok(Some((Status::PluginError, Some(format!("result refused: {reason}")))));
        }
        if evaluation.nonfinite_draws > 0 || !evaluation.elbo.se.is_finite() {
            let (bad, n) = (evaluation.nonfinite_draws, evaluation.elbo.n);
            return diverged(&format!("{bad} of {n} annealed draws have a weight that is not finite"));
        }
        fill(figures, &evaluation);
        if let Some(sampler) = &mut figures.sampler {
            sampler.bound_evals = Some(trained_evals + warm_up_evals + annealing_evals);
        }
    } else if let Some(likeness) = likeness(subject, run) {
        figures.mode_coverage = likeness.mode_coverage;
        figures.w2 = likeness.w2;
    }
    let probe = |name: &str| probes.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
    if let Err(reason) = within_bounds(probe("log_det_error_p50"), None, run.cell.dtype) {
        return Ok(Some((Status::PluginError, Some(format!("result refused: {reason}")))));
    }
    if let Some(reason) = contradiction(subject, run, &ran.end)? {
        return Ok(Some((Status::PluginError, Some(format!("result refused: {reason}")))));
    }
    if run.cell.eval.throughput && !time(subject, run, figures, &ran.end)? {
        return Ok(None);
    }
    Ok(Some((Status::Ok, detail)))
}

fn diverged(reason: &str) -> Result<Option<Ending>> {
    Ok(Some((Status::Diverged, Some(reason.into()))))
}

/// Tunes the parameters; the cell's training time goes on meanwhile.
fn warm_up(subject: &SamplerSubject, run: &mut Run<'_>) -> Result<Option<Point>> {
    let (started, paused) = (std::time::Instant::now(), run.link.paused());
    let (seed, params) = (run.cell.seed, run.trainer.params.clone());
    let tuned = subject.chains(seed).warm_up(&params, |step| {
        run.report_progress(step)?;
        Ok(!run.link.stop_requested())
    })?;
    let stood_still = run.link.paused().saturating_sub(paused);
    run.record.train_s += started.elapsed().saturating_sub(stood_still).as_secs_f64();
    Ok(tuned.map(|(params, at)| {
        run.trainer.params = params;
        at
    }))
}

fn sample(subject: &SamplerSubject, run: &mut Run<'_>, start: Point) -> Result<Option<Ran>> {
    let (seed, params, warm_up) = (run.cell.seed, run.trainer.params.clone(), subject.sampling.warm_up);
    let trace = subject.chains(seed).run(&params, start, |step| {
        run.report_progress(warm_up + step)?;
        Ok(!run.link.stop_requested())
    })?;
    let Some(trace) = trace else { return Ok(None) };
    let (n, dim) = (trace.chains, run.target.uncounted().dim());
    let last = trace.x[trace.x.len() - n * dim..].to_vec();
    let end = Tensor::from_vec(last, (n, dim), &Device::Cpu)?.to_dtype(subject.sampler.dtype())?;
    Ok(Some(Ran { end, evaluations: trace.evaluations, trace }))
}

/// Measures the trace, and records what it found.
fn note_chains(run: &mut Run<'_>, trace: &Trace) -> Option<ChainFigures> {
    let target = run.target.uncounted();
    let n = run.cell.eval.final_draws;
    let exact = target.exact_draws().and_then(|exact| {
        let x = Tensor::from_vec(
            exact.draw(seed_for(run.cell.seed, Purpose::Exact, 1), n),
            (n, target.dim()),
            &Device::Cpu,
        );
        target.log_density(&x.ok()?).ok()?.to_vec1::<f64>().ok()
    });
    let figures = chain_figures(trace, target, exact.as_deref())?;
    let total = trace.accept.len();
    let all = [
        ("acceptance", Some(figures.acceptance)),
        ("hopeless_proposals", Some(figures.hopeless)),
        ("squared_jump", Some(figures.jump)),
        ("ess_bulk_min", figures.ess_bulk),
        ("ess_tail_min", figures.ess_tail),
        ("rhat_max", figures.rhat),
        ("levy_ess_per_step", figures.levy_ess),
        ("mean_error", figures.mean_error),
        ("sd_error", figures.sd_error),
    ];
    for (name, value) in all.into_iter().filter(|(_, value)| value.is_some()) {
        run.push(name, value, None, Some(total));
    }
    if let Some(error) = figures.log_density_error {
        run.push("log_density_error_nats", Some(error.value), Some(error.se), Some(error.n));
    }
    Some(figures)
}

/// What a reader must know of a result that is `ok`.
fn explain(figures: &ChainFigures, trace: &Trace) -> Option<String> {
    let (stuck, n) = (trace.frozen_chains, trace.chains);
    match (figures.frozen, stuck) {
        (_, stuck) if stuck == n => Some(format!("frozen: none of {n} chains ever moved")),
        (true, 0) => Some("frozen: the chains are shorter than their autocorrelation time; no effective size".into()),
        (true, _) => Some(format!("frozen: {stuck} of {n} chains never moved, the others hardly")),
        (false, 0) => None,
        (false, _) => Some(format!("{stuck} of {n} chains never moved")),
    }
}

fn run_draws(subject: &SamplerSubject) -> usize {
    subject.sampling.bound_draws
}

/// Bounds on log Z by annealed weights of n draws; `Some(None)` where none are wanted, `None` where it was asked to stop.
fn bound(subject: &SamplerSubject, run: &Run<'_>, purpose: Purpose, n: usize) -> Result<Option<Option<Evaluation>>> {
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
fn likeness(subject: &SamplerSubject, run: &Run<'_>) -> Option<Likeness> {
    let (target, trace) = (run.target.uncounted(), subject.trace.as_ref()?);
    let x = thinned(trace, target.dim(), run.cell.eval.final_draws);
    let n = x.len() / target.dim();
    let exact = target.exact_draws().map(|exact| exact.draw(seed_for(run.cell.seed, Purpose::Exact, 0), n));
    Some(Likeness::of(target, &x, exact.as_deref(), run.cell.seed))
}

/// Whether what the sampler carries along of the target is what the target says.
///
/// The same place evaluated alone or among others may differ by rounding; a sampler that carries something else along is
/// off by far more than √ε.
fn contradiction(subject: &SamplerSubject, run: &Run<'_>, x: &Tensor) -> Result<Option<String>> {
    let seed = seed_for(run.cell.seed, Purpose::Confirm, 2);
    run.target.without_counting(|| {
        let from = subject.sampler.place(x, Tempering::None)?;
        let next = subject.sampler.transition(&run.trainer.params, &from, seed, Tempering::None)?.next;
        let again = subject.sampler.place(&next.x, Tempering::None)?;
        let epsilon: f64 = if x.dtype() == DType::F32 { f32::EPSILON.into() } else { f64::EPSILON };
        let apart = |carried: &Tensor, said: &Tensor| -> Result<bool> {
            let wide = |tensor: &Tensor| tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>();
            let pairs = wide(carried)?.into_iter().zip(wide(said)?);
            Ok(pairs.into_iter().any(|(a, b)| (a - b).abs() > 10.0 * epsilon.sqrt() * (1.0 + b.abs())))
        };
        if apart(&next.log_density, &again.log_density)? {
            return Ok(Some("the log-density that the sampler carries along is not the target's".into()));
        }
        match (&next.grad, &again.grad) {
            (Some(carried), Some(said)) if apart(carried, said)? => {
                Ok(Some("the gradient that the sampler carries along is not the target's".into()))
            }
            _ => Ok(None),
        }
    })
}

/// Transitions, and training steps where there are any, a second; false where it was asked to stop.
fn time(subject: &SamplerSubject, run: &mut Run<'_>, figures: &mut Figures, x: &Tensor) -> Result<bool> {
    let mut scratch = run.trainer.clone();
    scratch.step = scratch.train.steps / 2;
    let (layout, groups, batch) = (&run.layout, &run.groups, run.cell.train.batch);
    let (sampler, params) = (&subject.sampler, run.trainer.params.clone());
    let from = run.target.without_counting(|| sampler.place(x, Tempering::None))?;
    let chains = x.dim(0)?;
    let mut measured = None;
    let mut work = || {
        let mut seed = seed_for(run.cell.seed, Purpose::Throughput, 0);
        let mut at = from.clone();
        let sample = measure(chains, || {
            seed = seed.wrapping_add(1);
            at = sampler.transition(&params, &at, seed, Tempering::None)?.next;
            Ok(())
        })?;
        let train = if scratch.train.steps > 0 {
            let step = || scratch.step(layout, groups, |at| Ok(subject.objective.gradient(sampler, at)?.0)).map(drop);
            Some(measure(batch, step)?)
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

fn is_finite(tensor: &Tensor) -> candle_core::Result<bool> {
    Ok(tensor.to_dtype(DType::F64)?.to_vec1::<f64>()?.iter().all(|value| value.is_finite()))
}
