//! The cases in which a law is tried: a dimension and parameters, both from one number.

use flow_kernels::philox::{Stream, derive_seed};
use serde_json::{Map, Number, Value};

/// A dimension and parameters. The same number gives the same case of the same plugin.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// Its number.
    pub seed: u64,
    /// Dimension d.
    pub dim: usize,
    /// Parameters: those that are not named have their defaults.
    pub parameters: Map<String, Value>,
}

/// Of the first cases, which have the plugin's defaults. The first is that of checks which ask once.
const DEFAULT_DIMS: [usize; 3] = [2, 1, 5];
/// Of the others.
const DIMS: [usize; 5] = [1, 2, 3, 4, 7];
/// Small parameters make quick cases: integers go this far above the least that is allowed.
const SPREAD: i64 = 4;

impl Case {
    /// The case of a number, for a plugin with parameters of this schema. `fixed` parameters are as they are given.
    pub fn new(seed: u64, schema: &Value, fixed: &Map<String, Value>) -> Self {
        if let Some(&dim) = DEFAULT_DIMS.get(seed as usize) {
            return Self { seed, dim, parameters: fixed.clone() };
        }
        let dim = DIMS[Stream::new(derive_seed(seed, 0, 0)).below(DIMS.len())];
        // What a schema cannot say is not known here, but what it says is kept.
        let tries = (1..=20).map(|attempt| {
            let mut stream = Stream::new(derive_seed(seed, 1, attempt));
            let mut parameters = draw_all(schema, &mut stream);
            parameters.extend(fixed.clone());
            parameters
        });
        let parameters = tries.into_iter().find(|drawn| jsonschema::is_valid(schema, &Value::Object(drawn.clone())));
        Self { seed, dim, parameters: parameters.unwrap_or_else(|| fixed.clone()) }
    }

    /// Whether nobody chose it: the plugin's defaults in two dimensions, which must work.
    pub fn is_first(&self) -> bool {
        self.seed == 0
    }
}

/// About half of the parameters, one at least; the others keep their defaults.
fn draw_all(schema: &Value, stream: &mut Stream) -> Map<String, Value> {
    let Some(properties) = schema["properties"].as_object().filter(|all| !all.is_empty()) else { return Map::new() };
    let mut drawn = Map::new();
    let certain = stream.below(properties.len());
    for (number, (name, property)) in properties.iter().enumerate() {
        if stream.below(2) == 1 || number == certain {
            drawn.extend(draw(property, &property["default"], schema, stream).map(|value| (name.clone(), value)));
        }
    }
    drawn
}

/// A value of one schema; none where this does not know how.
fn draw(property: &Value, default: &Value, root: &Value, stream: &mut Stream) -> Option<Value> {
    let referred = property["$ref"].as_str().and_then(|path| root.pointer(path.trim_start_matches('#')));
    let kind = referred.unwrap_or(property);
    let bound = |key: &str| kind.get(key).and_then(Value::as_f64);
    if let Some(all) = kind["enum"].as_array() {
        return Some(all[stream.below(all.len())].clone());
    }
    if let Some(all) = kind["oneOf"].as_array() {
        return all[stream.below(all.len())].get("const").cloned();
    }
    match kind["type"].as_str()? {
        "boolean" => Some(Value::Bool(stream.below(2) == 1)),
        "integer" => {
            let least = bound("minimum").or(bound("exclusiveMinimum").map(|low| low + 1.0)).unwrap_or(0.0) as i64;
            let most = bound("maximum").or(bound("exclusiveMaximum").map(|high| high - 1.0));
            let most = most.map_or(i64::MAX, |most| most as i64).min(least.saturating_add(SPREAD));
            Some(Value::from(least + stream.below((most - least).max(0) as usize + 1) as i64))
        }
        "number" => {
            // A factor of up to four either way.
            let value = default.as_f64()? * (4f64).powf(2.0 * stream.uniform() - 1.0);
            let low = bound("minimum").or(bound("exclusiveMinimum")).unwrap_or(f64::NEG_INFINITY);
            let high = bound("maximum").or(bound("exclusiveMaximum")).unwrap_or(f64::INFINITY);
            let inside = if value > low && value < high { value } else { default.as_f64()? };
            Number::from_f64(inside).map(Value::Number)
        }
        "array" => {
            let (least, most) = (bound("minItems").unwrap_or(1.0) as usize, bound("maxItems").unwrap_or(2.0) as usize);
            let length = least + stream.below(most.clamp(least, least.max(2)) - least + 1);
            let item = |_| draw(&kind["items"], &default[0], root, stream);
            (0..length).map(item).collect::<Option<Vec<_>>>().map(Value::Array)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn schema() -> Value {
        json!({
            "type": "object",
            "additionalProperties": false,
            "$defs": {"Kind": {"oneOf": [{"const": "one"}, {"const": "two"}]}},
            "properties": {
                "layers": {"type": "integer", "minimum": 1, "maximum": 1024, "default": 8},
                "hidden": {"type": "array", "items": {"type": "integer", "minimum": 1}, "default": [64, 64]},
                "rate": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1, "default": 0.65},
                "kind": {"$ref": "#/$defs/Kind", "default": "one"},
                "on": {"type": "boolean", "default": true},
                "odd": {"type": "string", "default": "kept"},
            },
        })
    }

    /// Every number gives parameters that the schema allows, again the same; over many, every value is met.
    #[test]
    fn cases_obey_the_schema_and_are_reproducible() {
        let mut kinds = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let case = Case::new(seed, &schema(), &Map::new());
            assert!(jsonschema::is_valid(&schema(), &Value::Object(case.parameters.clone())), "{case:?}");
            assert_eq!(case, Case::new(seed, &schema(), &Map::new()));
            kinds.extend(case.parameters.get("kind").map(Value::to_string));
        }
        assert_eq!(kinds.len(), 2);
    }

    #[test]
    fn fixed_parameters_are_kept() {
        let fixed = json!({"layers": 77}).as_object().unwrap().clone();
        assert!((0..50).all(|seed| Case::new(seed, &schema(), &fixed).parameters["layers"] == 77));
    }
}
