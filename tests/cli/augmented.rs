//! A flow whose log q is an estimate: measured like any other, and not held against itself.

use laws::{Record, Sandbox};

/// The encoder's shift b stays near 1, half a nat from tight on either side.
const SWEEP: &str = "
version: 1
name: augmented
flows: [augmented, two-faced]
targets: [{gaussian: {dim: 2, mean: 1.0}}]
train: {objective: [reverse-kl, data], steps: 12, batch: 16}
eval: {every: 6, draws: 64, final_draws: 5000, throughput: false}
";

#[test]
fn only_a_flow_that_says_so_may_estimate() {
    let sandbox = Sandbox::new(SWEEP);
    sandbox.harness("run sweep.yaml").assert().code(20);
    let results = sandbox.results("results/augmented");
    let number = |row: &Record, column: &str| row[column].parse::<f64>().unwrap();
    for row in results.runs() {
        if row["flow"] == "two-faced" {
            assert_eq!(row["status"], "plugin-error");
            assert!(row["status_detail"].contains("log q of a draw differs between sample and density"));
            continue;
        }
        assert_eq!(row["status"], "ok", "{:?}", row.get("status_detail"));
        let (log_z, eubo) = (number(&row, "log_z_nats"), number(&row, "eubo_nats"));
        assert!(number(&row, "elbo_nats") < log_z - 0.3 && eubo > log_z + 0.3, "{row:?}");
        assert!(row.contains_key("forward_ess"));
        assert_eq!(row["target_evals"], if row["objective"] == "data" { "0" } else { "192" });
    }
    let compared = |row: &Record| row["metric"] == "density_error_p50";
    let snapshot = sandbox.results("results/augmented").snapshot();
    assert!(!snapshot.clone().of_flow("augmented").metrics.iter().any(compared));
    assert!(snapshot.of_flow("two-faced").metrics.iter().any(compared));
}
