//! One cell: set up, trained, evaluated, checked, timed, written.

use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use candle_core::{DType, Tensor};

use super::{Link, Progress};
use crate::cell::{Cell, Dtype};
use crate::host::{CountedTarget, HostFlow, Library, LoadError, PluginError, sha256_of};
use crate::measure::{Evaluation, Evaluator, impossible, measure, percentile, within_bounds};
use crate::results::{CellFolder, Figures, MetricRow, Outcome, Status, write_atomically};
use crate::streams::{Purpose, seed_for};
use crate::train::{Checkpoint, Objective, Record, StepOutcome, Trainer};

/// Rows of the final draws that are kept.
const KEPT_DRAWS: usize = 2000;
/// Draws, at least, that confirm a result that cannot be.
const CONFIRM_DRAWS: usize = 20_000;
/// Draws on which a plugin probes itself.
const PROBE_DRAWS: usize = 64;
/// Seconds between checkpoints; the variable is for tests and for machines with slow disks.
const CHECKPOINT_VARIABLE: &str = "HARNESS_CHECKPOINT_S";
const CHECKPOINT_S: f64 = 10.0;

/// Runs a cell and returns its outcome; `None` where it was asked to stop, with a checkpoint left behind.
///
/// A plugin that fails is an outcome. An error is the harness's own: a disk that is full, say.
pub fn run(cell: &Cell, plugin: &Path, folder: &CellFolder, link: &mut dyn Link) -> Result<Option<Outcome>> {
    let mut figures = Figures::default();
    let (status, detail) = match attempt(cell, plugin, folder, link, &mut figures) {
        Ok(Some((status, detail))) => (status, detail),
        Ok(None) => return Ok(None),
        Err(error) => {
            let detail = Some(format!("{error:#}"));
            if let Some(PluginError::Panicked { .. }) = error.downcast_ref() {
                (Status::Panicked, detail)
            } else if error.downcast_ref::<PluginError>().is_some() {
                (Status::PluginError, detail)
            } else if error.downcast_ref::<LoadError>().is_some() {
                (Status::Unloadable, detail)
            } else {
                return Err(error);
            }
        }
    };
    Ok(Some(Outcome { detail, figures, ..Outcome::bare(status, "") }))
}

/// A cell being run.
struct Run<'a> {
    cell: &'a Cell,
    id: String,
    folder: &'a CellFolder,
    link: &'a mut dyn Link,
    flow: HostFlow,
    target: Rc<CountedTarget>,
    objective: Objective,
    evaluator: Evaluator,
    trainer: Trainer,
    record: Record,
    last_elbo: Option<f64>,
}

fn attempt(
    cell: &Cell,
    plugin: &Path,
    folder: &CellFolder,
    link: &mut dyn Link,
    figures: &mut Figures,
) -> Result<Option<(Status, Option<String>)>> {
    let started = Instant::now();
    let mut run = Run::set_up(cell, plugin, folder, link)?;
    if run.record.setup_s == 0.0 {
        run.record.setup_s = started.elapsed().as_secs_f64();
    }
    let known = run.target.uncounted().known();
    figures.dim = Some(run.target.uncounted().dim());
    figures.log_z_nats = known.log_z;
    figures.n_params = Some(run.flow.n_params() as u64);
    figures.plugin_version = Some(run.flow.descriptor().version.clone());
    let trained = run.train()?;
    run.report_training(figures);
    let (status, detail) = match trained {
        Trained::Stopped => return Ok(None),
        Trained::GaveUp => {
            let n = run.trainer.counts.in_a_row;
            let step = run.trainer.step;
            (Status::Diverged, Some(format!("{n} non-finite gradients in a row up to step {step}")))
        }
        Trained::Finished => match run.conclude(figures)? {
            Some(verdict) => verdict,
            None => return Ok(None),
        },
    };
    run.write()?;
    Ok(Some((status, detail)))
}

enum Trained {
    Finished,
    GaveUp,
    Stopped,
}

impl<'a> Run<'a> {
    fn set_up(cell: &'a Cell, plugin: &Path, folder: &'a CellFolder, link: &'a mut dyn Link) -> Result<Self> {
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
        Ok(Self { cell, id, folder, link, flow, target, objective, evaluator, trainer, record, last_elbo: None })
    }

