//! Samplers through the binary: bounds hold on every target, chains that do not move are said not to, faults have a status.

use std::collections::BTreeMap;

use laws::{Record, Sandbox, wait_until};
use nix::sys::signal::Signal;
use predicates::str::contains;

/// Every sampler on every target, briefly: too briefly to be good, and a bound all the same.
#[test]
fn annealed_bounds_enclose_log_z_on_every_target() {
    let targets = targets::registry::names().join(", ");
    let sandbox = Sandbox::new(&format!(
        "
version: 1
name: bounds
flows: [rwmh, {{hmc: {{n_steps: 3}}}}, {{nuts: {{max_depth: 3}}}}, {{nn-hmc: {{n_steps: 2}}}}]
targets: [{targets}]
train: {{steps: 10, batch: 16}}
eval: {{every: 10, final_draws: 500, throughput: false}}
sampling: {{chains: 20, warm_up: 60, transitions: 20, temperatures: 12, bound_draws: 300}}
"
    ));
    sandbox.harness("run sweep.yaml").assert().success();
    let rows = sandbox.results("results/bounds").runs();
    assert_eq!(rows.len(), 4 * targets::registry::names().len());
    let mut with_log_z = 0;
    for row in &rows {
        let place = format!("{} on {}", row["flow"], row["target"]);
        assert_eq!(row["status"], "ok", "{place}: {:?}", row.get("status_detail"));
        let number = |column: &str| row.get(column).map(|value| value.parse::<f64>().unwrap());
        let (elbo, se) = (number("elbo_nats").unwrap(), number("elbo_se_nats").unwrap());
        if let Some(log_z) = number("log_z_nats") {
            with_log_z += 1;
            // Four standard errors: one in 30,000 by chance, and 60 rows are looked at.
            assert!(elbo - 4.0 * se <= log_z + 1e-3, "{place}: {elbo} ± {se} > {log_z}");
            if let Some(eubo) = number("eubo_nats") {
                assert!(eubo >= elbo - 4.0 * se - 1e-3, "{place}: {eubo} < {elbo}");
            }
        }
        // Training, if any, warm-up, chains; the bound is paid for apart.
        assert!(number("target_evals") > number("sampling_evals") && row.contains_key("bound_evals"), "{place}");
    }
    assert!(with_log_z > 40, "{with_log_z}");
}

/// The step size of a published table, beyond the stability limit of the stiffest coordinate: every trajectory blows up.
#[test]
fn a_chain_that_cannot_move_is_frozen() {
    let sandbox = Sandbox::new(
        "
version: 1
name: frozen
flows:
  - hmc: {step_size: [0.1, 0.25], n_steps: 10, jitter: 0.0, tune: none}
  - walker: {mode: [good, frozen, one-frozen]}
targets: [icg, gaussian]
exclude: [{flow: hmc, target: gaussian}, {flow: walker, target: icg}]
train: {steps: 0}
eval: {final_draws: 500, throughput: false}
sampling: {chains: 20, start: exact, warm_up: 0, transitions: 1000, temperatures: 0}
",
    );
    sandbox.harness("run sweep.yaml").assert().success();
    let rows = sandbox
        .results("results/frozen")
        .runs_by(|row| row.get("p.mode").or(row.get("p.step_size")).expect("each has one").clone());
    let ratios = ["ess_min", "ess_per_grad", "ess_bulk_min", "levy_ess_per_step", "levy_ess_per_grad"];
    for (key, frozen, detail) in [
        ("0.1", "false", ""),
        ("0.25", "true", "frozen: none of 20 chains ever moved"),
        ("frozen", "true", "frozen: none of 20 chains ever moved"),
    ] {
        let row = &rows[key];
        assert_eq!((row["status"].as_str(), row["frozen"].as_str()), ("ok", frozen), "{key}");
        assert!(row.get("status_detail").map_or("", String::as_str).starts_with(detail), "{key}");
        for ratio in ratios {
            assert_eq!(row.contains_key(ratio), frozen == "false", "{key}: {ratio}");
        }
    }
    assert!(
        rows["one-frozen"]["frozen_chains"] == "1" && rows["one-frozen"]["status_detail"].contains("1 of 20 chains")
    );
}

