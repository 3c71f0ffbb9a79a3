//! JSON Schema of sweep files, for editors.

use super::allowed::branches;
use super::catalog::Catalog;
use super::header::device_schema;
use super::resolve::dtype_schema;
use super::{eval, sampling, train};
use serde_json::{Map, Value, json};

/// JSON Schema 2020-12 of a sweep file, with the parameters of the catalog's flows and targets.
pub fn schema(catalog: &Catalog) -> Value {
    let flows =
        catalog.flows.iter().map(|(name, plugin)| (name, plugin.descriptor.as_ref().ok().map(|one| &one.parameters)));
    let targets = catalog.targets.iter().map(|(name, spec)| (name, Some(&spec.schema)));
    let rule = json!({"type": "object", "minProperties": 1});
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "sweep: flows × targets × training × seeds",
        "type": "object",
        "properties": {
            "version": {"const": 1},
            "name": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*$"},
            "plugins": {
                "description": "folders with plugins, or their files, relative to this file; they come before HARNESS_PLUGIN_PATH",
                "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
            },
            "flows": components(flows),
            "targets": components(targets),
            "exclude": {"type": "array", "items": rule},
            "seeds": {"anyOf": [
                {"type": "integer", "minimum": 1},
                {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1, "uniqueItems": true},
            ]},
            "train": map_of_axes(&train::schema()),
            "eval": eval::schema(),
            "sampling": map_of_axes(&sampling::schema()),
            "limits": {
                "type": "object",
                "properties": {
                    "wall": {"type": "string", "examples": ["10min", "1h"]},
                    "memory": {"type": "string", "examples": ["4GiB"]},
                },
                "additionalProperties": false,
            },
            "device": axis(&device_schema()),
            "dtype": axis(&dtype_schema()),
        },
        "required": ["version", "name", "flows", "targets"],
        "additionalProperties": false,
    })
}

/// A list of names or of maps from a name to parameters.
fn components<'a>(known: impl Iterator<Item = (&'a String, Option<&'a Value>)>) -> Value {
    let mut names = Vec::new();
    let mut entries = Vec::new();
    for (name, parameters) in known {
        names.push(name.as_str());
        // What cannot be described accepts anything, as the sweep does.
        let parameters = match parameters.map(jsonschema::dereference) {
            Some(Ok(schema)) => map_of_axes(&schema),
            _ => json!({"type": "object"}),
        };
        let parameters = json!({"anyOf": [parameters, {"type": "null"}]});
        entries.push(json!({
            "type": "object",
            "properties": {name.as_str(): parameters},
            "required": [name],
            "additionalProperties": false,
        }));
    }
    let names = json!({"enum": names});
    json!({"type": "array", "minItems": 1, "items": {"anyOf": std::iter::once(names).chain(entries).collect::<Vec<_>>()}})
}

/// A map whose values may be axes, with `zip`. What is required may stand in `zip` too, so it is left to the harness.
fn map_of_axes(schema: &Value) -> Value {
    let known: Vec<(&String, &Value)> = schema["properties"].as_object().into_iter().flatten().collect();
    let mut properties: Map<String, Value> =
        known.iter().map(|(name, property)| ((*name).clone(), axis(property))).collect();
    let columns: Map<String, Value> = known
        .iter()
        .map(|(name, property)| ((*name).clone(), json!({"type": "array", "items": property, "minItems": 1})))
        .collect();
    let others = schema.get("additionalProperties").cloned().unwrap_or(Value::Bool(false));
    properties.insert(
        "zip".into(),
        json!({"type": "object", "properties": columns, "additionalProperties": others, "minProperties": 1}),
    );
    json!({"type": "object", "properties": properties, "additionalProperties": others})
}

/// One value or a list of them.
fn axis(property: &Value) -> Value {
    let value = point(property);
    let mut schema = json!({"anyOf": [value, {"type": "array", "items": value, "minItems": 1}]});
    // What editors show.
    for key in ["description", "title", "default", "examples"] {
        if let Some(said) = property.get(key) {
            schema[key] = said.clone();
        }
    }
    schema
}

/// One value; where it is a map, with axes inside.
fn point(property: &Value) -> Value {
    let maps: Vec<Value> =
        branches(property).into_iter().filter(|branch| branch["properties"].is_object()).map(map_of_axes).collect();
    if maps.is_empty() {
        return property.clone();
    }
    json!({"anyOf": std::iter::once(property.clone()).chain(maps).collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests {
    use super::super::paper::{EXAMPLE, catalog, short_example, sweep, with};
    use super::super::resolve::KEYS;
    use super::super::{Document, Source};
    use super::*;

    fn accepts(text: &str) -> bool {
        let document = Document::parse(&Source { path: "sweep.yaml".into(), text: text.into() }).unwrap();
        let validator = jsonschema::draft202012::options().build(&schema(&catalog())).unwrap();
        validator.is_valid(&document.root.json().unwrap())
    }

    #[test]
    fn editors_accept_what_runs() {
        for rest in [
            "flows: [{planar: }]\n",
            "train: {zip: {steps: [1, 2], batch: [3, 4]}, optimizer: [adam, {adamw: {lr: [0.1, 0.2]}}]}\n",
            "train: {anneal: [null, {from: [0.1, 0.2], steps: 3}], schedule: [cosine, {exponential: {decay: 0.5}}]}\n",
            "flows: [{hamiltonian: {hidden: [[1], [2, 3]], integrator: [leapfrog]}}]\nseeds: [1, 2]\ndtype: [f32, f64]\n",
            "flows: [{broken: {anything: [1, 2]}}]\n",
            "plugins: src\n",
            "plugins: [src, .]\n",
        ] {
            sweep(&with(rest)).unwrap();
            assert!(accepts(&with(rest)), "{rest}");
        }
        assert!(accepts(EXAMPLE) && accepts(&short_example()));
    }

    #[test]
    fn editors_know_every_key() {
        let schema = schema(&catalog());
        assert!(KEYS.iter().all(|key| schema["properties"][key].is_object()));
        assert_eq!(schema["properties"].as_object().unwrap().len(), KEYS.len());
    }

    #[test]
    fn editors_refuse_what_does_not() {
        for rest in [
            "flows: [planer]\n",
            "flows: [{planar: {layer: 3}}]\n",
            "flows: [{planar: {layers: [1, 0]}}]\n",
            "flows: [{hamiltonian: {hidden: 3}}]\n",
            "train: {optimizer: sgd}\n",
            "train: {steps: many}\n",
            "limits: {wall: 600}\n",
            "trian: {}\n",
            "seeds: 0\n",
            "device: gpu\n",
            "plugins: [3]\n",
        ] {
            assert!(sweep(&with(rest)).is_err(), "{rest}");
            assert!(!accepts(&with(rest)), "{rest}");
        }
        assert!(!accepts("version: 1\nname: x\nflows: [planar]\n"));
    }
}
