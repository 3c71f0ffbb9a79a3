//! The `eval` section.

use super::findings::Findings;
use super::node::{Node, Span};
use super::parameters::Parameters;
use crate::cell::Eval;
use serde_json::{Value, json};

/// JSON Schema of the section: the one place of its bounds and defaults.
pub(super) fn schema() -> Value {
    // A standard error needs two draws.
    json!({
        "type": "object",
        "properties": {
            "every": {"type": "integer", "minimum": 1, "default": 200},
            "draws": {"type": "integer", "minimum": 2, "default": 2000},
            "final_draws": {"type": "integer", "minimum": 2, "default": 20000},
            "iw_samples": {"type": "integer", "minimum": 1, "default": 100},
            "throughput": {"type": "boolean", "default": true},
        },
        "additionalProperties": false,
    })
}

/// Reads the section; `None` where it is wrong.
pub(super) fn read(node: Option<&Node>, root: Span, findings: &mut Findings) -> Option<Eval> {
    let at = node.map_or(root, |node| node.span);
    let read = Parameters::without_axes("`eval`", &schema())
        .map(|parameters| parameters.expand(node, at, findings).pop())
        .and_then(|settings| {
            settings
                .map(|settings| serde_json::from_value::<Eval>(Value::Object(settings)))
                .transpose()
                .map_err(|error| error.to_string())
        });
    match read {
        Ok(Some(eval)) if eval.iw_samples > eval.final_draws => {
            findings
                .error(at, format!("`iw_samples` is {}, more than the {} of `final_draws`", eval.iw_samples, eval.final_draws))
                .help("each estimate of the bound takes `iw_samples` of the final draws: raise `final_draws` or lower `iw_samples`");
            None
        }
        Ok(eval) => eval,
        Err(error) => {
            findings.error(at, format!("`eval` cannot be read: {error}"));
            None
        }
    }
}
