//! A sampler in its cell: trained by the jumps of its chains, then warmed up, run and measured.

use std::rc::Rc;

use anyhow::Result;
use candle_core::Tensor;
use flow_sdk::{Descriptor, Layout};

use super::run::{Ending, Run};
use super::subject::Subject;
use crate::cell::{self, Sampling};
use crate::host::{CountedTarget, HostSampler, PluginError};
use crate::measure::percentile;
use crate::results::{Figures, KeptChains};
use crate::sample::{Chains, Trace};
use crate::streams::{Purpose, seed_for};
use crate::train::{At, Esjd, Jump, Record, Window};

/// Chains at which a plugin probes itself.
pub(super) const PROBE_CHAINS: usize = 64;

/// A sampler with its objective.
pub(super) struct SamplerSubject {
    pub(super) sampler: HostSampler,
    pub(super) target: Rc<CountedTarget>,
    pub(super) sampling: Sampling,
    pub(super) objective: Esjd,
    /// What the chains left, once they were run.
    pub(super) trace: Option<Trace>,
}

impl SamplerSubject {
    pub(super) fn new(sampler: HostSampler, target: Rc<CountedTarget>, sampling: Sampling, esjd: cell::Esjd) -> Self {
        let objective = Esjd::new(esjd, sampling.base_sd, target.uncounted().dim());
        Self { sampler, target, sampling, objective, trace: None }
    }

    /// Its chains, in a cell of that seed.
    pub(super) fn chains(&self, seed: u64) -> Chains<'_> {
        Chains { sampler: &self.sampler, target: &self.target, sampling: &self.sampling, seed }
    }

    /// The plugin's own figures at x `[n, d]`; target evaluations are not counted.
    pub(super) fn probe(&self, run: &Run<'_>, x: &Tensor) -> Result<Vec<(String, f64)>> {
        let seed = seed_for(run.cell.seed, Purpose::Probe, run.trainer.step);
        let x = x.narrow(0, 0, x.dim(0)?.min(PROBE_CHAINS))?;
        Ok(self.target.without_counting(|| self.sampler.probe(&run.trainer.params, &x, seed))?)
    }

    /// Where the training's chains are, or where they start.
    fn here(&self, run: &Run<'_>) -> Result<Tensor> {
        match &run.trainer.chains {
            Some(chains) => Ok(chains.clone()),
            None => self.chains(run.cell.seed).start(PROBE_CHAINS, 2),
        }
    }
}

impl Subject for SamplerSubject {
    fn descriptor(&self) -> &Descriptor {
        self.sampler.descriptor()
    }

    fn layout(&self) -> &Layout {
        self.sampler.layout()
    }

    fn init(&self, seed: u64) -> Result<Tensor, PluginError> {
        self.sampler.init(seed)
    }

    fn learns(&self) -> bool {
        self.sampler.is_trained()
    }

    fn gradient(&self, at: At<'_>, record: &mut Record) -> Result<Tensor> {
        let (grad, jump) = self.objective.gradient(&self.sampler, at)?;
        // What is not finite has no place in a checkpoint, and is counted as a step that was skipped.
        if [jump.loss, jump.square, jump.acceptance].iter().all(|figure| figure.is_finite()) {
            record.jumps.push(jump);
        }
        Ok(grad)
    }

    /// How the training's own chains did since the last look: medians, which one bad step does not move.
    fn look(&self, run: &mut Run<'_>) -> Result<()> {
        let probes = self.probe(run, &self.here(run)?)?;
        let recent = std::mem::take(&mut run.record.jumps);
        let mut note = |name: &str, figure: fn(&Jump) -> f64| {
            let values: Vec<f64> = recent.iter().map(figure).collect();
            if let Some(median) = percentile(&values, 0.5) {
                run.push(name, Some(median), None, Some(values.len()));
            }
        };
        note("esjd_loss", |jump| jump.loss);
        note("squared_jump", |jump| jump.square);
        note("acceptance", |jump| jump.acceptance);
        run.note_steps();
        run.note_probes(&probes, PROBE_CHAINS);
        run.record.window = Window::default();
        Ok(())
    }

    fn conclude(&mut self, run: &mut Run<'_>, figures: &mut Figures) -> Result<Option<Ending>> {
        super::chains::conclude(self, run, figures)
    }

    fn post_mortem(&self, run: &Run<'_>) -> Result<Vec<(String, f64)>> {
        self.probe(run, &self.here(run)?)
    }

    /// Of the measured transitions, chain by chain, evenly spaced.
    fn draws(&self, _: &Run<'_>, n: usize) -> Result<Option<Tensor>> {
        let Some(trace) = &self.trace else { return Ok(None) };
        let dim = self.target.uncounted().dim();
        let rows = trace.thinned(n);
        let count = rows.len() / dim;
        Ok(Some(Tensor::from_vec(rows, (count, dim), &candle_core::Device::Cpu)?))
    }

    fn kept_chains(&self) -> Option<KeptChains> {
        self.trace.as_ref().map(|trace| KeptChains::of(trace, self.target.uncounted().dim()))
    }
}
