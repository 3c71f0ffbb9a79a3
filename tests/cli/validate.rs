//! `validate` finds bugs that were planted, tells where, and is content with a plugin that has none.

use laws::{Sandbox, built};
use serde_json::Value;

/// A bug of the fixture, the check that finds it, how that ends, words of what it finds.
const BUGS: [(&str, &str, &str, &str); 20] = [
    ("log-det-sign", "numerics.draws", "failed", "log q is off by some"),
    ("density-log-det-sign", "numerics.density", "failed", "over all draws they differ by"),
    ("missing-gradient", "numerics.gradient-of-sample", "failed", "`m`[1], parameter 1: backward says 0.0"),
    ("gradient-sign", "numerics.gradient-of-density", "failed", "the sign is wrong"),
    ("keeps-state", "consistency.repeat", "failed", "does the instance keep state between calls?"),
    ("shares-state", "consistency.instances", "failed", "a second instance"),
    ("thread-dependent", "consistency.threads", "failed", "other bits with RAYON_NUM_THREADS=3 than with 1"),
    ("batch-mean", "consistency.batch", "failed", "row 0 is"),
    ("writes-input", "robustness.memory", "failed", "`sample` wrote into its input `params`: element 0"),
    ("writes-beside", "robustness.memory", "failed", "`sample` wrote outside of `x`: at element 14 of 14"),
    ("leak", "robustness.leaks", "failed", "bytes more in use"),
    ("panic", "contract.defaults", "failed", "sample panicked: sample panics on purpose"),
    ("panic-on-nan", "robustness.not-a-number", "failed", "sample panicked: a NaN"),
    ("abort", "contract.defaults", "crashed", "the process was ended by SIGABRT"),
    ("segfault", "numerics.density", "crashed", "the process was ended by SIGSEGV"),
    ("hang", "numerics.density", "crashed", "no answer within 5s"),
    ("wrong-dimension", "contract.defaults", "failed", "the host expects shape [32, 2], the result has [32, 3]"),
    ("constant", "numerics.draws", "failed", "log q is off by some +0.09"),
    ("hides-nan", "robustness.not-a-number", "failed", "divergence would not show"),
    ("coarse", "consistency.precision", "failed", "x of sample: f32 and f64 differ"),
];

/// The report on the fixture with one bug; only these checks, or all.
fn report(sandbox: &Sandbox, bug: &str, more: &str) -> (i32, Value) {
    let line = format!("validate planted --json --fuzz 0 --limit 5s --set bug={bug} {more}");
    let output = sandbox.harness(&line).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{bug}: {error}: {said}"));
    (output.status.code().unwrap_or(-1), report)
}

fn check<'a>(report: &'a Value, name: &str) -> &'a Value {
    let checks = report["checks"].as_array().expect("a list of checks");
    checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("{name} is missing: {report}"))
}

#[test]
fn every_planted_bug_is_found() {
    let sandbox = Sandbox::new("");
    for (bug, name, result, found) in BUGS {
        let (code, report) = report(&sandbox, bug, &format!("--only {name}"));
        let check = check(&report, name);
        assert_eq!(check["result"], result, "{bug}: {check}");
        assert!(check["found"].as_str().is_some_and(|words| words.contains(found)), "{bug}: {check}");
        assert_eq!(code, 20, "{bug}");
        assert_eq!(report["passed"], false, "{bug}");
        let again = check["again"].as_str().expect("how to ask again");
        assert!(again.contains(&format!("--set 'bug={bug}' --only {name}")), "{bug}: {again}");
    }
}

/// Without a bug every check passes; what finds a bug above finds none here.
#[test]
fn a_sound_plugin_passes() {
    let (code, report) = report(&Sandbox::new(""), "none", "");
    let unwell = |check: &&Value| !["success", "skipped"].contains(&check["result"].as_str().unwrap_or_default());
    let unwell: Vec<&Value> = report["checks"].as_array().expect("a list").iter().filter(unwell).collect();
    assert!(unwell.is_empty(), "{unwell:#?}");
    assert_eq!((code, &report["passed"]), (0, &Value::Bool(true)));
    for (bug, name, ..) in BUGS {
        assert_eq!(check(&report, name)["result"], "success", "{bug}");
    }
}

/// What a schema cannot say, a plugin may refuse, but for its defaults in two dimensions.
#[test]
fn a_plugin_may_refuse_a_case() {
    let (code, report) = report(&Sandbox::new(""), "refuses-one-dimension", "--only consistency,numerics,robustness");
    let wrong = |check: &&Value| check["result"] == "failed" || check["result"] == "crashed";
    let wrong: Vec<&Value> = report["checks"].as_array().expect("a list").iter().filter(wrong).collect();
    assert!(code == 0 && wrong.is_empty(), "{wrong:#?}");
}

