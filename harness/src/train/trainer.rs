//! The training loop's body: one step, with its policy for what is not finite.
//!
//! A step whose gradient is not finite changes nothing: it is skipped and counted. `give_up_after` of them in a row end
//! the training as diverged.

use candle_core::Tensor;

use super::adam::Adam;
use super::{Groups, Norms, Objective, inverse_temperature, rate_factor};
use crate::cell::Train;
use crate::host::HostFlow;
use crate::streams::{Purpose, seed_for};

/// The state of a training: all that the next step depends on besides the cell itself.
#[derive(Clone)]
pub struct Trainer {
    /// Settings.
    pub train: Train,
    /// Seed of the cell.
    pub seed: u64,
    /// Flat parameters `[P]`.
    pub params: Tensor,
    /// Optimiser state.
    pub adam: Adam,
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

impl Trainer {
    /// Starts from the flow's own initialisation.
    pub fn start(train: Train, seed: u64, flow: &HostFlow) -> anyhow::Result<Self> {
        let params = flow.init(seed_for(seed, Purpose::Init, 0))?;
        let adam = Adam::new(&params)?;
        Ok(Self { train, seed, params, adam, step: 0, counts: Counts::default() })
    }

    /// Whether all steps were taken.
    pub fn finished(&self) -> bool {
        self.step >= self.train.steps
    }

    /// Takes one step; `groups` are those of the flow's layout.
    pub fn step(&mut self, flow: &HostFlow, objective: &Objective, groups: &Groups) -> anyhow::Result<StepOutcome> {
        let seed = seed_for(self.seed, Purpose::Train, self.step);
        let beta = inverse_temperature(self.train.anneal.as_ref(), self.step);
        let grad = objective.gradient(flow, &self.params, seed, self.train.batch, beta)?;
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
        let grad = match self.train.clip_norm {
            Some(limit) if norms.total > limit => (grad * (limit / norms.total))?,
            _ => grad,
        };
        self.params = self.adam.update(&self.params, &grad, &self.train.optimizer, factor)?;
        Ok(StepOutcome::Updated(norms))
    }
}
