//! Is a build slower than another? From rounds in which both ran in turn, base, head, head, base, on one machine.
//!
//! The loss of a round is the mean of both log ratios, in which a steady drift of the machine cancels. Of rounds the middle is taken that a
//! few wild ones do not move: a shared machine has them. How much two runs of the *same* build differ is measured in the very same
//! rounds, and no margin is smaller than what that noise does to a middle. To fail, intervals share α evenly (Bonferroni).

use std::collections::{BTreeMap, BTreeSet};

use super::gate::Speed;
use super::speed::THROUGHPUTS;
use super::verdict::{Finding, Gated, Measured, Verdict};
use crate::statistics::middle_difference;
use crate::table::{Grouping, Runs};

/// Throughputs of one run of a sweep: by cell and column.
pub type Throughputs = BTreeMap<(String, &'static str), f64>;

/// One round, in the order in which it was run.
#[derive(Clone, Debug, Default)]
pub struct Round {
    /// Base, first and last.
    pub base: [Throughputs; 2],
    /// Head, in between.
    pub head: [Throughputs; 2],
}

impl Round {
    /// Its four runs in their order, each with its side.
    pub fn turns(&self) -> [(&'static str, &Throughputs); 4] {
        let [first, last] = &self.base;
        let [second, third] = &self.head;
        [("base", first), ("head", second), ("head", third), ("base", last)]
    }
}

/// Throughputs of a run's cells.
pub fn throughputs(runs: &Runs) -> Throughputs {
    let grouping = Grouping::new(&runs.runs, &[]);
    let mut all = Throughputs::new();
    for (run, place) in runs.runs.iter().zip(&grouping.of) {
        let group = &grouping.groups[*place];
        for (column, _, value) in THROUGHPUTS {
            if let Some(value) = value(run).filter(|value| *value > 0.0) {
                all.insert((run.name_in(&group.name()), column), value);
            }
        }
    }
    all
}

/// The gate on speed, from rounds.
pub fn judge_rounds(rounds: &[Round], gate: &Speed) -> Gated {
    let cells: BTreeSet<&(String, &str)> = rounds.iter().flat_map(|round| round.base[0].keys()).collect();
    let looks = cells.len();
    let findings = cells.into_iter().map(|cell| finding(cell, rounds, gate, looks)).collect();
    let nothing = "no cell measured its throughput; the sweep needs `eval: {throughput: true}`";
    Gated::of("speed", findings, nothing, |n| format!("{n} throughputs as before"))
}

fn finding(cell: &(String, &'static str), rounds: &[Round], gate: &Speed, looks: usize) -> Finding {
    let logs: Option<Vec<[f64; 4]>> = rounds
        .iter()
        .map(|round| {
            let [a, b, c, d] = round.turns().map(|(_, run)| run.get(cell).map(|value| value.ln()));
            Some([a?, b?, c?, d?])
        })
        .collect();
    let finding = |verdict, message, measured| Finding {
        subject: cell.0.clone(),
        metric: cell.1.into(),
        verdict,
        message,
        measured,
    };
    let Some(logs) = logs else {
        return finding(Verdict::NoData, "it was not measured in every run of both builds".into(), None);
    };
    let losses: Vec<f64> = logs.iter().map(|[a, b, c, d]| (a + d - b - c) / 2.0).collect();
    let middle = |alpha| middle_difference(&losses, alpha);
    let (Some(plain), Some(corrected)) = (middle(gate.alpha), middle(gate.alpha / looks as f64)) else {
        return finding(Verdict::Inconclusive, format!("{} rounds are too few for an interval", losses.len()), None);
    };
    let (noise, (low, high)) = (noise(&logs, gate.alpha), plain.interval);
    let margin = gate.paired_margin.ln_1p().max(noise);
    finding(
        Verdict::of_loss(plain.interval, corrected.interval, margin),
        format!(
            "{:.3} times as long, between {:.3} and {:.3}, over {} rounds; margin {:.3}, noise of the same build {:.3}",
            plain.mid.exp(),
            low.exp(),
            high.exp(),
            losses.len(),
            margin.exp(),
            noise.exp()
        ),
        Some(Measured {
            loss: plain.mid,
            interval: Some(plain.interval),
            margin,
            smallest_visible: None,
            n: losses.len(),
        }),
    )
}

/// How far from 0 the loss of a build against itself may lie: half the interval of differences within a round, brought to the scale and
/// the number of losses. A difference has twice the variance of a run, and a loss has that of a run; there are two a round.
fn noise(logs: &[[f64; 4]], alpha: f64) -> f64 {
    let differences: Vec<f64> = logs.iter().flat_map(|[a, b, c, d]| [a - d, b - c]).collect();
    // By √½ to the scale, by √2 to the number: one is the other's inverse.
    middle_difference(&differences, alpha).map_or(f64::INFINITY, |of| (of.interval.1 - of.interval.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use flow_kernels::philox::Stream;

    use super::*;

    const CELLS: usize = 8;

    /// Rounds of eight cells, runs of which scatter by 3 %, a share of them by half, and drift by 3 % over a round; head takes
    /// `factor` as long.
    fn rounds(stream: &mut Stream, wild: f64, factor: f64) -> Vec<Round> {
        let mut run = |at: usize, factor: f64| -> Throughputs {
            let cell = |i: usize| (format!("cell {i}"), "train_samples_per_s");
            let mut value = || {
                let sd = if stream.uniform() < wild { 0.5 } else { 0.03 };
                (sd * stream.normal() - 0.01 * at as f64).exp() / factor
            };
            (0..CELLS).map(|i| (cell(i), value())).collect()
        };
        (0..16)
            .map(|_| {
                let (a, b, c, d) = (run(0, 1.0), run(1, factor), run(2, factor), run(3, 1.0));
                Round { base: [a, d], head: [b, c] }
            })
            .collect()
    }

    /// How many of a hundred comparisons have this verdict.
    fn share(seed: u64, wild: f64, factor: f64, gate: &Speed, verdict: Verdict) -> usize {
        let mut stream = Stream::new(seed);
        (0..100).filter(|_| judge_rounds(&rounds(&mut stream, wild, factor), gate).verdict == verdict).count()
    }

    /// A build against itself, a hundred times: α bounds false alarms at five, on a quiet machine and on one where one run in ten is
    /// wild; without a margin, too. On a quiet one it passes.
    #[test]
    fn a_build_is_no_slower_than_itself() {
        let bare = Speed { paired_margin: 0.0, ..Speed::default() };
        for (wild, gate) in [(0.0, &Speed::default()), (0.1, &Speed::default()), (0.0, &bare), (0.1, &bare)] {
            let alarms = share(21, wild, 1.0, gate, Verdict::Regression);
            assert!(alarms <= 5, "{alarms} of 100");
        }
        let passes = share(22, 0.0, 1.0, &Speed::default(), Verdict::Pass);
        assert!(passes >= 80, "{passes} of 100");
    }

    #[test]
    fn ten_per_cent_are_seen() {
        let seen = share(23, 0.0, 1.1, &Speed::default(), Verdict::Regression);
        assert!(seen >= 80, "{seen} of 100");
    }

    #[test]
    fn what_was_not_measured_is_no_pass() {
        assert_eq!(judge_rounds(&[], &Speed::default()).verdict, Verdict::NoData);
        let mut rounds = rounds(&mut Stream::new(1), 0.0, 1.0);
        rounds[1].head[0].clear();
        assert_eq!(judge_rounds(&rounds, &Speed::default()).verdict, Verdict::NoData);
    }
}
