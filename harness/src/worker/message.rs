//! What worker and parent say to each other: one JSON object a line, over standard output and input.

use serde::{Deserialize, Serialize};

/// Worker → parent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ToParent {
    /// How far it is.
    Progress(Progress),
    /// It wants to time itself and waits for [`ToWorker::Go`].
    TimingBegin,
    /// It has.
    TimingEnd,
}

/// Worker ← parent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ToWorker {
    /// All others stand still.
    Go,
    /// It stood still itself, for so many seconds.
    Paused(f64),
}

/// How far a cell is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Steps taken.
    pub step: u64,
    /// Steps in all.
    pub steps: u64,
    /// The last ELBO seen, in nats.
    pub elbo: Option<f64>,
}
