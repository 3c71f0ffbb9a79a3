//! Cells of a sweep that the harness ran, opened again: the flow behind its edge, with the parameters that it ended with.

use std::path::Path;
use std::process::Command;
use std::rc::Rc;

use anyhow::{Context, Result, ensure};
use candle_core::{DType, Device, Tensor};
use flow_sdk::Layout;
use harness::cell::Cell;
use harness::host::{CountedTarget, HostFlow, Library};
use harness::results::{CellFolder, Folder, Outcome, Planned};
use targets::Target;

/// A finished cell.
pub struct Trained {
    /// What was run.
    pub cell: Cell,
    /// How it ended.
    pub outcome: Outcome,
    /// What it left on disk.
    pub folder: CellFolder,
    /// Its flow.
    pub flow: HostFlow,
    /// Parameters of the flow at the end, `[P]`.
    pub params: Tensor,
    target: Rc<CountedTarget>,
}

/// Runs what has no result yet of the sweep `NAME.yaml`, and opens all of it.
pub fn run(name: &str, results: &Path) -> Result<Vec<Trained>> {
    let sweep = Path::new("results/reference/pictures").join(name).with_extension("yaml");
    ensure!(sweep.exists(), "{}: start this from the root of the repository", sweep.display());
    let status = Command::new("cargo")
        .args(["run", "--release", "--quiet", "--", "run"])
        .arg(&sweep)
        .arg("--out")
        .arg(results)
        .status()
        .context("starting cargo")?;
    ensure!(status.success(), "{}: the sweep ended with {status}", sweep.display());
    let folder = Folder::at(results);
    let plan = Planned::read(&folder.plan())?;
    plan.cells.into_iter().map(|planned| open(planned.cell, &planned.plugin, folder.cell(&planned.id))).collect()
}

impl Trained {
    /// The target density.
    pub fn target(&self) -> &dyn Target {
        self.target.uncounted()
    }

    /// A parameter of the flow, spelled as in a sweep.
    pub fn flow_param<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<T> {
        let value =
            self.cell.flow.params.get(name).with_context(|| format!("{} has no `{name}`", self.cell.flow.name))?;
        Ok(serde_json::from_value(value.clone())?)
    }

    /// KL(π‖q) in nats, EUBO − log Z, where both are known; of augmented flows more by the looseness of their bound.
    pub fn forward_kl(&self) -> Option<f64> {
        let figures = &self.outcome.figures;
        Some(figures.eubo_nats? - figures.log_z_nats?)
    }
}

fn open(cell: Cell, plugin: &Path, folder: CellFolder) -> Result<Trained> {
    let target = Rc::new(CountedTarget::new(targets::registry::build(&cell.target.name, &cell.target.params)?));
    let (library, dtype) = (Library::open(plugin)?, DType::from(cell.dtype));
    let flow = HostFlow::create(&library, &cell.flow.params, dtype, Rc::clone(&target))?;
    let params = parameters(&folder.params(), flow.layout())?;
    let outcome =
        Outcome::read(&folder.status())?.with_context(|| format!("{}: no result", folder.root().display()))?;
    Ok(Trained { cell, outcome, folder, flow, params, target })
}

fn parameters(path: &Path, layout: &Layout) -> Result<Tensor> {
    let named = candle_core::safetensors::load(path, &Device::Cpu).with_context(|| path.display().to_string())?;
    let flat = layout.slices().iter().map(|slice| {
        let values = named.get(&slice.name).with_context(|| format!("{}: no `{}`", path.display(), slice.name))?;
        Ok(values.flatten_all()?)
    });
    Ok(Tensor::cat(&flat.collect::<Result<Vec<_>>>()?, 0)?)
}
