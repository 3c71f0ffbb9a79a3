//! Are flows worse than before? Differences in their own units, paired by seed, for every group and for all of them together.
//!
//! Never a ratio: an ELBO has a sign and no zero that means anything. A loss fails if its interval lies wholly beyond the margin, and
//! passes if it lies wholly within; to fail, the gate's α is shared out evenly among all intervals (Bonferroni).

use std::collections::BTreeMap;

use super::gate::Quality;
use super::pairing::{Pair, Pairing};
use super::verdict::{Finding, Gated, Measured, Verdict, of_mean};
use crate::results::Status;
use crate::statistics::{Difference, Method};
use crate::table::{Figure, HIGHER};

/// Losses of one figure in one group.
struct Losses<'a> {
    group: String,
    figure: &'a Figure,
    margin: f64,
    losses: Vec<f64>,
}

pub fn judge(pairing: &Pairing<'_>, gate: &Quality) -> Gated {
    let pairs: Vec<&Pair<'_>> =
        pairing.pairs.iter().filter(|pair| pair.base.status == Status::Ok && pair.head.status == Status::Ok).collect();
    let all: Vec<Losses<'_>> = pairing.figures.iter().flat_map(|figure| of_figure(&pairs, figure, gate)).collect();
    let findings = all.iter().filter_map(|losses| finding(losses, gate.alpha, all.len())).collect();
    Gated::of("quality", findings, "no pair of cells ended `ok` with a figure that has a margin", |n| {
        format!("{n} comparisons within their margins")
    })
}

/// Every group's, and that of all groups where there are several.
fn of_figure<'a>(pairs: &[&Pair<'_>], figure: &'a Figure, gate: &Quality) -> Vec<Losses<'a>> {
    let (Some(&margin), Some(better)) = (gate.margin.get(&figure.key), figure.better) else { return Vec::new() };
    let sign = if better == HIGHER { -1.0 } else { 1.0 };
    let mut groups: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for pair in pairs {
        let Some(difference) = figure.of(pair.head).zip(figure.of(pair.base)).map(|(new, old)| new - old) else {
            continue;
        };
        groups.entry(&pair.group).or_default().push(sign * difference);
    }
    let whole: Vec<f64> = groups.values().flatten().copied().collect();
    let several = groups.len() > 1;
    let named = groups.into_iter().map(|(group, losses)| (group.to_owned(), losses));
    let together = several.then(|| ("all cells".to_owned(), whole));
    named.chain(together).map(|(group, losses)| Losses { group, figure, margin, losses }).collect()
}

fn finding(of: &Losses<'_>, alpha: f64, looks: usize) -> Option<Finding> {
    let (unit, margin) = (of.figure.unit, of.margin);
    let (verdict, found, corrected) = of_mean(&of.losses, alpha, looks, margin)?;
    // A single pair has no interval, but may not have moved at all.
    let unmoved = if found.mean == 0.0 { Verdict::Pass } else { Verdict::Inconclusive };
    let verdict = verdict.unwrap_or(unmoved);
    let message = match of.losses.iter().all(|loss| *loss == 0.0) {
        true => format!("no different in any of {} pairs", found.n),
        false => in_words(found, corrected.smallest, unit, margin),
    };
    Some(Finding {
        subject: of.group.clone(),
        metric: of.figure.key.clone(),
        verdict,
        message,
        measured: Some(Measured {
            loss: found.mean,
            interval: found.interval,
            margin,
            smallest_visible: corrected.smallest,
            n: found.n,
        }),
    })
}

fn in_words(found: Difference, smallest: Option<f64>, unit: &str, margin: f64) -> String {
    let word = if found.mean > 0.0 { "worse" } else { "better" };
    let size = format!("{word} by {:.4} {unit}", found.mean.abs());
    let interval = found.interval.map_or("one pair, no interval".to_owned(), |(low, high)| {
        let how = if found.method == Method::SignFlip { "sign flip" } else { "Student's t" };
        format!("loss between {low:+.4} and {high:+.4} by {how}")
    });
    let smallest = smallest.map(|smallest| format!("; {smallest:.4} could have been seen")).unwrap_or_default();
    format!("{} over {} pairs, {interval}, margin {margin}{smallest}", size.trim_end(), found.n)
}
