//! Two settings compared on all cells that differ in nothing else.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use serde::Serialize;

use crate::results::Status;
use crate::statistics::paired;
use crate::table::Axis;
use crate::table::Figure;
use crate::table::Run;

/// Figures that settings are compared by.
const COMPARED: [&str; 7] =
    ["elbo_gap_nats", "eubo_gap_nats", "w2", "mode_coverage", "ess_per_grad", "train_s", "elbo_nats"];
/// With more values of a setting, neighbours only are compared.
const FEW: usize = 5;

/// The effect of going from one value to another.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The setting's column; several that move together are joined by `+`.
    pub axis: String,
    /// What a heading calls it.
    pub title: String,
    /// One value.
    pub from: String,
    /// The other.
    pub to: String,
    /// Figure.
    pub metric: String,
    /// Pairs of cells in which both ended `ok` and have the figure.
    pub pairs: usize,
    /// Pairs of which at least one did not end `ok`.
    pub lost: usize,
    /// Mean of the second less the first.
    pub effect: f64,
    /// Its interval.
    pub low: Option<f64>,
    /// Its interval.
    pub high: Option<f64>,
    /// The smallest effect that would have been seen.
    pub smallest: Option<f64>,
}

/// Settings that determine each other, as the columns of a `zip` do: they can only be told apart together.
struct Bundle<'a> {
    axes: Vec<&'a Axis>,
}

impl Bundle<'_> {
    /// The values that a cell has, if it has all.
    fn value(&self, run: &Run) -> Option<String> {
        let values: Option<Vec<&str>> =
            self.axes.iter().map(|axis| run.settings.get(&axis.key).map(String::as_str)).collect();
        values.map(|values| values.join(", "))
    }

    fn joined(&self, part: impl Fn(&Axis) -> &str, with: &str) -> String {
        self.axes.iter().map(|axis| part(axis)).collect::<Vec<_>>().join(with)
    }
}

/// Every comparison that the table allows.
pub fn comparisons(runs: &[Run], varied: &[Axis], figures: &[Figure]) -> Vec<Comparison> {
    let figures: Vec<&Figure> =
        COMPARED.iter().filter_map(|key| figures.iter().find(|figure| figure.key == *key)).collect();
    bundles(runs, varied).par_iter().flat_map(|bundle| of_bundle(runs, bundle, &figures)).collect()
}

fn of_bundle(runs: &[Run], bundle: &Bundle<'_>, figures: &[&Figure]) -> Vec<Comparison> {
    let mut values: Vec<String> = Vec::new();
    // What else a cell is → its value → the cell.
    let mut rest: BTreeMap<String, BTreeMap<String, &Run>> = BTreeMap::new();
    for run in runs {
        let Some(value) = bundle.value(run) else { continue };
        if !values.contains(&value) {
            values.push(value.clone());
        }
        let other = run.settings.iter().filter(|(key, _)| bundle.axes.iter().all(|axis| axis.key != **key));
        let settings: Vec<String> = other.map(|(key, value)| format!("{key}={value}")).collect();
        let key = format!("{}\n{}\n{}\n{}", run.row.flow, run.row.target, run.row.seed, settings.join("\n"));
        rest.entry(key).or_default().insert(value, run);
    }
    let all = (0..values.len()).flat_map(|i| (i + 1..values.len()).map(move |j| (i, j)));
    let few = values.len() <= FEW;
    let chosen = all.filter(|&(i, j)| few || j == i + 1);
    let mut found = Vec::new();
    for (i, j) in chosen {
        let both: Vec<(&Run, &Run)> =
            rest.values().filter_map(|cells| Some((*cells.get(&values[i])?, *cells.get(&values[j])?))).collect();
        let ok: Vec<&(&Run, &Run)> =
            both.iter().filter(|(a, b)| a.status == Status::Ok && b.status == Status::Ok).collect();
        for figure in figures {
            let differences: Vec<f64> = ok.iter().filter_map(|(a, b)| Some(figure.of(b)? - figure.of(a)?)).collect();
            let Some(effect) = paired(&differences) else { continue };
            found.push(Comparison {
                axis: bundle.joined(|axis| &axis.key, "+"),
                title: bundle.joined(|axis| &axis.title, ", "),
                from: values[i].clone(),
                to: values[j].clone(),
                metric: figure.key.clone(),
                pairs: differences.len(),
                lost: both.len() - ok.len(),
                effect: effect.mean.mid,
                low: effect.mean.low,
                high: effect.mean.high,
                smallest: effect.smallest,
            });
        }
    }
    found
}

/// Varied settings, those that determine each other together.
fn bundles<'a>(runs: &[Run], varied: &'a [Axis]) -> Vec<Bundle<'a>> {
    let together = |a: &Axis, b: &Axis| {
        let pairs: BTreeSet<(Option<&String>, Option<&String>)> = runs
            .iter()
            .map(|run| (run.settings.get(&a.key), run.settings.get(&b.key)))
            .filter(|(a, b)| a.is_some() || b.is_some())
            .collect();
        let firsts: BTreeSet<_> = pairs.iter().map(|pair| pair.0).collect();
        let seconds: BTreeSet<_> = pairs.iter().map(|pair| pair.1).collect();
        firsts.len() == pairs.len() && seconds.len() == pairs.len()
    };
    let mut bundles: Vec<Bundle<'a>> = Vec::new();
    for axis in varied {
        match bundles.iter_mut().find(|bundle| together(bundle.axes[0], axis)) {
            Some(bundle) => bundle.axes.push(axis),
            None => bundles.push(Bundle { axes: vec![axis] }),
        }
    }
    bundles
}
