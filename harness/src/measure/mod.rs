//! Measurements: what is computed of a trained flow, and how fast it went.

mod chains;
mod coverage;
mod evaluate;
mod importance;
mod percentile;
mod sampling;
mod throughput;
mod verdict;
mod wasserstein;

pub use chains::{Diagnosis, Draws, LevyEss, autocorrelation, diagnose, levy_ess};
pub use evaluate::{Evaluation, Evaluator, Likeness};
pub use importance::Estimate;
pub use percentile::percentile;
pub use sampling::{ChainFigures, chain_figures};
pub use throughput::{Throughput, measure};
pub use verdict::{impossible, within_bounds};