/// What is unwise is a warning, with which a plugin passes.
#[test]
fn dead_weight_is_a_warning() {
    let (code, report) = report(&Sandbox::new(""), "dead-weight", "--only reach");
    let check = check(&report, "numerics.reach");
    assert_eq!((code, &check["result"]), (0, &Value::from("warning")));
    assert!(check["found"].as_str().is_some_and(|words| words.contains("3 of 3 parameters of `unused`")), "{check}");
}

/// Whatever lies beside the binary. One has its mistakes as a parameter.
#[test]
fn every_plugin_of_the_repository_passes() {
    let sandbox = Sandbox::new("");
    let listed = sandbox.harness("list flows --json").env_remove("HARNESS_PLUGIN_PATH").assert().success();
    let rows: Value = serde_json::from_slice(&listed.get_output().stdout).expect("JSON");
    let names: Vec<&str> = rows.as_array().expect("a list").iter().filter_map(|row| row["name"].as_str()).collect();
    assert!(names.len() >= 9, "{names:?}");
    for name in names {
        let sound = if name == "hamiltonian-mistakes" { "--set mistakes=[]" } else { "" };
        let output = sandbox.harness(&format!("validate {name} {sound}")).env_remove("HARNESS_PLUGIN_PATH").output();
        let output = output.expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}

/// Samplers have laws of their own.
#[test]
fn bugs_of_a_sampler_are_found() {
    let sandbox = Sandbox::new("");
    let bugs = [
        ("wrong-carry", "numerics.transition", "`log_density` that it carries along"),
        ("accept-all", "numerics.invariance", "transitions from exact draws"),
        ("short", "contract.defaults", "the host expects shape"),
        ("not-a-number", "contract.defaults", "not finite"),
    ];
    for (mode, name, found) in bugs {
        let line = format!("validate walker --json --fuzz 0 --set mode={mode} --only {name}");
        let output = sandbox.harness(&line).assert().code(20).get_output().stdout.clone();
        let report: Value = serde_json::from_slice(&output).expect("JSON");
        let words = check(&report, name)["found"].as_str().unwrap_or_default().to_owned();
        assert!(words.contains(found), "{mode}: {words}");
    }
    sandbox
        .harness("validate walker --fuzz 0 --set mode=good --only numerics.transition,invariance")
        .assert()
        .success();
}

/// A case has a number, and the number gives the case again, in this process, too.
#[test]
fn a_failure_can_be_reproduced() {
    let sandbox = Sandbox::new("");
    let ask = |more: &str| {
        let line = format!("validate planted --json --set bug=log-det-sign --only numerics.draws {more}");
        let output = sandbox.harness(&line).assert().code(20).get_output().stdout.clone();
        let report: Value = serde_json::from_slice(&output).expect("JSON");
        check(&report, "numerics.draws").clone()
    };
    let apart = ask("--reproduce 4711");
    assert_eq!(apart["case"]["seed"], 4711);
    assert_eq!(apart, ask("--reproduce 4711 --in-process"));
    assert_eq!(ask("")["case"]["seed"], 0, "the first case that fails is told");
}

#[test]
fn bad_input_is_explained() {
    let sandbox = Sandbox::new("");
    for (line, words) in [
        ("validate planted --only numerics.drawz", "did you mean `numerics.draws`?"),
        ("validate no-such-plugin", "no plugin is called `no-such-plugin`: looked in "),
        ("validate ./libno.so", "there is no file ./libno.so"),
        ("validate sweep.yaml", "not a shared library"),
        ("validate planted --set bug=none-at-all", "--set: "),
        ("validate planted --set bug", "it is PARAMETER=VALUE"),
    ] {
        let output = sandbox.harness(line).assert().code(64).get_output().stderr.clone();
        let said = String::from_utf8_lossy(&output).into_owned();
        assert!(said.contains(words), "{line}: {said}");
    }
}

/// What people read: the law, what came, where, how to look further.
#[test]
fn the_report_teaches() {
    let sandbox = Sandbox::new("");
    let line = "validate planted --set bug=missing-gradient --only gradient-of-sample,leaks --fuzz 0";
    let output = sandbox.harness(line).assert().code(20).get_output().stdout.clone();
    let said = String::from_utf8_lossy(&output).into_owned();
    let file = built().fixtures.join("libplanted.so").canonicalize().expect("it is built").display().to_string();
    for words in [
        "numerics.gradient-of-sample  FAILED",
        "expected  `backward` is the derivative of `sample` in every parameter",
        "found     `m`[1], parameter 1: backward says 0.0",
        "their gradient is zero: the reverse pass leaves them out",
        "in        case 0: 2 dimensions, parameters {\"bug\":\"missing-gradient\"}",
        "robustness.leaks             success",
        "did not pass: 1 success, 1 failed",
    ] {
        assert!(said.contains(words), "`{words}` is not in\n{said}");
    }
    assert!(said.contains(&format!("again     harness validate {file}")), "{said}");
}
