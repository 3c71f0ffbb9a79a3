//! How a cell starts: its plugin loaded, its target made, its training at the first step or where it was left.

use std::path::Path;
use std::rc::Rc;

use anyhow::{Context, Result};
use candle_core::Device;

use super::Link;
use super::flow::FlowSubject;
use super::run::Run;
use super::sampler::SamplerSubject;
use super::subject::Subject;
use crate::cell::Cell;
use crate::host::{CountedTarget, HostFlow, HostSampler, Library, LoadError, TensorOptions, sha256_of};
use crate::results::CellFolder;
use crate::streams::{Purpose, seed_for};
use crate::train::{Checkpoint, Groups, Record, Trainer};

impl<'a> Run<'a> {
    pub(super) fn set_up(
        cell: &'a Cell,
        plugin: &Path,
        folder: &'a CellFolder,
        link: &'a mut dyn Link,
        device: Device,
    ) -> Result<(Self, Box<dyn Subject>)> {
        let found = sha256_of(plugin)?;
        if found != cell.plugin_sha256 {
            let reason = "the file changed since the sweep was planned; run the sweep again".into();
            return Err(LoadError::Linker { path: plugin.into(), reason }.into());
        }
        let library = Library::open(plugin)?;
        let target = targets::registry::build(&cell.target.name, &cell.target.params).context("target")?;
        let target = Rc::new(CountedTarget::new(target));
        let options = TensorOptions { dtype: cell.dtype.into(), device };
        let subject: Box<dyn Subject> = match (&cell.sampling, cell.train.esjd) {
            (Some(sampling), Some(esjd)) => {
                let sampler = HostSampler::create(&library, &cell.flow.params, options.clone(), Rc::clone(&target))?;
                Box::new(SamplerSubject::new(sampler, Rc::clone(&target), sampling.clone(), esjd))
            }
            _ => {
                let flow = HostFlow::create(&library, &cell.flow.params, options.clone(), Rc::clone(&target))?;
                Box::new(FlowSubject::new(flow, Rc::clone(&target), cell, options.clone()))
            }
        };
        let layout = subject.layout().clone();
        let groups = Groups::of(&layout);
        let id = cell.id();
        let checkpoint = Checkpoint::read(&folder.checkpoint(), &id, &cell.train, cell.seed, &options.device);
        let checkpoint = checkpoint.unwrap_or_else(|error| {
            log::warn!("{error:#}");
            None
        });
        let (trainer, record) = match checkpoint {
            Some(checkpoint) => {
                log::info!("going on from step {}", checkpoint.trainer.step);
                (checkpoint.trainer, checkpoint.record)
            }
            None => {
                let params = subject.init(seed_for(cell.seed, Purpose::Init, 0))?;
                (Trainer::start(cell.train.clone(), cell.seed, params)?, Record::default())
            }
        };
        target.set_evaluations(record.target_evals);
        let last_elbo = None;
        let device = options.device;
        Ok((Self { cell, id, folder, link, device, layout, groups, target, trainer, record, last_elbo }, subject))
    }
}
