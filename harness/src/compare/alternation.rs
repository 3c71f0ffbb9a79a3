//! Is a build slower than another? From rounds in which both ran in turn, base, head, head, base, on one machine.
//!
//! The loss of a round is the mean of both log ratios, in which a steady drift of the machine cancels. How much two runs of the
//! *same* build differ is measured in the very same rounds, and no margin is smaller than what that noise does to a mean. To fail,
//! intervals share α evenly (Bonferroni).

use std::collections::{BTreeMap, BTreeSet};

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::gate::Speed;
use super::speed::THROUGHPUTS;
use super::verdict::{Finding, Gated, Measured, Verdict};
use crate::statistics::mean_difference;
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

/// Throughputs of a run's cells.
pub fn throughputs(runs: &Runs) -> Throughputs {
    let grouping = Grouping::new(&runs.runs, &[]);
    let mut all = Throughputs::new();
    for (run, place) in runs.runs.iter().zip(&grouping.of) {
        let group = &grouping.groups[*place];
        for (column, _, value) in THROUGHPUTS {
            if let Some(value) = value(run).filter(|value| *value > 0.0) {
                all.insert((format!("{} on {}, seed {}", group.label, group.target, run.row.seed), column), value);
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
            let of = |side: &Throughputs| side.get(cell).map(|value| value.ln());
            Some([of(&round.base[0])?, of(&round.head[0])?, of(&round.head[1])?, of(&round.base[1])?])
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
    let interval = |alpha| mean_difference(&losses, alpha).and_then(|found| Some((found, found.interval?)));
    let (Some((found, plain)), Some((_, corrected))) = (interval(gate.alpha), interval(gate.alpha / looks as f64))
    else {
        return finding(Verdict::NoData, "one round gives no interval".into(), None);
    };
    let (noise, (low, high)) = (noise(&logs, gate.alpha), plain);
    let margin = gate.paired_margin.ln_1p().max(noise);
    finding(
        Verdict::of_loss(plain, corrected, margin),
        format!(
            "{:.3} times as long, between {:.3} and {:.3}, over {} rounds; margin {:.3}, noise of the same build {:.3}",
            found.mean.exp(),
            low.exp(),
            high.exp(),
            found.n,
            margin.exp(),
            noise.exp()
        ),
        Some(Measured {
            loss: found.mean,
            interval: Some(plain),
            margin,
            smallest_visible: found.smallest,
            n: found.n,
        }),
    )
}

/// How far from 0 the mean loss of a build against itself may lie: its standard error from both differences within a round, by
/// Student's t with as many degrees of freedom as there are differences.
fn noise(logs: &[[f64; 4]], alpha: f64) -> f64 {
    let n = logs.len() as f64;
    // Each difference has twice the variance of a run, and a loss has that of a run.
    let variance = logs.iter().map(|[a, b, c, d]| ((a - d).powi(2) + (b - c).powi(2)) / 4.0).sum::<f64>() / n;
    let t = StudentsT::new(0.0, 1.0, 2.0 * n).map_or(f64::INFINITY, |t| t.inverse_cdf(1.0 - alpha / 2.0));
    t * (variance / n).sqrt()
}

#[cfg(test)]
mod tests {
    use flow_kernels::philox::Stream;

    use super::*;

    const CELLS: usize = 8;

    /// Rounds of eight cells, runs of which scatter by 3 % and drift by as much over a round; head takes `factor` as long.
    fn rounds(stream: &mut Stream, n: usize, factor: f64) -> Vec<Round> {
        let mut run = |at: usize, factor: f64| -> Throughputs {
            let cell = |i: usize| (format!("cell {i}"), "train_samples_per_s");
            let mut value = || (0.03 * stream.normal() - 0.01 * at as f64).exp() / factor;
            (0..CELLS).map(|i| (cell(i), value())).collect()
        };
        (0..n)
            .map(|_| {
                let (a, b, c, d) = (run(0, 1.0), run(1, factor), run(2, factor), run(3, 1.0));
                Round { base: [a, d], head: [b, c] }
            })
            .collect()
    }

    /// A build against itself, a hundred times: at most five alarms, and margins see to it that it is none or one.
    #[test]
    fn a_build_is_no_slower_than_itself() {
        let mut stream = Stream::new(21);
        let verdicts: Vec<Verdict> =
            (0..100).map(|_| judge_rounds(&rounds(&mut stream, 10, 1.0), &Speed::default()).verdict).collect();
        let alarms = verdicts.iter().filter(|verdict| **verdict == Verdict::Regression).count();
        assert!(alarms <= 5, "{alarms} of 100");
        let passes = verdicts.iter().filter(|verdict| **verdict == Verdict::Pass).count();
        assert!(passes >= 80, "{passes} of 100");
    }

    /// The margin guards against what does not matter; without one, α alone bounds false alarms.
    #[test]
    fn alarms_are_bounded_without_a_margin_too() {
        let (mut stream, gate) = (Stream::new(22), Speed { paired_margin: 0.0, ..Speed::default() });
        let alarms = (0..100)
            .filter(|_| judge_rounds(&rounds(&mut stream, 10, 1.0), &gate).verdict == Verdict::Regression)
            .count();
        assert!(alarms <= 5, "{alarms} of 100");
    }

    #[test]
    fn ten_per_cent_are_seen() {
        let mut stream = Stream::new(23);
        let seen = (0..100)
            .filter(|_| judge_rounds(&rounds(&mut stream, 10, 1.1), &Speed::default()).verdict == Verdict::Regression)
            .count();
        assert!(seen >= 80, "{seen} of 100");
    }

    #[test]
    fn what_was_not_measured_is_no_pass() {
        assert_eq!(judge_rounds(&[], &Speed::default()).verdict, Verdict::NoData);
        let mut rounds = rounds(&mut Stream::new(1), 3, 1.0);
        rounds[1].head[0].clear();
        assert_eq!(judge_rounds(&rounds, &Speed::default()).verdict, Verdict::NoData);
    }
}
