//! The resolved sweep.

use super::grid::Grid;
use super::header::DeviceSpec;
use super::limits::Limits;
use super::mask::Mask;
use crate::cell::{Cell, Eval, Objective, PROTOCOL, Sampling, Train};

/// More cells than this are a mistake: each has a folder of its own, and a list too many multiplies unseen.
pub const MAX_CELLS: usize = 100_000;

/// A sweep, checked, with every cell written out.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// Name of the results folder.
    pub name: String,
    /// Cells to run: by flow, its parameters, target, its parameters, training, element type and seed, the last fastest;
    /// each axis in the order of the file.
    pub cells: Vec<Cell>,
    /// Cells taken out, in the same order.
    pub excluded: Vec<Excluded>,
    /// What each cell may use.
    pub limits: Limits,
    /// Where they run.
    pub device: DeviceSpec,
}

/// A cell that is not run.
#[derive(Clone, Debug)]
pub struct Excluded {
    /// The cell.
    pub cell: Cell,
    /// The first rule that matches it, as text.
    pub rule: String,
    /// Line of that rule in the file.
    pub line: usize,
}

/// A rule's mask with its text and line.
pub(super) struct Exclusion {
    pub mask: Mask,
    pub rule: String,
    pub line: usize,
}

/// Every cell of the grid: those that run, and those that a rule takes out.
pub(super) fn cells(
    grid: &Grid,
    eval: &Eval,
    sampling: &Sampling,
    device: DeviceSpec,
    exclusions: &[Exclusion],
) -> (Vec<Cell>, Vec<Excluded>) {
    let (mut cells, mut excluded) = (Vec::new(), Vec::new());
    // Of either kind: by each training of the file, or not by it.
    let trainings = [false, true].map(|is_sampler| trainings(grid, is_sampler));
    let sizes = [grid.flows.len(), grid.targets.len(), grid.trainings.len(), grid.dtypes.len(), grid.seeds.len()];
    for number in 0..grid.len() {
        let [f, t, r, d, s] = position(number, sizes);
        let is_sampler = grid.flows[f].is_sampler;
        let Some(train) = &trainings[usize::from(is_sampler)][r] else { continue };
        let cell = Cell {
            protocol: PROTOCOL,
            flow: grid.flows[f].flow.clone(),
            plugin_sha256: grid.flows[f].plugin_sha256.clone(),
            target: grid.targets[t].clone(),
            train: train.clone(),
            eval: eval.clone(),
            sampling: is_sampler.then(|| sampling.clone()),
            seed: grid.seeds[s],
            dtype: grid.dtypes[d],
            device: device.kind,
        };
        let matches = |one: &&Exclusion| {
            let mask = &one.mask;
            mask.flows[f] && mask.targets[t] && mask.trainings[r] && mask.dtypes[d] && mask.seeds[s]
        };
        match exclusions.iter().find(matches) {
            Some(one) => excluded.push(Excluded { cell, rule: one.rule.clone(), line: one.line }),
            None => cells.push(cell),
        }
    }
    (cells, excluded)
}

/// The trainings of one kind of plugin: an objective that is the other kind's stands for the own one, and a training that
/// is then the same as an earlier one is left out.
fn trainings(grid: &Grid, is_sampler: bool) -> Vec<Option<Train>> {
    let own = if is_sampler { Objective::Esjd } else { Objective::ReverseKl };
    let mut seen: Vec<Train> = Vec::new();
    // What the file asks of this kind in so many words comes first.
    let fits = |train: &Train| train.objective.is_for_samplers() == is_sampler;
    seen.extend(grid.trainings.iter().map(|training| training.train.clone()).filter(fits));
    let mut take = |train: &Train| {
        if fits(train) {
            return Some(train.clone());
        }
        let instead = Train { objective: own, ..train.clone() };
        // For a flow any objective of its own will do instead of `esjd`.
        let same = |one: &Train| Train { objective: own, ..one.clone() } == instead;
        if seen.iter().any(same) {
            return None;
        }
        seen.push(instead.clone());
        Some(instead)
    };
    grid.trainings.iter().map(|training| take(&training.train)).collect()
}

/// Index on each axis, the last fastest.
fn position(mut number: usize, sizes: [usize; 5]) -> [usize; 5] {
    let mut at = [0; 5];
    for (at, size) in at.iter_mut().zip(sizes).rev() {
        *at = number % size;
        number /= size;
    }
    at
}
