//! Diagnostics of Markov chains: has the sampler mixed, how many independent draws is its output worth?

#[cfg(test)]
mod arviz;
mod autocorrelation;
mod diagnosis;
mod draws;
mod ess;
mod halves;
mod lagged_products;
#[cfg(test)]
mod laws;
mod levy;
mod ranks;
mod rhat;

pub use autocorrelation::autocorrelation;
pub use diagnosis::{Diagnosis, diagnose};
pub use draws::Draws;
pub use levy::{LevyEss, levy_ess};
