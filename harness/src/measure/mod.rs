//! Measurements: what is computed of a trained flow, and how fast it went.

mod coverage;
mod evaluate;
mod importance;
mod percentile;
mod throughput;
mod verdict;
mod wasserstein;

pub use evaluate::{Evaluation, Evaluator};
pub use percentile::percentile;
pub use throughput::{Throughput, measure};
pub use verdict::{impossible, within_bounds};
