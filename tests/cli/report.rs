//! `harness report`: every planned cell is in it, and nothing that cannot be read is passed over in silence.

use laws::{Results, Sandbox};
use predicates::str::contains;
use serde_json::Value;

/// Cells that end well and in other ways, the slowest in two seconds.
pub const MIXED: &str = "
version: 1
name: mixed
flows:
  - planar: {layers: [2, 4]}
  - misbehaving: {mode: [good, not-a-number, abort, hang]}
targets: [{gaussian: {dim: 2}}, u1]
exclude:
  - {flow: misbehaving, target: u1}
seeds: 2
train: {steps: 20, batch: 16, give_up_after: 3}
eval: {every: 5, draws: 50, final_draws: 400, throughput: false}
limits: {wall: 2s, memory: 512MiB}
";

/// What the page carries.
fn data(results: &Results) -> Value {
    let page = results.text("report.html");
    let (_, after) = page.split_once(r#"<script type="application/json" id="data">"#).expect("the page has data");
    serde_json::from_str(after.split_once("</script>").expect("the element ends").0).expect("the data is JSON")
}

fn counts(data: &Value) -> Vec<(String, u64)> {
    let count = |count: &Value| (count["status"].as_str().unwrap().to_owned(), count["cells"].as_u64().unwrap());
    data["counts"].as_array().unwrap().iter().map(count).collect()
}

#[test]
fn every_cell_is_in_it_and_broken_lines_are_named() {
    let sandbox = Sandbox::new(MIXED);
    sandbox
        .harness("run sweep.yaml --jobs 4 --report")
        .assert()
        .code(20)
        .stdout(contains("report: results/mixed/report.html"));
    let results = sandbox.results("results/mixed");
    let owned = |counts: &[(&str, u64)]| counts.iter().map(|(s, n)| ((*s).to_owned(), *n)).collect::<Vec<_>>();
    assert_eq!(counts(&data(&results)), owned(&[("ok", 10), ("diverged", 2), ("timeout", 2), ("crashed", 2)]));

    // The same files, the same bytes; and the page asks nobody for anything.
    let page = results.text("report.html");
    sandbox.harness("report results/mixed").assert().success();
    assert_eq!(results.text("report.html"), page);
    assert!(!page.contains("src=\"http") && !page.contains("@import") && page.len() < 5 << 20, "{} bytes", page.len());
    let text = results.text("report.md");
    for words in ["16 cells planned: 10 ok, 2 diverged, 2 timeout, 2 crashed", "| 2 of 2 |", "SIGABRT"] {
        assert!(text.contains(words), "{words}");
    }

    // A cell whose files are gone is planned all the same.
    let lost = results.runs().into_iter().find(|row| row["status"] == "ok").unwrap()["cell_id"].clone();
    std::fs::remove_dir_all(results.path(format!("cells/{lost}"))).unwrap();
    sandbox.harness("report results/mixed").assert().success();
    let counted = counts(&data(&results));
    assert_eq!(counted[0], ("ok".to_owned(), 9));
    assert_eq!(counted[4], ("pending".to_owned(), 1));

    // A line that was damaged is named, and left out only on request.
    let lines: Vec<String> = results.text("runs.csv").lines().map(str::to_owned).collect();
    let mut damaged = lines.clone();
    damaged[3] = damaged[3].replacen(",ok,", ",fine,", 1);
    damaged.truncate(8);
    damaged.push("half a li".into());
    sandbox.write("results/mixed/runs.csv", &(damaged.join("\n") + "\n"));
    let refused = sandbox.harness("report results/mixed").assert().code(64);
    refused
        .stderr(contains("runs.csv:4: column `status`: `fine` is no status"))
        .stderr(contains("runs.csv:9: 1 fields"))
        .stderr(contains("`harness collect results/mixed` rebuilds"));
    sandbox.harness("report results/mixed --skip-broken").assert().code(64).stderr(contains("left out: "));
    let rest = data(&results);
    assert_eq!(rest["cells"].as_array().unwrap().len(), 6);
    assert!(rest["provenance"][0]["text"].as_str().unwrap().contains("runs.csv:4"));
    sandbox.harness("collect results/mixed").assert().success();
    sandbox.harness("report results/mixed").assert().success();
    assert_eq!(data(&results)["cells"].as_array().unwrap().len(), 16);
}

#[test]
fn chains_of_samplers_are_kept_and_shown() {
    let sandbox = Sandbox::new(
        "
version: 1
name: chains
flows: [{hmc: {n_steps: 3}}, rwmh]
targets: [banana]
eval: {final_draws: 200, throughput: false}
sampling: {chains: 10, warm_up: 50, transitions: 300, temperatures: 0}
",
    );
    sandbox.harness("run sweep.yaml --report").assert().success();
    let data = data(&sandbox.results("results/chains"));
    let chains = data["chains"].as_array().unwrap();
    assert_eq!(chains.len(), 2);
    for chain in chains {
        let length = |value: &Value| value.as_array().unwrap().len();
        assert_eq!(chain["coordinates"], serde_json::json!(["x0", "x1", "log density"]));
        assert_eq!((length(&chain["lag"]), length(&chain["transition"])), (100, 250));
        assert_eq!(chain["autocorrelation"][0][0], 1.0);
        assert_eq!((length(&chain["trace"][0]), length(&chain["trace"][0][0])), (4, 250));
    }
}

#[test]
fn what_is_no_results_folder_is_refused() {
    let sandbox = Sandbox::new("");
    sandbox.harness("report nowhere").assert().code(64).stderr(contains("not a results folder"));
    std::fs::create_dir(sandbox.path("empty")).unwrap();
    sandbox.write("empty/runs.csv", "a,b\n1,2\n");
    sandbox.harness("report empty").assert().code(64).stderr(contains("no column `cell_id`: not a runs.csv"));
}
