//! Files that were cut short: a message with path and remedy, never a panic, and nothing else lost.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use laws::{Results, Sandbox, Snapshot, wait_until};
use nix::sys::signal::Signal;
use predicates::prelude::*;
use predicates::str::contains;
use proptest::prelude::*;

const SWEEP: &str = "
version: 1
name: damaged
flows: [{planar: {layers: [2, 3]}}]
targets: [{gaussian: {dim: 2, mean: 1.0}}]
train: {steps: 20, batch: 8}
eval: {every: 5, draws: 32, final_draws: 100, throughput: false}
";

/// How much of a file is left.
#[derive(Clone, Copy, Debug)]
enum Kept {
    Half,
    /// Every line but the last, its end included: what is left looks whole.
    ButOneLine,
}

impl Kept {
    fn of(self, text: &[u8]) -> u64 {
        let length = match self {
            Self::Half => text.len() / 2,
            Self::ButOneLine => 1 + text[..text.len() - 1].iter().rposition(|&byte| byte == b'\n').unwrap(),
        };
        length as u64
    }
}

/// Files by their path in a results folder.
type Tree = BTreeMap<PathBuf, Vec<u8>>;

static WHOLE: LazyLock<(Tree, Snapshot)> = LazyLock::new(|| {
    let sandbox = Sandbox::new(SWEEP);
    sandbox.harness("run sweep.yaml").assert().success();
    let results = sandbox.results("results/damaged");
    (read_tree(&results.path("")), results.snapshot())
});

#[test]
fn a_damaged_cell_is_named_and_run_again() {
    for (file, kept) in [("status.json", Kept::Half), ("metrics.csv", Kept::Half), ("metrics.csv", Kept::ButOneLine)] {
        let (sandbox, results) = copy_of_whole();
        let [cut, other] = &results.cells()[..] else { panic!("two cells") };
        let text = std::fs::read(results.cell(cut, file)).unwrap();
        truncate(&results.cell(cut, file), kept.of(&text));
        let before = results.finished();

        let path = format!("results/damaged/cells/{cut}");
        let named = || {
            let place = contains(format!("{path}/{file}"));
            place.and(contains(format!("delete the folder {path} and run")))
        };
        sandbox.harness("collect results/damaged").assert().code(64).stderr(named());
        assert_eq!(results.statuses(), [("ok".into(), 1), ("pending".into(), 1)].into());
        assert_eq!(results.snapshot().runs.iter().find(|row| row["cell_id"] == *other), row_of_whole(other).as_ref());

        sandbox.harness("plan sweep.yaml").assert().success();
        let run = sandbox.harness("run sweep.yaml").assert().success();
        run.stderr(named().and(contains("running the cell again"))).stdout(contains("ran now: 1 ok"));
        assert_eq!(results.finished()[other], before[other], "the other cell ran again");
        results.snapshot().assert_same(&WHOLE.1);
    }
}

/// Results that were written before rows were counted, and metrics that are gone.
#[test]
fn rows_are_compared_where_they_were_counted() {
    let (sandbox, results) = copy_of_whole();
    let cell = &results.cells()[0];
    let status = std::fs::read_to_string(results.cell(cell, "status.json")).unwrap();
    let mut old: serde_json::Value = serde_json::from_str(&status).unwrap();
    let counted = old.as_object_mut().unwrap().remove("metrics_rows").unwrap();
    std::fs::write(results.cell(cell, "status.json"), old.to_string()).unwrap();
    sandbox.harness("collect results/damaged").assert().success();
    results.snapshot().assert_same(&WHOLE.1);
    old["metrics_rows"] = (counted.as_u64().unwrap() + 1).into();
    // A cell that failed may have no metrics, unless it says that it has.
    old["status"] = "diverged".into();
    std::fs::write(results.cell(cell, "status.json"), old.to_string()).unwrap();
    let said = sandbox.harness("collect results/damaged").assert().code(64);
    said.stderr(contains(format!("it has {counted} rows of {}", old["metrics_rows"])));
    std::fs::remove_file(results.cell(cell, "metrics.csv")).unwrap();
    sandbox.harness("collect results/damaged").assert().code(64).stderr(contains("metrics.csv"));
}

