//! A worker process: one cell, from its parameters to its outcome.

mod link;
mod message;
mod process;
mod run;

pub use link::{Console, Link, ParentLink};
pub use message::{Progress, ToParent, ToWorker};
pub use process::{STOPPED, WorkerArgs, main};
pub use run::run;
