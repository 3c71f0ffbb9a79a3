//! What a report shows of a cell: each figure with its name, unit and meaning.

use serde::Serialize;

use super::runs::Run;

/// Of figures of which more is better.
pub const HIGHER: &str = "higher";
/// Of figures of which less is better.
pub const LOWER: &str = "lower";

/// A figure of a cell.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// Its column in runs.csv, or what it is derived as.
    pub key: String,
    /// What a heading calls it.
    pub title: String,
    /// Its unit; empty for a bare number.
    pub unit: &'static str,
    /// Which way is better, where one is.
    pub better: Option<&'static str>,
    /// One sentence.
    pub about: String,
    /// Whether a table shows it without being asked.
    pub shown: bool,
    #[serde(skip)]
    value: Value,
}

#[derive(Clone, Debug)]
enum Value {
    Column(fn(&Run) -> Option<f64>),
    Probe(String),
}

impl Figure {
    /// Of a cell; missing is none, and so is what is not finite.
    pub fn of(&self, run: &Run) -> Option<f64> {
        let value = match &self.value {
            Value::Column(column) => column(run),
            Value::Probe(name) => run.probes.get(name).copied(),
        };
        value.filter(|value| value.is_finite())
    }
}

/// The figures that some cell has, in the order of a table.
pub fn figures(runs: &[Run]) -> Vec<Figure> {
    let mut probes: Vec<&String> = runs.iter().flat_map(|run| run.probes.keys()).collect();
    probes.sort();
    probes.dedup();
    let of_plugins = probes.into_iter().map(|name| Figure {
        key: format!("probe.{name}"),
        title: name.replace('_', " "),
        unit: "",
        better: None,
        about: "A figure that the plugin reports of itself.".into(),
        shown: false,
        value: Value::Probe(name.clone()),
    });
    fixed().into_iter().chain(of_plugins).filter(|figure| runs.iter().any(|run| figure.of(run).is_some())).collect()
}

/// Whether some table may have the figure.
pub fn is_figure(key: &str) -> bool {
    key.starts_with("probe.") || FIXED.iter().any(|fixed| fixed.0 == key)
}

