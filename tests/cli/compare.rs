//! `harness compare` through the real binary: planted regressions fail, planted non-regressions pass, nothing else is a pass.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use laws::{Sandbox, built};
use serde_json::Value;

const SWEEP: &str = "\
version: 1
name: compared
flows: [{planar: {layers: 2}}, radial]
targets: [{gaussian: {dim: 2}}, u1]
seeds: 5
train: {steps: 20, batch: 32}
eval: {every: 20, draws: 200, final_draws: 500, throughput: false}
";

/// One cell, timed.
const PAIR: &str = "\
version: 1
name: pair
flows: [{planar: {layers: 1}}]
targets: [{gaussian: {dim: 2}}]
train: {steps: 5, batch: 8}
eval: {every: 5, draws: 50, final_draws: 100, throughput: true}
";

/// Results of the sweep, run once for all tests.
fn results() -> &'static Path {
    static RESULTS: OnceLock<PathBuf> = OnceLock::new();
    RESULTS.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap().keep();
        Sandbox::new(SWEEP).harness("run sweep.yaml --out").arg(&folder).assert().success();
        folder
    })
}

/// A changed copy of the results' table, in a folder of its own with the same env.json.
struct Copy {
    folder: tempfile::TempDir,
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Copy {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::copy(results().join("env.json"), folder.path().join("env.json")).unwrap();
        let mut reader = csv::Reader::from_path(results().join("runs.csv")).unwrap();
        let header = reader.headers().unwrap().iter().map(str::to_owned).collect();
        let rows = reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
        Self { folder, header, rows }
    }

    fn column(&self, name: &str) -> usize {
        self.header.iter().position(|column| column == name).unwrap()
    }

    /// Changes a column of numbers in every row.
    fn map(mut self, column: &str, change: impl Fn(f64) -> f64) -> Self {
        let at = self.column(column);
        for row in &mut self.rows {
            row[at] = change(row[at].parse().unwrap()).to_string();
        }
        self
    }

    fn set(mut self, row: usize, column: &str, value: &str) -> Self {
        let at = self.column(column);
        self.rows[row][at] = value.into();
        self
    }

    fn set_all(mut self, column: &str, value: impl Fn(usize) -> f64) -> Self {
        let at = self.column(column);
        self.rows.iter_mut().enumerate().for_each(|(i, row)| row[at] = value(i).to_string());
        self
    }

    fn with_rows(mut self, change: impl FnOnce(&mut Vec<Vec<String>>)) -> Self {
        change(&mut self.rows);
        self
    }

    fn write(&self) -> &Path {
        let mut writer = csv::Writer::from_path(self.folder.path().join("runs.csv")).unwrap();
        writer.write_record(&self.header).unwrap();
        self.rows.iter().for_each(|row| writer.write_record(row).unwrap());
        writer.flush().unwrap();
        self.folder.path()
    }
}

/// Exit code and verdict.json.
fn compare(base: &Path, head: &Path, gate: Option<&str>) -> (i32, Value) {
    compare_across(base, head, gate, &[])
}

fn compare_across(base: &Path, head: &Path, gate: Option<&str>, across: &[&str]) -> (i32, Value) {
    let out = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::new("");
    let mut command = sandbox.harness("compare");
    command.arg(base).arg(head).arg("--out").arg(out.path());
    for column in across {
        command.args(["--across", column]);
    }
    if let Some(gate) = gate {
        let file = out.path().join("gate.yaml");
        fs::write(&file, gate).unwrap();
        command.arg("--gate").arg(file);
    }
    let output = command.output().unwrap();
    let code = output.status.code().unwrap();
    let verdict = fs::read(out.path().join("verdict.json"))
        .map(|text| serde_json::from_slice::<Value>(&text).unwrap())
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&output.stderr).into_owned()));
    if verdict.is_object() {
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains(verdict["verdict"].as_str().unwrap()), "{text}");
        assert!(fs::read_to_string(out.path().join("junit.xml")).unwrap().starts_with("<?xml"));
        assert_eq!(fs::read_to_string(out.path().join("verdict.md")).unwrap(), text);
        trackers(out.path(), &verdict);
    }
    (code, verdict)
}

/// What github-action-benchmark and Bencher read, wherever head could be read.
fn trackers(out: &Path, verdict: &Value) {
    let read = |name: &str| fs::read(out.join(name)).map(|text| serde_json::from_slice::<Value>(&text).unwrap());
    let Ok(bencher) = read("bencher.json") else {
        assert_eq!(verdict["verdict"], "no-data", "{verdict:#}");
        return;
    };
    assert!(bencher.as_object().unwrap().values().all(|of| of["elbo_nats"]["value"].is_number()), "{bencher:#}");
    let bigger = read("bigger-is-better.json").unwrap();
    assert!(bigger.as_array().unwrap().iter().all(|entry| entry["name"].is_string() && entry["value"].is_number()));
    assert!(read("smaller-is-better.json").unwrap().is_array());
}

