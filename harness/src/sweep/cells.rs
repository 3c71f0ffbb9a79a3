//! The resolved sweep.

use super::grid::Grid;
use super::grid::Kind;
use super::header::Devices;
use super::limits::Limits;
use super::mask::Mask;
use super::train;
use crate::cell::{Cell, Eval, Objective, PROTOCOL, Train};

/// More cells than this are a mistake: each has a folder of its own, and a list too many multiplies unseen.
pub const MAX_CELLS: usize = 100_000;

/// A sweep, checked, with every cell written out.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// Name of the results folder.
    pub name: String,
    /// Cells to run: by flow, its parameters, target, its parameters, training, sampling, device, element type and seed, the last fastest;
    /// each axis in the order of the file.
    pub cells: Vec<Cell>,
    /// Cells taken out, in the same order.
    pub excluded: Vec<Excluded>,
    /// What each cell may use.
    pub limits: Limits,
    /// Where they run.
    pub devices: Devices,
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
pub(super) fn cells(grid: &Grid, eval: &Eval, exclusions: &[Exclusion]) -> (Vec<Cell>, Vec<Excluded>) {
    let (mut cells, mut excluded) = (Vec::new(), Vec::new());
    // Of each kind: by each training of the file, or not by it.
    let of_kind = |kind| (kind, trainings(grid, kind));
    let by_kind = [Kind::Flow, Kind::Trained, Kind::Untrained].map(of_kind);
    let axes = [grid.flows.len(), grid.targets.len(), grid.trainings.len(), grid.samplings.len()];
    let sizes = [axes[0], axes[1], axes[2], axes[3], grid.devices.len(), grid.dtypes.len(), grid.seeds.len()];
    for number in 0..grid.len() {
        let [f, t, r, m, v, d, s] = position(number, sizes);
        let kind = grid.flows[f].kind;
        let trainings = by_kind.iter().find_map(|(one, trainings)| (*one == kind).then_some(trainings));
        let Some(train) = trainings.and_then(|trainings| trainings[r].as_ref()) else { continue };
        if kind == Kind::Flow && m > 0 {
            continue;
        }
        let cell = Cell {
            protocol: PROTOCOL,
            flow: grid.flows[f].flow.clone(),
            plugin_sha256: grid.flows[f].plugin_sha256.clone(),
            target: grid.targets[t].clone(),
            train: train.clone(),
            eval: eval.clone(),
            sampling: (kind != Kind::Flow).then(|| grid.samplings[m].sampling.clone()),
            seed: grid.seeds[s],
            dtype: grid.dtypes[d],
            device: grid.devices[v],
        };
        let matches = |one: &&Exclusion| {
            let mask = &one.mask;
            let chains = mask.samplings[m] && (kind != Kind::Flow || mask.samplings.iter().all(|&matches| matches));
            let plain = mask.devices[v] && mask.dtypes[d] && mask.seeds[s];
            mask.flows[f] && mask.targets[t] && mask.trainings[r] && chains && plain
        };
        match exclusions.iter().find(matches) {
            Some(one) => excluded.push(Excluded { cell, rule: one.rule.clone(), line: one.line }),
            None => cells.push(cell),
        }
    }
    (cells, excluded)
}

