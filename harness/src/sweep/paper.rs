//! Flows and targets that exist on paper only, for tests.

use super::{Catalog, Document, Overrides, Plugin, Source, Sweep, TargetSpec, resolve};
use crate::cell::Cell;
use flow_sdk::Descriptor;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The sweep file of the manual.
pub(super) const EXAMPLE: &str = "\
version: 1
name: first-look
flows:
  - planar: {layers: [2, 8, 32]}                  # 3 variants
  - radial: {layers: 16}
  - hamiltonian:
      hamiltonians: [1, 2, 4]
      integrator: [leapfrog, symplectic-euler]
      zip: {step_size: [0.1, 0.05], n_steps: [2, 4]}   # columns advance together
      hidden: [64, 64]                            # an array parameter: one value
targets: [u1, {gaussian: {dim: 2}}, {funnel: {dim: 10}}]
exclude:
  - {flow: radial, target: funnel}                # a rule that matches nothing is an error
seeds: 3                                          # or a list
train:
  objective: reverse-kl                           # reverse-kl | data
  steps: 2000
  batch: 256
  optimizer: {adam: {lr: 1e-3}}                   # lr may be an axis
  schedule: constant                              # constant | cosine | exponential
  clip_norm: 100
  anneal: {from: 0.01, steps: 1000}               # inverse temperature
eval: {every: 200, draws: 2000, final_draws: 20000}
limits: {wall: 10min, memory: 4GiB}               # per cell
device: cpu
dtype: f32
";

/// The example without its third flow.
pub(super) fn short_example() -> String {
    let from = EXAMPLE.find("  - hamiltonian").unwrap();
    let to = EXAMPLE.find("targets:").unwrap();
    [&EXAMPLE[..from], &EXAMPLE[to..]].concat()
}

pub(super) fn catalog() -> Catalog {
    let layers = json!({"type": "integer", "format": "uint", "minimum": 1, "default": 8});
    let chain = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {"layers": layers},
        "additionalProperties": false,
    });
    // As schemars writes a struct with an enum, a list and an option.
    let hamiltonian = json!({
        "type": "object",
        "properties": {
            "hamiltonians": {"type": "integer", "minimum": 1, "default": 1},
            "integrator": {"$ref": "#/$defs/Integrator", "default": "leapfrog"},
            "step_size": {"type": "number", "exclusiveMinimum": 0, "default": 0.1},
            "n_steps": {"type": "integer", "minimum": 1, "default": 2},
            "hidden": {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1, "default": [32]},
            "mass": {"type": ["number", "null"], "default": null},
        },
        "additionalProperties": false,
        "$defs": {"Integrator": {"oneOf": [{"const": "leapfrog", "type": "string"}, {"const": "symplectic-euler", "type": "string"}]}},
    });
    let dim = json!({"type": "object", "properties": {"dim": {"type": "integer", "minimum": 1, "default": 2}}});
    let none = json!({"type": "object", "properties": {}});
    Catalog {
        flows: [
            ("planar", Ok(descriptor("planar", chain.clone()))),
            ("radial", Ok(descriptor("radial", chain))),
            ("hamiltonian", Ok(descriptor("hamiltonian", hamiltonian))),
            (
                "stroller",
                Ok(Descriptor { kind: "sampler".into(), ..descriptor("stroller", json!({"type": "object"})) }),
            ),
            ("walker", {
                let descriptor = descriptor("walker", json!({"type": "object"}));
                Ok(Descriptor { kind: "sampler".into(), capabilities: vec!["train".into()], ..descriptor })
            }),
            ("broken", Err("undefined symbol: flow_plugin".to_owned())),
        ]
        .map(|(name, descriptor)| (name.to_owned(), Plugin { sha256: format!("hash of {name}"), descriptor }))
        .into(),
        targets: [
            target("u1", none, |_| 2),
            target("gaussian", dim.clone(), |dim| dim),
            target("funnel", dim, |dim| dim),
        ]
        .into(),
    }
}

fn descriptor(id: &str, parameters: Value) -> Descriptor {
    Descriptor {
        id: id.into(),
        version: "0.1.0".into(),
        kind: "flow".into(),
        summary: String::new(),
        reference: String::new(),
        devices: vec!["cpu".into()],
        dtypes: vec!["f32".into(), "f64".into()],
        capabilities: Vec::new(),
        probes: Vec::new(),
        parameters,
        build: String::new(),
    }
}

fn target(name: &'static str, schema: Value, dim: fn(usize) -> usize) -> (String, TargetSpec) {
    let check = move |params: &serde_json::Map<String, Value>| {
        let dim = dim(params.get("dim").and_then(Value::as_u64).unwrap_or(2) as usize);
        if name == "funnel" && dim < 2 {
            Err("a funnel has at least 2 dimensions: raise `dim`".into())
        } else {
            Ok(dim)
        }
    };
    (name.into(), TargetSpec { schema, check: Box::new(check) })
}

/// Resolves a text, or renders all that is wrong with it.
pub(super) fn sweep(text: &str) -> Result<Sweep, String> {
    let source = Source { path: "sweep.yaml".into(), text: text.into() };
    let document = Document::parse(&source).map_err(|error| error.to_string())?;
    resolve(&document, &catalog(), &Overrides::default()).map_err(|error| error.to_string())
}

/// A file of the needed keys with `rest` below.
pub(super) fn with(rest: &str) -> String {
    let mut text = String::from("version: 1\nname: x\n");
    for (key, line) in [("flows:", "flows: [planar]\n"), ("targets:", "targets: [u1]\n")] {
        if !rest.lines().any(|own| own.starts_with(key)) {
            text += line;
        }
    }
    text + rest
}

pub(super) fn ids(sweep: &Sweep) -> BTreeSet<String> {
    sweep.cells.iter().map(Cell::id).collect()
}

/// All that is wrong with a file of the needed keys and `rest`.
pub(super) fn errors(rest: &str) -> String {
    sweep(&with(rest)).unwrap_err()
}
