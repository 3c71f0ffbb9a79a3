//! A run that is stopped half-way goes on as if nothing had been.

use std::sync::LazyLock;

use laws::{Background, Results, Sandbox, Snapshot, wait_until};
use nix::sys::signal::Signal;

/// The slow cells take a second each, so that they are met half-way.
const SWEEP: &str = "
version: 1
name: stopped
flows: [{planar: {layers: 2}}, {misbehaving: {mode: [use-target, good], pause_ms: 5}}]
targets: [{gaussian: {dim: 2, mean: 1.0}}]
train: {steps: 150, batch: 16, optimizer: {adam: {lr: 0.02}}, schedule: cosine, anneal: {from: 0.1, steps: 80}}
eval: {every: 40, draws: 32, final_draws: 200}
";

static UNDISTURBED: LazyLock<Snapshot> = LazyLock::new(|| {
    let sandbox = Sandbox::new(SWEEP);
    sandbox.harness("run sweep.yaml --jobs 2").assert().success();
    sandbox.results("results/stopped").snapshot()
});

#[test]
fn killed_and_run_again_is_never_killed() {
    let sandbox = Sandbox::new(SWEEP);
    let (running, results) = half_way(&sandbox);
    running.signal(Signal::SIGKILL);
    assert_eq!(running.wait().status.code(), None);
    sandbox.wait_until_quiet();
    sandbox.harness("collect results/stopped").assert().success();
    assert_eq!(results.statuses()["pending"], 2);
    goes_on(&sandbox, &results);
}

#[test]
fn interrupted_and_run_again_is_never_interrupted() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let sandbox = Sandbox::new(SWEEP);
        let (running, results) = half_way(&sandbox);
        running.signal(signal);
        let ended = running.wait();
        assert_eq!(ended.status.code(), Some(130), "{}", String::from_utf8_lossy(&ended.stderr));
        let statuses = results.statuses();
        assert_eq!((statuses["ok"], statuses["interrupted"], statuses["pending"]), (1, 1, 1), "{statuses:?}");
        goes_on(&sandbox, &results);
    }
}

#[test]
fn the_second_signal_ends_a_run_at_once() {
    let sweep = SWEEP.replace("mode: [use-target, good], pause_ms: 5", "mode: hang");
    let sandbox = Sandbox::new(&sweep);
    let mut running = sandbox.start("run sweep.yaml --jobs 1");
    let results = sandbox.results("results/stopped");
    wait_until("the cell that hangs is running", || results.cells().len() == 2 && results.finished().len() == 1);
    // Two that arrive together count as one, so it may take a third.
    wait_until("it has ended", || {
        running.signal(Signal::SIGINT);
        running.has_ended()
    });
    assert_eq!(running.wait().status.code(), Some(130));
    sandbox.wait_until_quiet();
    sandbox.harness("collect results/stopped").assert().success();
    assert_eq!(results.statuses()["ok"], 1);
}

/// A run with one cell done and one in the middle of its training.
fn half_way(sandbox: &Sandbox) -> (Background, Results) {
    let running = sandbox.start("run sweep.yaml --jobs 1");
    let results = sandbox.results("results/stopped");
    wait_until("one cell is done and one half-way", || {
        results.finished().len() == 1 && results.cells().iter().any(|id| is_half_way(&results, id))
    });
    (running, results)
}

fn is_half_way(results: &Results, id: &str) -> bool {
    results.cell(id, "checkpoint.safetensors").exists() && !results.cell(id, "status.json").exists()
}

/// The same command again: finished cells stay, the one that was stopped goes on, and all is as if never stopped.
#[track_caller]
fn goes_on(sandbox: &Sandbox, results: &Results) {
    let done: Vec<String> =
        results.runs().into_iter().filter(|row| row["status"] == "ok").map(|row| row["cell_id"].clone()).collect();
    let before = results.finished();
    sandbox.harness("run sweep.yaml --jobs 1").assert().success();
    let after = results.finished();
    assert!(done.iter().all(|id| before[id] == after[id]), "a finished cell ran again");
    let logs = results.cells().into_iter().map(|id| results.log(&id));
    assert_eq!(logs.filter(|log| log.contains("going on from step")).count(), 1);
    let left = results.cells().into_iter().filter(|id| results.cell(id, "checkpoint.safetensors").exists());
    assert_eq!(left.count(), 0, "a checkpoint is left behind");
    results.snapshot().assert_same(&UNDISTURBED);
}
