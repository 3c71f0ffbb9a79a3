//! Whether a plugin keeps its contract and obeys the laws: checks on the plugin alone, each in a process of its own.
//!
//! A check is one function over the cases of a plugin: its defaults in some dimensions, then parameters at random, each case from
//! one number. Nothing here knows a plugin by name.

mod bounds;
mod case;
mod catalogue;
mod chains;
mod check;
mod consistency;
mod contract;
mod densities;
mod gradients;
mod leaks;
mod numbers;
mod observation;
mod process;
mod raw;
mod reach;
mod report;
mod robustness;
mod subject;
mod verdict;

pub use case::Case;
pub use catalogue::{CHECKS, named};
pub use check::Check;
pub use process::{JobArgs, main, run_elsewhere};
pub use report::{Report, Row};
pub use subject::Subject;
pub use verdict::{Ended, Objection, Place, Verdict};
