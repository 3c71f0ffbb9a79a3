//! What a plugin says of itself, as it crosses the ABI in JSON.

use serde::{Deserialize, Serialize};

/// The answer of a plugin's `describe`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Descriptor {
    /// Name of the plugin: that of its crate, and the one sweeps use.
    pub id: String,
    /// Version of the plugin crate.
    pub version: String,
    /// `flow` or `sampler`; more kinds can be added, so it is text.
    pub kind: String,
    /// One line on what it is.
    pub summary: String,
    /// The paper it follows.
    pub reference: String,
    /// Devices it runs on: `cpu`, `cuda`.
    pub devices: Vec<String>,
    /// Element types it computes in: `f32`, `f64`.
    pub dtypes: Vec<String>,
    /// Optional abilities: `density` and `probe`, each a function of the ABI, and the flag `augmented`: log q is known on an
    /// extended space only, so `sample` and `density` each estimate it from one sample. Bounds hold, but the two need not
    /// agree at a draw, and are not compared. Of samplers: `train`, `adapt` and `probe`, functions likewise, and the flag
    /// `gradient-free`.
    pub capabilities: Vec<String>,
    /// Names of the figures that `probe` returns, in order.
    pub probes: Vec<String>,
    /// JSON Schema 2020-12 of the parameters, with defaults.
    pub parameters: serde_json::Value,
    /// Toolchain that built it: recorded, never a reason to refuse it.
    pub build: String,
}

impl Descriptor {
    /// Whether the plugin has the named capability.
    pub fn can(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|c| c == capability)
    }
}
