//! The `train` section: its schema, the trainings it stands for.

use super::findings::Findings;
use super::node::{Node, Span};
use super::parameters::Parameters;
use crate::cell::Train;
use serde_json::{Map, Value, json};

/// One training with its settings by the names that exclude rules use.
pub(super) struct Training {
    pub train: Train,
    pub facts: Map<String, Value>,
}

/// JSON Schema of the section: the one place of its bounds and defaults.
pub(super) fn schema() -> Value {
    let rate = |default: f64| json!({"type": "number", "minimum": 0, "exclusiveMaximum": 1, "default": default});
    let adam = json!({
        "lr": {"type": "number", "minimum": 0, "default": 1e-3},
        "beta1": rate(0.9),
        "beta2": rate(0.999),
        "eps": {"type": "number", "exclusiveMinimum": 0, "default": 1e-8},
    });
    let mut adamw = adam.clone();
    adamw["weight_decay"] = json!({"type": "number", "minimum": 0, "default": 0.01});
    let cosine = json!({"floor": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.0}});
    let exponential = json!({
        "decay": {"type": "number", "exclusiveMinimum": 0, "maximum": 1, "default": 0.96},
        "every": {"type": "integer", "minimum": 1, "default": 1000},
    });
    let anneal = json!({
        "type": "object",
        "properties": {
            "from": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
            "steps": {"type": "integer", "minimum": 1},
        },
        "required": ["from", "steps"],
        "additionalProperties": false,
    });
    // What the authors' code has.
    let esjd = json!({
        "type": "object",
        "properties": {
            "scale": {"type": "number", "exclusiveMinimum": 0, "default": 0.1},
            "burn_in": {"type": "number", "minimum": 0, "default": 1.0},
        },
        "additionalProperties": false,
        "default": {"scale": 0.1, "burn_in": 1.0},
    });
    json!({
        "type": "object",
        "properties": {
            "objective": {"enum": ["reverse-kl", "data", "esjd"], "default": "reverse-kl"},
            "steps": {"type": "integer", "minimum": 0, "default": 2000},
            "batch": {"type": "integer", "minimum": 1, "default": 256},
            "optimizer": {"oneOf": [{"enum": ["adam", "adamw"]}, one("adam", adam), one("adamw", adamw)], "default": "adam"},
            "schedule": {
                "oneOf": [{"enum": ["constant", "cosine", "exponential"]}, one("cosine", cosine), one("exponential", exponential)],
                "default": "constant",
            },
            "clip_norm": {"type": ["number", "null"], "exclusiveMinimum": 0, "default": null},
            "esjd": esjd,
            "anneal": {"anyOf": [anneal, {"type": "null"}], "default": null},
            "give_up_after": {"type": "integer", "minimum": 1, "default": 100},
        },
        "additionalProperties": false,
    })
}

/// All trainings that the section stands for; without it, the one of its defaults.
pub(super) fn read(node: Option<&Node>, root: Span, findings: &mut Findings) -> Vec<Training> {
    let schema = schema();
    let at = node.map_or(root, |node| node.span);
    let parameters = match Parameters::new("`train`", &schema) {
        Ok(parameters) => parameters,
        Err(error) => {
            findings.error(at, format!("the schema of `train` is broken: {error}"));
            return Vec::new();
        }
    };
    let mut trainings: Vec<Training> = Vec::new();
    for mut settings in parameters.expand(node, at, findings) {
        spell_out(&mut settings, &schema);
        let facts = facts(&settings);
        match serde_json::from_value(Value::Object(settings)) {
            Ok(train) => trainings.push(Training { train, facts }),
            Err(error) => {
                findings.error(at, format!("`train` cannot be read: {error}"));
            }
        }
    }
    super::grid::refuse_repeats(trainings.iter().map(|training| (&training.facts, at)), "training", findings);
    trainings
}

/// The training of a file that says nothing of it.
pub(super) fn default() -> Train {
    let trainings = read(None, Span::new(0, 0), &mut Findings::default());
    trainings.into_iter().next().expect("the defaults of the schema are a training").train
}

/// The names of the keys that exclude rules can use.
pub(super) fn names() -> Vec<String> {
    let schema = schema();
    let mut names: Vec<String> = Vec::new();
    for (key, property) in schema["properties"].as_object().into_iter().flatten() {
        names.push(key.clone());
        for named in property["oneOf"]
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(|branch| branch["properties"].as_object())
            .flatten()
        {
            names.extend(named.1["properties"].as_object().into_iter().flatten().map(|(key, _)| key.clone()));
        }
    }
    names.sort();
    names.dedup();
    names
}

/// A map with one key that names a kind, and its settings.
fn one(name: &str, properties: Value) -> Value {
    json!({
        "type": "object",
        "properties": {name: {"type": "object", "properties": properties, "additionalProperties": false}},
        "required": [name],
        "additionalProperties": false,
    })
}

/// Turns `adam` into `{adam: {lr: …}}`; a kind without settings stays a name.
fn spell_out(settings: &mut Map<String, Value>, schema: &Value) {
    for key in ["optimizer", "schedule"] {
        let Some(Value::String(name)) = settings.get(key) else {
            continue;
        };
        let branches = schema["properties"][key]["oneOf"].as_array();
        let Some(properties) =
            branches.into_iter().flatten().find_map(|branch| branch["properties"][name]["properties"].as_object())
        else {
            continue;
        };
        let defaults: Map<String, Value> = properties
            .iter()
            .filter_map(|(key, property)| Some((key.clone(), property.get("default")?.clone())))
            .collect();
        settings.insert(key.into(), json!({name.clone(): defaults}));
    }
}

/// Settings side by side: the optimizer's and schedule's names, then their numbers.
fn facts(settings: &Map<String, Value>) -> Map<String, Value> {
    let mut facts = Map::new();
    for (key, value) in settings {
        match value {
            Value::Object(kind) if key == "optimizer" || key == "schedule" => {
                for (name, numbers) in kind {
                    facts.insert(key.clone(), name.as_str().into());
                    facts.extend(
                        numbers.as_object().into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())),
                    );
                }
            }
            _ => {
                facts.insert(key.clone(), value.clone());
            }
        }
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_canonical_and_readable() {
        let mut findings = Findings::default();
        let trainings = read(None, Span::new(0, 0), &mut findings);
        assert!(findings.is_empty());
        let [training] = trainings.as_slice() else { panic!("one training") };
        insta::assert_snapshot!(serde_json::to_string(&training.train).unwrap(), @r#"{"objective":"reverse-kl","steps":2000,"batch":256,"optimizer":{"adam":{"lr":0.001,"beta1":0.9,"beta2":0.999,"eps":1e-8}},"schedule":"constant","clip_norm":null,"anneal":null,"esjd":{"scale":0.1,"burn_in":1.0},"give_up_after":100}"#);
        assert!(names().contains(&"lr".to_owned()) && names().contains(&"floor".to_owned()));
    }
}
