//! Everything that a report shows, as one value that a page carries.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Serialize;

use super::chains::{Chain, chains};
use super::curves::Curves;
use super::pairs::{Comparison, comparisons};
use super::profiles::{Profile, profiles};
use super::provenance::{Machine, Remark, provenance};
use super::rounded;
use super::schemes::{Counted, Integrated, hamiltonians, integrators};
use crate::results::{Folder, Status};
use crate::table::{Axis, Group, Grouping};
use crate::table::{Figure, figures};
use crate::table::{Run, Runs};

/// How many cells ended so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Count {
    /// Status.
    pub status: String,
    /// Cells.
    pub cells: usize,
}

/// One cell.
#[derive(Clone, Debug, Serialize)]
pub struct Cell {
    /// Its identity.
    pub id: String,
    /// Its group.
    pub group: usize,
    /// Its seed.
    pub seed: u64,
    /// How it ended.
    pub status: String,
    /// Why.
    pub detail: Option<String>,
    /// Its figures, in the order of [`Data::metrics`].
    pub values: Vec<Option<f64>>,
    /// The command that runs it again.
    pub replay: String,
    /// Where it ran.
    pub environment: Option<String>,
}

/// A report.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs, reason = "each is what its type says")]
pub struct Data {
    pub name: String,
    pub folder: String,
    pub harness: &'static str,
    pub counts: Vec<Count>,
    pub provenance: Vec<Remark>,
    pub machines: Vec<Machine>,
    pub varied: Vec<Axis>,
    pub metrics: Vec<Figure>,
    pub groups: Vec<Group>,
    pub cells: Vec<Cell>,
    pub curves: Curves,
    pub profiles: Vec<Profile>,
    pub paired: Vec<Comparison>,
    pub integrators: Vec<Integrated>,
    pub hamiltonians: Vec<Counted>,
    pub chains: Vec<Chain>,
}

impl Data {
    /// Of a table that was read from a results folder.
    pub fn new(folder: &Folder, table: &Runs) -> Result<Self> {
        let runs = &table.runs;
        let (machines, remarks) = provenance(&folder.environment(), table);
        let metrics = figures(runs);
        let mut grouping = Grouping::new(runs, &metrics);
        for interval in grouping.groups.iter_mut().flat_map(|group| &mut group.stats).flatten() {
            interval.mid = rounded(interval.mid);
            interval.low = interval.low.map(rounded);
            interval.high = interval.high.map(rounded);
        }
        let root = folder.root().display().to_string();
        let cells = runs.iter().zip(&grouping.of).map(|(run, &group)| cell(run, group, &metrics, &root)).collect();
        let fallback = folder.root().file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Self {
            name: runs.first().map_or(fallback, |run| run.row.name.clone()),
            counts: counts(runs),
            provenance: remarks,
            machines,
            curves: Curves::read(&folder.metrics(), runs)?,
            profiles: profiles(runs, &grouping),
            paired: comparisons(runs, &grouping.varied, &metrics),
            integrators: integrators(runs, &grouping),
            hamiltonians: hamiltonians(runs, &grouping),
            chains: chains(folder, runs)?,
            harness: env!("CARGO_PKG_VERSION"),
            folder: root,
            varied: grouping.varied,
            groups: grouping.groups,
            metrics,
            cells,
        })
    }
}

fn cell(run: &Run, group: usize, metrics: &[Figure], folder: &str) -> Cell {
    Cell {
        id: run.row.cell_id.clone(),
        group,
        seed: run.row.seed,
        status: run.row.status.clone(),
        detail: run.row.status_detail.clone(),
        values: metrics.iter().map(|figure| figure.of(run).map(rounded)).collect(),
        replay: format!("harness replay {folder} {}", run.row.cell_id),
        environment: run.row.environment.clone(),
    }
}

fn counts(runs: &[Run]) -> Vec<Count> {
    let mut counts: BTreeMap<Status, usize> = BTreeMap::new();
    for run in runs {
        *counts.entry(run.status).or_default() += 1;
    }
    counts.into_iter().map(|(status, cells)| Count { status: status.name(), cells }).collect()
}
