//! Bad input: told with its place before anything is run or written.

use laws::Sandbox;
use predicates::prelude::*;
use predicates::str::contains;

/// What is wrong with a sweep, line and column, and what the message says. `…` stands for the lines of a sound sweep.
const BROKEN: &[(&str, &str, &str)] = &[
    ("flows: [planer]\n…", "1:9", "did you mean `planar`?"),
    ("targets: [u11]\n…", "1:11", "unknown target `u11`"),
    ("trian: {steps: 2}\n…", "1:1", "did you mean `train`?"),
    ("train: {setps: 2}\n…", "1:9", "did you mean `steps`?"),
    ("flows: [{planar: {layer: 2}}]\n…", "1:19", "did you mean `layers`?"),
    ("flows: [{planar: {layers: [2, many]}}]\n…", "1:31", "must be an integer from 1 to 1024, but is the text `many`"),
    ("flows: [{planar: {layers: []}}]\n…", "1:27", "needs at least one value"),
    ("flows: [{planar: {base: gausian}}]\n…", "1:25", "did you mean `gaussian`?"),
    ("flows: [{misbehaving: {mode: goood}}]\n…", "1:30", "did you mean `good`?"),
    ("seeds: none\n…", "1:8", "write `seeds: 3`"),
    ("exclude: [{flow: planar, target: u2}]\n…", "1:34", "no cell has `target: u2`"),
    ("exclude: [{flow: planar}]\n…", "1:10", "the rules exclude every cell"),
    ("seeds: 1\nseeds: 2\n…", "2:1", "duplicate key `seeds`"),
    ("targets: [{gmm-9: {dim: 3}}]\n…", "1:20", "unknown key `dim` in target `gmm-9`"),
    ("targets: [{many-well: {dim: 3}}]\n…", "1:29", "`dim` of target `many-well`"),
    ("targets: [{gaussian: {dim: 0}}]\n…", "1:28", "`dim` of target `gaussian` must be an integer from 1 to 4096"),
    ("train: {optimizer: sgd}\n…", "1:20", "`adam`"),
    ("eval: {final_draws: 64}\n…", "1:7", "`iw_samples` is 100, more than the 64 of `final_draws`"),
    ("limits: {wall: 600}\n…", "1:16", "write `wall: 10min`"),
    ("device: gpu\n…", "1:9", "write `device: cpu` or `device: cuda:0`"),
    ("flows: [planar\n…", "2:8", "not YAML"),
    ("", "1:1", "the sweep file is empty"),
];

#[test]
fn every_mistake_is_told_with_its_place_before_anything_runs() {
    for (broken, place, words) in BROKEN {
        let sandbox = Sandbox::new(&complete(broken));
        let at = contains(format!("sweep.yaml:{place}\n"));
        let said = sandbox.harness("run sweep.yaml").assert().code(64).stdout("");
        said.stderr(at.clone().and(contains(*words)).and(contains("panicked at").not()));
        assert!(!sandbox.path("results").exists(), "{broken}");
        sandbox.harness("plan sweep.yaml").assert().code(64).stderr(at.and(contains(*words)));
    }
}

#[test]
fn all_mistakes_are_told_at_once() {
    let sandbox = Sandbox::new(&complete("flows: [planer]\nseeds: 0\ndtype: f16\n…"));
    let said = sandbox.harness("run sweep.yaml").assert().code(64);
    said.stderr(contains("sweep.yaml:1:9").and(contains("sweep.yaml:2:8")).and(contains("sweep.yaml:3:8")));
}

#[test]
fn a_place_that_cannot_be_written_to_is_told_before_anything_runs() {
    let sandbox = Sandbox::new(&complete("…"));
    sandbox.write("file", "in the way");
    for (out, words) in [("file", "cannot make file/cells"), ("file/below", "cannot make file/below/cells")] {
        sandbox.harness(&format!("run sweep.yaml --out {out}")).assert().code(64).stderr(contains(words));
    }
    sandbox.write("results", "in the way, too");
    sandbox.harness("run sweep.yaml").assert().code(64).stderr(contains("cannot make results/sound/cells"));
}

#[test]
fn mistakes_on_the_command_line() {
    for (line, words) in [
        ("run nowhere.yaml", "nowhere.yaml"),
        ("run .", "is a folder, not a sweep file"),
        ("run", "<SWEEP>"),
        ("rnu sweep.yaml", "unrecognized subcommand 'rnu'"),
        ("run sweep.yaml --jobs 0", "--jobs"),
        ("run sweep.yaml --shard 3/2", "`3/2` is not a shard"),
        ("run sweep.yaml --retry timeuot", "a similar value exists: 'timeout'"),
        ("run sweep.yaml --device tpu", "write `--device cpu` or `--device cuda:0`"),
        ("collect nowhere", "nowhere/plan.json: no plan"),
        ("replay nowhere 0", "nowhere/plan.json: no plan"),
        ("describe planer", "did you mean `planar`?"),
        ("list flow", "a similar value exists: 'flows'"),
    ] {
        let sandbox = Sandbox::new(&complete("…"));
        let said = sandbox.harness(line).assert().code(64);
        said.stderr(contains(words).and(contains("panicked at").not()));
        assert!(!sandbox.path("results").exists(), "{line}");
    }
}

/// A sweep file with the lines of a sound one that `broken` does not have itself in place of `…`.
fn complete(broken: &str) -> String {
    let sound = ["version: 1", "name: sound", "flows: [planar]", "targets: [u1]", "train: {steps: 1}"];
    let key = |line: &str| line.split(':').next().map(str::to_owned);
    let missing = sound.iter().filter(|line| !broken.lines().any(|own| key(own) == key(line)));
    broken.replace('…', &missing.map(|line| format!("{line}\n")).collect::<String>())
}
