//! What the curves of a training say: probes at every look, gradient norms by group, and what blew up.

use std::collections::BTreeMap;

use laws::{Record, Sandbox};

const FAST: &str = "targets: [{gaussian: {dim: 2, mean: 1.0}}]
train: {steps: 20, batch: 16, optimizer: {adam: {lr: 0.1}}, give_up_after: 3}
eval: {every: 5, draws: 16, final_draws: 400, throughput: false}
";

/// A cell of the augmented fixture: its row, and its metrics by name and step.
struct Recorded {
    row: Record,
    metrics: BTreeMap<(String, u64), Record>,
}

impl Recorded {
    fn run(params: &str) -> Self {
        let sandbox =
            Sandbox::new(&format!("version: 1\nname: recorded\nflows: [{{augmented: {{{params}}}}}]\n{FAST}"));
        let code = sandbox.harness("run sweep.yaml").assert().get_output().status.code();
        assert!(matches!(code, Some(0 | 20)), "{code:?}");
        let snapshot = sandbox.results("results/recorded").snapshot();
        let [row] = &snapshot.runs[..] else { panic!("one cell") };
        let key = |row: &Record| (row["metric"].clone(), row["step"].parse().unwrap());
        let metrics: BTreeMap<_, _> = snapshot.metrics.iter().map(|row| (key(row), row.clone())).collect();
        assert_eq!(metrics.len(), snapshot.metrics.len(), "a metric is recorded once a step");
        Self { row: row.clone(), metrics }
    }

    fn steps(&self, metric: &str) -> Vec<u64> {
        self.metrics.keys().filter(|(name, _)| name == metric).map(|(_, step)| *step).collect()
    }

    fn value(&self, metric: &str, step: u64) -> Option<f64> {
        Some(self.metrics[&(metric.into(), step)].get("value")?.parse().unwrap())
    }
}

#[test]
fn every_look_has_its_probes_and_norms() {
    let recorded = Recorded::run("");
    assert_eq!(recorded.row["status"], "ok");
    // What probes and evaluations ask of the target is not counted.
    assert_eq!(recorded.row["target_evals"], "320");
    let looks = [0, 5, 10, 15, 20];
    for name in ["elbo_nats", "encoder_shift", "mean_log_gamma", "undefined", "nonfinite_steps", "skipped_steps"] {
        assert_eq!(recorded.steps(name), looks, "{name}");
    }
    assert_eq!(recorded.value("encoder_shift", 0), Some(1.0));
    assert!(recorded.value("encoder_shift", 10) < recorded.value("encoder_shift", 5), "training tightens the bound");
    assert!(looks.iter().all(|&step| recorded.value("undefined", step).is_none()), "what is not finite is missing");
    for group in ["grad_norm_max.flow", "grad_norm_max.encoder"] {
        assert_eq!(recorded.steps(group), looks[1..], "{group}");
        assert!(looks[1..].iter().all(|&step| recorded.metrics[&(group.into(), step)]["n"] == "5"));
    }
    groups_bound_the_whole(&recorded);
}

/// A part is no longer than the whole, and the whole no longer than its largest parts together.
fn groups_bound_the_whole(recorded: &Recorded) {
    let largest = |group: &str| {
        let norms = recorded.steps(group).into_iter().filter_map(|step| recorded.value(group, step));
        norms.fold(0.0, f64::max)
    };
    let whole: f64 = recorded.row["grad_norm_max"].parse().unwrap();
    let parts = [largest("grad_norm_max.flow"), largest("grad_norm_max.encoder")];
    assert!(parts.iter().all(|&part| part > 0.0 && part <= whole), "{parts:?} of {whole}");
    assert!(parts[0].hypot(parts[1]) >= whole * (1.0 - 1e-12), "{parts:?} of {whole}");
}

#[test]
fn a_training_that_gives_up_shows_its_last_steps() {
    for (probe, probed) in [("good", true), ("error", false), ("panic", false)] {
        let recorded = Recorded::run(&format!("nan_late: true, late_probe: {probe}"));
        let said = &recorded.row["status_detail"];
        assert_eq!(recorded.row["status"], "diverged", "{probe}: {said}");
        assert!(said.contains("3 non-finite gradients in a row"), "{probe}: {said}");
        let last: u64 = recorded.row["train_steps"].parse().unwrap();
        assert!(last > 5 && !last.is_multiple_of(5), "the training was meant to end between two looks: {last}");
        assert_eq!(recorded.steps("nonfinite_steps").last(), Some(&last));
        assert_eq!(recorded.value("nonfinite_steps", last), Some(3.0));
        assert_eq!(recorded.value("skipped_steps", last), Some(3.0));
        assert_eq!(recorded.steps("encoder_shift").last() == Some(&last), probed);
        assert_ne!(recorded.steps("elbo_nats").last(), Some(&last));
    }
}

#[test]
fn a_probe_that_fails_on_the_way_is_the_plugins_fault() {
    for (probe, status) in [("error", "plugin-error"), ("panic", "panicked")] {
        let recorded = Recorded::run(&format!("late_probe: {probe}"));
        assert_eq!(recorded.row["status"], status);
        assert!(recorded.row["status_detail"].contains("on purpose"), "{}", recorded.row["status_detail"]);
    }
}

/// The norm of a group that is all of the gradient is in the curve already.
#[test]
fn one_group_has_no_norm_of_its_own() {
    let recorded = Recorded::run("one_group: true");
    assert!(recorded.steps("grad_norm_p50").len() > 3);
    assert!(!recorded.metrics.keys().any(|(name, _)| name.starts_with("grad_norm_max.")));
}
