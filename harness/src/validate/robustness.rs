//! What nobody should pass, and somebody will: no rows, no numbers, too much, the wrong thing. An answer is a result or an error.

use std::rc::Rc;

use candle_core::{DType, Device, Tensor};
use flow_kernels::philox::derive_seed;
use flow_sdk::abi::{self, DLDataType, DLDevice, FAILED, TYPE_FLOAT};
use flow_sdk::text::CallBuffer;
use serde_json::json;
use targets::{Known, Target};

use super::numbers::{moved, normals, values};
use super::observation::{Observed, seed_of};
use super::raw::{Returned, Style, call_flow, call_sampler};
use super::subject::{away_from_start, counted};
use super::verdict::{Finding, Objection, expect};
use super::{Case, Subject};
use crate::host::{CountedTarget, PluginError, Tempering};

/// Parameters are moved so far, since a plugin that has seen them may have written all that it writes.
const UNSEEN: f64 = 0.01;

/// Inputs are read only, and outputs end where they end.
pub fn memory_is_respected(subject: &Subject, case: &Case) -> Finding {
    calls(subject, case, Style::Plain).map(drop)
}

/// A view is where its `byte_offset` says, and may have strides that say row-major.
pub fn views_are_understood(subject: &Subject, case: &Case) -> Finding {
    let (plain, offset) = (calls(subject, case, Style::Plain)?, calls(subject, case, Style::Offset)?);
    for ((name, plain), (_, offset)) in plain.iter().zip(&offset) {
        expect(plain == offset, || {
            format!("{name}: other numbers where the views have a `byte_offset` and row-major `strides`")
        })?;
    }
    Ok(())
}

fn calls(subject: &Subject, case: &Case, style: Style) -> Result<Returned, Objection> {
    let (dtype, seed) = (subject.precise(), seed_of(case, 1));
    if subject.descriptor.kind == "sampler" {
        let sampler = subject.sampler(case, dtype, counted("gaussian", &json!({"dim": case.dim}))?)?;
        let params = moved(&sampler.init(case.seed)?, seed, UNSEEN)?;
        return match dtype {
            DType::F32 => call_sampler::<f32>(&sampler, &params, seed, style),
            _ => call_sampler::<f64>(&sampler, &params, seed, style),
        };
    }
    let flow = subject.flow(case, dtype)?;
    let params = moved(&away_from_start(&flow, case.seed)?, seed, UNSEEN)?;
    match dtype {
        DType::F32 => call_flow::<f32>(&flow, &params, seed, style),
        _ => call_flow::<f64>(&flow, &params, seed, style),
    }
}

/// No rows are a batch, of which a gradient is zero; so is one row.
pub fn empty_is_a_batch(subject: &Subject, case: &Case) -> Finding {
    let observed = Observed::new(subject, case, subject.precise())?;
    for output in observed.observe(0, seed_of(case, 1))?.0.iter().filter(|output| output.name.starts_with("gradient")) {
        let bad = output.values.iter().find(|value| **value != 0.0);
        expect(bad.is_none(), || format!("{} of no rows has {} in it", output.name, bad.unwrap_or(&f64::NAN)))?;
    }
    observed.observe(1, seed_of(case, 1)).map(drop)
}

/// Many rows, many dimensions and large parameters: numbers or not, but an answer.
pub fn much_is_endured(subject: &Subject, case: &Case) -> Finding {
    let observed = Observed::new(subject, case, subject.precise())?;
    observed.observe_forward(10_000, seed_of(case, 1))?;
    let wide = Case { dim: 100, ..case.clone() };
    match Observed::new(subject, &wide, subject.precise()) {
        Ok(observed) => drop(observed.observe(3, seed_of(case, 1))?),
        Err(Objection::Failed(words)) if words.starts_with("create: ") => {}
        Err(Objection::Skipped(_)) => {}
        Err(other) => return Err(other),
    }
    for scale in [1e6, 1e30] {
        let params = (normals(5, observed.params().dims(), observed.params().dtype())? * scale)?;
        let large = Observed::new(subject, case, subject.precise())?.with_params(&params);
        answered(large.observe(20, seed_of(case, 1)))?;
    }
    Ok(())
}

