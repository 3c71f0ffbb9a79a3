//! The end of a training: the result evaluated, refused if it cannot be, timed; or what is left of one that gave up.

use std::collections::BTreeMap;

use anyhow::Result;

use super::flow::{FlowSubject, PROBE_DRAWS};
use super::run::{Ending, Run};
use super::subject::Subject;
use crate::measure::{Evaluation, impossible, within_bounds};
use crate::results::{Figures, Status};
use crate::streams::Purpose;

/// Draws, at least, that confirm a result that cannot be.
const CONFIRM_DRAWS: usize = 20_000;

/// Evaluates the trained flow, refuses what cannot be, and times it; `None` where it was asked to stop.
pub(super) fn flow(subject: &FlowSubject, run: &mut Run<'_>, figures: &mut Figures) -> Result<Option<Ending>> {
    let recorded = run.record.metrics.len();
    let mut n = run.cell.eval.final_draws;
    let dim = run.target.uncounted().dim();
    let log_z = run.target.uncounted().known().log_z;
    let dtype = run.cell.dtype;
    let refuse = |evaluation: &Evaluation| impossible(evaluation, log_z, dtype, dim);
    let mut evaluation = subject.evaluate(run, n, Purpose::Evaluate)?;
    let mut refused = refuse(&evaluation);
    if refused.is_some() {
        // By chance one sound result in 700 lies three standard errors off, and more where draws are few and their
        // standard error is itself a guess: independent draws decide, and enough of them.
        n = CONFIRM_DRAWS.max(2 * n);
        evaluation = subject.evaluate(run, n, Purpose::Confirm)?;
        refused = refuse(&evaluation);
    }
    let probes = subject.probe(run)?;
    run.note(&evaluation, n);
    run.note_steps();
    run.note_probes(&probes, PROBE_DRAWS);
    let probe = |name: &str| probes.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
    figures.probes = finite(&probes);
    if evaluation.nonfinite_draws > 0 || !evaluation.elbo.se.is_finite() {
        let bad = evaluation.nonfinite_draws;
        let detail = format!("{bad} of {n} draws have a log weight that is not finite");
        return Ok(Some((Status::Diverged, Some(detail))));
    }
    let consistent = within_bounds(probe("log_det_error_p50"), evaluation.density_error_p50, run.cell.dtype);
    if let Some(reason) = refused.or(consistent.err()) {
        return Ok(Some((Status::PluginError, Some(format!("result refused: {reason}")))));
    }
    fill(figures, &evaluation);
    if run.cell.eval.throughput && !super::timing::flow(subject, run, figures)? {
        // The evaluation will be the same next time: only the training is kept.
        run.record.metrics.truncate(recorded);
        run.checkpoint()?;
        return Ok(None);
    }
    Ok(Some((Status::Ok, None)))
}

impl Run<'_> {
    /// Records the last steps and the last parameters of a training that gave up, from which one can read what blew up.
    pub(super) fn give_up(&mut self, subject: &dyn Subject, figures: &mut Figures) -> Ending {
        self.note_steps();
        match subject.post_mortem(self) {
            Ok(probes) => {
                self.note_probes(&probes, PROBE_DRAWS);
                figures.probes = finite(&probes);
            }
            // Nothing else is to be expected of such parameters: the cell is diverged, not its plugin broken.
            Err(error) => log::warn!("after the last step: {error:#}"),
        }
        let (n, step) = (self.trainer.counts.in_a_row, self.trainer.step);
        (Status::Diverged, Some(format!("{n} non-finite gradients in a row up to step {step}")))
    }
}

pub(super) fn finite(probes: &[(String, f64)]) -> BTreeMap<String, f64> {
    probes.iter().filter(|(_, value)| value.is_finite()).cloned().collect()
}

pub(super) fn fill(figures: &mut Figures, evaluation: &Evaluation) {
    let finite = |value: f64| value.is_finite().then_some(value);
    figures.elbo_nats = finite(evaluation.elbo.value);
    figures.elbo_se_nats = finite(evaluation.elbo.se);
    figures.iw_bound_nats = finite(evaluation.iw_bound.value);
    figures.reverse_ess = finite(evaluation.reverse_ess);
    figures.eubo_nats = evaluation.eubo.and_then(|eubo| finite(eubo.value));
    figures.forward_ess = evaluation.forward_ess.and_then(finite);
    figures.mode_coverage = evaluation.mode_coverage;
    figures.w2 = evaluation.w2;
}