#[test]
fn every_fault_of_a_sampler_has_its_status() {
    let modes = [
        ("good", "ok", ""),
        ("use-target", "ok", ""),
        ("panic", "panicked", "transition panicked: transition panics on purpose"),
        ("short", "plugin-error", "the host expects shape"),
        ("not-a-number", "diverged", "a chain has left the finite numbers"),
        ("wrong-carry", "plugin-error", "the log-density that the sampler carries along is not the target's"),
        ("nan-gradient", "diverged", "3 non-finite gradients in a row up to step 3"),
    ];
    let names = modes.map(|(mode, ..)| mode).join(", ");
    let sandbox = Sandbox::new(&format!(
        "
version: 1
name: faults
flows: [{{walker: {{mode: [{names}]}}}}]
targets: [gaussian]
train: {{steps: 10, batch: 8, give_up_after: 3}}
eval: {{every: 5, final_draws: 500}}
sampling: {{chains: 10, warm_up: 20, transitions: 50, temperatures: 0}}
"
    ));
    sandbox.harness("run sweep.yaml").assert().code(20);
    let rows = sandbox.results("results/faults").runs_by(|row| row["p.mode"].clone());
    for (mode, status, detail) in modes {
        let said = rows[mode].get("status_detail").map_or("", String::as_str);
        assert_eq!(rows[mode]["status"], status, "{mode}: {said}");
        assert!(said.contains(detail), "{mode}: {said}");
        assert_eq!(rows[mode].contains_key("acceptance"), status == "ok", "{mode}: a figure of a run that failed");
    }
    evaluations_are_counted(&rows);
}

/// Of 10 steps of 8 + 8 chains, placed and moved; of 10 chains placed and moved 70 times.
fn evaluations_are_counted(rows: &BTreeMap<String, Record>) {
    let (training, chains) = (10 * 16, 10 * 70);
    assert_eq!(rows["good"]["target_evals"], (2 * training + 10 + chains).to_string());
    assert_eq!(rows["good"]["sampling_evals"], "500");
    assert_eq!(rows["use-target"]["target_evals"], (3 * training + 10 + 2 * chains).to_string());
}

#[test]
fn settings_of_samplers_are_checked() {
    let sandbox = Sandbox::new(
        "
version: 1
name: checked
flows: [hmc]
targets: [mog]
sampling: {start: approximate}
",
    );
    sandbox.harness("plan sweep.yaml").assert().code(64).stderr(contains("`start` of `sampling` must be"));
}

/// A sampler's cell that is stopped, in its training or in its chains, ends as if it had not been.
#[test]
fn a_sampler_goes_on_as_if_never_stopped() {
    let sweep = "
version: 1
name: stopped
flows: [{nn-hmc: {n_steps: 4}}]
targets: [banana]
train: {steps: 6000, batch: 64}
eval: {every: 2000, final_draws: 500, throughput: false}
sampling: {chains: 50, warm_up: 50, transitions: 400, temperatures: 20, bound_draws: 100}
";
    let undisturbed = Sandbox::new(sweep);
    undisturbed.harness("run sweep.yaml").assert().success();
    let reference = undisturbed.results("results/stopped").snapshot();
    for signal in [Signal::SIGKILL, Signal::SIGINT] {
        let sandbox = Sandbox::new(sweep);
        let results = sandbox.results("results/stopped");
        let mut running = sandbox.start("run sweep.yaml");
        let checkpoint = |id: &String| results.cell(id, "checkpoint.safetensors").exists();
        wait_until("it is half-way", || results.cells().iter().any(checkpoint) || running.has_ended());
        assert!(!running.has_ended(), "it was too fast to be stopped");
        running.signal(signal);
        running.wait();
        sandbox.wait_until_quiet();
        sandbox.harness("run sweep.yaml").assert().success();
        results.snapshot().assert_same(&reference);
    }
}
