//! Training: objective, optimiser, schedule, trainer, checkpoint.

mod adam;
mod checkpoint;
mod objective;
mod schedule;
mod trainer;

pub use checkpoint::{Checkpoint, Record};
pub use objective::Objective;
pub use schedule::{inverse_temperature, rate_factor};
pub use trainer::{Counts, StepOutcome, Trainer};
