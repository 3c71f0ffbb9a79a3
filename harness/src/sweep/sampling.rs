//! The `sampling` section: what concerns samplers alone.

use super::findings::Findings;
use super::node::{Node, Span};
use super::parameters::Parameters;
use crate::cell::Sampling;
use serde_json::{Map, Value, json};

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
        },
        "additionalProperties": false,
    })
}

/// One way to run chains, with its settings by the names that exclude rules use.
pub(super) struct Variant {
    pub sampling: Sampling,
    pub facts: Map<String, Value>,
}

/// All ways that the section stands for; without it, the one of its defaults.
pub(super) fn read(node: Option<&Node>, root: Span, findings: &mut Findings) -> Vec<Variant> {
    let at = node.map_or(root, |node| node.span);
    let parameters = match Parameters::new("`sampling`", &schema()) {
        Ok(parameters) => parameters,
        Err(error) => {
            findings.error(at, format!("the schema of `sampling` is broken: {error}"));
            return Vec::new();
        }
    };
    let mut variants = Vec::new();
    for facts in parameters.expand(node, at, findings) {
        match serde_json::from_value(Value::Object(facts.clone())) {
            Ok(sampling) => variants.push(Variant { sampling, facts }),
            Err(error) => {
                findings.error(at, format!("`sampling` cannot be read: {error}"));
            }
        }
    }
    super::grid::refuse_repeats(variants.iter().map(|variant| (&variant.facts, at)), "sampling", findings);
    variants
}

/// The names of the keys that exclude rules can use.
pub(super) fn names() -> Vec<String> {
    schema()["properties"].as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect()
}
