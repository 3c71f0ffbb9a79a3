//! How a check of a plugin ended.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Case;
use crate::host::PluginError;

/// The five ways a check can end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ended {
    /// The law holds.
    Success,
    /// It cannot be asked of this plugin.
    Skipped,
    /// It holds as far as can be told, or something is unwise.
    Warning,
    /// The law is broken.
    Failed,
    /// The process that asked did not live to tell, or did not answer in time.
    Crashed,
}

impl Ended {
    /// As it is written in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Skipped => "skipped",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::Crashed => "crashed",
        }
    }

    /// Whether the plugin is at fault.
    pub fn is_fault(self) -> bool {
        matches!(self, Self::Failed | Self::Crashed)
    }
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// How it ended.
    pub result: Ended,
    /// What came in the place of what was expected, or why it was skipped; empty for a success.
    pub found: String,
    /// Where.
    pub case: Option<Place>,
}

/// The case in which something was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// Its number: what `--reproduce` takes.
    pub seed: u64,
    /// Dimension.
    pub dim: usize,
    /// Parameters.
    pub parameters: Map<String, Value>,
}

impl Verdict {
    /// Without a case.
    pub fn new(result: Ended, found: impl Into<String>) -> Self {
        Self { result, found: found.into(), case: None }
    }

    /// In a case.
    pub fn of(result: Ended, found: String, case: &Case) -> Self {
        let place = Place { seed: case.seed, dim: case.dim, parameters: case.parameters.clone() };
        Self { result, found, case: Some(place) }
    }
}

/// Why a law could not be found to hold.
#[derive(Clone, Debug, PartialEq)]
pub enum Objection {
    /// It is broken: what came.
    Failed(String),
    /// It could not be told, or something is unwise.
    Warning(String),
    /// It cannot be asked here: why.
    Skipped(String),
}

/// What a check says of one case.
pub type Finding = Result<(), Objection>;

impl From<PluginError> for Objection {
    fn from(error: PluginError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<flow_sdk::Error> for Objection {
    fn from(error: flow_sdk::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<candle_core::Error> for Objection {
    fn from(error: candle_core::Error) -> Self {
        Self::Failed(format!("a tensor operation of the harness: {error}"))
    }
}

impl From<targets::Error> for Objection {
    fn from(error: targets::Error) -> Self {
        Self::Failed(format!("a target of the harness: {error}"))
    }
}

/// An objection unless `holds`.
pub fn expect(holds: bool, found: impl FnOnce() -> String) -> Finding {
    if holds { Ok(()) } else { Err(Objection::Failed(found())) }
}
