//! The `sampling` section: what concerns samplers alone.

use super::findings::Findings;
use super::node::{Node, Span};
use super::parameters::Parameters;
use crate::cell::Sampling;
use serde_json::{Value, json};

/// JSON Schema of the section: the one place of its bounds and defaults.
pub(super) fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            // Diagnostics between chains need two.
            "chains": {"type": "integer", "minimum": 2, "default": 100},
            "start": {"enum": ["base", "exact"], "default": "base"},
            "base_sd": {"type": "number", "exclusiveMinimum": 0, "default": 1.0},
            "warm_up": {"type": "integer", "minimum": 0, "default": 500},
            // Chains are split in halves, of which each needs its own variance and tail.
            "transitions": {"type": "integer", "minimum": 8, "default": 1000},
            "budget": {"type": ["integer", "null"], "minimum": 1, "default": null},
            "temperatures": {"type": "integer", "minimum": 0, "default": 100},
            "temperature_power": {"type": "number", "exclusiveMinimum": 0, "default": 2.0},
            "bound_draws": {"type": "integer", "minimum": 2, "default": 1000},
            "esjd_scale": {"type": "number", "exclusiveMinimum": 0, "default": 0.1},
            "esjd_burn_in": {"type": "number", "minimum": 0, "default": 1.0},
        },
        "additionalProperties": false,
    })
}

/// Reads the section; `None` where it is wrong.
pub(super) fn read(node: Option<&Node>, root: Span, findings: &mut Findings) -> Option<Sampling> {
    let at = node.map_or(root, |node| node.span);
    let read = Parameters::without_axes("`sampling`", &schema())
        .map(|parameters| parameters.expand(node, at, findings).pop())
        .and_then(|settings| {
            settings
                .map(|settings| serde_json::from_value::<Sampling>(Value::Object(settings)))
                .transpose()
                .map_err(|error| error.to_string())
        });
    read.unwrap_or_else(|error| {
        findings.error(at, format!("`sampling` cannot be read: {error}"));
        None
    })
}
