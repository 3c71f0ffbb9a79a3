//! A worker process: one cell, from its parameters to its outcome.

mod bound;
mod carried;
mod chains;
mod conclude;
mod flow;
mod keep;
mod link;
mod message;
mod process;
mod recording;
mod run;
mod sampler;
mod setup;
mod subject;
mod timing;
mod training;

pub use link::{Console, Link, ParentLink};
pub use message::{Progress, ToParent, ToWorker};
pub use process::{STOPPED, WorkerArgs, main, pool};
pub use run::run;
