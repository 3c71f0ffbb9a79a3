//! What each verb shows.

use laws::Sandbox;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;

/// The sweep of the manual.
const EXAMPLE: &str = include_str!("design-example.yaml");

/// Columns of runs.csv that tools may rely on, in order.
const COLUMNS: &str = "schema_version,cell_id,name,flow,target,dim,objective,seed,device,dtype,status,status_detail,\
    train_steps,elbo_nats,elbo_se_nats,log_z_nats,elbo_gap_nats,iw_bound_nats,reverse_ess,eubo_nats,forward_ess,\
    mode_coverage,w2,nonfinite_steps,skipped_steps,grad_norm_p50,grad_norm_max,energy_error,reversibility_error,\
    log_det_error,acceptance,ess_min,ess_per_grad,rhat_max,train_samples_per_s,draws_per_s,target_evals,setup_s,\
    train_s,wall_s,peak_rss_bytes,n_params,threads,plugin_version,plugin_sha256,started_utc";

const SMALL: &str = "
version: 1
name: small
flows: [{planar: {layers: 2}}, misbehaving]
targets: [{gaussian: {dim: 2}}, u1]
train: {objective: [reverse-kl, data], steps: 6, batch: 8}
eval: {every: 3, draws: 16, final_draws: 100}
";

#[test]
fn list_names_flows_and_targets() {
    let sandbox = Sandbox::new("");
    sandbox.harness("list flows").assert().success().stdout(
        contains("planar").and(contains("radial")).and(contains("misbehaving")).and(contains("no-entry").not()),
    );
    let rows = json(&sandbox, "list --json");
    let rows = rows.as_array().unwrap();
    for (kind, name) in [("flow", "planar"), ("target", "u1"), ("target", "funnel"), ("unloadable", "wrong-abi")] {
        assert!(rows.iter().any(|row| row["kind"] == kind && row["name"] == name), "{kind} {name}");
    }
}

#[test]
fn list_integrators_shows_the_table_of_schemes() {
    let sandbox = Sandbox::new("");
    let shown = sandbox.harness("list integrators").assert().success();
    shown.stdout(contains("leapfrog").and(contains("Verlet 1967")).and(contains("planar").not()));
    let rows = json(&sandbox, "list integrators --json");
    let row = |name: &str| rows.as_array().unwrap().iter().find(|row| row["name"] == name).unwrap();
    let expected = [
        ("order", "4"),
        ("gradients_per_step", "3"),
        ("stability_limit", "1.57340"),
        ("limit_per_gradient", "0.524"),
        ("symplectic", "yes"),
        ("reversible", "yes"),
        ("volume_preserving", "yes"),
    ];
    for (key, value) in expected {
        assert_eq!(row("forest-ruth")[key], value, "{key}");
    }
    assert_eq!(row("explicit-euler")["stability_limit"], "unstable");
    assert_eq!(row("implicit-midpoint")["gradients_per_step"], "");
}

#[test]
fn describe_shows_parameters_with_defaults_and_what_is_known() {
    let sandbox = Sandbox::new("");
    let shown = sandbox.harness("describe planar").assert().success();
    shown.stdout(contains("Rezende & Mohamed 2015").and(contains("layers")).and(contains("gaussian | soft-uniform")));
    assert_eq!(json(&sandbox, "describe planar --json")["parameters"]["properties"]["layers"]["default"], 8);
    sandbox.harness("describe u1").assert().success().stdout(contains("log Z").and(contains("known from")));
    assert_eq!(json(&sandbox, "describe u1 --json")["about"]["dim"], 2);
}

#[test]
fn schema_is_a_json_schema_that_the_example_satisfies() {
    let sandbox = Sandbox::new("");
    let schema = json(&sandbox, "schema");
    assert!(jsonschema::meta::is_valid(&schema));
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let example: Value = serde_saphyr::from_str(EXAMPLE).unwrap();
    assert!(validator.is_valid(&example), "{:?}", validator.iter_errors(&example).next());
    let mut wrong = example;
    wrong["flows"][0]["planar"]["layers"] = "many".into();
    assert!(!validator.is_valid(&wrong));
}

#[test]
fn plan_shows_every_cell_and_every_exclusion_and_runs_nothing() {
    let sandbox = Sandbox::new(EXAMPLE);
    sandbox.harness("plan sweep.yaml").assert().success().stdout(contains("141 cells, 3 excluded"));
    let rows = json(&sandbox, "plan sweep.yaml --json");
    let states: Vec<&str> = rows.as_array().unwrap().iter().map(|row| row["state"].as_str().unwrap()).collect();
    assert_eq!(states.iter().filter(|state| **state == "pending").count(), 141);
    let excluded = "excluded by line 13: {flow: radial, target: funnel}";
    assert_eq!(states.iter().filter(|state| **state == excluded).count(), 3);
    assert!(!sandbox.path("results").exists());
}

#[test]
fn a_small_sweep_leaves_tables_that_replay_confirms() {
    let sandbox = Sandbox::new(SMALL);
    sandbox.harness("run sweep.yaml").assert().success().stdout(contains("all planned cells: 6 ok, 2 skipped"));
    let results = sandbox.results("results/small");
    assert!(results.text("runs.csv").starts_with(&format!("{COLUMNS},")));
    assert!(
        results
            .text("runs.csv")
            .lines()
            .take(1)
            .all(|header| header.contains(",p.layers,") && header.contains(",p.mode,"))
    );
    assert!(results.text("metrics.csv").starts_with("cell_id,step,wall_s,target_evals,metric,value,se,n\n"));
    for row in results.runs() {
        let skipped = row["flow"] == "misbehaving" && row["objective"] == "data";
        assert_eq!(row["status"], if skipped { "skipped" } else { "ok" });
        let reason = "objective `data` needs a log-density, which `misbehaving` does not have";
        assert_eq!(row.get("status_detail").map(String::as_str), skipped.then_some(reason));
    }
    let cell = results.runs().into_iter().find(|row| row["objective"] == "data" && row["status"] == "ok").unwrap();
    let before = results.finished();
    let figures = json(&sandbox, &format!("replay results/small {} --json", &cell["cell_id"][..8]));
    for figure in figures.as_array().unwrap() {
        let time = figure["figure"].as_str().unwrap().ends_with("_s");
        assert_eq!(figure["verdict"], if time { "a time" } else { "same" }, "{figure}");
    }
    assert!(figures.as_array().unwrap().len() > 15);
    assert_eq!(results.finished(), before, "the stored result is left as it is");
    sandbox.harness("plan sweep.yaml --json").assert().success().stdout(contains("\"ok\"").and(contains("skipped")));
}

#[test]
fn the_help_of_each_verb_has_an_example() {
    let sandbox = Sandbox::new("");
    for verb in ["run", "plan", "collect", "list", "describe", "new", "schema", "replay"] {
        let help = sandbox.harness(&format!("{verb} --help")).assert().success();
        help.stdout(contains(format!("Example: harness {verb} ")));
    }
    sandbox.harness("--help").assert().success().stdout(contains("worker").not());
    sandbox.harness("").assert().code(64).stderr(contains("Usage"));
}

fn json(sandbox: &Sandbox, line: &str) -> Value {
    let said = sandbox.harness(line).assert().success();
    serde_json::from_slice(&said.get_output().stdout).unwrap()
}
