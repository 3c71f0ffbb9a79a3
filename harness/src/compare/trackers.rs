//! Figures of a table in the JSON that benchmark trackers read, so that they can draw them over commits.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::statistics::Interval;
use crate::table::{Figure, Group, Grouping, Runs, figures};

/// Figures that are worth a line over commits.
const TRACKED: [&str; 6] = ["elbo_nats", "eubo_nats", "w2", "train_samples_per_s", "draws_per_s", "ess_per_grad"];

/// For github-action-benchmark, `customBiggerIsBetter` or `customSmallerIsBetter`: each takes the figures that are
/// better that way.
pub fn github_action_benchmark(runs: &Runs, better: &str) -> Value {
    let of_kind = |(_, figure, _): &(String, Figure, Interval)| figure.better == Some(better);
    let entry = |(group, figure, middle): (String, Figure, Interval)| {
        let (low, high) = ends(&middle);
        json!({
            "name": format!("{group}: {}", figure.title), "unit": figure.unit, "value": middle.mid,
            "range": format!("± {}", (high - low) / 2.0), "extra": format!("{} seeds", middle.n),
        })
    };
    tracked(runs).into_iter().filter(of_kind).map(entry).collect()
}

/// Bencher Metric Format: benchmark → measure → value with its interval.
pub fn bencher(runs: &Runs) -> Value {
    let mut benchmarks: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for (group, figure, middle) in tracked(runs) {
        let (low, high) = ends(&middle);
        let measure = json!({"value": middle.mid, "lower_value": low, "upper_value": high});
        benchmarks.entry(group).or_default().insert(figure.key, measure);
    }
    json!(benchmarks)
}

/// Of a single seed the interval is its value.
fn ends(middle: &Interval) -> (f64, f64) {
    (middle.low.unwrap_or(middle.mid), middle.high.unwrap_or(middle.mid))
}

/// Group, figure, and its middle over seeds.
fn tracked(runs: &Runs) -> Vec<(String, Figure, Interval)> {
    let figures: Vec<Figure> =
        figures(&runs.runs).into_iter().filter(|figure| TRACKED.contains(&figure.key.as_str())).collect();
    let of_group = |group: &Group| -> Vec<(String, Figure, Interval)> {
        let stats = figures.iter().zip(&group.stats);
        stats.filter_map(|(figure, middle)| Some((group.name(), figure.clone(), (*middle)?))).collect()
    };
    Grouping::new(&runs.runs, &figures).groups.iter().flat_map(of_group).collect()
}
