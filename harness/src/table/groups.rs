//! Cells that differ in their seed alone, side by side with what the seeds say together.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use serde::Serialize;

use super::figures::Figure;
use super::runs::{Run, SECTIONS};
use crate::results::Status;
use crate::statistics::{Interval, interquartile};

/// A setting that differs between groups.
#[derive(Clone, Debug, Serialize)]
pub struct Axis {
    /// Its column.
    pub key: String,
    /// What a heading calls it.
    pub title: String,
}

/// Cells of one flow on one target with the same settings.
#[derive(Clone, Debug, Serialize)]
pub struct Group {
    /// Flow or sampler.
    pub flow: String,
    /// Target, with those of its settings that differ.
    pub target: String,
    /// Settings that differ between groups, as [`Grouping::varied`] lists them; none where the flow has no such setting.
    pub settings: Vec<Option<String>>,
    /// Flow and settings in words: what the group is on any target.
    pub label: String,
    /// Cells.
    pub planned: usize,
    /// Those that ended `ok`: all that its figures are about.
    pub ok: usize,
    /// Cells by status.
    pub statuses: BTreeMap<String, usize>,
    /// log Z of the target, where it is known.
    pub log_z: Option<f64>,
    /// A middle and an interval for each figure, over seeds that ended `ok`.
    pub stats: Vec<Option<Interval>>,
    /// Its cells.
    pub cells: Vec<usize>,
}

impl Group {
    /// What it is, in words: flow and settings, on its target.
    pub fn name(&self) -> String {
        format!("{} on {}", self.label, self.target)
    }

    /// Its cells that ended `ok`, of the table that was grouped.
    pub fn survivors<'a>(&self, runs: &'a [Run]) -> impl Iterator<Item = &'a Run> {
        self.cells.iter().map(|&cell| &runs[cell]).filter(|run| run.status == Status::Ok)
    }
}

/// All groups of a table.
#[derive(Clone, Debug)]
pub struct Grouping {
    /// What differs between groups, other than flow, target and seed.
    pub varied: Vec<Axis>,
    /// In the order of the table.
    pub groups: Vec<Group>,
    /// The group of each cell.
    pub of: Vec<usize>,
}

impl Grouping {
    /// Groups a table.
    pub fn new(runs: &[Run], figures: &[Figure]) -> Self {
        let (of_targets, varied): (Vec<Axis>, Vec<Axis>) =
            varied(runs).into_iter().partition(|axis| axis.key.starts_with("target."));
        let mut places: BTreeMap<(&str, &str, &BTreeMap<String, String>), usize> = BTreeMap::new();
        let mut grouping = Self { varied, groups: Vec::new(), of: Vec::new() };
        for (index, run) in runs.iter().enumerate() {
            let key = (run.row.flow.as_str(), run.row.target.as_str(), &run.settings);
            let place = *places.entry(key).or_insert_with(|| {
                grouping.groups.push(group(run, &grouping.varied, &of_targets));
                grouping.groups.len() - 1
            });
            grouping.of.push(place);
            let group = &mut grouping.groups[place];
            group.cells.push(index);
            group.planned += 1;
            group.ok += usize::from(run.status == Status::Ok);
            *group.statuses.entry(run.status.name()).or_default() += 1;
            group.log_z = group.log_z.or(run.row.log_z_nats);
        }
        grouping.groups.par_iter_mut().for_each(|group| {
            let values = |figure: &Figure| group.survivors(runs).filter_map(|run| figure.of(run)).collect::<Vec<_>>();
            group.stats = figures.iter().map(|figure| interquartile(&values(figure))).collect();
        });
        grouping
    }
}

/// An empty group for cells like this one.
fn group(run: &Run, varied: &[Axis], of_targets: &[Axis]) -> Group {
    let value = |axis: &Axis| run.settings.get(&axis.key).cloned();
    let words = |axis: &Axis| value(axis).map(|value| in_words(axis, &value));
    let extra: Vec<String> = of_targets.iter().filter_map(words).collect();
    let target = match extra.is_empty() {
        true => run.row.target.clone(),
        false => format!("{} ({})", run.row.target, extra.join(", ")),
    };
    let label = std::iter::once(run.row.flow.clone()).chain(varied.iter().filter_map(words)).collect::<Vec<_>>();
    Group {
        flow: run.row.flow.clone(),
        target,
        settings: varied.iter().map(value).collect(),
        label: label.join(" · "),
        planned: 0,
        ok: 0,
        statuses: BTreeMap::new(),
        log_z: None,
        stats: Vec::new(),
        cells: Vec::new(),
    }
}

/// `layers 8`; where the value says what it is, the value alone.
fn in_words(axis: &Axis, value: &str) -> String {
    match axis.key.as_str() {
        "objective" | "device" | "dtype" | "p.integrator" | "train.schedule" => value.to_owned(),
        _ => format!("{} {value}", axis.title),
    }
}

/// Settings with several values for one flow, or, if they are a target's, for one target.
fn varied(runs: &[Run]) -> Vec<Axis> {
    let mut values: BTreeMap<&str, BTreeMap<&str, BTreeSet<&str>>> = BTreeMap::new();
    for run in runs {
        for (key, value) in &run.settings {
            // What differs between flows alone goes without saying: samplers have another objective, and other defaults.
            let owner = if key.starts_with("target.") { &run.row.target } else { &run.row.flow };
            values.entry(key).or_default().entry(owner).or_default().insert(value);
        }
    }
    let mut axes: Vec<Axis> = values
        .into_iter()
        .filter(|(_, of)| of.values().any(|values| values.len() > 1))
        .map(|(key, _)| Axis { key: key.into(), title: title(key) })
        .collect();
    // A flow's own parameters first: they are what a sweep is mostly about.
    axes.sort_by_key(|axis| (!axis.key.starts_with("p."), axis.key != "objective"));
    axes
}

/// `train.optimizer.adam.lr` is `adam lr` to a reader, `p.n_steps` is `n steps`.
fn title(key: &str) -> String {
    let of_section = || SECTIONS.iter().find_map(|section| key.strip_prefix(section));
    let short = key.strip_prefix("train.optimizer.").or_else(of_section).unwrap_or(key);
    short.replace(['.', '_'], " ")
}
