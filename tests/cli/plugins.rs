//! `plugins:` in a sweep: where its own plugins are.

use laws::{Sandbox, built};
use predicates::prelude::*;
use predicates::str::contains;

const SWEEP: &str = "
version: 1
name: own
plugins: [own]
flows: [walker]
targets: [gaussian]
eval: {final_draws: 100, throughput: false}
sampling: {chains: 10, warm_up: 0, transitions: 20, temperatures: 0}
";

/// A plugin in a folder beside the sweep, wherever the harness is called from, and from the copy in the results too.
#[test]
fn plugins_are_found_beside_the_sweep_and_from_its_copy() {
    let sandbox = Sandbox::new("");
    std::fs::create_dir_all(sandbox.path("below/own")).unwrap();
    std::fs::copy(built().fixtures.join("libwalker.so"), sandbox.path("below/own/libwalker.so")).unwrap();
    sandbox.write("below/sweep.yaml", SWEEP);
    let harness = |line: &str| {
        let mut command = sandbox.harness(line);
        command.env_remove("HARNESS_PLUGIN_PATH");
        command
    };
    harness("plan below/sweep.yaml").assert().success().stdout(contains("walker → gaussian"));
    harness("run below/sweep.yaml --out results").assert().success().stdout(contains("ran now: 1 ok"));
    let copy = harness("run results/sweep.yaml --out results").assert().success();
    copy.stdout(contains("ran now: none").and(contains("all planned cells: 1 ok")));
    sandbox.write("below/sweep.yaml", &SWEEP.replace("[own]", "own/libwalker.so"));
    harness("run below/sweep.yaml --out results").assert().success().stdout(contains("ran now: none"));
}

/// `--plugin-dir` comes before `plugins:`, and that before HARNESS_PLUGIN_PATH.
#[test]
fn plugins_have_an_order() {
    let sandbox = Sandbox::new(&SWEEP.replace("[own]", "[own, empty]"));
    for folder in ["own", "first", "last", "empty"] {
        std::fs::create_dir(sandbox.path(folder)).unwrap();
        let file = sandbox.path(folder).join("libwalker.so");
        if folder != "empty" {
            std::fs::copy(built().fixtures.join("libwalker.so"), file).unwrap();
        }
    }
    let found = |line: &str| {
        sandbox.harness(line).env("HARNESS_PLUGIN_PATH", "last").assert().success();
        let plan = sandbox.results("results/own").text("plan.json");
        let folder = |name: &&str| plan.contains(&format!("/{name}/libwalker.so"));
        ["own", "first", "last"].into_iter().find(folder)
    };
    assert_eq!(found("run sweep.yaml"), Some("own"));
    assert_eq!(found("run sweep.yaml --plugin-dir first"), Some("first"));
    sandbox.write("sweep.yaml", &SWEEP.replace("plugins: [own]\n", ""));
    assert_eq!(found("run sweep.yaml"), Some("last"));
}

#[test]
fn a_path_that_is_not_there_is_told_with_its_place() {
    let sandbox = Sandbox::new(&SWEEP.replace("[own]", "[nowhere, sweep.yaml]"));
    for verb in ["plan", "run"] {
        let said = sandbox.harness(&format!("{verb} sweep.yaml")).assert().code(64);
        let first = contains("sweep.yaml:4:11\n").and(contains("there is no `nowhere` for `plugins`"));
        let second =
            contains("sweep.yaml:4:20\n").and(contains("`sweep.yaml` is neither a folder nor a plugin's file"));
        said.stderr(first.and(second).and(contains("build the plugin, or correct the path")));
    }
    assert!(!sandbox.path("results").exists());
}