    fn train(&mut self) -> Result<Trained> {
        let every = std::env::var(CHECKPOINT_VARIABLE).ok().and_then(|text| text.parse().ok()).unwrap_or(CHECKPOINT_S);
        let mut last_checkpoint = Instant::now();
        loop {
            let due = self.trainer.step.is_multiple_of(self.cell.eval.every) && !self.trainer.finished();
            if due && self.record.metrics.last().is_none_or(|row| row.step != self.trainer.step) {
                let n = self.cell.eval.draws;
                let evaluation = self.evaluator.evaluate(
                    &self.flow,
                    &self.trainer.params,
                    n,
                    Purpose::Evaluate,
                    self.trainer.step,
                )?;
                self.note(&evaluation, n);
            }
            let progress = Progress { step: self.trainer.step, steps: self.trainer.train.steps, elbo: self.last_elbo };
            self.link.progress(&progress)?;
            if self.trainer.finished() {
                return Ok(Trained::Finished);
            }
            let (started, paused) = (Instant::now(), self.link.paused());
            let outcome = self.trainer.step(&self.flow, &self.objective)?;
            let stood_still = self.link.paused().saturating_sub(paused);
            self.record.train_s += started.elapsed().saturating_sub(stood_still).as_secs_f64();
            match outcome {
                StepOutcome::Updated { grad_norm } => self.record.grad_norms.push(grad_norm),
                StepOutcome::Skipped => {}
                StepOutcome::GaveUp => return Ok(Trained::GaveUp),
            }
            let stop = self.link.stop_requested();
            if stop || last_checkpoint.elapsed() >= Duration::from_secs_f64(every) {
                self.checkpoint()?;
                last_checkpoint = Instant::now();
            }
            if stop {
                return Ok(Trained::Stopped);
            }
        }
    }

    /// Evaluates the trained flow, refuses what cannot be, and times it; `None` where it was asked to stop.
    fn conclude(&mut self, figures: &mut Figures) -> Result<Option<(Status, Option<String>)>> {
        let recorded = self.record.metrics.len();
        let mut n = self.cell.eval.final_draws;
        let (step, dim) = (self.trainer.step, self.target.uncounted().dim());
        let log_z = self.target.uncounted().known().log_z;
        let evaluate = |n, purpose| self.evaluator.evaluate(&self.flow, &self.trainer.params, n, purpose, step);
        let refuse = |evaluation: &Evaluation| impossible(evaluation, log_z, self.cell.dtype, dim);
        let mut evaluation = evaluate(n, Purpose::Evaluate)?;
        let mut refused = refuse(&evaluation);
        if refused.is_some() {
            // By chance one sound result in 700 lies three standard errors off, and more where draws are few and their
            // standard error is itself a guess: independent draws decide, and enough of them.
            n = CONFIRM_DRAWS.max(2 * n);
            evaluation = evaluate(n, Purpose::Confirm)?;
            refused = refuse(&evaluation);
        }
        let seed = seed_for(self.cell.seed, Purpose::Probe, step);
        let probe = || self.flow.probe(&self.trainer.params, seed, PROBE_DRAWS);
        let probes = self.target.without_counting(probe)?;
        self.note(&evaluation, n);
        for (name, value) in &probes {
            self.push(name, Some(*value), None, Some(PROBE_DRAWS));
        }
        let probe = |name: &str| probes.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
        let finite = |value: Option<f64>| value.filter(|value| value.is_finite());
        figures.log_det_error = finite(probe("log_det_error"));
        figures.energy_error = finite(probe("energy_error"));
        figures.reversibility_error = finite(probe("reversibility_error"));
        if evaluation.nonfinite_draws > 0 || !evaluation.elbo.se.is_finite() {
            let bad = evaluation.nonfinite_draws;
            let detail = format!("{bad} of {n} draws have a log weight that is not finite");
            return Ok(Some((Status::Diverged, Some(detail))));
        }
        let consistent = within_bounds(probe("log_det_error_p50"), evaluation.density_error_p50, self.cell.dtype);
        if let Some(reason) = refused.or(consistent.err()) {
            return Ok(Some((Status::PluginError, Some(format!("result refused: {reason}")))));
        }
        fill(figures, &evaluation);
        if self.cell.eval.throughput && !self.time(figures)? {
            // The evaluation will be the same next time: only the training is kept.
            self.record.metrics.truncate(recorded);
            self.checkpoint()?;
            return Ok(None);
        }
        Ok(Some((Status::Ok, None)))
    }

    fn checkpoint(&mut self) -> Result<()> {
        self.record.target_evals = self.target.evaluations();
        Checkpoint::write(&self.folder.checkpoint(), &self.id, &self.trainer, &self.record)
    }

    /// Training steps and draws per second, while no other cell runs. Nothing of it enters the result.
    fn time(&mut self, figures: &mut Figures) -> Result<bool> {
        let mut scratch = self.trainer.clone();
        // The schedule's end may freeze the rate, annealing its start: time steps as they are in the middle.
        scratch.step = scratch.train.steps / 2;
        let (flow, objective, batch) = (&self.flow, &self.objective, self.cell.train.batch);
        let draws = self.cell.eval.draws.max(batch);
        let seed = seed_for(self.cell.seed, Purpose::Throughput, 0);
        let params = self.trainer.params.clone();
        let mut measured = None;
        let mut work = || {
            let train = measure(batch, || scratch.step(flow, objective).map(drop))?;
            let sample = measure(draws, || Ok(flow.sample(&params, seed, draws).map(drop)?))?;
            measured = Some((train, sample));
            Ok(())
        };
        self.target.without_counting(|| self.link.exclusively(&mut work))?;
        let Some((train, sample)) = measured else { return Ok(false) };
        figures.train_samples_per_s = Some(train.per_s);
        figures.draws_per_s = Some(sample.per_s);
        for (name, throughput) in [("train_samples_per_s", train), ("draws_per_s", sample)] {
            for window in throughput.windows {
                self.push(name, Some(window), None, None);
            }
        }
        Ok(true)
    }

