//! Is it slower than before? From two sweeps that ran one after the other, which can tell large changes only.
//!
//! Logarithms of ratios of throughputs, over all cells together: a single cell of a sweep that ran alone is too noisy to be judged.
//! For less than a quarter, and for single cells, there is `bench-pair`, which alternates both builds.

use super::Origin;
use super::gate::Speed;
use super::pairing::Pairing;
use super::verdict::{Finding, Gated, Measured, Verdict, of_mean};
use crate::table::Run;

/// A column, what it is called, and a cell's value.
type Throughput = (&'static str, &'static str, fn(&Run) -> Option<f64>);

/// Figures that are throughputs.
pub const THROUGHPUTS: [Throughput; 2] = [
    ("train_samples_per_s", "training", |run| run.row.train_samples_per_s),
    ("draws_per_s", "draws", |run| run.row.draws_per_s),
];

/// None where neither side measured throughput.
pub fn judge(pairing: &Pairing<'_>, (base, head): &(Origin, Origin), gate: &Speed) -> Option<Gated> {
    let findings: Vec<Finding> = THROUGHPUTS.iter().filter_map(|figure| of_figure(pairing, *figure, gate)).collect();
    if findings.is_empty() {
        return None;
    }
    if base.machines.is_empty() || head.machines.is_empty() {
        let reason = "env.json does not say on what machine both sides were run".into();
        return Some(Gated::bare("speed", Verdict::Incomparable, reason));
    }
    if base.machines != head.machines {
        let reason = "the two were run on different machines: times do not compare".into();
        return Some(Gated::bare("speed", Verdict::Incomparable, reason));
    }
    Some(Gated::of("speed", findings, "", |n| format!("{n} throughputs within {:.0} %", 100.0 * gate.margin)))
}

fn of_figure(pairing: &Pairing<'_>, (key, what, value): Throughput, gate: &Speed) -> Option<Finding> {
    let ratio = |old: f64, new: f64| (old > 0.0 && new > 0.0).then(|| (old / new).ln());
    let losses: Vec<f64> =
        pairing.pairs.iter().filter_map(|pair| ratio(value(pair.base)?, value(pair.head)?)).collect();
    let margin = gate.margin.ln_1p();
    let (verdict, found, _) = of_mean(&losses, gate.alpha, THROUGHPUTS.len(), margin)?;
    let interval = found.interval.map_or("one cell, no interval".to_owned(), |(low, high)| {
        format!("between {:.3} and {:.3}", low.exp(), high.exp())
    });
    Some(Finding {
        subject: "all cells".into(),
        metric: key.into(),
        verdict: verdict.unwrap_or(Verdict::Inconclusive),
        message: format!("{what} takes {:.3} times as long over {} cells, {interval}", found.mean.exp(), found.n),
        measured: Some(Measured {
            loss: found.mean,
            interval: found.interval,
            margin,
            smallest_visible: found.smallest,
            n: found.n,
        }),
    })
}
