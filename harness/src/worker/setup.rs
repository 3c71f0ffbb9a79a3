//! How a cell starts: its plugin loaded, its target made, its training at the first step or where it was left.

use std::path::Path;
use std::rc::Rc;

use anyhow::{Context, Result};
use candle_core::DType;

use super::Link;
use super::run::Run;
use crate::cell::{Cell, Dtype};
use crate::host::{CountedTarget, HostFlow, Library, LoadError, sha256_of};
use crate::measure::Evaluator;
use crate::results::CellFolder;
use crate::train::{Checkpoint, Groups, Objective, Record, Trainer};

impl<'a> Run<'a> {
    pub(super) fn set_up(
        cell: &'a Cell,
        plugin: &Path,
        folder: &'a CellFolder,
        link: &'a mut dyn Link,
    ) -> Result<Self> {
        let found = sha256_of(plugin)?;
        if found != cell.plugin_sha256 {
            let reason = "the file changed since the sweep was planned; run the sweep again".into();
            return Err(LoadError::Linker { path: plugin.into(), reason }.into());
        }
        let library = Library::open(plugin)?;
        let target = targets::registry::build(&cell.target.name, &cell.target.params).context("target")?;
        let target = Rc::new(CountedTarget::new(target));
        let dtype = match cell.dtype {
            Dtype::F32 => DType::F32,
            Dtype::F64 => DType::F64,
        };
        let flow = HostFlow::create(&library, &cell.flow.params, dtype, Rc::clone(&target))?;
        let groups = Groups::of(flow.layout());
        let objective = Objective::new(cell.train.objective, Rc::clone(&target), dtype);
        let evaluator = Evaluator::new(Rc::clone(&target), dtype, cell.seed, cell.eval.iw_samples);
        let id = cell.id();
        let checkpoint = Checkpoint::read(&folder.checkpoint(), &id, &cell.train, cell.seed).unwrap_or_else(|error| {
            log::warn!("{error:#}");
            None
        });
        let (trainer, record) = match checkpoint {
            Some(checkpoint) => {
                log::info!("going on from step {}", checkpoint.trainer.step);
                (checkpoint.trainer, checkpoint.record)
            }
            None => (Trainer::start(cell.train.clone(), cell.seed, &flow)?, Record::default()),
        };
        target.set_evaluations(record.target_evals);
        let last_elbo = None;
        Ok(Self { cell, id, folder, link, flow, groups, target, objective, evaluator, trainer, record, last_elbo })
    }
}