/// The trainings of one kind of plugin: an objective that is another kind's stands for the own one, and of trainings that
/// are the same for this kind the first is taken. What is not trained has one, of no steps.
fn trainings(grid: &Grid, kind: Kind) -> Vec<Option<Train>> {
    let default = if kind == Kind::Flow { Objective::ReverseKl } else { Objective::Esjd };
    let fits = |train: &Train| train.objective.is_for_samplers() == (kind != Kind::Flow);
    let own = |train: &Train| match kind {
        Kind::Untrained => Train { objective: default, steps: 0, ..train::default() },
        _ => Train {
            objective: if fits(train) { train.objective } else { default },
            esjd: train.esjd.filter(|_| kind != Kind::Flow),
            ..train.clone()
        },
    };
    let all = || grid.trainings.iter().map(|training| &training.train);
    // What the file asks of this kind in so many words goes before what stands for it.
    let asked: Vec<Train> = all().filter(|train| fits(train)).map(own).collect();
    let mut taken: Vec<Train> = Vec::new();
    let mut take = |train: &Train| {
        let mine = own(train);
        let objective = default;
        let alike = |one: &Train| Train { objective, ..one.clone() } == Train { objective, ..mine.clone() };
        if taken.contains(&mine) || (!fits(train) && asked.iter().any(alike)) {
            return None;
        }
        taken.push(mine.clone());
        Some(mine)
    };
    all().map(&mut take).collect()
}

/// Index on each axis, the last fastest.
fn position<const AXES: usize>(mut number: usize, sizes: [usize; AXES]) -> [usize; AXES] {
    let mut at = [0; AXES];
    for (at, size) in at.iter_mut().zip(sizes).rev() {
        *at = number % size;
        number /= size;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::super::paper::{sweep, with};
    use crate::cell::{Objective, Start};

    /// Objectives of the cells of a flow and of a sampler, in order.
    fn objectives(train: &str) -> [Vec<Objective>; 2] {
        let cells = sweep(&with(&format!("flows: [planar, walker]\n{train}"))).unwrap().cells;
        ["planar", "walker"]
            .map(|name| cells.iter().filter(|cell| cell.flow.name == name).map(|cell| cell.train.objective).collect())
    }

    #[test]
    fn each_kind_is_trained_by_its_own_objective() {
        use Objective::{Data, Esjd, ReverseKl};
        assert_eq!(objectives(""), [vec![ReverseKl], vec![Esjd]]);
        assert_eq!(objectives("train: {objective: [reverse-kl, data]}\n"), [vec![ReverseKl, Data], vec![Esjd]]);
        assert_eq!(objectives("train: {objective: [esjd, data]}\n"), [vec![Data], vec![Esjd]]);
        assert_eq!(objectives("train: {objective: esjd, steps: [1, 2]}\n"), [vec![ReverseKl; 2], vec![Esjd; 2]]);
        assert_eq!(objectives("train: {esjd: {burn_in: [0, 1]}}\n"), [vec![ReverseKl], vec![Esjd; 2]]);
    }

    /// A sampler that nothing would train has one cell, whatever the trainings; a flow one, whatever the ways of sampling.
    #[test]
    fn axes_of_the_other_kinds_do_not_multiply() {
        let text = "flows: [planar, walker, stroller]\ntrain: {steps: [1, 2]}\nsampling: {temperatures: [0, 5, 9]}\n";
        let cells = sweep(&with(text)).unwrap().cells;
        let count = |name: &str| cells.iter().filter(|cell| cell.flow.name == name).count();
        assert_eq!(["planar", "walker", "stroller"].map(count), [2, 6, 3]);
        assert!(cells.iter().filter(|cell| cell.flow.name == "stroller").all(|cell| cell.train.steps == 0));
        let rule = "exclude: [{flow: walker, temperatures: [0, 9]}]\n";
        assert_eq!(sweep(&with(&format!("{text}{rule}"))).unwrap().cells.len(), 2 + 2 + 3);
    }

    /// A flow's identity does not depend on what concerns samplers alone.
    #[test]
    fn only_samplers_have_sampler_settings() {
        let cells = sweep(&with("flows: [planar, walker]\nsampling: {start: exact}\n")).unwrap().cells;
        assert!(cells[0].sampling.is_none() && cells[0].train.esjd.is_none());
        assert_eq!(cells[1].sampling.as_ref().map(|sampling| sampling.start), Some(Start::Exact));
        assert_eq!(cells[1].train.esjd.map(|esjd| (esjd.scale, esjd.burn_in)), Some((0.1, 1.0)));
    }
}
