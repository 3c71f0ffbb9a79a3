//! The same cells give the same numbers: however many at a time, in whatever parts, collected however often.

use laws::{Sandbox, Snapshot};
use predicates::str::contains;

/// Batches are large enough to be cut into parts for several threads.
const SWEEP: &str = "
version: 1
name: same
flows: [{planar: {layers: 2}}, {radial: {layers: 2}}, {nn-hmc: {n_steps: 2}}]
targets: [u1, gmm-9, {gaussian: {dim: 256}}]
dtype: [f32, f64]
exclude: [{target: gaussian, dtype: f64}]
train: {steps: 4, batch: 4096, clip_norm: 1.0}
eval: {every: 2, draws: 64, final_draws: 256, throughput: false}
sampling: {chains: 64, warm_up: 4, transitions: 20, temperatures: 4, bound_draws: 64}
";

#[test]
fn neither_jobs_nor_threads_nor_shards_change_a_number() {
    let reference = run(&["run sweep.yaml --jobs 1"]);
    assert!(reference.runs.len() == 20 && reference.runs.iter().all(|row| row["status"] == "ok"));
    run(&["run sweep.yaml --jobs 2"]).assert_same(&reference);
    run(&["run sweep.yaml --jobs 1 --threads 2"]).assert_same(&reference);
    // The folder goes by the option, the identity of a cell by neither.
    run(&["run sweep.yaml --shard 2/2 --out results/same", "run sweep.yaml --shard 1/2"]).assert_same(&reference);
}

#[test]
fn a_shard_leaves_the_rest_pending() {
    let sandbox = Sandbox::new(SWEEP);
    sandbox.harness("run sweep.yaml --shard 3/5").assert().success().stdout(contains("ran now: 3 ok"));
    let results = sandbox.results("results/same");
    assert_eq!(results.statuses(), [("ok".into(), 3), ("pending".into(), 12)].into());
    let rows = results.runs();
    assert!(rows.iter().all(|row| row["status"] == "ok" || !row.contains_key("started_utc")));
    let done: Vec<usize> = (0..15).filter(|&index| rows[index]["status"] == "ok").collect();
    assert_eq!(done, [2, 7, 12]);
}

/// Whoever takes the slow cell, which comes first, later meets cells that the other has finished.
#[test]
fn two_runs_at_once_share_the_work() {
    let flows = "flows: [{misbehaving: {pause_ms: 60}}, {planar: {layers: [2, 3, 4, 5]}}]";
    let settings = "train: {steps: 10, batch: 8}\neval: {every: 5, draws: 16, final_draws: 100, throughput: false}";
    let sweep = format!("version: 1\nname: same\n{flows}\ntargets: [u1]\n{settings}\n");
    let sandbox = Sandbox::new(&sweep);
    let both = [sandbox.start("run sweep.yaml --jobs 1"), sandbox.start("run sweep.yaml --jobs 1")];
    let mut ran = 0;
    for running in both {
        let ended = running.wait();
        let said = String::from_utf8_lossy(&ended.stdout).into_owned();
        assert_eq!(ended.status.code(), Some(0), "{said}{}", String::from_utf8_lossy(&ended.stderr));
        let counted = said.lines().find_map(|line| line.strip_prefix("ran now: ")).expect("it says what it ran");
        ran += counted.strip_suffix(" ok").map_or(0, |count| count.parse().unwrap());
    }
    assert_eq!(ran, 5, "each cell is run by one of them");
    sandbox.harness("collect results/same").assert().success();
    let together = sandbox.results("results/same").snapshot();
    let alone = Sandbox::new(&sweep);
    alone.harness("run sweep.yaml").assert().success();
    alone.results("results/same").snapshot().assert_same(&together);
}

#[test]
fn collecting_again_changes_no_byte() {
    let sandbox = Sandbox::new(SWEEP);
    sandbox.harness("run sweep.yaml --shard 1/3").assert().success();
    let results = sandbox.results("results/same");
    let tables = || [results.text("runs.csv"), results.text("metrics.csv")];
    let first = tables();
    for _ in 0..2 {
        sandbox.harness("collect results/same").assert().success().stdout(contains("5 ok, 10 pending"));
        assert_eq!(tables(), first);
    }
    std::fs::remove_file(results.path("runs.csv")).unwrap();
    sandbox.harness("collect results/same").assert().success();
    assert_eq!(tables(), first);
}

/// Of the sweep, and of a flow whose points share their weights.
fn run(commands: &[&str]) -> Snapshot {
    let flow = "flows: [{hamiltonian: {hamiltonians: 2, hidden: [16, 16], encoder_hidden: [16]}}, ";
    let sandbox = Sandbox::new(&SWEEP.replace("flows: [", flow));
    for command in commands {
        sandbox.harness(command).assert().success();
    }
    sandbox.harness("collect results/same").assert().success();
    sandbox.results("results/same").snapshot()
}
