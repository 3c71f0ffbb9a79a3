//! What may be said of a comparison, and what it is said with.

use serde::Serialize;

use crate::statistics::{Difference, mean_difference};

/// Verdicts from the lightest to the gravest: the whole is as grave as its gravest part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Looked at, and as good as before.
    Pass,
    /// The interval holds both: too few seeds, or too much noise, to say.
    Inconclusive,
    /// Measured under different conditions.
    Incomparable,
    /// There is nothing to look at.
    NoData,
    /// Worse than before.
    Regression,
}

impl Verdict {
    /// As it stands in verdict.json.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Inconclusive => "inconclusive",
            Self::Incomparable => "incomparable",
            Self::NoData => "no-data",
            Self::Regression => "regression",
        }
    }

    /// Exit code of the process.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Regression => 10,
            Self::Inconclusive => 11,
            Self::NoData => 12,
            Self::Incomparable => 13,
        }
    }

    /// Of a loss, positive where head is worse. It is a regression if the interval that is corrected for many looks lies wholly beyond
    /// the margin, and a pass if the plain one lies wholly within: to be right that *all* are within, each needs its own level only
    /// (Berger 1982, "Multiparameter hypothesis testing and acceptance sampling", Technometrics 24: the intersection-union test).
    pub fn of_loss(plain: (f64, f64), corrected: (f64, f64), margin: f64) -> Self {
        if corrected.0 > margin {
            Self::Regression
        } else if plain.1 <= margin {
            Self::Pass
        } else {
            Self::Inconclusive
        }
    }
}

/// The verdict on the mean of `losses` as one of `looks`, none where it has no interval, with the plain difference and the corrected one.
pub fn of_mean(
    losses: &[f64],
    alpha: f64,
    looks: usize,
    margin: f64,
) -> Option<(Option<Verdict>, Difference, Difference)> {
    let (plain, corrected) = (mean_difference(losses, alpha)?, mean_difference(losses, alpha / looks as f64)?);
    let intervals = plain.interval.zip(corrected.interval);
    Some((intervals.map(|(plain, corrected)| Verdict::of_loss(plain, corrected, margin)), plain, corrected))
}

/// A gate's verdict with all that it found.
#[derive(Clone, Debug, Serialize)]
pub struct Gated {
    /// Which gate.
    pub name: &'static str,
    /// Its verdict: the gravest of its findings'.
    pub verdict: Verdict,
    /// One sentence.
    pub summary: String,
    /// What it looked at, the gravest first.
    pub findings: Vec<Finding>,
}

/// One thing that a gate looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// Cell, group or whole.
    pub subject: String,
    /// What of it.
    pub metric: String,
    /// What it comes to.
    pub verdict: Verdict,
    /// In words.
    pub message: String,
    /// In numbers, where there are some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measured: Option<Measured>,
}

/// How much worse head is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Measured {
    /// Positive where head is worse.
    pub loss: f64,
    /// Its interval, not corrected for other looks.
    pub interval: Option<(f64, f64)>,
    /// What is tolerated.
    pub margin: f64,
    /// The smallest loss that would have been seen in four of five such experiments.
    pub smallest_visible: Option<f64>,
    /// Pairs.
    pub n: usize,
}

impl Gated {
    /// Of its findings; `nothing` is said where there are none.
    pub fn of(
        name: &'static str,
        mut findings: Vec<Finding>,
        nothing: &str,
        passed: impl FnOnce(usize) -> String,
    ) -> Self {
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.verdict));
        let Some(worst) = findings.first() else { return Self::bare(name, Verdict::NoData, nothing.into()) };
        let verdict = worst.verdict;
        let alike = findings.iter().filter(|finding| finding.verdict == verdict).count();
        let summary = match (verdict, alike) {
            (Verdict::Pass, n) => passed(n),
            (_, 1) => format!("{}, {}: {}", worst.subject, worst.metric, worst.message),
            (_, n) => format!("{}, {}: {}; and {} more", worst.subject, worst.metric, worst.message, n - 1),
        };
        Self { name, verdict, summary, findings }
    }

    /// Without findings.
    pub fn bare(name: &'static str, verdict: Verdict, summary: String) -> Self {
        Self { name, verdict, summary, findings: Vec::new() }
    }
}
