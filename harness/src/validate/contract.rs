//! What the host relies on before it computes anything: descriptor, schema, tables, layout, defaults.

use std::collections::BTreeSet;
use std::mem::{offset_of, size_of};

use candle_core::DType;
use flow_sdk::abi::{FlowTable, MAJOR, MINOR, Plugin, SamplerTable};
use flow_sdk::{Descriptor, Layout};
use serde_json::{Map, Value, json};

use super::numbers::{normals, values};
use super::observation::{Observed, seed_of};
use super::subject::counted;
use super::verdict::{Finding, Objection, expect};
use super::{Case, Subject};
use crate::host::Tempering;

/// Abilities that have a function in the ABI, of flows and of samplers, and flags, which have none.
const OF_FLOWS: [&str; 5] = ["density", "probe", "fused", "fused_density", "augmented"];
const OF_SAMPLERS: [&str; 6] = ["train", "adapt", "probe", "fused", "fused_train", "gradient-free"];

/// Name, kind, devices, element types; abilities and the functions that they promise.
pub fn descriptor_is_sound(subject: &Subject, _: &Case) -> Finding {
    let Descriptor { id, version, kind, summary, reference, devices, dtypes, capabilities, probes, .. } =
        &subject.descriptor;
    let file = subject.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let expected = format!("lib{}.so", id.replace('-', "_"));
    expect(matches!(kind.as_str(), "flow" | "sampler"), || {
        format!("kind `{kind}`; this harness runs `flow` and `sampler`")
    })?;
    expect(!id.is_empty() && !version.is_empty(), || format!("id `{id}`, version `{version}`: one is empty"))?;
    expect(devices.iter().any(|device| device == "cpu"), || format!("devices {devices:?}: `cpu` is missing"))?;
    let known = |dtype: &String| ["f32", "f64"].contains(&dtype.as_str());
    expect(!dtypes.is_empty() && dtypes.iter().all(known), || {
        format!("dtypes {dtypes:?}: only f32 and f64 are known")
    })?;
    for (ability, has) in promised(subject) {
        let said = subject.descriptor.can(ability);
        expect(said == has, || {
            let (claims, function) =
                (if said { "claims" } else { "does not claim" }, if has { "is there" } else { "is null" });
            format!("it {claims} `{ability}`, but the function in its table {function}")
        })?;
    }
    expect(!probes.is_empty() || !subject.descriptor.can("probe"), || {
        "it claims `probe`, but names no figures".into()
    })?;
    let known: &[&str] = if kind == "flow" { &OF_FLOWS } else { &OF_SAMPLERS };
    if let Some(other) = capabilities.iter().find(|name| !known.contains(&name.as_str())) {
        return Err(Objection::Warning(format!(
            "capability `{other}` is not one of {}: a slip of the pen?",
            known.join(", ")
        )));
    }
    if file != expected {
        let words = format!("the file is {file}; a sweep finds `{id}` only if it is called {expected}");
        return Err(Objection::Warning(words));
    }
    if summary.is_empty() || reference.is_empty() {
        return Err(Objection::Warning(
            "summary or reference is empty: reports and `harness describe` show them".into(),
        ));
    }
    Ok(())
}

/// Abilities with a function of their own, and whether it is there.
fn promised(subject: &Subject) -> Vec<(&'static str, bool)> {
    if let Some(table) = subject.library.flow() {
        return vec![("density", table.density.is_some()), ("probe", table.probe.is_some())];
    }
    let Some(table) = subject.library.sampler() else { return Vec::new() };
    vec![("train", table.backward.is_some()), ("adapt", table.adapt.is_some()), ("probe", table.probe.is_some())]
}

