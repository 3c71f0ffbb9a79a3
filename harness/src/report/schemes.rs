//! Groups whose flow integrates learnt Hamiltonians, with what their scheme costs.

use std::collections::{BTreeMap, BTreeSet};

use flow_kernels::integrator::Scheme;
use serde::Serialize;

use crate::table::{Grouping, Run};

/// With more settings than these, the rest is not looked at.
const MOST_SETTINGS: usize = 8;

/// A group by its integration scheme.
#[derive(Clone, Debug, Serialize)]
pub struct Integrated {
    /// Which group.
    pub group: usize,
    /// Name of the scheme.
    pub integrator: String,
    /// Its order.
    pub order: u32,
    /// Step size.
    pub step_size: f64,
    /// Steps a Hamiltonian.
    pub n_steps: u32,
    /// Hamiltonians.
    pub hamiltonians: u32,
    /// Gradients of U a draw; none for schemes that iterate.
    pub gradients: Option<u32>,
}

/// A group by its number of Hamiltonians.
#[derive(Clone, Debug, Serialize)]
pub struct Counted {
    /// Which group.
    pub group: usize,
    /// How many.
    pub hamiltonians: u32,
    /// Learnt parameters.
    pub n_params: Option<u64>,
    /// The other settings that differ, in words.
    pub rest: String,
}

/// Groups by scheme, where scheme or step size differ.
pub fn integrators(runs: &[Run], grouping: &Grouping) -> Vec<Integrated> {
    if !differs(grouping, &["p.integrator", "p.step_size"]) {
        return Vec::new();
    }
    let of = |group: usize| {
        let run = &runs[grouping.groups[group].cells[0]];
        let scheme = Scheme::named(run.settings.get("p.integrator")?)?;
        let hamiltonians = number(run, "p.hamiltonians")?;
        let n_steps: u32 = number(run, "p.n_steps")?;
        Some(Integrated {
            group,
            integrator: scheme.name.into(),
            order: scheme.order,
            step_size: number(run, "p.step_size")?,
            n_steps,
            hamiltonians,
            gradients: scheme.gradients.map(|each| each * n_steps * hamiltonians),
        })
    };
    (0..grouping.groups.len()).filter_map(of).collect()
}

/// Groups by number of Hamiltonians, where that differs.
pub fn hamiltonians(runs: &[Run], grouping: &Grouping) -> Vec<Counted> {
    if !differs(grouping, &["p.hamiltonians"]) {
        return Vec::new();
    }
    let chosen = lines(runs, grouping);
    let of = |group: usize| {
        let run = &runs[grouping.groups[group].cells[0]];
        let settings = &grouping.groups[group].settings;
        let rest =
            chosen.iter().filter_map(|&i| Some(format!("{} {}", grouping.varied[i].title, settings[i].as_ref()?)));
        Some(Counted {
            group,
            hamiltonians: number(run, "p.hamiltonians")?,
            n_params: run.row.n_params,
            rest: rest.collect::<Vec<_>>().join(" · "),
        })
    };
    let mut all: Vec<Counted> = (0..grouping.groups.len()).filter_map(of).collect();
    // A picture is of one target: where that has one number only, there is nothing to see.
    let mut numbers: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
    for counted in &all {
        numbers.entry(&grouping.groups[counted.group].target).or_default().insert(counted.hamiltonians);
    }
    all.retain(|counted| numbers[grouping.groups[counted.group].target.as_str()].len() > 1);
    all
}

/// The settings that lines against the number are drawn by: those that leave few lines, and few groups in one place.
///
/// Where widths move along with the number, as they do at equal parameters, a line for each width would have one point.
fn lines(runs: &[Run], grouping: &Grouping) -> Vec<usize> {
    let others: Vec<usize> = (0..grouping.varied.len())
        .filter(|&i| grouping.varied[i].key != "p.hamiltonians")
        .take(MOST_SETTINGS)
        .collect();
    let chosen = |mask: u32| others.iter().enumerate().filter(move |(bit, _)| mask >> bit & 1 == 1).map(|(_, &i)| i);
    // A picture is of one target.
    let on_one: Vec<_> = grouping.groups.iter().filter(|group| group.target == grouping.groups[0].target).collect();
    let cost = |mask: u32| {
        let (mut of_lines, mut places) = (BTreeSet::new(), BTreeSet::new());
        for group in &on_one {
            let line: Vec<_> = chosen(mask).map(|i| group.settings[i].as_ref()).collect();
            let number = runs[group.cells[0]].settings.get("p.hamiltonians");
            places.insert((number, line.clone()));
            of_lines.insert(line);
        }
        (of_lines.len() + 3 * (on_one.len() - places.len()), mask.count_ones(), mask)
    };
    chosen((0..1u32 << others.len()).min_by_key(|&mask| cost(mask)).unwrap_or(0)).collect()
}

fn differs(grouping: &Grouping, keys: &[&str]) -> bool {
    grouping.varied.iter().any(|axis| keys.contains(&axis.key.as_str()))
}

fn number<T: std::str::FromStr>(run: &Run, key: &str) -> Option<T> {
    run.settings.get(key)?.parse().ok()
}