type Fixed = (&'static str, &'static str, &'static str, &'static str, bool, &'static str, fn(&Run) -> Option<f64>);

/// Key, title, unit, better (`+`, `-`, or neither), shown, about, value.
const FIXED: [Fixed; 37] = [
    ("elbo_nats", "ELBO", "nats", "+", true, "Lower bound on log Z; it alone ranks nothing.", |run| run.row.elbo_nats),
    (
        "elbo_gap_nats",
        "log Z − ELBO",
        "nats",
        "-",
        true,
        "Reverse KL divergence, or more; needs a known log Z.",
        |run| run.row.elbo_gap_nats,
    ),
    (
        "eubo_gap_nats",
        "EUBO − log Z",
        "nats",
        "-",
        true,
        "Forward KL divergence, or more; sees modes that were lost.",
        |run| Some(run.row.eubo_nats? - run.row.log_z_nats?),
    ),
    ("mode_coverage", "mode coverage", "", "+", true, "Mass of modes that the draws reach; 1 is all.", |run| {
        run.row.mode_coverage
    }),
    ("w2", "sliced W2", "", "-", true, "Sliced Wasserstein-2 distance of draws from exact ones.", |run| run.row.w2),
    ("reverse_ess", "reverse ESS", "", "+", true, "Share of effective draws in importance sampling.", |run| {
        run.row.reverse_ess
    }),
    ("ess_min", "ESS", "", "+", true, "Effective draws of the worst coordinate.", |run| run.row.ess_min),
    ("ess_per_grad", "ESS per gradient", "", "+", true, "Effective draws for a target evaluation.", |run| {
        run.row.ess_per_grad
    }),
    ("rhat_max", "R̂", "", "-", true, "Largest split R̂; above 1.01 chains have not mixed.", |run| run.row.rhat_max),
    ("bound_evals", "evaluations", "", "-", true, "Target evaluations behind the ELBO, training included.", |run| {
        run.row.bound_evals.map(|n| n as f64)
    }),
    ("train_s", "training", "s", "-", true, "Seconds of training; compare within a machine only.", |run| {
        run.row.train_s
    }),
    ("eubo_nats", "EUBO", "nats", "-", false, "Upper bound on log Z.", |run| run.row.eubo_nats),
    ("iw_bound_nats", "importance-weighted bound", "nats", "+", false, "A tighter lower bound on log Z.", |run| {
        run.row.iw_bound_nats
    }),
    ("forward_ess", "forward ESS", "", "+", false, "As the reverse one, by exact draws.", |run| run.row.forward_ess),
    ("acceptance", "acceptance", "", "", false, "Mean probability that a proposal is accepted.", |run| {
        run.row.acceptance
    }),
    ("ess_per_s", "ESS per second", "1/s", "+", false, "Effective draws a second.", |run| run.row.ess_per_s),
    ("mean_error", "error of means", "sd", "-", false, "Largest error of a coordinate's mean.", |run| {
        run.row.mean_error
    }),
    ("sd_error", "error of sds", "", "-", false, "Largest relative error of a coordinate's spread.", |run| {
        run.row.sd_error
    }),
    ("energy_error", "energy error", "nats", "-", false, "How far a trajectory is from conserving H.", |run| {
        run.row.energy_error
    }),
    (
        "reversibility_error",
        "reversibility error",
        "",
        "-",
        false,
        "Distance from the start after there and back.",
        |run| run.row.reversibility_error,
    ),
    ("log_det_error", "log-det error", "nats", "-", false, "Stated log-det against the Jacobian's.", |run| {
        run.row.log_det_error
    }),
    ("grad_norm_p50", "gradient norm, median", "", "", false, "Over training.", |run| run.row.grad_norm_p50),
    ("grad_norm_max", "gradient norm, largest", "", "", false, "Over training.", |run| run.row.grad_norm_max),
    ("nonfinite_steps", "steps not finite", "", "-", false, "Steps whose gradient was not finite.", |run| {
        run.row.nonfinite_steps.map(|n| n as f64)
    }),
    ("skipped_steps", "steps skipped", "", "-", false, "Steps that were not taken.", |run| {
        run.row.skipped_steps.map(|n| n as f64)
    }),
    ("frozen_chains", "frozen chains", "", "-", false, "Chains that never moved.", |run| {
        run.row.frozen_chains.map(|n| n as f64)
    }),
    (
        "squared_jump",
        "squared jump",
        "",
        "+",
        false,
        "Mean squared distance of a proposal times its acceptance.",
        |run| run.row.squared_jump,
    ),
    ("train_steps", "steps", "", "", false, "Training steps taken.", |run| run.row.train_steps.map(|n| n as f64)),
    ("target_evals", "evaluations of training", "", "-", false, "Target evaluations of the training.", |run| {
        run.row.target_evals.map(|n| n as f64)
    }),
    ("n_params", "parameters", "", "", false, "Number of learnt parameters.", |run| run.row.n_params.map(|n| n as f64)),
    ("wall_s", "wall time", "s", "-", false, "From the worker's start to its end.", |run| run.row.wall_s),
    ("setup_s", "set-up", "s", "-", false, "Before the first step.", |run| run.row.setup_s),
    ("train_samples_per_s", "training samples a second", "1/s", "+", false, "By the throughput protocol.", |run| {
        run.row.train_samples_per_s
    }),
    ("draws_per_s", "draws a second", "1/s", "+", false, "By the throughput protocol.", |run| run.row.draws_per_s),
    ("peak_rss_mib", "peak memory", "MiB", "-", false, "Resident memory of the whole worker.", |run| {
        run.row.peak_rss_bytes.map(|bytes| bytes as f64 / f64::from(1 << 20))
    }),
    (
        "sampling_evals",
        "evaluations of sampling",
        "",
        "-",
        false,
        "Target evaluations of measured transitions.",
        |run| run.row.sampling_evals.map(|n| n as f64),
    ),
    ("levy_ess_per_grad", "Levy's ESS per gradient", "", "+", false, "As L2HMC's paper defines it.", |run| {
        run.row.levy_ess_per_grad
    }),
];

fn fixed() -> Vec<Figure> {
    FIXED
        .iter()
        .map(|&(key, title, unit, better, shown, about, column)| Figure {
            key: key.into(),
            title: title.into(),
            unit,
            better: match better {
                "+" => Some(HIGHER),
                "-" => Some(LOWER),
                _ => None,
            },
            about: about.into(),
            shown,
            value: Value::Column(column),
        })
        .collect()
}