/// Parameters have a JSON Schema with a default and a description each, which allows its own defaults and nothing unknown; the
/// plugin makes the same of no parameters and of all of its defaults.
pub fn schema_is_sound(subject: &Subject, case: &Case) -> Finding {
    let schema = &subject.descriptor.parameters;
    jsonschema::meta::validate(schema).map_err(|error| {
        Objection::Failed(format!(
            "the schema of the parameters is not a JSON Schema: {error} (at `{}`)",
            error.instance_path()
        ))
    })?;
    let none = Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&none);
    let with = |key: &str| properties.iter().find(|(_, property)| property.get(key).is_none()).map(|(name, _)| name);
    if let Some(name) = with("default") {
        return Err(Objection::Failed(format!(
            "parameter `{name}` has no default: every field needs one, and its type `Serialize`"
        )));
    }
    let defaults: Map<String, Value> =
        properties.iter().map(|(name, property)| (name.clone(), property["default"].clone())).collect();
    let all = Value::Object(defaults.clone());
    jsonschema::validate(schema, &all).map_err(|error| {
        Objection::Failed(format!("its own defaults do not match its schema: {error} (at `{}`)", error.instance_path()))
    })?;
    let seed = seed_of(case, 1);
    let written = Case { parameters: defaults.into_iter().chain(case.parameters.clone()).collect(), ..case.clone() };
    let [left_out, written] = [case, &written]
        .map(|case| Observed::new(subject, case, subject.precise()).and_then(|observed| observed.observe(8, seed)));
    if let Some(difference) = left_out?.first_difference(&written?) {
        let words =
            format!("{difference}: with every default written out; is a default in the schema not the plugin's?");
        return Err(Objection::Failed(words));
    }
    if schema["additionalProperties"] != Value::Bool(false) {
        let words =
            "the schema allows unknown parameters, so a sweep's misspelt one is ignored (`deny_unknown_fields`)";
        return Err(Objection::Warning(words.into()));
    }
    let undescribed = properties.iter().find(|(_, property)| {
        let referred = property["$ref"].as_str().and_then(|path| schema.pointer(path.trim_start_matches('#')));
        property.get("description").is_none() && referred.is_none_or(|kind| kind.get("description").is_none())
    });
    match undescribed {
        Some((name, _)) => Err(Objection::Warning(format!("parameter `{name}` has no description"))),
        None => Ok(()),
    }
}

/// Version and sizes of the tables belong together.
pub fn tables_are_sound(subject: &Subject, _: &Case) -> Finding {
    let ((major, minor), sizes) = (subject.library.version(), subject.library.sizes());
    let least = |since: [usize; 3]| since[(minor as usize).min(2)];
    let plugin = offset_of!(Plugin, sampler);
    let flow = offset_of!(FlowTable, sample_rows);
    let sampler = offset_of!(SamplerTable, transition_rows);
    let required = [
        ("plugin", Some(sizes.plugin), least([plugin, size_of::<Plugin>(), size_of::<Plugin>()])),
        ("flow", sizes.flow, least([flow, flow, size_of::<FlowTable>()])),
        ("sampler", sizes.sampler, least([sampler, sampler, size_of::<SamplerTable>()])),
    ];
    for (table, found, required) in required {
        expect(found.is_none_or(|found| found >= required), || {
            format!(
                "version {major}.{minor} has {required} bytes in its {table} table, this one says {}",
                found.unwrap_or(0)
            )
        })?;
    }
    let kind = &subject.descriptor.kind;
    let there = if kind == "flow" { sizes.flow } else { sizes.sampler };
    expect(there.is_some(), || format!("it is a {kind}, but has no {kind} table"))?;
    if minor > MINOR {
        let words =
            format!("its ABI is {major}.{minor}, this harness knows {MAJOR}.{MINOR}: what is newer is not checked");
        return Err(Objection::Warning(words));
    }
    Ok(())
}

/// It can be made, its layout names every parameter once, it starts and draws finite numbers, in each of its element types.
pub fn it_runs(subject: &Subject, case: &Case) -> Finding {
    for (name, dtype) in [("f32", DType::F32), ("f64", DType::F64)] {
        if !subject.computes_in(name) {
            continue;
        }
        let (layout, start, first) = started(subject, case, dtype)?;
        let mut names = BTreeSet::new();
        for slice in layout.slices() {
            expect(names.insert(&slice.name), || format!("the layout has two parameters called `{}`", slice.name))?;
        }
        for (what, numbers) in [("init", start), ("the first draws", first)] {
            let bad = numbers.iter().position(|value| !value.is_finite());
            expect(bad.is_none(), || format!("{what} in {name}: element {} is not finite", bad.unwrap_or(0)))?;
        }
    }
    Ok(())
}

fn started(subject: &Subject, case: &Case, dtype: DType) -> Result<(Layout, Vec<f64>, Vec<f64>), Objection> {
    let seed = seed_of(case, 1);
    if subject.descriptor.kind == "sampler" {
        let target = counted("gaussian", &json!({"dim": case.dim}))?;
        let sampler = subject.sampler(case, dtype, target)?;
        let params = sampler.init(seed)?;
        let from = normals(2, &[32, case.dim], dtype)?;
        let from = sampler.place(&from, Tempering::None)?;
        let moved = sampler.transition(&params, &from, seed, Tempering::None)?;
        return Ok((sampler.layout().clone(), values(&params)?, values(&moved.next.x)?));
    }
    let flow = subject.flow(case, dtype)?;
    let params = flow.init(seed)?;
    let draws = flow.sample(&params, seed, 32)?;
    let mut first = values(&draws.x)?;
    first.extend(values(&draws.log_q)?);
    Ok((flow.layout().clone(), values(&params)?, first))
}
