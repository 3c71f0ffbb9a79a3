//! What a second run does: nothing to finished cells unless it is asked to.

use std::collections::BTreeMap;
use std::time::SystemTime;

use laws::{Results, Sandbox};
use predicates::str::contains;

const SWEEP: &str = "
version: 1
name: again
flows: [{planar: {layers: 2}}, {misbehaving: {mode: [good, abort, hang, error]}}]
targets: [gaussian]
train: {steps: 4, batch: 8}
eval: {every: 2, draws: 16, final_draws: 100, throughput: false}
limits: {wall: 3s}
";

#[test]
fn only_what_is_asked_for_runs_again() {
    let sandbox = Sandbox::new(SWEEP);
    let results = sandbox.results("results/again");
    sandbox.harness("run sweep.yaml").assert().code(20);
    let (first, snapshot) = (results.finished(), results.snapshot());
    assert_eq!(first.len(), 5);

    sandbox.harness("run sweep.yaml").assert().code(20).stdout(contains("ran now: none"));
    assert_eq!(results.finished(), first, "a finished cell ran again");

    let retry = sandbox.harness("run sweep.yaml --retry timeout,crashed").assert().code(20);
    retry.stdout(contains("ran now: 1 timeout, 1 crashed"));
    assert_eq!(ran_since(&first, &results), ["crashed", "timeout"]);

    let second = results.finished();
    sandbox
        .harness("run sweep.yaml --force")
        .assert()
        .code(20)
        .stdout(contains("2 ok, 1 timeout, 1 crashed, 1 plugin-error"));
    assert_eq!(ran_since(&second, &results), ["crashed", "ok", "ok", "plugin-error", "timeout"]);
    results.snapshot().assert_same(&snapshot);
}

#[test]
fn a_sweep_that_grows_keeps_its_cells() {
    let good = SWEEP.replace("[good, abort, hang, error]", "good");
    let sandbox = Sandbox::new(&good);
    let results = sandbox.results("results/again");
    sandbox.harness("run sweep.yaml").assert().success().stdout(contains("ran now: 2 ok"));
    let (first, before) = (results.finished(), results.snapshot());

    sandbox.write("sweep.yaml", &format!("{good}seeds: 2\n"));
    sandbox.harness("run sweep.yaml").assert().success().stdout(contains("ran now: 2 ok"));
    assert!(first.iter().all(|(id, time)| results.finished()[id] == *time), "an old cell ran again");
    let mut grown = results.snapshot();
    assert_eq!(grown.runs.len(), 4);
    grown.runs.retain(|row| row["seed"] == "0");
    assert_eq!(grown.runs, before.runs);

    // Cells that the sweep no longer asks for stay on disk and out of the tables.
    sandbox.write("sweep.yaml", &good);
    sandbox.harness("run sweep.yaml").assert().success().stdout(contains("ran now: none"));
    assert_eq!(results.cells().len(), 4);
    results.snapshot().assert_same(&before);
}

/// Statuses of the cells that were finished after `before`.
fn ran_since(before: &BTreeMap<String, SystemTime>, results: &Results) -> Vec<String> {
    let now = results.finished();
    let ran = results.runs().into_iter().filter(|row| now[&row["cell_id"]] != before[&row["cell_id"]]);
    let mut statuses: Vec<String> = ran.map(|row| row["status"].clone()).collect();
    statuses.sort();
    statuses
}
