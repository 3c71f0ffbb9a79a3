//! The training of a cell: steps, with a look at the flow and a checkpoint every so often.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::Progress;
use super::run::Run;
use super::subject::Subject;
use crate::measure::percentile;
use crate::results::Figures;
use crate::train::{Checkpoint, StepOutcome};

/// Seconds between checkpoints; the variable is for tests and for machines with slow disks.
const CHECKPOINT_VARIABLE: &str = "HARNESS_CHECKPOINT_S";
const CHECKPOINT_S: f64 = 10.0;

/// How a training ended.
pub(super) enum Trained {
    Finished,
    GaveUp,
    Stopped,
}

impl Run<'_> {
    pub(super) fn train(&mut self, subject: &dyn Subject) -> Result<Trained> {
        if self.trainer.train.steps > 0 && !subject.learns() {
            // Nothing that the objective could move.
            self.trainer.train.steps = 0;
        }
        let every = std::env::var(CHECKPOINT_VARIABLE).ok().and_then(|text| text.parse().ok()).unwrap_or(CHECKPOINT_S);
        let mut last_checkpoint = Instant::now();
        loop {
            let due = self.trainer.step.is_multiple_of(self.cell.eval.every) && !self.trainer.finished();
            if due && self.record.metrics.last().is_none_or(|row| row.step != self.trainer.step) {
                subject.look(self)?;
            }
            self.report_progress(0)?;
            if self.trainer.finished() {
                return Ok(Trained::Finished);
            }
            let (started, paused) = (Instant::now(), self.link.paused());
            let outcome = {
                let record = &mut self.record;
                self.trainer.step(&self.layout, &self.groups, |at| subject.gradient(at, record))?
            };
            let stood_still = self.link.paused().saturating_sub(paused);
            self.record.train_s += started.elapsed().saturating_sub(stood_still).as_secs_f64();
            match outcome {
                StepOutcome::Updated(norms) => {
                    self.record.grad_norms.push(norms.total);
                    self.record.window.add(&norms);
                }
                StepOutcome::Skipped => {}
                StepOutcome::GaveUp => return Ok(Trained::GaveUp),
            }
            let stop = self.link.stop_requested();
            if stop || last_checkpoint.elapsed() >= Duration::from_secs_f64(every) {
                self.checkpoint()?;
                last_checkpoint = Instant::now();
            }
            if stop {
                return Ok(Trained::Stopped);
            }
        }
    }

    /// Says how far the cell is: the steps of its training, then `transitions` of its chains.
    pub(super) fn report_progress(&mut self, transitions: u64) -> Result<()> {
        let chains = self.cell.sampling.as_ref().map_or(0, |sampling| sampling.warm_up + sampling.transitions);
        let (step, steps) = (self.trainer.step + transitions, self.trainer.train.steps + chains);
        self.link.progress(&Progress { step, steps, elbo: self.last_elbo })
    }

    pub(super) fn checkpoint(&mut self) -> Result<()> {
        self.record.target_evals = self.target.evaluations();
        Checkpoint::write(&self.folder.checkpoint(), &self.id, &self.trainer, &self.record)
    }

    pub(super) fn report_training(&self, figures: &mut Figures) {
        let (counts, norms) = (self.trainer.counts, &self.record.grad_norms);
        figures.train_steps = Some(self.trainer.step);
        figures.nonfinite_steps = Some(counts.nonfinite);
        figures.skipped_steps = Some(counts.skipped);
        figures.grad_norm_p50 = percentile(norms, 0.5);
        figures.grad_norm_max = percentile(norms, 1.0);
        figures.target_evals = Some(self.target.evaluations());
        figures.setup_s = Some(self.record.setup_s);
        figures.train_s = Some(self.record.train_s);
    }
}
