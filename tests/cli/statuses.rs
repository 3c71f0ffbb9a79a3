//! Every way to misbehave has its status, and hurts no neighbour.

use std::collections::BTreeMap;

use laws::{Record, Sandbox};
use predicates::prelude::*;
use predicates::str::contains;

/// A mode of the fixture, the status it ends in, words of the detail.
const MODES: [(&str, &str, &str); 17] = [
    ("good", "ok", ""),
    ("print", "ok", ""),
    ("use-target", "ok", ""),
    ("panic-in-create", "panicked", "create panicked: create panics on purpose"),
    ("panic-in-sample", "panicked", "sample panicked: sample panics on purpose"),
    ("error", "plugin-error", "sample: sample fails on purpose"),
    ("short", "plugin-error", "the host expects shape [16, 3], the result has [15, 3]"),
    ("biased", "plugin-error", "lies above log Z"),
    ("wrong-log-det", "plugin-error", "the stated log-det differs from the autodiff Jacobian's by 5.000e-1 nats"),
    ("abort", "crashed", "the worker ended with SIGABRT"),
    ("segfault", "crashed", "the worker ended with SIGSEGV"),
    ("exit", "crashed", "the worker ended with exit status: 0"),
    ("hang", "timeout", "over its wall-clock limit of 6s"),
    ("spawn-child", "timeout", "over its wall-clock limit of 6s"),
    ("allocate", "oom", "memory limit"),
    ("not-a-number", "diverged", "5 non-finite gradients in a row up to step 5"),
    ("nan-late", "diverged", "5 non-finite gradients in a row up to step"),
];

const SETTINGS: &str = "
targets: [{gaussian: {dim: 3, mean: 1.0}}]
train: {steps: 20, batch: 16, optimizer: {adam: {lr: 0.1}}, give_up_after: 5}
eval: {every: 10, draws: 16, final_draws: 400}
limits: {wall: 6s, memory: 512MiB}
";

#[test]
fn every_fault_has_its_status_and_hurts_no_neighbour() {
    let modes: Vec<&str> = MODES.iter().map(|(mode, ..)| *mode).collect();
    let flows = format!(
        "flows: [{{planar: {{layers: 2}}}}, {{misbehaving: {{mode: [{}]}}}}, {{planar: {{layers: 3}}}}]",
        modes.join(", ")
    );
    let sandbox = Sandbox::new(&format!("version: 1\nname: faults\n{flows}{SETTINGS}"));
    let run = sandbox.harness("run sweep.yaml --jobs 4").assert().code(20);
    run.stdout(contains("  plugin-error, first of them ").and(contains(": sample: sample fails on purpose\n")));
    let results = sandbox.results("results/faults");
    let rows = results.runs_by(|row| row.get("p.mode").cloned().unwrap_or_else(|| row["p.layers"].clone()));
    for (mode, status, detail) in MODES {
        let row = &rows[mode];
        let said = row.get("status_detail").map_or("", String::as_str);
        assert_eq!(row["status"], status, "{mode}: {said}");
        assert!(said.contains(detail) && said.is_empty() == detail.is_empty(), "{mode}: {said}");
        assert_eq!(row.contains_key("elbo_nats"), status == "ok", "{mode}: a figure of a run that failed");
    }
    printing_reaches_the_log_only(&results.log(&rows["print"]["cell_id"]));
    evaluations_are_counted(&rows);
    assert!(results.log(&rows["spawn-child"]["cell_id"]).contains("grandchild"));
    sandbox.wait_until_quiet();

    let alone = format!("version: 1\nname: faults\nflows: [{{planar: {{layers: [2, 3]}}}}]{SETTINGS}");
    let quiet = Sandbox::new(&alone);
    quiet.harness("run sweep.yaml --jobs 1").assert().success();
    let undisturbed = quiet.results("results/faults").snapshot();
    assert!(undisturbed.runs.len() == 2 && undisturbed.runs.iter().all(|row| row["status"] == "ok"));
    undisturbed.assert_same(&results.snapshot().of_flow("planar"));
}

/// What looks like a message of the harness is noise like the rest.
fn printing_reaches_the_log_only(log: &str) {
    for noise in ["noise on standard output", "\"timing-begin\"", "half a line", "noise on standard error"] {
        assert!(log.contains(noise), "`{noise}` is not in the log");
    }
    assert!(!log.contains("progress"), "a message of the harness ended in the log: {log}");
}

/// 20 steps of 16 draws: one gradient each for the objective, and what the flow asks for itself. Evaluations do not count.
fn evaluations_are_counted(rows: &BTreeMap<String, Record>) {
    assert_eq!(rows["good"]["target_evals"], (20 * 16).to_string());
    assert_eq!(rows["use-target"]["target_evals"], (20 * 16 * 4).to_string());
}
