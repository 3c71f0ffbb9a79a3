//! A benchmark harness for learnt flows and samplers.
//!
//! `sweep → prepare → schedule → worker (host, train, sample, measure) → results`, one way. No flow is named here: plugins are
//! found, loaded and called through the ABI of `flow-sdk`.

/// This very program, even when its file was rebuilt or removed since it started: what worker processes run.
const THIS_PROGRAM: &str = "/proc/self/exe";

pub mod cell;
pub mod compare;
pub mod host;
pub mod measure;
pub mod prepare;
pub mod report;
pub mod results;
pub mod sample;
pub mod scaffold;
pub mod schedule;
pub mod statistics;
pub mod streams;
pub mod sweep;
pub mod table;
pub mod train;
pub mod validate;
pub mod worker;
