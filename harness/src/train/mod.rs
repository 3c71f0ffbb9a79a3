//! Training: objective, optimiser, schedule, gradient norms, trainer, checkpoint.

mod adam;
mod checkpoint;
mod norms;
mod objective;
mod schedule;
mod trainer;

pub use checkpoint::{Checkpoint, Record};
pub use norms::{Groups, Norms, Window};
pub use objective::Objective;
pub use schedule::{inverse_temperature, rate_factor};
pub use trainer::{Counts, StepOutcome, Trainer};
