//! Do more cells diverge than before? Of the same cells, so by paired proportions.

use super::gate::Stability;
use super::pairing::Pairing;
use super::verdict::{Finding, Gated, Measured, Verdict};
use crate::results::Status;
use crate::statistics::paired_proportions;

pub fn judge(pairing: &Pairing<'_>, gate: &Stability) -> Gated {
    let ended: Vec<(bool, bool)> = pairing
        .pairs
        .iter()
        .filter(|pair| pair.base.status.is_final() && pair.head.status.is_final())
        .map(|pair| (pair.base.status == Status::Diverged, pair.head.status == Status::Diverged))
        .collect();
    let count = |which: (bool, bool)| ended.iter().filter(|pair| **pair == which).count();
    let (both, base, head, n) = (count((true, true)), count((true, false)), count((false, true)), ended.len());
    let finding = paired_proportions(both, base, head, n, gate.alpha).map(|found| {
        let (low, high) = found.interval;
        let verdict = match head <= base {
            true => Verdict::Pass,
            false if low > gate.margin => Verdict::Regression,
            false => Verdict::Inconclusive,
        };
        Finding {
            subject: "all cells".into(),
            metric: "diverged".into(),
            verdict,
            message: format!(
                "{} of {n} diverged and {} do: {head} more, {base} no longer; share {:+.3}, between {low:+.3} and {high:+.3}",
                both + base,
                both + head,
                found.difference
            ),
            measured: Some(Measured {
                loss: found.difference,
                interval: Some(found.interval),
                margin: gate.margin,
                smallest_visible: None,
                n,
            }),
        }
    });
    let message = finding.as_ref().map(|finding| finding.message.clone()).unwrap_or_default();
    Gated::of("stability", finding.into_iter().collect(), "no pair of cells has ended", |_| message)
}