fn gate_of<'a>(verdict: &'a Value, name: &str) -> &'a Value {
    let gates = verdict["gates"].as_array().unwrap();
    gates.iter().find(|gate| gate["name"] == name).unwrap_or_else(|| panic!("no gate {name}: {verdict:#}"))
}

#[test]
fn what_did_not_change_passes() {
    let same = Copy::new();
    let (code, verdict) = compare(results(), same.write(), None);
    assert_eq!((code, &verdict["verdict"]), (0, &"pass".into()), "{verdict:#}");
    assert_eq!(verdict["pairs"], 20);
    // Another order, another name, another build of the plugin: the same cells.
    let other = Copy::new().with_rows(|rows| rows.reverse());
    let (name, id) = (other.column("name"), other.column("cell_id"));
    let other = other.with_rows(|rows| {
        for (i, row) in rows.iter_mut().enumerate() {
            row[name] = "renamed".into();
            row[id] = format!("{i:016x}");
        }
    });
    assert_eq!(compare(results(), other.write(), None).0, 0);
}

#[test]
fn cells_on_two_devices_are_paired_where_that_is_asked_for() {
    let other = Copy::new();
    let device = other.column("device");
    let other = other.with_rows(|rows| rows.iter_mut().for_each(|row| row[device] = "cuda".into()));
    let (code, verdict) = compare(results(), other.write(), None);
    assert_eq!((code, &verdict["verdict"]), (13, &"incomparable".into()), "{verdict:#}");
    let (code, verdict) = compare_across(results(), other.write(), None, &["device"]);
    assert_eq!((code, &verdict["pairs"]), (0, &20.into()), "{verdict:#}");
    let (code, verdict) = compare_across(results(), other.write(), None, &["devise"]);
    assert_eq!(code, 13);
    assert!(verdict["summary"].as_str().unwrap().contains("`devise` is no setting of both; they have device, dtype"));
}

/// A gate by ratios would take −100 → −100.0004 for nothing and −0.001 → −0.002 for a doubling; this one knows nats only.
#[test]
fn a_negative_elbo_is_a_number_like_others() {
    let (base, head) =
        (Copy::new().map("elbo_nats", |elbo| elbo - 100.0), Copy::new().map("elbo_nats", |elbo| elbo - 100.0));
    assert_eq!(compare(base.write(), head.write(), None).0, 0);
    let worse = Copy::new().map("elbo_nats", |elbo| elbo - 102.0);
    let (code, verdict) = compare(base.write(), worse.write(), None);
    assert_eq!(code, 10);
    for gate in ["correctness", "quality"] {
        assert_eq!(gate_of(&verdict, gate)["verdict"], "regression", "{gate}");
    }
    // Better by as much is another number, and no loss of quality.
    let (_, verdict) = compare(worse.write(), base.write(), None);
    assert_eq!(gate_of(&verdict, "correctness")["verdict"], "regression");
    assert_eq!(gate_of(&verdict, "quality")["verdict"], "pass");
}

#[test]
fn a_cell_that_vanished_or_changed_its_status_fails() {
    let deleted = Copy::new().with_rows(|rows| drop(rows.remove(3)));
    let (code, verdict) = compare(results(), deleted.write(), None);
    assert_eq!(code, 10);
    assert!(verdict["summary"].as_str().unwrap().contains("it is gone"), "{verdict:#}");
    for status in ["diverged", "crashed", "pending"] {
        let changed = Copy::new().set(2, "status", status).set(2, "elbo_nats", "");
        let (code, verdict) = compare(results(), changed.write(), None);
        assert_eq!(code, 10, "{status}");
        assert!(
            verdict["summary"].as_str().unwrap().contains(&format!("it was `ok` and is `{status}`")),
            "{verdict:#}"
        );
    }
    let missing = Copy::new().set(2, "elbo_nats", "");
    assert_eq!(compare(results(), missing.write(), None).0, 10);
    // A new cell is no harm.
    assert_eq!(compare(deleted.write(), results(), None).0, 0);
}

/// Of twenty cells eight more diverge: the gate on stability sees it with the one on correctness switched off; one more is too few to
/// say, and is said to be.
#[test]
fn divergence_is_counted() {
    let gate = Some("version: 1\ncorrectness: null\nquality: null\n");
    let diverged = |n: usize| (0..n).fold(Copy::new(), |copy, row| copy.set(row, "status", "diverged"));
    let (code, verdict) = compare(results(), diverged(8).write(), gate);
    assert_eq!((code, &verdict["verdict"]), (10, &"regression".into()), "{verdict:#}");
    assert_eq!(compare(results(), diverged(1).write(), gate).0, 11);
    assert_eq!(compare(diverged(1).write(), results(), gate).0, 0);
}

#[test]
fn an_elbo_above_log_z_fails_even_if_it_was_so_before() {
    let broken = Copy::new().map("elbo_nats", |_| 50.0);
    let (code, verdict) = compare(broken.write(), broken.write(), None);
    assert_eq!(code, 10);
    assert!(verdict["summary"].as_str().unwrap().contains("lies above log Z"), "{verdict:#}");
}

