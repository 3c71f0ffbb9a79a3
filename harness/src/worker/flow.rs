//! A flow in its cell: evaluated by the harness, probed by itself.

use std::rc::Rc;

use anyhow::Result;
use candle_core::Tensor;
use flow_sdk::{Descriptor, Layout};

use super::run::{Ending, Run};
use super::subject::Subject;
use crate::cell::Cell;
use crate::host::{CountedTarget, HostFlow, PluginError, TensorOptions};
use crate::measure::{Evaluation, Evaluator};
use crate::results::Figures;
use crate::streams::{Purpose, seed_for};
use crate::train::{At, Objective, Record, Window};

/// Draws on which a plugin probes itself.
pub(super) const PROBE_DRAWS: usize = 64;

/// A flow with its objective and its evaluator.
pub(super) struct FlowSubject {
    pub(super) flow: HostFlow,
    pub(super) objective: Objective,
    evaluator: Evaluator,
}

impl FlowSubject {
    pub(super) fn new(flow: HostFlow, target: Rc<CountedTarget>, cell: &Cell, options: TensorOptions) -> Self {
        let objective = Objective::new(cell.train.objective, Rc::clone(&target), options.clone());
        let evaluator = Evaluator::new(target, options, cell.seed, cell.eval.iw_samples);
        Self { flow, objective, evaluator }
    }

    /// Evaluates on `n` draws; target evaluations are not counted, here as in [`FlowSubject::probe`].
    pub(super) fn evaluate(&self, run: &Run<'_>, n: usize, purpose: Purpose) -> Result<Evaluation> {
        self.evaluator.evaluate(&self.flow, &run.trainer.params, n, purpose, run.trainer.step)
    }

    /// The plugin's own figures, by name; empty where it has none.
    pub(super) fn probe(&self, run: &Run<'_>) -> Result<Vec<(String, f64)>, PluginError> {
        let seed = seed_for(run.cell.seed, Purpose::Probe, run.trainer.step);
        run.target.without_counting(|| self.flow.probe(&run.trainer.params, seed, PROBE_DRAWS))
    }
}

impl Subject for FlowSubject {
    fn descriptor(&self) -> &Descriptor {
        self.flow.descriptor()
    }

    fn layout(&self) -> &Layout {
        self.flow.layout()
    }

    fn init(&self, seed: u64) -> Result<Tensor, PluginError> {
        self.flow.init(seed)
    }

    fn learns(&self) -> bool {
        true
    }

    fn gradient(&self, at: At<'_>, _: &mut Record) -> Result<Tensor> {
        self.objective.gradient(&self.flow, at)
    }

    fn look(&self, run: &mut Run<'_>) -> Result<()> {
        let n = run.cell.eval.draws;
        let evaluation = self.evaluate(run, n, Purpose::Evaluate)?;
        let probes = self.probe(run)?;
        run.note(&evaluation, n);
        run.note_steps();
        run.note_probes(&probes, PROBE_DRAWS);
        run.record.window = Window::default();
        Ok(())
    }

    fn conclude(&mut self, run: &mut Run<'_>, figures: &mut Figures) -> Result<Option<Ending>> {
        super::conclude::flow(self, run, figures)
    }

    fn post_mortem(&self, run: &Run<'_>) -> Result<Vec<(String, f64)>> {
        Ok(self.probe(run)?)
    }

    fn draws(&self, run: &Run<'_>, n: usize) -> Result<Option<Tensor>> {
        let seed = seed_for(run.cell.seed, Purpose::Throughput, 1);
        Ok(Some(self.flow.sample(&run.trainer.params, seed, n)?.x))
    }
}
