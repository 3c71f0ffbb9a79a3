//! Figures of a table in the JSON that benchmark trackers read, so that they can draw them over commits.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::statistics::interquartile;
use crate::table::{Figure, Grouping, Runs, figures};

/// Figures that are worth a line over commits.
const TRACKED: [&str; 6] = ["elbo_nats", "eubo_nats", "w2", "train_samples_per_s", "draws_per_s", "ess_per_grad"];

/// For github-action-benchmark, `customBiggerIsBetter` or `customSmallerIsBetter`: each takes the figures that are
/// better that way.
pub fn github_action_benchmark(runs: &Runs, better: &str) -> Value {
    let of_kind = |(_, figure, _): &(String, Figure, Middle)| figure.better == Some(better);
    let entry = |(group, figure, middle): (String, Figure, Middle)| {
        json!({
            "name": format!("{group}: {}", figure.title), "unit": figure.unit, "value": middle.mid,
            "range": format!("± {}", (middle.high - middle.low) / 2.0), "extra": format!("{} seeds", middle.n),
        })
    };
    tracked(runs).into_iter().filter(of_kind).map(entry).collect()
}

/// Bencher Metric Format: benchmark → measure → value with its interval.
pub fn bencher(runs: &Runs) -> Value {
    let mut benchmarks: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for (group, figure, middle) in tracked(runs) {
        let measure = json!({"value": middle.mid, "lower_value": middle.low, "upper_value": middle.high});
        benchmarks.entry(group).or_default().insert(figure.key, measure);
    }
    json!(benchmarks)
}

/// Interquartile mean over seeds with its interval.
struct Middle {
    mid: f64,
    low: f64,
    high: f64,
    n: usize,
}

fn tracked(runs: &Runs) -> Vec<(String, Figure, Middle)> {
    let figures: Vec<Figure> =
        figures(&runs.runs).into_iter().filter(|figure| TRACKED.contains(&figure.key.as_str())).collect();
    let grouping = Grouping::new(&runs.runs, &[]);
    let of_group = |figure: &Figure, cells: &[f64]| {
        let found = interquartile(cells)?;
        let (low, high) = (found.low.unwrap_or(found.mid), found.high.unwrap_or(found.mid));
        Some((figure.clone(), Middle { mid: found.mid, low, high, n: found.n }))
    };
    let mut all = Vec::new();
    for group in &grouping.groups {
        for figure in &figures {
            let values: Vec<f64> = group.survivors(&runs.runs).filter_map(|run| figure.of(run)).collect();
            let found = of_group(figure, &values);
            all.extend(found.map(|(figure, middle)| (format!("{} on {}", group.label, group.target), figure, middle)));
        }
    }
    all
}