#[test]
fn a_noisy_loss_is_inconclusive_and_says_what_it_could_have_seen() {
    let gate = Some("version: 1\ncorrectness: null\nstability: null\nquality: {margin: {elbo_nats: 0.05}}\n");
    let noisy = Copy::new();
    let at = noisy.column("elbo_nats");
    let noisy = noisy.with_rows(|rows| {
        for (i, row) in rows.iter_mut().enumerate() {
            row[at] = (row[at].parse::<f64>().unwrap() + 0.3 * (i % 5) as f64 - 0.6).to_string();
        }
    });
    let (code, verdict) = compare(results(), noisy.write(), gate);
    assert_eq!(code, 11, "{verdict:#}");
    let finding = &gate_of(&verdict, "quality")["findings"][0];
    assert!(finding["measured"]["smallest_visible"].as_f64().unwrap() > 0.05, "{finding:#}");
    assert!(finding["message"].as_str().unwrap().contains("could have been seen"));
}

#[test]
fn what_cannot_be_looked_at_is_no_pass() {
    let missing = results().join("nowhere");
    assert_eq!(compare(&missing, results(), None).0, 12);
    assert_eq!(compare(results(), &missing, None).0, 12);
    let empty = Copy::new().with_rows(Vec::clear);
    assert_eq!(compare(results(), empty.write(), None).0, 12);
    let broken = Copy::new().set(4, "elbo_nats", "one");
    let (code, verdict) = compare(results(), broken.write(), None);
    assert_eq!(code, 12);
    assert!(verdict["summary"].as_str().unwrap().contains("runs.csv:6: column `elbo_nats`"), "{verdict:#}");
    // Of another sweep.
    let other = Copy::new();
    let flow = other.column("flow");
    let other = other.with_rows(|rows| rows.iter_mut().for_each(|row| row[flow] = "other".into()));
    assert_eq!(compare(results(), other.write(), None).0, 13);
    // All gates off.
    let none = Some("version: 1\ncorrectness: null\nquality: null\nstability: null\nspeed: null\n");
    assert_eq!(compare(results(), results(), none).0, 12);
}

/// Throughputs, where there are some, are of a machine.
#[test]
fn times_of_another_machine_do_not_compare() {
    let timed = || Copy::new().set_all("train_samples_per_s", |i| 1000.0 + 10.0 * (i % 5) as f64);
    assert_eq!(compare(timed().write(), timed().write(), None).0, 0);
    let slow = timed().map("train_samples_per_s", |speed| speed / 2.0);
    let (code, verdict) = compare(timed().write(), slow.write(), None);
    assert_eq!(code, 10);
    assert_eq!(gate_of(&verdict, "speed")["verdict"], "regression");
    let elsewhere = timed();
    let env = elsewhere.write().join("env.json");
    let mut all: Value = serde_json::from_slice(&fs::read(&env).unwrap()).unwrap();
    all.as_object_mut().unwrap().values_mut().for_each(|of| of["cpu"] = "another".into());
    fs::write(&env, all.to_string()).unwrap();
    assert_eq!(compare(timed().write(), elsewhere.folder.path(), None).0, 13);
    fs::remove_file(env).unwrap();
    assert_eq!(compare(timed().write(), elsewhere.folder.path(), None).0, 13);
}

#[test]
fn a_gate_that_is_wrong_is_bad_input() {
    for (gate, says) in [
        ("version: 1\nqualty: null\n", "qualty"),
        ("version: 2\n", "version: 2; this harness reads version 1"),
        ("version: 1\nquality: {alpha: 2}\n", "expected a probability"),
        ("version: 1\ncorrectness: {tolerance: {elbo_nats: -1}}\n", "expected a number from 0 on"),
        ("version: 1\nquality: {margin: {elbo: 0.1}}\n", "elbo_nats"),
    ] {
        let (code, said) = compare(results(), results(), Some(gate));
        assert_eq!(code, 64, "{gate}");
        assert!(said.as_str().unwrap().contains(says), "{gate}: {said}");
    }
}

/// A build against itself passes whatever the machine does meanwhile, or says that it cannot say; it is never slower than itself.
#[test]
fn a_build_is_no_slower_than_itself() {
    let sandbox = Sandbox::new(PAIR);
    let pair = |sweep: &str| {
        let mut command = sandbox.harness("bench-pair --rounds 2 --json --base");
        command.arg(&built().harness).arg("--head").arg(&built().harness).arg(sweep).output().unwrap()
    };
    let output = pair("sweep.yaml");
    let verdict: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!([Some(0), Some(11)].contains(&output.status.code()), "{verdict:#}");
    assert_eq!(gate_of(&verdict, "speed")["findings"].as_array().unwrap().len(), 2);
    // Without throughput there is nothing to say.
    sandbox.write("silent.yaml", &PAIR.replace("throughput: true", "throughput: false"));
    assert_eq!(pair("silent.yaml").status.code(), Some(12));
}
