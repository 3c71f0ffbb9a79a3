//! From a sweep file to its plan: plugins found and described, parameters checked, nothing run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::{Map, Value};

use crate::cell::{Cell, DeviceKind, Objective, Start};
use crate::host::{Found, SearchPath};
use crate::results::{Outcome, Planned, PlannedCell, Status};
use crate::sweep::{Catalog, Document, Overrides, Plugin, Source, Sweep, TargetSpec, resolve};

/// A sweep that may be run.
pub struct Prepared {
    /// The file's text, as it may be copied to another folder.
    pub text: String,
    /// Exclusions and limits; its cells have moved into the plan.
    pub sweep: Sweep,
    /// The plan of its cells.
    pub plan: Planned,
    /// The plugins it names.
    pub plugins: BTreeMap<String, Found>,
    /// Why the CUDA device that it names cannot be had, where it names one that cannot.
    pub no_cuda: Option<String>,
}

/// Reads, checks and expands a sweep.
pub fn prepare(path: &Path, device: Option<String>, plugin_dirs: &[PathBuf]) -> Result<Prepared> {
    let source = Source::read(path)?;
    let document = Document::parse(&source)?;
    let search = SearchPath::new(&[plugin_dirs, &document.plugins()].concat())?;
    let mut plugins = BTreeMap::new();
    for name in document.flow_names().into_iter().collect::<BTreeSet<_>>() {
        if let Some(found) = search.find(&name)? {
            plugins.insert(name, found);
        }
    }
    let mut catalog = Catalog { flows: flows(&plugins), targets: targets() };
    if plugins.len() < catalog.flows.len().max(document.flow_names().iter().collect::<BTreeSet<_>>().len()) {
        // A name is unknown: the message lists the known ones, or guesses which was meant.
        catalog.flows = flows(&search.all()?).into_iter().chain(catalog.flows).collect();
    }
    let mut sweep = resolve(&document, &catalog, &Overrides { device })?;
    let cells = std::mem::take(&mut sweep.cells);
    let cells = cells.into_iter().map(|cell| planned(cell, &plugins)).collect::<Result<_>>()?;
    let plan = Planned { schema_version: Planned::SCHEMA_VERSION, name: sweep.name.clone(), cells };
    let no_cuda = sweep.devices.cuda().and_then(|device| without_cuda(device.ordinal));
    Ok(Prepared { text: document.copy(), sweep, plan, plugins, no_cuda })
}

/// Everything that a sweep could name, with the plugins on the search path.
pub fn catalog(plugin_dirs: &[PathBuf]) -> Result<Catalog> {
    Ok(Catalog { flows: flows(&SearchPath::new(plugin_dirs)?.all()?), targets: targets() })
}

impl Prepared {
    /// The outcome of a cell that needs no worker: its plugin cannot be loaded, or the combination makes no sense.
    pub fn foregone(&self, cell: &Cell) -> Option<Outcome> {
        let descriptor = match &self.plugins.get(&cell.flow.name)?.descriptor {
            Ok(descriptor) => descriptor,
            Err(reason) => return Some(Outcome::bare(Status::Unloadable, reason)),
        };
        let starts_exactly = cell.sampling.as_ref().is_some_and(|sampling| sampling.start == Start::Exact);
        let reason = if !["flow", "sampler"].contains(&descriptor.kind.as_str()) {
            format!("`{}` is a {}, which this harness cannot run", descriptor.id, descriptor.kind)
        } else if starts_exactly && !has_exact_draws(cell) {
            format!("`start: exact` needs exact draws, which target `{}` does not have", cell.target.name)
        } else if cell.train.objective == Objective::Data && !descriptor.can("density") {
            format!("objective `data` needs a log-density, which `{}` does not have", descriptor.id)
        } else if cell.train.objective == Objective::Data && !has_exact_draws(cell) {
            format!("objective `data` needs exact draws, which target `{}` does not have", cell.target.name)
        } else if let (DeviceKind::Cuda, true, Some(reason)) = (cell.device, self.sweep.devices.is_axis, &self.no_cuda)
        {
            reason.clone()
        } else if cell.device == DeviceKind::Cuda && !descriptor.devices.iter().any(|device| device == "cuda") {
            format!("this build of `{}` has no CUDA", descriptor.id)
        } else {
            return None;
        };
        Some(Outcome::bare(Status::Skipped, reason))
    }
}

/// Why there is no CUDA device of that number; none where there is one.
fn without_cuda(ordinal: usize) -> Option<String> {
    match flow_cuda::devices() {
        Err(error) => {
            let error = error.to_string();
            Some(format!("no CUDA device: {}", error.lines().next().unwrap_or_default()))
        }
        Ok(count) if ordinal >= count => Some(format!("no CUDA device {ordinal}: this machine has {count}")),
        Ok(_) => None,
    }
}

fn planned(cell: Cell, plugins: &BTreeMap<String, Found>) -> Result<PlannedCell> {
    let dim = targets::registry::build(&cell.target.name, &cell.target.params)?.dim();
    let plugin = plugins.get(&cell.flow.name).map(|found| found.path.clone()).unwrap_or_default();
    Ok(PlannedCell { id: cell.id(), dim, plugin, cell })
}

fn has_exact_draws(cell: &Cell) -> bool {
    targets::registry::build(&cell.target.name, &cell.target.params).is_ok_and(|target| target.exact_draws().is_some())
}

fn flows(plugins: &BTreeMap<String, Found>) -> BTreeMap<String, Plugin> {
    let plugin = |found: &Found| Plugin { sha256: found.sha256.clone(), descriptor: found.descriptor.clone() };
    plugins.iter().map(|(name, found)| (name.clone(), plugin(found))).collect()
}

fn targets() -> BTreeMap<String, TargetSpec> {
    let spec = |name: &'static str| {
        let check = move |params: &Map<String, Value>| {
            targets::registry::build(name, params).map(|target| target.dim()).map_err(|error| error.to_string())
        };
        let schema = targets::registry::entry(name).map(|entry| (entry.schema)()).unwrap_or_default();
        TargetSpec { schema, check: Box::new(check) }
    };
    targets::registry::names().into_iter().map(|name| (name.to_owned(), spec(name))).collect()
}
