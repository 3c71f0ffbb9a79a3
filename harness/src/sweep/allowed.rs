//! What a JSON Schema allows, in words for messages.

use serde_json::Value;

/// In words: “an integer from 1 to 64”. `None` where the schema says more than the words would.
pub(super) fn words(schema: &Value) -> Option<String> {
    let mut parts = alternatives(schema)?;
    // A map of one key that is a name by itself as well is its long form.
    let short: Vec<String> =
        parts.iter().filter(|part| part.starts_with('`')).map(|part| format!("a map with {part}")).collect();
    parts.retain(|part| !short.contains(part));
    parts.dedup();
    if parts.is_empty() {
        return None;
    }
    let options: Vec<&String> = parts.iter().filter(|part| part.starts_with('`')).collect();
    if options.len() > 2 {
        let listed = options.iter().map(|option| option.as_str()).collect::<Vec<_>>().join(", ");
        let others = parts.iter().filter(|part| !part.starts_with('`')).cloned();
        parts = std::iter::once(format!("one of {listed}")).chain(others).collect();
    }
    Some(parts.join(" or "))
}

/// The texts that the schema lists.
pub(super) fn options(schema: &Value) -> Vec<&str> {
    branches(schema)
        .into_iter()
        .flat_map(|branch| branch["enum"].as_array().into_iter().flatten().chain(branch.get("const")))
        .filter_map(Value::as_str)
        .collect()
}

/// The schema itself with everything in its `anyOf`, `oneOf` and `allOf`.
pub(super) fn branches(schema: &Value) -> Vec<&Value> {
    let mut all = vec![schema];
    for key in ["anyOf", "oneOf", "allOf"] {
        all.extend(schema[key].as_array().into_iter().flatten().flat_map(branches));
    }
    all
}

fn alternatives(schema: &Value) -> Option<Vec<String>> {
    if let Some(all) = schema["anyOf"].as_array().or(schema["oneOf"].as_array()) {
        return Some(all.iter().map(alternatives).collect::<Option<Vec<_>>>()?.concat());
    }
    if let Some(all) = schema["enum"].as_array() {
        return Some(all.iter().map(shown).collect());
    }
    if let Some(value) = schema.get("const") {
        return Some(vec![shown(value)]);
    }
    match &schema["type"] {
        Value::String(name) => Some(vec![one_type(name, schema)?]),
        Value::Array(names) => names.iter().map(|name| one_type(name.as_str()?, schema)).collect(),
        _ => None,
    }
}

fn one_type(name: &str, schema: &Value) -> Option<String> {
    Some(match name {
        "integer" => format!("an integer{}", range(schema)),
        "number" => format!("a number{}", range(schema)),
        "string" => "text".into(),
        "boolean" => "true or false".into(),
        "null" => "null".into(),
        "array" => {
            let count = match (schema["minItems"].as_u64(), schema["maxItems"].as_u64()) {
                (Some(min), Some(max)) if min == max => format!(" of {min}"),
                (Some(min), Some(max)) => format!(" of {min} to {max}"),
                (Some(min), None) if min > 0 => format!(" of at least {min}"),
                (_, Some(max)) => format!(" of at most {max}"),
                _ => String::new(),
            };
            let each = words(&schema["items"]).map_or(String::new(), |each| format!(", each {each}"));
            format!("a list{count}{each}")
        }
        "object" => match schema["properties"].as_object() {
            Some(properties) => {
                let keys: Vec<&String> = properties.keys().collect();
                format!("a map with {}", super::findings::names(&keys))
            }
            None => "a map".into(),
        },
        _ => return None,
    })
}

fn range(schema: &Value) -> String {
    let bound = |key: &str| schema.get(key).filter(|value| value.is_number());
    match (bound("minimum"), bound("exclusiveMinimum"), bound("maximum"), bound("exclusiveMaximum")) {
        (Some(min), _, Some(max), _) => format!(" from {min} to {max}"),
        (Some(min), _, _, Some(max)) => format!(" from {min} to below {max}"),
        (Some(min), ..) => format!(" of at least {min}"),
        (_, Some(min), Some(max), _) => format!(" above {min} and up to {max}"),
        (_, Some(min), _, Some(max)) => format!(" above {min} and below {max}"),
        (_, Some(min), ..) => format!(" above {min}"),
        (_, _, Some(max), _) => format!(" of at most {max}"),
        (_, _, _, Some(max)) => format!(" below {max}"),
        _ => String::new(),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => format!("`{text}`"),
        other => format!("`{other}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn common_schemas_read_as_prose() {
        for (schema, expected) in [
            (json!({"type": "integer", "minimum": 1}), "an integer of at least 1"),
            (json!({"type": "number", "exclusiveMinimum": 0, "maximum": 1}), "a number above 0 and up to 1"),
            (json!({"type": ["number", "null"], "exclusiveMinimum": 0}), "a number above 0 or null"),
            (json!({"enum": ["a", "b", "c"]}), "one of `a`, `b`, `c`"),
            (json!({"oneOf": [{"const": "a"}, {"const": "b"}]}), "`a` or `b`"),
            (
                json!({"type": "array", "minItems": 1, "items": {"type": "integer"}}),
                "a list of at least 1, each an integer",
            ),
            (json!({"anyOf": [{"type": "boolean"}, {"type": "null"}]}), "true or false or null"),
        ] {
            assert_eq!(words(&schema).as_deref(), Some(expected));
        }
        assert_eq!(words(&json!({"not": {"type": "string"}})), None);
    }
}
