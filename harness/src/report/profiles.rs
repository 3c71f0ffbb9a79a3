//! Performance profiles: which share of problems a flow solves to within any gap.
//!
//! Dolan & Moré 2002 ("Benchmarking optimization software with performance profiles", Math. Program. 91), with the absolute gap log Z − ELBO in
//! nats in place of a ratio of times: ratios of gaps that may be zero mean nothing. A problem is a target with a seed; a cell that
//! failed never reaches any gap.

use serde::Serialize;

use super::rounded;
use crate::table::Grouping;
use crate::table::Run;

/// Gaps below this are shown as this: the axis is logarithmic, and estimates are no better.
const LEAST: f64 = 1e-4;

/// The profile of a flow with its settings.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Profile {
    /// Flow and settings.
    pub label: String,
    /// Flow.
    pub flow: String,
    /// Number of problems.
    pub problems: usize,
    /// Gaps at which the share rises.
    pub tau: Vec<f64>,
    /// Share of problems solved to within that gap.
    pub share: Vec<f64>,
}

/// Profiles in the order of the table, over targets whose log Z is known; none where there is just one problem.
pub fn profiles(runs: &[Run], grouping: &Grouping) -> Vec<Profile> {
    let known: Vec<&str> =
        grouping.groups.iter().filter(|group| group.log_z.is_some()).map(|group| group.target.as_str()).collect();
    let mut order: Vec<Solved<'_>> = Vec::new();
    for group in grouping.groups.iter().filter(|group| known.contains(&group.target.as_str())) {
        let place = order.iter().position(|solved| solved.label == group.label).unwrap_or_else(|| {
            order.push(Solved { label: &group.label, flow: &group.flow, problems: 0, gaps: Vec::new() });
            order.len() - 1
        });
        order[place].problems += group.planned;
        order[place]
            .gaps
            .extend(group.survivors(runs).filter_map(|run| run.row.elbo_gap_nats).filter(|gap| gap.is_finite()));
    }
    order.into_iter().map(Solved::profile).filter(|profile| profile.problems > 1 && !profile.tau.is_empty()).collect()
}

/// What a flow with its settings solved.
struct Solved<'a> {
    label: &'a str,
    flow: &'a str,
    problems: usize,
    gaps: Vec<f64>,
}

impl Solved<'_> {
    fn profile(self) -> Profile {
        let mut tau: Vec<f64> = self.gaps.iter().map(|gap| gap.max(LEAST)).collect();
        tau.sort_by(f64::total_cmp);
        let share = (1..=tau.len()).map(|solved| rounded(solved as f64 / self.problems as f64)).collect();
        let tau = tau.into_iter().map(rounded).collect();
        Profile { label: self.label.into(), flow: self.flow.into(), problems: self.problems, tau, share }
    }
}
