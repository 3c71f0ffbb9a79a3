//! What a sweep can name.

use flow_sdk::Descriptor;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Flows and targets by name. Plain data: checking a sweep loads nothing.
///
/// Names of flows that the sweep does not use serve the “did you mean”; they may stay undescribed.
#[derive(Default)]
pub struct Catalog {
    /// Plugins by name.
    pub flows: BTreeMap<String, Plugin>,
    /// Targets by name.
    pub targets: BTreeMap<String, TargetSpec>,
}

/// A plugin found on disk.
#[derive(Clone, Debug)]
pub struct Plugin {
    /// Hash of its file.
    pub sha256: String,
    /// What it says of itself, or why it cannot be loaded. Its cells are planned all the same, with parameters unchecked.
    pub descriptor: Result<Descriptor, String>,
}

/// What a target accepts.
pub struct TargetSpec {
    /// JSON Schema 2020-12 of its parameters.
    pub schema: Value,
    /// Checks resolved parameters; gives the dimension.
    pub check: TargetCheck,
}

/// See [`TargetSpec::check`].
pub type TargetCheck = Box<dyn Fn(&Map<String, Value>) -> Result<usize, String> + Send + Sync>;
