//! Plugins in C: the example of one, and those of earlier versions of the ABI.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use laws::{Record, Sandbox};
use predicates::str::contains;

/// A flow and its target are Gaussians, so what a trained flow loses is a formula: nothing where L is full. A diagonal L
/// loses ½ log(Π Λᵢᵢ · det Σ), where Λ = Σ⁻¹: the best independent coordinates have the precisions Λᵢᵢ (Bishop, "Pattern
/// Recognition and Machine Learning", 2006, section 10.1.2). Of `scg`, with variances 10² and 10⁻² turned by π/4, Λᵢᵢ is
/// (10² + 10⁻²)/2 and det Σ is 1.
#[test]
fn the_flow_in_c_reaches_what_a_gaussian_can() {
    let sandbox = Sandbox::new(
        "
version: 1
name: affine
flows: [{affine: {diagonal: [false, true]}}]
targets: [scg]
train: {steps: 6000, batch: 256, optimizer: {adam: {lr: 0.1}}, schedule: cosine}
eval: {every: 6000, final_draws: 20000, throughput: false}
dtype: [f32, f64]
",
    );
    if !build(&sandbox, "flows/affine/affine.c", "flows/sdk/include", "affine") {
        return;
    }
    sandbox.harness("validate ./libaffine.so").assert().success();
    sandbox.harness("run sweep.yaml --plugin-dir .").assert().success();
    let rows = sandbox.results("results/affine").runs();
    assert_eq!(rows.len(), 4);
    for row in &rows {
        let least = if row["p.diagonal"] == "true" { ((1e2 + 1e-2) / 2.0_f64).ln() } else { 0.0 };
        assert_gap(row, least, 5.0, 256.0);
    }
}

/// The flow is a shift and its target a shifted Gaussian.
#[test]
fn a_flow_of_version_1_0_is_run_to_its_end() {
    let row = run_frozen(
        "1.0",
        "
targets: [{gaussian: {mean: 2.0}}]
train: {steps: 1000, batch: 64, optimizer: {adam: {lr: 0.1}}, schedule: cosine}
",
    );
    if let Some(row) = row {
        assert_gap(&row, 0.0, 2.0, 64.0);
    }
}

#[test]
fn a_sampler_of_version_1_1_is_run_to_its_end() {
    let row = run_frozen(
        "1.1",
        "
targets: [{gaussian: {sd: 2.0}}]
sampling: {chains: 20, warm_up: 100, transitions: 1000, temperatures: 10, bound_draws: 200}
",
    );
    let Some(row) = row else { return };
    // Its warm-up aims at 0.234 from a step that suits many coordinates of another scale.
    let acceptance = number(&row, "acceptance");
    assert!((0.2..0.27).contains(&acceptance), "{acceptance}");
}

#[test]
fn the_header_is_one_of_cpp_too() {
    let arguments = ["-x", "c++", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-pedantic"];
    let header = root().join("flows/sdk/include/flow_plugin.h");
    if let Some(status) = compile("CXX", "c++", |compiler| compiler.args(arguments).arg(header)) {
        assert!(status.success());
    }
}

/// Describes and runs the plugin of an earlier version, and returns its row; none without a compiler.
fn run_frozen(version: &str, settings: &str) -> Option<Record> {
    let name = format!("abi-{}", version.replace('.', "-"));
    let sandbox = Sandbox::new(&format!(
        "
version: 1
name: frozen
flows: [{name}]
{settings}
eval: {{every: 1000, final_draws: 2000, throughput: false}}
dtype: f64
"
    ));
    let folder = format!("tests/abi/{version}");
    if !build(&sandbox, &format!("{folder}/plugin.c"), &folder, &name) {
        return None;
    }
    sandbox.harness(&format!("describe {name} --plugin-dir .")).assert().success().stdout(contains("fixture: a "));
    sandbox.harness("run sweep.yaml --plugin-dir .").assert().success();
    Some(sandbox.results("results/frozen").runs().remove(0))
}

/// Fails if a trained flow loses anything but `least`. An average of gradients over N draws leaves P parameters at a
/// loss of P/2N in the mean (Wilks 1938: at the optimum their covariance is the Fisher information, which is the curvature
/// as well). A step that falls to nothing averages over many batches; no fewer than ten are asked for.
#[track_caller]
fn assert_gap(row: &Record, least: f64, n_params: f64, batch: f64) {
    assert_eq!(row["status"], "ok", "{row:?}");
    let (gap, se) = (number(row, "elbo_gap_nats"), number(row, "elbo_se_nats"));
    let tolerance = n_params / (2.0 * 10.0 * batch) + 4.0 * se;
    assert!((gap - least).abs() < tolerance, "{gap} ± {se}, not {least} ± {tolerance}: {row:?}");
}

fn number(row: &Record, column: &str) -> f64 {
    row[column].parse().expect("it is a number")
}

/// Builds the plugin of that name into the sandbox, without a warning; false where there is no compiler.
fn build(sandbox: &Sandbox, source: &str, include: &str, name: &str) -> bool {
    let library = sandbox.path(format!("lib{}.so", name.replace('-', "_")));
    let status = compile("CC", "cc", |compiler| {
        compiler
            .args(["-std=c99", "-O2", "-Wall", "-Wextra", "-Werror", "-pedantic", "-shared", "-fPIC", "-I"])
            .args([root().join(include), root().join(source)])
            .args([Path::new("-lm"), Path::new("-o"), &library])
    });
    status.inspect(|status| assert!(status.success(), "{source} does not compile")).is_some()
}

/// Runs the compiler that the environment names, or the usual one; none where there is none.
fn compile(variable: &str, usual: &str, arguments: impl FnOnce(&mut Command) -> &mut Command) -> Option<ExitStatus> {
    let named = std::env::var(variable).unwrap_or_default();
    let mut words = named.split_whitespace();
    let mut compiler = Command::new(words.next().unwrap_or(usual));
    match arguments(compiler.args(words)).status() {
        Ok(status) => Some(status),
        Err(error) => {
            println!("skipped: {}: {error}", compiler.get_program().display());
            None
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
