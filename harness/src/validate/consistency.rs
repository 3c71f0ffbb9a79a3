//! The same question has the same answer: asked again, elsewhere, among others, in another precision.

use std::path::PathBuf;

use candle_core::DType;
use serde_json::{Map, Value};

use super::numbers::first_gap;
use super::observation::{Observation, Observed, seed_of};
use super::process::digest_elsewhere;
use super::verdict::{Finding, Objection, expect};
use super::{Case, Subject};
use crate::host::TensorOptions;

const ROWS: usize = 64;

/// Same seed, same bits, whatever was asked in between; another seed, other results.
pub fn same_seed_same_bits(subject: &Subject, case: &Case) -> Finding {
    let observed = Observed::new(subject, case, subject.precise())?;
    let (seed, other) = (seed_of(case, 1), seed_of(case, 2));
    let first = observed.observe(ROWS, seed)?;
    let another = observed.observe(ROWS, other)?;
    observed.observe(3, other)?;
    let again = observed.observe(ROWS, seed)?;
    if let Some(difference) = first.first_difference(&again) {
        let words = format!("{difference}: asked again after other seeds; does the instance keep state between calls?");
        return Err(Objection::Failed(words));
    }
    let random = ["x of sample", "proposal"];
    for (a, b) in first.0.iter().zip(&another.0).filter(|(a, _)| random.contains(&a.name)) {
        expect(a.values != b.values, || format!("{}: two seeds give the same draws", a.name))?;
    }
    Ok(())
}

/// A second instance, and instances on two threads at once, answer as the first did.
pub fn instances_agree(subject: &Subject, case: &Case) -> Finding {
    let seed = seed_of(case, 1);
    let observed = Observed::new(subject, case, subject.precise())?;
    let first = observed.observe(ROWS, seed)?;
    // Kept alive, so that both are there at once.
    let second = Observed::new(subject, case, subject.precise())?.observe(ROWS, seed)?;
    let differs = |difference: String, who: &str| {
        Objection::Failed(format!("{difference}: {who}; is there something that instances or threads share?"))
    };
    if let Some(difference) = first.first_difference(&second) {
        return Err(differs(difference, "a second instance"));
    }
    let on_thread = |path: PathBuf, fixed: Map<String, Value>| {
        let case = case.clone();
        move || -> Result<Observation, Objection> {
            let subject = Subject::open(&path, &fixed).map_err(|error| Objection::Failed(error.to_string()))?;
            Observed::new(&subject, &case, subject.precise())?.observe(ROWS, seed)
        }
    };
    let threads = [0, 1].map(|_| std::thread::spawn(on_thread(subject.path.clone(), subject.fixed().clone())));
    for thread in threads {
        let there = thread.join().map_err(|_| Objection::Failed("a thread of the harness panicked".into()))??;
        if let Some(difference) = first.first_difference(&there) {
            return Err(differs(difference, "an instance on another thread"));
        }
    }
    Ok(())
}

/// One thread or three: every bit is the same.
pub fn threads_do_not_matter(subject: &Subject, case: &Case) -> Finding {
    // What it refuses, it refuses here.
    Observed::new(subject, case, subject.precise())?;
    let [one, three] = [1, 3].map(|threads| digest_elsewhere(subject, case, threads));
    let (one, three) = (one?, three?);
    for ((name, one), (_, three)) in one.iter().zip(&three) {
        expect(one == three, || {
            format!("{name}: other bits with RAYON_NUM_THREADS=3 than with 1; is a sum split by the number of threads?")
        })?;
    }
    Ok(())
}

/// Rows at which the digest is taken: enough that there is work for several threads.
const MANY_ROWS: usize = 1500;

/// Digests of everything in a case, by name: what [`threads_do_not_matter`] asks another process for.
pub fn digests(subject: &Subject, case: &Case) -> Result<Vec<(String, String)>, Objection> {
    let all = Observed::new(subject, case, subject.precise())?.observe(MANY_ROWS, seed_of(case, 1))?;
    Ok(all.0.iter().map(|output| (output.name.to_owned(), output.digest())).collect())
}

