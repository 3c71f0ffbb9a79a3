//! One spelling for each value, so that identity does not depend on how it was written.

use super::allowed::branches;
use serde_json::{Map, Number, Value};
use std::collections::BTreeMap;

/// 8.0 as 8 where the schema says integer, 1 as 1.0 where it says number; maps sorted by key.
pub(super) fn canonical(value: Value, schema: &Value) -> Result<Value, String> {
    let branches = branches(schema);
    Ok(match value {
        Value::Number(number) => Value::Number(canonical_number(number, &branches)?),
        Value::Array(items) => {
            let items = items.into_iter().enumerate().map(|(at, item)| {
                let listed = branches.iter().find_map(|branch| branch["prefixItems"].get(at));
                let each = listed.or_else(|| branches.iter().find_map(|branch| branch.get("items")));
                canonical(item, each.unwrap_or(&Value::Null))
            });
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        Value::Object(map) => {
            let pairs = map.into_iter().map(|(key, item)| {
                let own = branches.iter().find_map(|branch| branch["properties"].get(&key));
                canonical(item, own.unwrap_or(&Value::Null)).map(|item| (key, item))
            });
            Value::Object(sorted(pairs.collect::<Result<_, _>>()?))
        }
        other => other,
    })
}

/// A map in key order, whatever order serde_json's own keeps.
pub(super) fn sorted(pairs: BTreeMap<String, Value>) -> Map<String, Value> {
    pairs.into_iter().collect()
}

/// Whether two values are the same to a reader, for whom 8 is 8.0.
pub(super) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => match (a.as_i128(), b.as_i128()) {
            (Some(a), Some(b)) => a == b,
            _ => a.as_f64() == b.as_f64(),
        },
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

fn canonical_number(number: Number, branches: &[&Value]) -> Result<Number, String> {
    let listed =
        branches.iter().flat_map(|branch| branch["enum"].as_array().into_iter().flatten().chain(branch.get("const")));
    let mut listed = listed.filter(|value| same(value, &Value::Number(number.clone())));
    if let Some(Value::Number(own)) = listed.next() {
        return Ok(own.clone());
    }
    let says = |name: &str| {
        branches.iter().any(|branch| match &branch["type"] {
            Value::Array(names) => names.iter().any(|one| one == name),
            one => one == name,
        })
    };
    let Some(float) = number.as_f64() else {
        return Ok(number);
    };
    if says("number") {
        // Adding zero turns -0.0 into 0.0.
        return Ok(Number::from_f64(float + 0.0).unwrap_or(number));
    }
    if number.is_f64() && float.fract() == 0.0 {
        // Exact: these bounds are powers of two, and the value is whole.
        if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&float) {
            return Ok((float as i64).into());
        }
        if (0.0..18_446_744_073_709_551_616.0).contains(&float) {
            return Ok((float as u64).into());
        }
        if says("integer") {
            return Err("does not fit into 64 bits".into());
        }
    }
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn spelling_does_not_matter() {
        let integer = json!({"type": "integer"});
        let number = json!({"anyOf": [{"type": "number"}, {"type": "null"}]});
        let text = |value: Value, schema: &Value| canonical(value, schema).unwrap().to_string();
        assert_eq!(text(json!(8.0), &integer), "8");
        assert_eq!(text(json!(8), &integer), "8");
        assert_eq!(text(json!(1), &number), "1.0");
        assert_eq!(text(json!(-0.0), &number), "0.0");
        assert_eq!(text(json!([1, 2.0]), &json!({"type": "array", "items": number})), "[1.0,2.0]");
        assert_eq!(text(json!(2.0), &json!({"enum": [1, 2]})), "2");
        assert_eq!(text(json!({"b": 1.0, "a": 2.5}), &Value::Null), r#"{"a":2.5,"b":1}"#);
        assert!(canonical(json!(1e300), &integer).is_err());
    }
}