#[test]
fn a_damaged_plan_is_written_again() {
    let (sandbox, results) = copy_of_whole();
    let before = results.finished();
    truncate(&results.path("plan.json"), 300);
    let remedy = || contains("results/damaged/plan.json: damaged plan; run the sweep again, finished cells are kept");
    sandbox.harness("collect results/damaged").assert().code(64).stderr(remedy());
    sandbox.harness("replay results/damaged 0").assert().code(64).stderr(remedy());
    sandbox.harness("run sweep.yaml").assert().success().stdout(contains("ran now: none"));
    assert_eq!(results.finished(), before);
    results.snapshot().assert_same(&WHOLE.1);
}

#[test]
fn a_damaged_checkpoint_costs_the_steps_and_nothing_else() {
    let slow =
        SWEEP.replace("{planar: {layers: [2, 3]}}", "{misbehaving: {pause_ms: 5}}").replace("steps: 20", "steps: 60");
    let reference = Sandbox::new(&slow);
    reference.harness("run sweep.yaml").assert().success();
    let stopped = Sandbox::new(&slow);
    let running = stopped.start("run sweep.yaml");
    let results = stopped.results("results/damaged");
    let checkpoint = |results: &Results| results.cell(&results.cells()[0], "checkpoint.safetensors");
    wait_until("there is a checkpoint", || !results.cells().is_empty() && checkpoint(&results).exists());
    running.signal(Signal::SIGTERM);
    assert_eq!(running.wait().status.code(), Some(130));
    let (whole, length) = (read_tree(&results.path("")), std::fs::metadata(checkpoint(&results)).unwrap().len());
    for kept in [0, 7, 100, length / 2, length - 1] {
        let sandbox = Sandbox::new(&slow);
        let results = sandbox.results("results/damaged");
        write_tree(&whole, &results.path(""));
        truncate(&checkpoint(&results), kept);
        sandbox.harness("run sweep.yaml").assert().success();
        let log = results.log(&results.cells()[0]);
        assert!(log.contains("checkpoint.safetensors: damaged checkpoint; the cell starts again"), "{log}");
        results.snapshot().assert_same(&reference.results("results/damaged").snapshot());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_length_and_no_garbage_makes_collect_panic(share in 0.0..1.0f64, file in 0..4usize, garbage: Option<[u8; 8]>) {
        let (sandbox, results) = copy_of_whole();
        let cell = &results.cells()[0];
        let path = match file {
            0 => results.path("plan.json"),
            1 => results.cell(cell, "status.json"),
            2 => results.path("env.json"),
            _ => results.cell(cell, "metrics.csv"),
        };
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.truncate((share * bytes.len() as f64) as usize);
        bytes.extend(garbage.unwrap_or_default());
        std::fs::write(&path, bytes).unwrap();
        let said = sandbox.harness("collect results/damaged").assert();
        let output = said.get_output();
        let stderr = String::from_utf8_lossy(&output.stderr);
        prop_assert!(matches!(output.status.code(), Some(0 | 64)) && !stderr.contains("panicked"), "{}", stderr);
        prop_assert_eq!(output.status.code() == Some(0), stderr.is_empty());
        let again = sandbox.harness("run sweep.yaml").assert();
        prop_assert_eq!(again.get_output().status.code(), Some(0));
    }
}

fn row_of_whole(id: &str) -> Option<laws::Record> {
    WHOLE.1.runs.iter().find(|row| row["cell_id"] == *id).cloned()
}

/// The undamaged results in a sandbox of their own.
fn copy_of_whole() -> (Sandbox, Results) {
    let sandbox = Sandbox::new(SWEEP);
    let results = sandbox.results("results/damaged");
    write_tree(&WHOLE.0, &results.path(""));
    (sandbox, results)
}

fn read_tree(folder: &Path) -> Tree {
    let mut tree = Tree::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = PathBuf::from(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            tree.extend(read_tree(&entry.path()).into_iter().map(|(path, bytes)| (name.join(path), bytes)));
        } else {
            tree.insert(name, std::fs::read(entry.path()).unwrap());
        }
    }
    tree
}

fn write_tree(tree: &Tree, folder: &Path) {
    for (path, bytes) in tree {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

fn truncate(path: &Path, length: u64) {
    std::fs::File::options().write(true).open(path).unwrap().set_len(length).unwrap();
}
