//! Training: objective, optimiser, schedule, gradient norms, trainer, checkpoint.

mod adam;
mod checkpoint;
mod esjd;
mod norms;
mod objective;
mod schedule;
mod trainer;

pub use checkpoint::{Checkpoint, Record};
pub use esjd::{Esjd, Jump};
pub use norms::{Groups, Norms, Window};
pub use objective::Objective;
pub use schedule::{inverse_temperature, rate_factor};
pub use trainer::{At, Counts, StepOutcome, Trainer};