/// What is not a number stays so, in its own rows: it is how a harness notices that training has diverged.
pub fn not_a_number_shows(subject: &Subject, case: &Case) -> Finding {
    for poison in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let observed = Observed::new(subject, case, subject.precise())?;
        let count = observed.params().elem_count();
        let params =
            Tensor::full(poison, observed.params().dims(), &Device::Cpu)?.to_dtype(observed.params().dtype())?;
        let Some(all) = answered(observed.with_params(&params).observe(20, seed_of(case, 1)))? else { continue };
        let hides = |name: &str| {
            all.0.iter().any(|output| output.name == name && output.values.iter().all(|value| value.is_finite()))
        };
        expect(!poison.is_nan() || count == 0 || !(hides("x of sample") && hides("log_q of sample")), || {
            "with parameters that are all NaN, every draw and its log q are finite numbers: divergence would not show"
                .into()
        })?;
        let lost = all.0.iter().find(|output| output.name == "x of transition");
        expect(lost.is_none_or(|output| output.values.iter().all(|value| value.is_finite())), || {
            format!("with parameters that are all {poison} chains accept proposals that are not finite")
        })?;
    }
    if subject.descriptor.kind != "flow" {
        return Ok(());
    }
    let flow = subject.flow(case, subject.precise())?;
    if !flow.has_density() {
        return Ok(());
    }
    let params = away_from_start(&flow, case.seed)?;
    let clean = normals(3, &[6, case.dim], subject.precise())?;
    let before = values(&flow.density(&params, &clean, seed_of(case, 1))?)?;
    for poison in [f64::NAN, f64::INFINITY, 1e300] {
        let mut x = values(&clean)?;
        x[2 * case.dim] = poison;
        let x = Tensor::from_vec(x, (6, case.dim), &Device::Cpu)?.to_dtype(subject.precise())?;
        let Some(after) = answered(flow.density(&params, &x, seed_of(case, 1)).map_err(Objection::from))? else {
            continue;
        };
        let after = values(&after)?;
        expect(!poison.is_nan() || !after[2].is_finite(), || format!("log q at a point that is NaN is {}", after[2]))?;
        for row in [0, 1, 3, 4, 5] {
            let gap = (after[row] - before[row]).abs();
            expect(gap <= 1e-9 * (1.0 + before[row].abs()), || {
                format!("log q of row {row} is {} beside a row with {poison}, else {}", after[row], before[row])
            })?;
        }
    }
    Ok(())
}

/// An error in words is an answer; a panic is not, though it was contained.
fn answered<T>(result: Result<T, Objection>) -> Result<Option<T>, Objection> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Objection::Failed(words)) if !words.contains(" panicked: ") => Ok(None),
        Err(other) => Err(other),
    }
}

/// What cannot be used is refused with a message, wherever there is room for one.
pub fn mistakes_are_refused(subject: &Subject, case: &Case) -> Finding {
    let target = counted("gaussian", &json!({"dim": case.dim}))?;
    let float = |bits: u8| DLDataType { code: TYPE_FLOAT, bits, lanes: 1 };
    let sound = if subject.computes_in("f64") { 64 } else { 32 };
    let defaults = serde_json::Value::Object(case.parameters.clone()).to_string();
    let mistakes = [
        ("parameters that are not JSON", "{\"", sound),
        ("parameters that are a list", "[1, 2]", sound),
        ("half precision, which its descriptor does not offer", defaults.as_str(), 16),
    ];
    for (what, config, bits) in mistakes {
        let (code, message) = create(subject, case, &target, config, float(bits), CallBuffer::new());
        expect(code == FAILED, || format!("`create` with {what} returned {code} ({message}), not {FAILED}"))?;
        if message.is_empty() {
            return Err(Objection::Warning(format!(
                "`create` refused {what} without a message: what is wrong, and what is right?"
            )));
        }
        // A message has no room: the code has to do.
        let (code, _) = create(subject, case, &target, config, float(bits), CallBuffer::without_room());
        expect(code == FAILED, || {
            format!("`create` with {what} and no room for a message returned {code}, not {FAILED}")
        })?;
    }
    wrong_shapes(subject, case)
}