/// Rows do not depend on how many follow them. 1e-9: a product of matrices may sum in another order for another number of rows.
pub fn rows_stand_alone(subject: &Subject, case: &Case) -> Finding {
    let observed = Observed::new(subject, case, subject.precise())?;
    let tolerance = if subject.precise() == DType::F64 { 1e-9 } else { 1e-3 };
    let all = observed.observe(ROWS, seed_of(case, 1))?;
    for few in [1, 5] {
        let part = observed.observe(few, seed_of(case, 1))?;
        for (part, all) in part.0.iter().zip(&all.0).filter(|(part, _)| part.width.is_some()) {
            if let Some(at) = first_gap(&part.values, &all.values, tolerance) {
                let row = at / part.width.unwrap_or(1);
                let (alone, among) = (part.values[at], all.values[at]);
                return Err(Objection::Failed(format!(
                    "{}: row {row} is {alone:.9e} in a batch of {few}, {among:.9e} in one of {ROWS}; \
                     a row may depend on its own number, the seed and the parameters alone",
                    part.name
                )));
            }
        }
    }
    Ok(())
}

/// f32 computes what f64 does: half of the rows to 1e-4 of themselves, some thousand roundings. Of the others a decision may
/// have been another: to accept, or how far to go.
pub fn precisions_agree(subject: &Subject, case: &Case) -> Finding {
    if !(subject.computes_in("f32") && subject.computes_in("f64")) {
        return Err(Objection::Skipped(format!("it computes in {} only", subject.descriptor.dtypes.join(", "))));
    }
    let single = Observed::new(subject, case, DType::F32)?;
    let double = single.elsewhere(subject, case, DType::F64.into())?;
    let (single, double) = (single.observe(200, seed_of(case, 1))?, double.observe(200, seed_of(case, 1))?);
    for (single, double) in single.0.iter().zip(&double.0).filter(|(single, _)| single.width.is_some()) {
        let mut gaps: Vec<f64> =
            single.values.iter().zip(&double.values).map(|(a, b)| (a - b).abs() / (1.0 + b.abs())).collect();
        gaps.sort_by(f64::total_cmp);
        let (median, largest) = (gaps[gaps.len() / 2], gaps[gaps.len() - 1]);
        expect(median < 1e-4, || {
            format!(
                "{}: f32 and f64 differ by {median:.1e} of themselves at half of the rows, by up to {largest:.1e}",
                single.name
            )
        })?;
    }
    Ok(())
}

/// The same on a GPU, where there is one: half of the rows of every result to 1e-9 of themselves in f64, 1e-4 in f32, some thousand
/// roundings. Of the others a decision may have been another. What is a sum over rows, to a thousand times as much of its largest.
pub fn devices_agree(subject: &Subject, case: &Case) -> Finding {
    if !subject.descriptor.devices.iter().any(|device| device == "cuda") {
        return Err(Objection::Skipped("the plugin has no CUDA".into()));
    }
    let device = flow_cuda::device(0).map_err(|error| Objection::Skipped(format!("no CUDA device: {error}")))?;
    let dtype = subject.precise();
    let tolerance = if dtype == DType::F64 { 1e-9 } else { 1e-4 };
    let here = Observed::new(subject, case, dtype)?;
    let there = here.elsewhere(subject, case, TensorOptions { dtype, device })?;
    let (here, there) = (here.observe(ROWS, seed_of(case, 1))?, there.observe(ROWS, seed_of(case, 1))?);
    for there in &there.0 {
        // Functions on rows are the processor's alone.
        let Some(here) = here.0.iter().find(|output| output.name == there.name) else { continue };
        let largest = here.values.iter().fold(1.0f64, |largest, value| largest.max(value.abs()));
        let gap = |(a, b): (&f64, &f64)| (a - b).abs() / if here.width.is_some() { 1.0 + b.abs() } else { largest };
        let mut gaps: Vec<f64> = there.values.iter().zip(&here.values).map(gap).collect();
        gaps.sort_by(f64::total_cmp);
        let (median, most) = (gaps.get(gaps.len() / 2).copied(), gaps.last().copied());
        let (found, limit) = if here.width.is_some() { (median, tolerance) } else { (most, 1e3 * tolerance) };
        expect(found.is_none_or(|found| found < limit), || {
            let (median, most) = (median.unwrap_or_default(), most.unwrap_or_default());
            let name = here.name;
            format!(
                "{name}: CPU and CUDA differ by {median:.1e} of themselves at half of the elements, by up to {most:.1e}"
            )
        })?;
    }
    Ok(())
}
