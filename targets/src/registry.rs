//! The targets by name.

use crate::banana::Banana;
use crate::funnel::Funnel;
use crate::gaussian::Gaussian;
use crate::gmm_9::Gmm9;
use crate::gmm_40::Gmm40;
use crate::icg::Icg;
use crate::many_well::ManyWell;
use crate::mog::Mog;
use crate::rough_well::RoughWell;
use crate::scg::Scg;
use crate::student_t_mixture::StudentTMixture;
use crate::u1::U1;
use crate::u2::U2;
use crate::u3::U3;
use crate::u4::U4;
use crate::{Error, Result, Target};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Every target, in the order in which lists show them: a new one is one line here.
static ENTRIES: [Entry; 15] = [
    Entry::of::<Gaussian>(),
    Entry::of::<Icg>(),
    Entry::of::<Scg>(),
    Entry::of::<U1>(),
    Entry::of::<U2>(),
    Entry::of::<U3>(),
    Entry::of::<U4>(),
    Entry::of::<Mog>(),
    Entry::of::<RoughWell>(),
    Entry::of::<Funnel>(),
    Entry::of::<Banana>(),
    Entry::of::<Gmm9>(),
    Entry::of::<Gmm40>(),
    Entry::of::<StudentTMixture>(),
    Entry::of::<ManyWell>(),
];

/// Makes a target of its parameters.
pub type Build = fn(&Map<String, Value>) -> Result<Box<dyn Target>>;

/// What a list of targets shows of one, and how to build it.
pub struct Entry {
    /// Its name in sweeps.
    pub name: &'static str,
    /// One line on what it is.
    pub summary: &'static str,
    /// Where its definition comes from.
    pub reference: &'static str,
    /// JSON Schema 2020-12 of its parameters, with defaults.
    pub schema: fn() -> Value,
    /// Builds it; parameters left out take their defaults.
    pub build: Build,
}

/// Names of all targets.
pub fn names() -> Vec<&'static str> {
    ENTRIES.iter().map(|entry| entry.name).collect()
}

/// The target called `name`, if there is one.
pub fn entry(name: &str) -> Option<&'static Entry> {
    ENTRIES.iter().find(|entry| entry.name == name)
}

/// The target called `name` with `params`; those left out take their defaults.
pub fn build(name: &str, params: &Map<String, Value>) -> Result<Box<dyn Target>> {
    let entry = entry(name).ok_or_else(|| Error::Unknown(name.to_owned()))?;
    (entry.build)(params)
}

/// The parameters of a target, which name it and build it.
///
/// Ranges stand in the schema alone: [`build`] checks against it, so no other check is needed.
pub(crate) trait Definition: JsonSchema + DeserializeOwned {
    const NAME: &'static str;
    const SUMMARY: &'static str;
    const REFERENCE: &'static str;

    /// The target; the parameters satisfy the schema.
    fn build(self) -> Box<dyn Target>;
}

impl Entry {
    const fn of<T: Definition>() -> Self {
        Self {
            name: T::NAME,
            summary: T::SUMMARY,
            reference: T::REFERENCE,
            schema: schema_of::<T>,
            build: checked::<T>,
        }
    }
}

fn schema_of<T: Definition>() -> Value {
    schemars::schema_for!(T).to_value()
}

fn checked<T: Definition>(params: &Map<String, Value>) -> Result<Box<dyn Target>> {
    let schema = schema_of::<T>();
    let takes: Vec<&String> = schema["properties"].as_object().into_iter().flat_map(Map::keys).collect();
    if let Some(stray) = params.keys().find(|name| !takes.contains(name)) {
        return Err(Error::Parameters(no_such_parameter(T::NAME, stray, &takes)));
    }
    let params = Value::Object(params.clone());
    let validator = jsonschema::validator_for(&schema)
        .map_err(|error| Error::Parameters(format!("schema of target `{}`: {error}", T::NAME)))?;
    let problems: Vec<String> = validator.iter_errors(&params).map(|error| explain(T::NAME, &error, &schema)).collect();
    if !problems.is_empty() {
        return Err(Error::Parameters(problems.join("; ")));
    }
    Ok(serde_json::from_value::<T>(params)?.build())
}

fn no_such_parameter(target: &str, name: &str, takes: &[&String]) -> String {
    let list = takes.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
    let list = if list.is_empty() { "no parameters" } else { &list };
    format!("target `{target}` has no parameter `{name}`; it takes {list}")
}

/// What is wrong with a parameter, and what would be right.
fn explain(target: &str, error: &jsonschema::ValidationError, schema: &Value) -> String {
    let path = error.instance_path().to_string();
    let parameter = path.trim_start_matches('/');
    let allowed = describe(&schema["properties"][parameter]);
    format!("parameter `{parameter}` of target `{target}`: {error}; it is {allowed}")
}

/// The values that a parameter's schema allows, in words.
fn describe(schema: &Value) -> String {
    let mut words = vec![schema["type"].as_str().unwrap_or("value").to_owned()];
    for (key, word) in [("minimum", "at least"), ("maximum", "at most"), ("multipleOf", "a multiple of")] {
        if let Some(bound) = schema.get(key) {
            words.push(format!("{word} {bound}"));
        }
    }
    words.join(", ")
}
