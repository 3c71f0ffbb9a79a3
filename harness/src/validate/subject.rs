//! The plugin under test: opened once, made into instances for cases.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use candle_core::{DType, Tensor};
use flow_sdk::Descriptor;
use serde_json::{Map, Value, json};

use super::numbers::{moved, values};
use super::{Case, Objection};
use crate::host::{CountedTarget, HostFlow, HostSampler, Library, LoadError, PluginError, TensorOptions};

/// A plugin with what every case of it has in common.
pub struct Subject {
    /// Its file.
    pub path: PathBuf,
    /// What it says of itself.
    pub descriptor: Descriptor,
    /// Its tables.
    pub library: Library,
    fixed: Map<String, Value>,
}

/// Draws beyond this are numbers, but no law can be told from them.
const WILD: f64 = 1e4;

impl Subject {
    /// Loads a plugin, of which `fixed` parameters are to be checked.
    pub fn open(path: &Path, fixed: &Map<String, Value>) -> Result<Self, LoadError> {
        let library = Library::open(path)?;
        let descriptor = library.descriptor()?;
        Ok(Self { path: path.into(), descriptor, library, fixed: fixed.clone() })
    }

    /// The case of a number.
    pub fn case(&self, seed: u64) -> Case {
        Case::new(seed, &self.descriptor.parameters, &self.fixed)
    }

    /// Parameters that every case has.
    pub fn fixed(&self) -> &Map<String, Value> {
        &self.fixed
    }

    /// The most precise element type that it computes in.
    pub fn precise(&self) -> DType {
        if self.computes_in("f64") { DType::F64 } else { DType::F32 }
    }

    /// Whether it computes in the named element type.
    pub fn computes_in(&self, dtype: &str) -> bool {
        self.descriptor.dtypes.iter().any(|known| known == dtype)
    }

    /// A flow on a standard Gaussian in the case's dimension.
    pub fn flow(&self, case: &Case, dtype: DType) -> Result<HostFlow, Objection> {
        self.flow_on(case, dtype.into())
    }

    /// Likewise, on some device.
    pub fn flow_on(&self, case: &Case, options: TensorOptions) -> Result<HostFlow, Objection> {
        let target = counted("gaussian", &json!({"dim": case.dim}))?;
        HostFlow::create(&self.library, &case.parameters, options, target).map_err(|error| unless_refused(error, case))
    }

    /// Likewise, of a flow that has a density.
    pub fn flow_with_density(&self, case: &Case) -> Result<HostFlow, Objection> {
        let flow = self.flow(case, self.precise())?;
        if flow.has_density() { Ok(flow) } else { Err(Objection::Skipped("the flow has no density".into())) }
    }

    /// A sampler of a target.
    pub fn sampler(
        &self,
        case: &Case,
        options: impl Into<TensorOptions>,
        target: Rc<CountedTarget>,
    ) -> Result<HostSampler, Objection> {
        HostSampler::create(&self.library, &case.parameters, options, target)
            .map_err(|error| unless_refused(error, case))
    }
}

/// A target of the registry.
pub fn counted(name: &str, params: &Value) -> Result<Rc<CountedTarget>, Objection> {
    let params = params.as_object().cloned().unwrap_or_default();
    Ok(Rc::new(CountedTarget::new(targets::registry::build(name, &params)?)))
}

/// Parameters well away from where training starts, so that every term of every formula matters; nearer where the flow's
/// draws would be wild.
pub fn away_from_start(flow: &HostFlow, seed: u64) -> Result<Tensor, Objection> {
    at_most(flow, seed, 0.4)
}

/// Parameters some way from where training starts: terms matter, and the draws are still without holes.
pub fn near_start(flow: &HostFlow, seed: u64) -> Result<Tensor, Objection> {
    at_most(flow, seed, 0.1)
}

fn at_most(flow: &HostFlow, seed: u64, most: f64) -> Result<Tensor, Objection> {
    let start = flow.init(seed)?;
    for by in [1.0, 0.5, 0.25, 0.125, 0.0625].map(|part| part * most) {
        let params = moved(&start, seed ^ 0x5eed, by)?;
        let draws = flow.sample(&params, seed, 256)?;
        if values(&draws.x)?.iter().chain(&values(&draws.log_q)?).all(|value| value.abs() < WILD) {
            return Ok(params);
        }
    }
    Ok(start)
}

/// What a schema cannot say, a plugin may still refuse: a coupling flow one dimension, say. Its defaults in two it may not.
fn unless_refused(error: PluginError, case: &Case) -> Objection {
    match error {
        PluginError::Failed { function: "create", message } if !case.is_first() => {
            let parameters = Value::Object(case.parameters.clone());
            Objection::Skipped(format!("refuses {parameters} in {} dimensions: {message}", case.dim))
        }
        other => other.into(),
    }
}