/// `create` as the ABI has it; an instance that it makes all the same is ended.
fn create(
    subject: &Subject,
    case: &Case,
    target: &Rc<CountedTarget>,
    config: &str,
    dtype: DLDataType,
    mut buffer: CallBuffer,
) -> (i32, String) {
    let callbacks = target.callbacks();
    let setup = abi::Setup {
        struct_size: size_of::<abi::Setup>(),
        dim: case.dim as u64,
        dtype,
        device: DLDevice { device_type: abi::DEVICE_CPU, device_id: 0 },
        target: &raw const callbacks,
    };
    let mut instance = std::ptr::null_mut();
    let functions = match (subject.library.flow(), subject.library.sampler()) {
        (Some(table), _) => Some((table.create, table.destroy)),
        (_, Some(table)) => Some((table.create, table.destroy)),
        _ => None,
    };
    let Some((create, destroy)) = functions else { return (FAILED, "no table".into()) };
    // SAFETY: all pointers are valid for the call, the call-backs until the instance is ended.
    let code = unsafe { create(config.as_ptr(), config.len(), &raw const setup, &raw mut instance, buffer.call()) };
    if code == abi::OK && !instance.is_null() {
        // SAFETY: it was made by these functions and is ended once.
        unsafe { destroy(instance) };
    }
    (code, buffer.message())
}

/// Fewer parameters than there are must not be taken for all of them.
fn wrong_shapes(subject: &Subject, case: &Case) -> Finding {
    let dtype = subject.precise();
    let accepted = if subject.descriptor.kind == "flow" {
        let flow = subject.flow(case, dtype)?;
        let params = flow.init(case.seed)?;
        let few = params.elem_count().saturating_sub(1);
        few > 0 && survives(flow.sample(&params.narrow(0, 0, few)?.contiguous()?, 1, 4))?
    } else {
        let sampler = subject.sampler(case, dtype, counted("gaussian", &json!({"dim": case.dim}))?)?;
        let (params, from) =
            (sampler.init(case.seed)?, sampler.place(&normals(3, &[4, case.dim], dtype)?, Tempering::None)?);
        let few = params.elem_count().saturating_sub(1);
        few > 0 && survives(sampler.transition(&params.narrow(0, 0, few)?.contiguous()?, &from, 1, Tempering::None))?
    };
    if accepted {
        let words = "it takes a vector of parameters that is one too short: a mistake of its caller would go unnoticed";
        return Err(Objection::Warning(words.into()));
    }
    Ok(())
}

/// Whether a call succeeded; a panic is passed on.
fn survives<T>(result: Result<T, PluginError>) -> Result<bool, Objection> {
    match result {
        Ok(_) => Ok(true),
        Err(panic @ PluginError::Panicked { .. }) => Err(panic.into()),
        Err(_) => Ok(false),
    }
}

/// A target that fails.
struct Broken(usize);

impl Target for Broken {
    fn dim(&self) -> usize {
        self.0
    }

    fn log_density(&self, _: &Tensor) -> targets::Result<Tensor> {
        Err(targets::Error::Parameters("this target fails on purpose".into()))
    }

    fn grad(&self, _: &Tensor) -> targets::Result<Tensor> {
        Err(targets::Error::Parameters("this target fails on purpose".into()))
    }

    fn known(&self) -> Known {
        Known::default()
    }
}

/// A call-back that fails makes the call fail, with its message.
pub fn failures_are_passed_on(subject: &Subject, case: &Case) -> Finding {
    let broken = Rc::new(CountedTarget::new(Box::new(Broken(case.dim))));
    let sampler = subject.sampler(case, subject.precise(), broken)?;
    let params = sampler.init(derive_seed(case.seed, 1, 1))?;
    let from = flow_sdk::Point {
        x: normals(3, &[4, case.dim], subject.precise())?,
        log_density: normals(4, &[4], subject.precise())?,
        grad: if sampler.is_gradient_free() { None } else { Some(normals(5, &[4, case.dim], subject.precise())?) },
    };
    match sampler.transition(&params, &from, 1, Tempering::None) {
        Ok(_) => Err(Objection::Failed("the target's call-back failed, and the transition succeeded".into())),
        Err(error @ PluginError::Panicked { .. }) => Err(error.into()),
        Err(error) if error.to_string().contains("on purpose") => Ok(()),
        Err(error) => Err(Objection::Warning(format!("it failed, but does not pass on why: {error}"))),
    }
}
