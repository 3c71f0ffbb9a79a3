//! `harness new`: what it makes builds, is formatted, passes its own test and runs its example.

use std::path::{Path, PathBuf};
use std::process::Command;

use laws::{Sandbox, built};
use predicates::prelude::*;
use predicates::str::contains;

const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

#[test]
fn a_new_flow_works_as_it_stands() {
    works_as_it_stands("flow", "my-flow");
}

#[test]
fn a_new_sampler_works_as_it_stands() {
    works_as_it_stands("sampler", "my-sampler");
}

fn works_as_it_stands(kind: &str, name: &str) {
    let sandbox = Sandbox::new("");
    let made = sandbox.harness(&format!("new {kind} {name}")).assert().success();
    made.stdout(contains(format!("cd ./{name}\n")).and(contains("run example.yaml\n")));
    let folder = sandbox.path(name);
    cargo(&folder, "fmt --check");
    share_dependencies(&folder);
    let said = cargo(&folder, "build --release --offline --target-dir target");
    // In its own profile only has the workspace compiled them.
    assert!(cfg!(debug_assertions) || !said.contains("Compiling candle-core"), "{said}");
    cargo(&folder, "test --release --offline --target-dir target --test validate");
    sandbox.harness(&format!("run {name}/example.yaml")).assert().success();
    let rows = sandbox.results(&format!("results/{name}-example")).runs();
    assert!(rows.iter().any(|row| row["flow"] == name) && rows.iter().any(|row| row["flow"] != name));
    for row in &rows {
        assert_eq!(row["status"], "ok", "{} on {}: {:?}", row["flow"], row["target"], row.get("status_detail"));
    }
}

/// Names that are long, short, or the same as something in the source.
#[test]
fn sources_are_formatted_whatever_the_name() {
    let sandbox = Sandbox::new("");
    let long = format!("long-{}", "x".repeat(35));
    for kind in ["flow", "sampler"] {
        for name in ["a", "config", &long] {
            sandbox.harness(&format!("new {kind} {name}")).assert().success();
            cargo(&sandbox.path(name), "fmt --check");
            std::fs::remove_dir_all(sandbox.path(name)).unwrap();
        }
    }
}

#[test]
fn what_cannot_be_made_is_told_and_leaves_nothing() {
    let sandbox = Sandbox::new("");
    std::fs::create_dir(sandbox.path("there")).unwrap();
    let before = entries(&sandbox);
    for (line, words) in [
        ("new flow MyFlow", "such as `my-flow`"),
        ("new flow match", "is a keyword of Rust"),
        ("new flow std", "is the name of another crate"),
        ("new flow planar", "`planar` is a plugin already"),
        ("new sampler walker", "`walker` is a plugin already"),
        ("new flow funnel", "`funnel` is a target"),
        ("new flow there", "./there is already there, and nothing is overwritten"),
        ("new flow x --dir nowhere", "nowhere is no folder"),
        ("new flow x --sdk there", "there is not the source of flow-sdk"),
        ("new flwo x", "a similar value exists: 'flow'"),
        ("new flow", "<NAME>"),
    ] {
        sandbox.harness(line).assert().code(64).stderr(contains(words).and(contains("panicked at").not()));
        assert_eq!(entries(&sandbox), before, "{line}");
    }
}

/// Gives it the versions of the workspace and, as features of a dependency add up, those features too: then all that the
/// workspace has compiled from elsewhere is used again.
fn share_dependencies(folder: &Path) {
    let workspace = std::fs::read_to_string(Path::new(WORKSPACE).join("Cargo.toml")).unwrap();
    let (_, table) = workspace.split_once("[workspace.dependencies]\n").expect("the workspace has dependencies");
    let is_ours =
        |line: &&str| line.contains("path =") || line.starts_with("serde =") || line.starts_with("schemars =");
    let lines = table.lines().take_while(|line| *line != "# tests and benchmarks" && !line.starts_with('['));
    let shared: String = lines.filter(|line| !is_ours(line)).map(|line| format!("{line}\n")).collect();
    let manifest = folder.join("Cargo.toml");
    let own = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, own.replace("[dependencies]\n", &format!("[dependencies]\n{shared}"))).unwrap();
    std::fs::copy(Path::new(WORKSPACE).join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
}

/// Runs cargo in a new crate, with the workspace's folder for what is compiled on the way; returns what it says.
fn cargo(folder: &Path, line: &str) -> String {
    let build_dir = built().harness.ancestors().nth(2).expect("target/<profile>/harness");
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    command.args(line.split_whitespace()).current_dir(folder);
    command.env("CARGO_BUILD_BUILD_DIR", build_dir).env_remove("HARNESS");
    let output = command.output().expect("cargo can be started");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "cargo {line}: {said}");
    said
}

fn entries(sandbox: &Sandbox) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> =
        std::fs::read_dir(sandbox.path("")).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}
