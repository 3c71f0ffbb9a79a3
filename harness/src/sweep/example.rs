//! What sound sweep files resolve to.

use super::paper::{EXAMPLE, catalog, ids, short_example, sweep, with};
use super::{DeviceSpec, Document, Overrides, Source, resolve};
use crate::cell::{DeviceKind, Dtype, Objective, Optimizer, Schedule};
use serde_json::{Value, json};
use std::time::Duration;

#[test]
fn the_example_runs_as_it_stands() {
    let short = sweep(&short_example()).unwrap();
    assert_eq!((short.name.as_str(), short.cells.len(), short.excluded.len()), ("first-look", 33, 3));
    assert_eq!(short.limits.wall, Duration::from_secs(600));
    assert_eq!(short.limits.memory_bytes, 4 << 30);
    assert_eq!(short.devices.all, [DeviceSpec { kind: DeviceKind::Cpu, ordinal: 0 }]);
    assert_eq!(short.excluded[0].rule, "{flow: radial, target: funnel}");
    assert_eq!(short.excluded[0].line, 8);

    let whole = sweep(EXAMPLE).unwrap();
    assert_eq!(whole.cells.len(), 33 + 3 * 2 * 2 * 3 * 3);
    assert_eq!(ids(&whole).len(), whole.cells.len());
    let last = whole.cells.last().unwrap();
    assert_eq!(
        serde_json::to_string(&last.flow).unwrap(),
        r#"{"name":"hamiltonian","params":{"hamiltonians":4,"hidden":[64,64],"integrator":"symplectic-euler","mass":null,"n_steps":4,"step_size":0.05}}"#
    );
    assert_eq!((last.seed, last.dtype, last.train.objective), (2, Dtype::F32, Objective::ReverseKl));
    assert_eq!(last.train.optimizer, Optimizer::Adam { lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8 });
    assert_eq!(last.train.clip_norm, Some(100.0));
}

#[test]
fn what_is_left_out_has_its_default() {
    let sweep = sweep("version: 1\nname: x\nflows: [planar]\ntargets: [{gaussian: }]\n").unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&sweep.cells[0]).unwrap(), @r#"
        {
          "protocol": 3,
          "flow": {
            "name": "planar",
            "params": {
              "layers": 8
            }
          },
          "plugin_sha256": "hash of planar",
          "target": {
            "name": "gaussian",
            "params": {
              "dim": 2
            }
          },
          "train": {
            "objective": "reverse-kl",
            "steps": 2000,
            "batch": 256,
            "optimizer": {
              "adam": {
                "lr": 0.001,
                "beta1": 0.9,
                "beta2": 0.999,
                "eps": 1e-8
              }
            },
            "schedule": "constant",
            "clip_norm": null,
            "anneal": null,
            "give_up_after": 100
          },
          "eval": {
            "every": 200,
            "draws": 2000,
            "final_draws": 20000,
            "iw_samples": 100,
            "throughput": true
          },
          "seed": 0,
          "dtype": "f32",
          "device": "cpu"
        }
    "#);
    assert_eq!((sweep.cells.len(), sweep.limits.wall), (1, Duration::from_secs(3600)));
}

#[test]
fn every_setting_of_training_is_an_axis() {
    let text = with(
        "dtype: [f32, f64]
train:
  objective: [reverse-kl, data]
  optimizer: [adam, {adamw: {lr: [1e-3, 1e-2], zip: {beta1: [0.8, 0.9], beta2: [0.9, 0.99]}}}]
  schedule: [cosine, constant, {exponential: {decay: [0.9, 0.5], every: 10}}]
  clip_norm: [null, 10]
  anneal: [null, {from: [0.1, 0.01], steps: 100}]
  zip: {steps: [0, 100], batch: [1, 256]}
",
    );
    let sweep = sweep(&text).unwrap();
    assert_eq!(sweep.cells.len(), 2 * 2 * (1 + 4) * (2 + 2) * 2 * (1 + 2) * 2);
    assert_eq!(ids(&sweep).len(), sweep.cells.len());
    assert_eq!(sweep.cells[0].train.schedule, Schedule::Cosine { floor: 0.0 });
}

#[test]
fn the_last_key_is_fastest() {
    let text = with("flows: [{hamiltonian: {n_steps: [1, 2], hidden: [[8], [4, 4]]}}, planar]\nseeds: [5, 3]\n");
    let order: Vec<String> = sweep(&text)
        .unwrap()
        .cells
        .iter()
        .map(|cell| {
            format!(
                "{} {} {} {}",
                cell.flow.name,
                cell.flow.params.get("n_steps").unwrap_or(&Value::Null),
                cell.flow.params.get("hidden").unwrap_or(&Value::Null),
                cell.seed
            )
        })
        .collect();
    insta::assert_snapshot!(order.join("\n"), @r#"
        hamiltonian 1 [8] 5
        hamiltonian 1 [8] 3
        hamiltonian 1 [4,4] 5
        hamiltonian 1 [4,4] 3
        hamiltonian 2 [8] 5
        hamiltonian 2 [8] 3
        hamiltonian 2 [4,4] 5
        hamiltonian 2 [4,4] 3
        planar null null 5
        planar null null 3
    "#);
}

#[test]
fn cells_of_a_plugin_that_cannot_load_are_planned() {
    let planned =
        sweep(&with("flows: [{broken: {layers: [1, 2], hidden: [64, 64], zip: {a: [1, 2], b: [3, 4]}}}]\n")).unwrap();
    assert_eq!(planned.cells.len(), 4);
    assert_eq!(planned.cells[0].flow.params["hidden"], json!([64, 64]));
}

#[test]
fn the_command_line_beats_the_file() {
    let source = Source { path: "sweep.yaml".into(), text: with("device: cpu\n") };
    let document = Document::parse(&source).unwrap();
    let with_device = |device: &str| resolve(&document, &catalog(), &Overrides { device: Some(device.into()) });
    let sweep = with_device("cuda:1").unwrap();
    assert_eq!((sweep.cells[0].device, sweep.devices.cuda().map(|device| device.ordinal)), (DeviceKind::Cuda, Some(1)));
    insta::assert_snapshot!(with_device("gpu").unwrap_err(), @r#"
        error: `--device gpu`: a device is `cpu`, `cuda`, or `cuda:` with a number
         |
         = help: write `--device cpu` or `--device cuda:0`
    "#);
}

#[test]
fn references_in_a_schema_keep_the_default_beside_them() {
    let planned = sweep(&with("flows: [hamiltonian]\n")).unwrap();
    assert_eq!(planned.cells[0].flow.params["integrator"], json!("leapfrog"));
    assert_eq!(planned.cells[0].flow.params["mass"], Value::Null);
}
