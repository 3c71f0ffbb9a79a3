//! Sampling: chains of a sampler, from their start through the warm-up to what is measured; annealed importance weights.

mod annealing;
mod chains;

pub use annealing::Annealing;
pub use chains::{Chains, Trace};
