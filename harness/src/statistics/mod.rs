//! What few seeds allow to say: middles, differences and proportions with their intervals.

mod differences;
mod proportions;
mod seeds;
mod signed_rank;

pub use differences::{Difference, Method, mean_difference};
pub use proportions::{Proportions, paired_proportions};
pub use seeds::{Effect, Interval, interquartile, paired};
pub use signed_rank::{Middle, middle_difference};
