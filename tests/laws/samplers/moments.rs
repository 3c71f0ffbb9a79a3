//! The law that moments of chains are those of the target, to Monte Carlo error.

use flow_sdk::candle_core::DType;
use harness::measure::{Draws, diagnose};
use serde_json::{Value, json};

use crate::oracle::{Counted, values};
use crate::stand::{Stand, WarmUp};
use crate::statistics::larger;

const CHAINS: usize = 40;

/// Why the sampler of that name is left out, if it is.
type Skip = fn(&str) -> Option<&'static str>;

/// Whether no sample tells the error of its mean square in a coordinate.
type Heavy = fn(usize) -> bool;

/// Targets, with why a sampler is not held to one: what it gets wrong there is the method's, not its code's. In the mouth of
/// the funnel a square has a standard deviation of 14,000, by draws that are rarer than one in these chains.
fn targets() -> Vec<(Counted, Skip, Heavy)> {
    let all: Skip = |_| None;
    let none: Heavy = |_| false;
    let tuned: Skip = |name| {
        (name == "nn-hmc").then_some("untuned, its step fits the narrowest coordinate, a hundredth of the widest")
    };
    vec![
        (Counted::new("gaussian", &json!({"mean": 2.0, "sd": 0.5})), all, none),
        (Counted::new("icg", &json!({"dim": 10})), tuned, none),
        (Counted::new("icg", &json!({"dim": 50})), tuned, none),
        (Counted::new("banana", &json!({})), all, none),
        (
            Counted::new("funnel", &json!({"dim": 2})),
            |name| (name != "nuts").then_some("one step size does not fit both the mouth and the neck"),
            |coordinate| coordinate > 0,
        ),
    ]
}

/// Mean and variance of every coordinate, of chains that start at a standard normal and tune themselves first: within five
/// standard errors, by the rank-normalised effective sizes of x and of its squared distance from the mean, for the middle
/// or for the tails, whichever is smaller: a variance is made in the tails, where chains on the banana are slow.
///
/// `transitions` of 40 chains, after half as many of a warm-up.
pub fn moments_are_the_targets<S: WarmUp>(name: &str, config: &Value, transitions: u64) {
    for (target, skip, heavy) in targets() {
        let what = format!("{name} {config} on {}", target.label);
        if let Some(reason) = skip(name) {
            println!("skipped: {what}: {reason}");
            continue;
        }
        let mut stand = Stand::<S>::new(config, &target, DType::F64);
        let start = stand.warm_up(stand.base(1, CHAINS, 1.0), 2, transitions / 2);
        let mut trace = Vec::new();
        stand.walk(start, 3, transitions, |moved| trace.extend(values(&moved.next.x)));
        let known = target.known();
        let (means, sds) = (known.mean.unwrap(), known.sd.unwrap());
        let (mut worst, mut least) = (0.0, f64::INFINITY);
        for (j, (mean, sd)) in means.iter().zip(&sds).enumerate() {
            let x: Vec<f64> =
                Draws::of_trace(&trace, CHAINS, target.dim(), j).iter().map(|x| (x - mean) / sd).collect();
            let square: Vec<f64> = x.iter().map(|x| x * x - 1.0).collect();
            for (values, power) in [(x, 1), (square, 2)] {
                if power == 2 && heavy(j) {
                    println!("skipped: {what}: moment 2 of coordinate {j}: no sample tells its own error");
                    continue;
                }
                let diagnosis = diagnose(Draws::new(&values, CHAINS));
                let ess = diagnosis.ess_bulk.unwrap().min(diagnosis.ess_tail.unwrap());
                let n = values.len() as f64;
                let mean = values.iter().sum::<f64>() / n;
                let sd = (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt();
                let z = mean.abs() / sd * ess.sqrt();
                (worst, least) = (larger(worst, z), ess.min(least));
                assert!(z < 5.0, "{what}: moment {power} of coordinate {j} is {z:.1} standard errors off");
            }
        }
        println!("{what}: z {worst:.2}, least effective size {least:.0} of {}", transitions * CHAINS as u64);
        assert!(least > 50.0, "{what}: an effective size of {least:.0} says nothing");
    }
}
