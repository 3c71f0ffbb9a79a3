//! A device is an axis like others: cells run where theirs is, and what cannot be had is said before anything runs.

use laws::{Record, Sandbox, cuda};
use predicates::prelude::*;
use predicates::str::contains;

/// Every flow and sampler that there is on both devices, each a few steps in double precision.
const SWEEP: &str = "
version: 1
name: devices
flows:
  - planar: {layers: 3}
  - radial: {layers: 3}
  - real-nvp: {layers: 2, hidden: [4]}
  - hamiltonian: {hamiltonians: 2, n_steps: 2, hidden: [8, 8], encoder_hidden: [8]}
  - rwmh
  - hmc: {n_steps: 3}
  - nn-hmc: {n_steps: 3, hidden: 4}
targets: [u1, {gaussian: {dim: 3}}]
exclude: [{flow: nn-hmc, target: gaussian, device: cuda}]
train: {steps: 5, batch: 40}
eval: {every: 3, draws: 64, final_draws: 400, throughput: false}
sampling: {chains: 20, warm_up: 10, transitions: 40, temperatures: 5, bound_draws: 40}
dtype: f64
device: [cpu, cuda]
";

/// Two devices sum in other orders, and training hands the difference on: twelve digits of sixteen are lost in no five steps.
const SAME: f64 = 1e-4;

#[test]
fn a_device_is_an_axis() {
    let sandbox = Sandbox::new(SWEEP);
    sandbox.harness("run sweep.yaml").assert().success();
    let rows = sandbox.results("results/devices").runs();
    assert_eq!(rows.len(), 2 * 7 * 2 - 1, "one is excluded by its device");
    let on = |device: &str| rows.iter().filter(|row| row["device"] == device).cloned().collect::<Vec<Record>>();
    let (here, there) = (on("cpu"), on("cuda"));
    assert!(here.iter().all(|row| row["status"] == "ok"), "{here:#?}");
    if cuda().is_none() {
        for row in &there {
            assert_eq!(row["status"], "skipped");
            assert!(row["status_detail"].starts_with("no CUDA device: "), "{}", row["status_detail"]);
        }
        return;
    }
    for row in &there {
        assert_eq!(row["status"], "ok", "{row:#?}");
        assert!(row.contains_key("device_name") && row.contains_key("peak_device_bytes"));
        let twin = |one: &&Record| ["flow", "target", "seed"].iter().all(|key| one[*key] == row[*key]);
        let other = here.iter().find(twin).expect("the same cell on the processor");
        let number = |row: &Record, key: &str| row[key].parse::<f64>().unwrap();
        let gap = (number(row, "elbo_nats") - number(other, "elbo_nats")).abs();
        assert!(gap < SAME, "{} on {}: ELBOs differ by {gap}", row["flow"], row["target"]);
        assert_eq!(row["target_evals"], other["target_evals"], "{} on {}", row["flow"], row["target"]);
    }
}

/// Where there is one, it is a second one that cannot be had.
#[test]
fn a_device_that_is_not_there_is_an_error_before_anything_runs() {
    let sandbox = Sandbox::new(&SWEEP.replace("[cpu, cuda]", "cuda:7").replace(", device: cuda", ""));
    sandbox
        .harness("run sweep.yaml")
        .assert()
        .code(64)
        .stderr(contains("no CUDA device").and(contains("use --device cpu, or list it, `device: [cpu, cuda]`")));
    assert!(!sandbox.path("results/devices").exists());
    sandbox.harness("plan sweep.yaml").assert().success();
}

/// The option beats the list.
#[test]
fn the_command_line_chooses_one_device() {
    let sandbox = Sandbox::new(&SWEEP.replace("exclude: [{flow: nn-hmc, target: gaussian, device: cuda}]", ""));
    sandbox.harness("run sweep.yaml --device cpu").assert().success();
    let rows = sandbox.results("results/devices").runs();
    assert_eq!(rows.len(), 14);
    assert!(rows.iter().all(|row| row["device"] == "cpu" && row["status"] == "ok"));
}

#[test]
fn devices_that_make_no_axis_are_pointed_at() {
    for (devices, line) in [
        ("[]", "`device` lists none"),
        ("[cpu, cuda:0, cuda:1]", "`device` lists a second device of the kind of the text `cuda:1`"),
        ("[cpu, gpu]", "`device` is the text `gpu`: a device is `cpu`, `cuda`, or `cuda:` with a number"),
    ] {
        let sandbox = Sandbox::new(&SWEEP.replace("[cpu, cuda]", devices));
        sandbox.harness("run sweep.yaml").assert().code(64).stderr(contains(line).and(contains("sweep.yaml:18:")));
    }
}
