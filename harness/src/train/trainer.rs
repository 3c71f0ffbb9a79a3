//! The training loop's body: one step, with its policy for what is not finite.
//!
//! A step whose gradient is not finite changes nothing: it is skipped and counted. `give_up_after` of them in a row end
//! the training as diverged.

use candle_core::Tensor;
use flow_sdk::Layout;

use super::adam::Adam;
use super::{Groups, Norms, inverse_temperature, rate_factor};
use crate::cell::Train;
use crate::streams::{Purpose, seed_for};

/// The state of a training: all that the next step depends on besides the cell itself.
///
/// A step writes into `params` itself: whoever wants today's parameters tomorrow must copy them, not clone the tensor, which
/// shares its memory.
pub struct Trainer {
    /// Settings.
    pub train: Train,
    /// Seed of the cell.
    pub seed: u64,
    /// Flat parameters `[P]`.
    pub params: Tensor,
    /// Optimiser state.
    pub adam: Adam,
    /// Where the chains of a sampler's training are, `[batch, d]`; none for flows.
    pub chains: Option<Tensor>,
    /// Steps taken, skipped ones included.
    pub step: u64,
    /// What went wrong so far.
    pub counts: Counts,
}

/// Counts of steps that did not go as they should.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Counts {
    /// Steps whose gradient was not finite.
    pub nonfinite: u64,
    /// Steps that changed no parameter.
    pub skipped: u64,
    /// Non-finite steps since the last finite one.
    pub in_a_row: u64,
}

/// What one step did.
#[derive(Clone, Debug, PartialEq)]
pub enum StepOutcome {
    /// Updated; the gradient's norms before clipping.
    Updated(Norms),
    /// The gradient was not finite.
    Skipped,
    /// As often in a row as the policy allows.
    GaveUp,
}

/// What a gradient of the objective is taken at.
pub struct At<'a> {
    /// Flat parameters `[P]`.
    pub params: &'a Tensor,
    /// As in [`Trainer::chains`]; the gradient of a sampler's objective moves them.
    pub chains: &'a mut Option<Tensor>,
    /// Seed of this step's draws.
    pub seed: u64,
    /// Draws a step.
    pub batch: usize,
    /// Inverse temperature of this step.
    pub beta: f64,
}

impl Trainer {
    /// Starts from a plugin's own initialisation.
    pub fn start(train: Train, seed: u64, params: Tensor) -> anyhow::Result<Self> {
        let adam = Adam::new(&params)?;
        Ok(Self { train, seed, params, adam, chains: None, step: 0, counts: Counts::default() })
    }

    /// Whether all steps were taken.
    pub fn finished(&self) -> bool {
        self.step >= self.train.steps
    }

    /// Takes one step along `gradient` `[P]`; `groups` are those of `layout`, the plugin's.
    pub fn step(
        &mut self,
        layout: &Layout,
        groups: &Groups,
        gradient: impl FnOnce(At<'_>) -> anyhow::Result<Tensor>,
    ) -> anyhow::Result<StepOutcome> {
        let seed = seed_for(self.seed, Purpose::Train, self.step);
        let beta = inverse_temperature(self.train.anneal.as_ref(), self.step);
        let (params, batch) = (&self.params, self.train.batch);
        let grad = gradient(At { params, chains: &mut self.chains, seed, batch, beta })?;
        let norms = groups.norms(&grad)?;
        let factor = rate_factor(&self.train.schedule, self.step, self.train.steps);
        self.step += 1;
        if !norms.total.is_finite() {
            self.counts.nonfinite += 1;
            self.counts.skipped += 1;
            self.counts.in_a_row += 1;
            let gave_up = self.counts.in_a_row >= self.train.give_up_after;
            return Ok(if gave_up { StepOutcome::GaveUp } else { StepOutcome::Skipped });
        }
        self.counts.in_a_row = 0;
        let scale = match self.train.clip_norm {
            Some(limit) if norms.total > limit => limit / norms.total,
            _ => 1.0,
        };
        let tuned = tuned(&self.params, layout)?;
        self.adam.update(&self.params, &grad, scale, &self.train.optimizer, factor)?;
        for (offset, values) in tuned {
            self.params.slice_set(&values, 0, offset)?;
        }
        Ok(StepOutcome::Updated(norms))
    }

    /// A training like this one that shares nothing with it.
    pub fn copy(&self) -> candle_core::Result<Self> {
        let adam = Adam { moments: self.adam.moments.copy()?, updates: self.adam.updates };
        let chains = self.chains.as_ref().map(Tensor::copy).transpose()?;
        let (params, train) = (self.params.copy()?, self.train.clone());
        Ok(Self { train, seed: self.seed, params, adam, chains, step: self.step, counts: self.counts })
    }
}

/// The slices that no optimiser writes, with their offsets: weight decay would.
fn tuned(params: &Tensor, layout: &Layout) -> candle_core::Result<Vec<(usize, Tensor)>> {
    let slices = layout.slices().iter().filter(|slice| slice.tuned);
    slices.map(|slice| Ok((slice.offset, params.narrow(0, slice.offset, slice.len())?.copy()?))).collect()
}
