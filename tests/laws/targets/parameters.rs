//! Laws of parameters: a target is built from what its schema allows, anything else is explained.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use targets::registry;

#[test]
fn schemas_state_defaults_and_ranges() {
    for name in registry::names() {
        let schema = (registry::entry(name).unwrap().schema)();
        assert!(schema["$schema"].as_str().is_some_and(|s| s.contains("2020-12")), "{name}");
        for (parameter, rule) in schema["properties"].as_object().into_iter().flatten() {
            let build = |value: Value| registry::build(name, &Map::from_iter([(parameter.clone(), value)]));
            assert!(rule.get("description").is_some(), "{name} {parameter}");
            assert!(build(rule["default"].clone()).is_ok(), "{name} {parameter}");
            let bounds = [("minimum", -1.0), ("maximum", 1.0)].map(|(key, beyond)| (rule.get(key), beyond));
            for (bound, beyond) in bounds {
                let Some(bound) = bound.and_then(Value::as_f64) else {
                    continue;
                };
                let outside =
                    if rule["type"] == "integer" { json!((bound + beyond) as i64) } else { json!(bound + beyond) };
                let message = build(outside).err().expect("a value out of range").to_string();
                assert!(message.contains(parameter.as_str()), "{name}: {message}");
            }
        }
    }
}

#[test]
fn bad_parameters_are_explained() {
    let message = |name: &str, params: Value| {
        registry::build(name, params.as_object().unwrap()).err().expect("bad parameters").to_string()
    };
    assert_eq!(message("gauss", json!({})), "unknown target `gauss`");
    let unknown = message("gaussian", json!({"sigma": 1.0}));
    assert_eq!(unknown, "target `gaussian` has no parameter `sigma`; it takes dim, mean, sd");
    assert_eq!(message("u1", json!({"dim": 3})), "target `u1` has no parameter `dim`; it takes no parameters");
    let odd = message("many-well", json!({"dim": 5}));
    assert!(odd.contains("`dim`") && odd.ends_with("a multiple of 2"), "{odd}");
}

proptest! {
    /// A target or an error, never a panic; and never a target when a name is unknown.
    #[test]
    fn any_parameters_build_or_fail(
        which in prop::sample::select(registry::names()),
        known in prop::sample::subsequence(
            vec!["dim", "seed", "mean", "sd", "width", "softness", "eta", "curvature"],
            0..4,
        ),
        values in prop::collection::vec(any_value(), 4),
        stray in prop::option::of("[a-z_]{1,6}"),
    ) {
        let mut params: Map<String, Value> = known.iter().map(|k| (*k).to_owned()).zip(values.clone()).collect();
        if let Some(stray) = stray {
            params.insert(stray, values[3].clone());
        }
        let schema = (registry::entry(which).unwrap().schema)();
        let takes = |name: &String| schema["properties"].get(name).is_some();
        let built = registry::build(which, &params);
        prop_assert!(built.is_err() || params.keys().all(takes));
        if let Ok(target) = built {
            prop_assert!(target.dim() >= 1);
        }
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-3i64..70).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        prop::collection::vec(-2i64..3, 0..3).prop_map(Value::from),
    ]
}
