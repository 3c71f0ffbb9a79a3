//! The end of a sampler's training: its chains warmed up, run, measured, refused if they cannot be.

use anyhow::Result;
use candle_core::{DType, Device, Tensor};
use flow_sdk::Point;

use super::bound::{bound, likeness};
use super::conclude::{fill, finite};
use super::run::{Ending, Run};
use super::sampler::{PROBE_CHAINS, SamplerSubject};
use crate::measure::{ChainFigures, chain_figures, impossible, within_bounds};
use crate::results::{Figures, SamplerFigures, Status};
use crate::sample::Trace;
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
    run.note_probes(&probes, ran.end.dim(0)?.min(PROBE_CHAINS));
    figures.probes = finite(&probes);
    let Some(of_chains) = note_chains(run, &ran.trace) else {
        return diverged("a chain has left the finite numbers");
    };
    let mut sampler = SamplerFigures::new(&of_chains, &ran.trace, ran.evaluations, warm_up_evals);
    let detail = explain(&of_chains, &ran.trace);
    subject.trace = Some(ran.trace);

    // A result that is refused leaves no figures.
    let probe = |name: &str| probes.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
    if let Err(reason) = within_bounds(probe("log_det_error_p50"), None, run.cell.dtype) {
        return Ok(Some((Status::PluginError, Some(format!("result refused: {reason}")))));
    }
    if let Some(reason) = super::carried::contradiction(subject, run, &ran.end)? {
        return Ok(Some((Status::PluginError, Some(format!("result refused: {reason}")))));
    }
    let before = run.target.evaluations();
    let Some(evaluation) = bound(subject, run, Purpose::Anneal, subject.sampling.bound_draws)? else { return Ok(None) };
    let annealing_evals = run.target.evaluations() - before;
    run.target.set_evaluations(before);
    if let Some(mut evaluation) = evaluation {
        let dim = run.target.uncounted().dim();
        let log_z = run.target.uncounted().known().log_z;
        let mut refused = impossible(&evaluation, log_z, run.cell.dtype, dim);
        if refused.is_some() {
            // As for flows: independent draws decide, and more of them.
            let again = run
                .target
                .without_counting(|| bound(subject, run, Purpose::Confirm, 4 * subject.sampling.bound_draws))?;
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
            figures.sampler = Some(sampler);
            return diverged(&format!("{bad} of {n} annealed draws have a weight that is not finite"));
        }
        fill(figures, &evaluation);
        sampler.bound_evals = Some(trained_evals + warm_up_evals + annealing_evals);
    } else if let Some(likeness) = likeness(subject, run) {
        figures.mode_coverage = likeness.mode_coverage;
        figures.w2 = likeness.w2;
    }
    figures.sampler = Some(sampler);
    if run.cell.eval.throughput && !super::timing::sampler(subject, run, figures, &ran.end)? {
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

fn is_finite(tensor: &Tensor) -> candle_core::Result<bool> {
    Ok(tensor.to_dtype(DType::F64)?.to_vec1::<f64>()?.iter().all(|value| value.is_finite()))
}
