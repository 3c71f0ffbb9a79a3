//! Two results of the same sweep, and what a maintainer is to be told of the second.
//!
//! Four gates, each with a verdict of its own; the whole has the gravest of theirs. Nothing is a pass that was not looked at: a
//! side that is missing, empty or damaged is `no-data`, other machines and other sweeps are `incomparable`.

mod alternation;
mod correctness;
mod gate;
mod junit;
mod markdown;
mod pairing;
mod quality;
mod side;
mod speed;
mod stability;
mod trackers;
mod verdict;

use serde::Serialize;

pub use alternation::{Round, Throughputs, judge_rounds, throughputs};
pub use gate::Gate;
pub use junit::junit;
pub use markdown::markdown;
pub use side::{Origin, Side};
pub use trackers::{bencher, github_action_benchmark};
pub use verdict::{Finding, Gated, Measured, Verdict};

use pairing::Pairing;

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// Version of this format.
    pub schema_version: u32,
    /// The gravest verdict of any gate.
    pub verdict: Verdict,
    /// What it rests on, in a sentence.
    pub summary: String,
    /// One side.
    pub base: Origin,
    /// The other.
    pub head: Origin,
    /// Cells that both have.
    pub pairs: usize,
    /// The gates.
    pub gates: Vec<Gated>,
}

/// Version of verdict.json.
const SCHEMA_VERSION: u32 = 1;

/// Compares two results; in the settings `across` their cells may differ.
pub fn compare(base: &Side, head: &Side, gate: &Gate, across: &[String]) -> Comparison {
    let origins = (base.origin(), head.origin());
    let (gates, pairs) = match (base.table(), head.table()) {
        (Ok(old), Ok(new)) => match Pairing::new(old, new, across) {
            Ok(pairing) => (judge(&pairing, &origins, gate), pairing.pairs.len()),
            Err(reason) => (vec![Gated::bare("pairing", Verdict::Incomparable, reason)], 0),
        },
        (old, new) => {
            let reasons: Vec<String> = [old.err(), new.err()].into_iter().flatten().collect();
            (vec![Gated::bare("input", Verdict::NoData, reasons.join("; "))], 0)
        }
    };
    conclude(origins, pairs, gates)
}

/// The whole from its gates.
pub fn conclude((base, head): (Origin, Origin), pairs: usize, gates: Vec<Gated>) -> Comparison {
    let gravest = gates.iter().max_by_key(|gate| gate.verdict);
    let (verdict, summary) = match gravest {
        // Every gate was switched off.
        None => (Verdict::NoData, "no gate looked at anything".to_owned()),
        Some(gate) if gate.verdict == Verdict::Pass => (
            Verdict::Pass,
            format!("{pairs} cells, {}", gates.iter().map(|gate| gate.name).collect::<Vec<_>>().join(", ")),
        ),
        Some(gate) => (gate.verdict, format!("{}: {}", gate.name, gate.summary)),
    };
    Comparison { schema_version: SCHEMA_VERSION, verdict, summary, base, head, pairs, gates }
}

fn judge(pairing: &Pairing<'_>, origins: &(Origin, Origin), gate: &Gate) -> Vec<Gated> {
    let gates = [
        gate.correctness.as_ref().map(|gate| correctness::judge(pairing, gate)),
        gate.quality.as_ref().map(|gate| quality::judge(pairing, gate)),
        gate.stability.as_ref().map(|gate| stability::judge(pairing, gate)),
        gate.speed.as_ref().and_then(|gate| speed::judge(pairing, origins, gate)),
    ];
    gates.into_iter().flatten().collect()
}
