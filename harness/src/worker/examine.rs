//! The flow as it stands at a step: evaluated by the harness, probed by itself.

use anyhow::Result;

use super::run::Run;
use crate::host::PluginError;
use crate::measure::Evaluation;
use crate::streams::{Purpose, seed_for};
use crate::train::Window;

/// Draws on which a plugin probes itself.
pub(super) const PROBE_DRAWS: usize = 64;

impl Run<'_> {
    /// A look in the middle of the training, recorded.
    pub(super) fn look(&mut self) -> Result<()> {
        let n = self.cell.eval.draws;
        let evaluation = self.evaluate(n, Purpose::Evaluate)?;
        let probes = self.probe()?;
        self.note(&evaluation, n);
        self.note_steps();
        self.note_probes(&probes);
        self.record.window = Window::default();
        Ok(())
    }

    /// Evaluates on `n` draws; target evaluations are not counted, here as in [`Run::probe`].
    pub(super) fn evaluate(&self, n: usize, purpose: Purpose) -> Result<Evaluation> {
        self.evaluator.evaluate(&self.flow, &self.trainer.params, n, purpose, self.trainer.step)
    }

    /// The plugin's own figures, by name; empty where it has none.
    pub(super) fn probe(&self) -> Result<Vec<(String, f64)>, PluginError> {
        let seed = seed_for(self.cell.seed, Purpose::Probe, self.trainer.step);
        self.target.without_counting(|| self.flow.probe(&self.trainer.params, seed, PROBE_DRAWS))
    }
}
