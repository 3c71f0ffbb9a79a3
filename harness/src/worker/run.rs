//! One cell: set up, trained, evaluated, checked, timed, written.

use std::path::Path;
use std::rc::Rc;
use std::time::Instant;

use anyhow::{Context, Result};
use candle_core::Device;
use flow_sdk::Layout;

use super::Link;
use super::training::Trained;
use crate::cell::{Cell, DeviceKind};
use crate::host::{CountedTarget, LoadError, PluginError};
use crate::results::{CellFolder, Outcome, Status};
use crate::train::{Groups, Record, Trainer};

/// A cell being run: all but the plugin's instance, which is its [`Subject`](super::subject::Subject).
pub(super) struct Run<'a> {
    pub(super) cell: &'a Cell,
    pub(super) id: String,
    pub(super) folder: &'a CellFolder,
    pub(super) link: &'a mut dyn Link,
    pub(super) device: Device,
    pub(super) layout: Layout,
    pub(super) groups: Groups,
    pub(super) target: Rc<CountedTarget>,
    pub(super) trainer: Trainer,
    pub(super) record: Record,
    pub(super) last_elbo: Option<f64>,
}

/// How the driver's errors spell it, whatever they are wrapped in.
const OUT_OF_DEVICE_MEMORY: &str = "CUDA_ERROR_OUT_OF_MEMORY";

/// How a cell ended, and why.
pub(super) type Ending = (Status, Option<String>);

/// Runs a cell, on CUDA device number `ordinal` if on any, and returns its outcome; `None` where it was asked to stop, with a
/// checkpoint left behind.
///
/// A plugin that fails is an outcome. An error is the harness's own: a disk that is full, say.
pub fn run(
    cell: &Cell,
    plugin: &Path,
    folder: &CellFolder,
    link: &mut dyn Link,
    ordinal: usize,
) -> Result<Option<Outcome>> {
    // Filled on the way: a plugin that fails late keeps what was measured before.
    let mut outcome = Outcome::bare(Status::Pending, "");
    let (status, detail) = match attempt(cell, plugin, folder, link, ordinal, &mut outcome) {
        Ok(Some(ending)) => ending,
        Ok(None) => return Ok(None),
        Err(error) => match blame(&error) {
            Some(status) => (status, Some(format!("{error:#}"))),
            None => return Err(error),
        },
    };
    Ok(Some(Outcome { status, detail, ..outcome }))
}

fn attempt(
    cell: &Cell,
    plugin: &Path,
    folder: &CellFolder,
    link: &mut dyn Link,
    ordinal: usize,
    outcome: &mut Outcome,
) -> Result<Option<Ending>> {
    let started = Instant::now();
    let device = match cell.device {
        DeviceKind::Cpu => Device::Cpu,
        DeviceKind::Cuda => {
            outcome.device_name = Some(flow_cuda::properties(ordinal).context("the CUDA device")?.name);
            flow_cuda::device(ordinal).context("the CUDA device")?
        }
    };
    let (mut run, mut subject) = Run::set_up(cell, plugin, folder, link, device)?;
    if run.record.setup_s == 0.0 {
        run.record.setup_s = started.elapsed().as_secs_f64();
    }
    let figures = &mut outcome.figures;
    let known = run.target.uncounted().known();
    figures.dim = Some(run.target.uncounted().dim());
    figures.log_z_nats = known.log_z;
    let trained_slices = run.layout.slices().iter().filter(|slice| !slice.tuned);
    figures.n_params = Some(trained_slices.map(|slice| slice.len() as u64).sum());
    figures.plugin_version = Some(subject.descriptor().version.clone());
    let trained = run.train(&*subject)?;
    run.report_training(figures);
    let ending = match trained {
        Trained::Stopped => return Ok(None),
        Trained::GaveUp => run.give_up(&*subject, figures),
        Trained::Finished => match subject.conclude(&mut run, figures)? {
            Some(ending) => ending,
            None => return Ok(None),
        },
    };
    outcome.metrics_rows = Some(run.write(&*subject)?);
    outcome.peak_device_bytes = flow_cuda::peak_bytes(&run.device);
    Ok(Some(ending))
}

/// The status of a failure that is the plugin's; `None` where it is the harness's own.
fn blame(error: &anyhow::Error) -> Option<Status> {
    if format!("{error:#}").contains(OUT_OF_DEVICE_MEMORY) {
        return Some(Status::Oom);
    }
    match error.downcast_ref() {
        Some(PluginError::Panicked { .. }) => Some(Status::Panicked),
        Some(_) => Some(Status::PluginError),
        None => error.downcast_ref::<LoadError>().map(|_| Status::Unloadable),
    }
}