    fn report_training(&self, figures: &mut Figures) {
        let (counts, norms) = (self.trainer.counts, &self.record.grad_norms);
        figures.train_steps = Some(self.trainer.step);
        figures.nonfinite_steps = Some(counts.nonfinite);
        figures.skipped_steps = Some(counts.skipped);
        figures.grad_norm_p50 = percentile(norms, 0.5);
        figures.grad_norm_max = percentile(norms, 1.0);
        figures.target_evals = Some(self.target.evaluations());
        figures.setup_s = Some(self.record.setup_s);
        figures.train_s = Some(self.record.train_s);
    }

    /// Records an evaluation as rows of metrics.csv.
    fn note(&mut self, evaluation: &Evaluation, n: usize) {
        self.last_elbo = evaluation.elbo.value.is_finite().then_some(evaluation.elbo.value);
        let e = evaluation;
        self.push("elbo_nats", Some(e.elbo.value), Some(e.elbo.se), Some(n));
        self.push("iw_bound_nats", Some(e.iw_bound.value), Some(e.iw_bound.se), Some(e.iw_bound.n));
        self.push("reverse_log_z_nats", Some(e.reverse_log_z), None, Some(n));
        self.push("reverse_ess", Some(e.reverse_ess), None, Some(n));
        if let Some(eubo) = e.eubo {
            self.push("eubo_nats", Some(eubo.value), Some(eubo.se), Some(n));
        }
        let optional = [
            ("forward_log_z_nats", e.forward_log_z),
            ("forward_ess", e.forward_ess),
            ("mode_coverage", e.mode_coverage),
            ("w2", e.w2),
            ("density_error_p50", e.density_error_p50),
        ];
        for (name, value) in optional.into_iter().filter(|(_, value)| value.is_some()) {
            self.push(name, value, None, Some(n));
        }
        self.push("nonfinite_draws", Some(e.nonfinite_draws as f64), None, Some(n));
        // Over the whole training so far, as runs.csv has it: the curve ends at the row's figure.
        if let Some(norm) = percentile(&self.record.grad_norms, 0.5) {
            self.push("grad_norm_p50", Some(norm), None, Some(self.record.grad_norms.len()));
        }
    }

    fn push(&mut self, metric: &str, value: Option<f64>, se: Option<f64>, n: Option<usize>) {
        let finite = |value: Option<f64>| value.filter(|value| value.is_finite());
        self.record.metrics.push(MetricRow {
            cell_id: self.id.clone(),
            step: self.trainer.step,
            wall_s: self.record.train_s,
            target_evals: self.target.evaluations(),
            metric: metric.into(),
            value: finite(value),
            se: finite(se),
            n: n.map(|n| n as u64),
        });
    }

    /// Parameters, draws and metrics; the status follows when all of them are on disk.
    fn write(&self) -> Result<()> {
        let params = &self.trainer.params;
        let named: Vec<(&str, Tensor)> = self
            .flow
            .layout()
            .slices()
            .iter()
            .map(|slice| {
                let values = params.narrow(0, slice.offset, slice.len())?.reshape(slice.shape.as_slice())?;
                Ok((slice.name.as_str(), values))
            })
            .collect::<Result<_>>()?;
        write_atomically(&self.folder.params(), &safetensors::serialize(named, None)?)?;
        let n = self.cell.eval.final_draws.min(KEPT_DRAWS);
        let seed = seed_for(self.cell.seed, Purpose::Throughput, 1);
        let draws = self.flow.sample(params, seed, n)?.x.to_dtype(DType::F64)?.to_vec2::<f64>()?;
        let mut csv = csv::Writer::from_writer(Vec::new());
        csv.write_record((0..self.target.uncounted().dim()).map(|index| format!("x{index}")))?;
        for row in draws {
            csv.serialize(row)?;
        }
        write_atomically(&self.folder.draws(), &csv.into_inner()?)?;
        write_atomically(&self.folder.metrics(), &MetricRow::to_csv(&self.record.metrics)?)
    }
}

fn fill(figures: &mut Figures, evaluation: &Evaluation) {
    let finite = |value: f64| value.is_finite().then_some(value);
    figures.elbo_nats = finite(evaluation.elbo.value);
    figures.elbo_se_nats = finite(evaluation.elbo.se);
    figures.iw_bound_nats = finite(evaluation.iw_bound.value);
    figures.reverse_ess = finite(evaluation.reverse_ess);
    figures.eubo_nats = evaluation.eubo.and_then(|eubo| finite(eubo.value));
    figures.forward_ess = evaluation.forward_ess.and_then(finite);
    figures.mode_coverage = evaluation.mode_coverage;
    figures.w2 = evaluation.w2;
}
