//! One row of runs.csv: a planned cell with its outcome.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Figures, Outcome, Planned, PlannedCell};
use crate::cell::Cell;

/// The fixed columns, in order and in this spelling. Missing is empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the columns are documented in the README")]
pub struct Row {
    pub schema_version: u32,
    pub cell_id: String,
    pub name: String,
    pub flow: String,
    pub target: String,
    pub dim: usize,
    pub objective: String,
    pub seed: u64,
    pub device: String,
    pub dtype: String,
    pub status: String,
    pub status_detail: Option<String>,
    pub train_steps: Option<u64>,
    pub elbo_nats: Option<f64>,
    pub elbo_se_nats: Option<f64>,
    pub log_z_nats: Option<f64>,
    pub elbo_gap_nats: Option<f64>,
    pub iw_bound_nats: Option<f64>,
    pub reverse_ess: Option<f64>,
    pub eubo_nats: Option<f64>,
    pub forward_ess: Option<f64>,
    pub mode_coverage: Option<f64>,
    pub w2: Option<f64>,
    pub nonfinite_steps: Option<u64>,
    pub skipped_steps: Option<u64>,
    pub grad_norm_p50: Option<f64>,
    pub grad_norm_max: Option<f64>,
    pub energy_error: Option<f64>,
    pub reversibility_error: Option<f64>,
    pub log_det_error: Option<f64>,
    pub acceptance: Option<f64>,
    pub ess_min: Option<f64>,
    pub ess_per_grad: Option<f64>,
    pub rhat_max: Option<f64>,
    pub train_samples_per_s: Option<f64>,
    pub draws_per_s: Option<f64>,
    pub target_evals: Option<u64>,
    pub setup_s: Option<f64>,
    pub train_s: Option<f64>,
    pub wall_s: Option<f64>,
    pub peak_rss_bytes: Option<u64>,
    pub n_params: Option<u64>,
    pub threads: Option<usize>,
    pub plugin_version: Option<String>,
    pub plugin_sha256: String,
    pub started_utc: Option<String>,
    pub concurrent_jobs: Option<usize>,
    pub environment: Option<String>,
    pub device_name: Option<String>,
    pub peak_device_bytes: Option<u64>,
    // Of samplers alone.
    pub transitions: Option<usize>,
    pub ess_bulk_min: Option<f64>,
    pub ess_tail_min: Option<f64>,
    pub ess_per_s: Option<f64>,
    pub levy_ess_per_step: Option<f64>,
    pub levy_ess_per_grad: Option<f64>,
    pub frozen: Option<bool>,
    pub frozen_chains: Option<usize>,
    pub hopeless_proposals: Option<f64>,
    pub squared_jump: Option<f64>,
    pub mean_error: Option<f64>,
    pub sd_error: Option<f64>,
    pub log_density_error_nats: Option<f64>,
    pub log_density_error_se_nats: Option<f64>,
    pub warm_up_evals: Option<u64>,
    pub sampling_evals: Option<u64>,
    pub bound_evals: Option<u64>,
}

impl Row {
    /// The row of a cell of the sweep `name`.
    pub fn new(name: &str, planned: &PlannedCell, outcome: &Outcome) -> Self {
        let (cell, figures) = (&planned.cell, outcome.figures.clone());
        let (sampler, bound_evals) = (figures.sampler.as_ref(), bound_evals(&figures, cell));
        Self {
            schema_version: Planned::SCHEMA_VERSION,
            cell_id: planned.id.clone(),
            name: name.into(),
            flow: cell.flow.name.clone(),
            target: cell.target.name.clone(),
            dim: planned.dim,
            objective: spelling(&cell.train.objective),
            seed: cell.seed,
            device: spelling(&cell.device),
            dtype: spelling(&cell.dtype),
            status: outcome.status.name(),
            status_detail: outcome.detail.clone(),
            train_steps: figures.train_steps,
            elbo_nats: figures.elbo_nats,
            elbo_se_nats: figures.elbo_se_nats,
            log_z_nats: figures.log_z_nats,
            elbo_gap_nats: figures.log_z_nats.zip(figures.elbo_nats).map(|(log_z, elbo)| log_z - elbo),
            iw_bound_nats: figures.iw_bound_nats,
            reverse_ess: figures.reverse_ess,
            eubo_nats: figures.eubo_nats,
            forward_ess: figures.forward_ess,
            mode_coverage: figures.mode_coverage,
            w2: figures.w2,
            nonfinite_steps: figures.nonfinite_steps,
            skipped_steps: figures.skipped_steps,
            grad_norm_p50: figures.grad_norm_p50,
            grad_norm_max: figures.grad_norm_max,
            energy_error: figures.probes.get("energy_error").copied(),
            reversibility_error: figures.probes.get("reversibility_error").copied(),
            log_det_error: figures.probes.get("log_det_error").copied(),
            acceptance: sampler.map(|sampler| sampler.acceptance),
            ess_min: sampler.and_then(|sampler| sampler.ess_min),
            ess_per_grad: sampler.and_then(|sampler| sampler.ess_per_grad),
            rhat_max: sampler.and_then(|sampler| sampler.rhat_max),
            train_samples_per_s: figures.train_samples_per_s,
            draws_per_s: figures.draws_per_s,
            target_evals: figures.target_evals,
            setup_s: figures.setup_s,
            train_s: figures.train_s,
            wall_s: outcome.wall_s,
            peak_rss_bytes: outcome.peak_rss_bytes,
            n_params: figures.n_params,
            threads: outcome.threads,
            plugin_version: figures.plugin_version,
            plugin_sha256: cell.plugin_sha256.clone(),
            started_utc: outcome.started_utc.clone(),
            concurrent_jobs: outcome.concurrent_jobs,
            environment: outcome.environment.clone(),
            device_name: outcome.device_name.clone(),
            peak_device_bytes: outcome.peak_device_bytes,
            transitions: sampler.map(|sampler| sampler.transitions),
            ess_bulk_min: sampler.and_then(|sampler| sampler.ess_bulk_min),
            ess_tail_min: sampler.and_then(|sampler| sampler.ess_tail_min),
            ess_per_s: sampler.and_then(|sampler| sampler.ess_per_s),
            levy_ess_per_step: sampler.and_then(|sampler| sampler.levy_ess_per_step),
            levy_ess_per_grad: sampler.and_then(|sampler| sampler.levy_ess_per_grad),
            frozen: sampler.map(|sampler| sampler.frozen),
            frozen_chains: sampler.map(|sampler| sampler.frozen_chains),
            hopeless_proposals: sampler.map(|sampler| sampler.hopeless_proposals),
            squared_jump: sampler.map(|sampler| sampler.squared_jump),
            mean_error: sampler.and_then(|sampler| sampler.mean_error),
            sd_error: sampler.and_then(|sampler| sampler.sd_error),
            log_density_error_nats: sampler.and_then(|sampler| sampler.log_density_error_nats),
            log_density_error_se_nats: sampler.and_then(|sampler| sampler.log_density_error_se_nats),
            warm_up_evals: sampler.map(|sampler| sampler.warm_up_evals),
            sampling_evals: sampler.map(|sampler| sampler.sampling_evals),
            bound_evals,
        }
    }

    /// The fixed columns' names, from the struct itself.
    fn header() -> Result<csv::StringRecord> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.serialize(Self::default())?;
        let text = writer.into_inner()?;
        Ok(csv::Reader::from_reader(text.as_slice()).headers()?.clone())
    }
}

/// Writes runs.csv a row at a time: the fixed columns, then one for every setting that some cell of the plan has:
/// `p.` a flow's parameters, `target.` a target's, `train.`, `eval.` and `sampling.` the rest; then `probe.`, the plugins' own figures.
pub struct RowWriter<W: Write> {
    writer: csv::Writer<W>,
    name: String,
    settings: Vec<String>,
    probes: Vec<String>,
}

impl<W: Write> RowWriter<W> {
    /// Writes the header for the cells of a plan, of which some have these probes.
    pub fn new(out: W, plan: &Planned, probes: BTreeSet<String>) -> Result<Self> {
        let names: BTreeSet<String> = plan.cells.iter().flat_map(|planned| settings(planned).into_keys()).collect();
        // `p.` first: the columns that a reader looks for.
        let (mut all, rest): (Vec<String>, Vec<String>) = names.into_iter().partition(|name| name.starts_with("p."));
        all.extend(rest);
        let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(out);
        let fixed = Row::header()?;
        let probes: Vec<String> =
            probes.into_iter().filter(|probe| !fixed.iter().any(|column| column == probe)).collect();
        let named: Vec<String> = probes.iter().map(|probe| format!("probe.{probe}")).collect();
        writer.write_record(fixed.iter().chain(all.iter().chain(&named).map(String::as_str)))?;
        Ok(Self { writer, name: plan.name.clone(), settings: all, probes })
    }

    /// Writes the row of a cell.
    pub fn write(&mut self, planned: &PlannedCell, outcome: &Outcome) -> Result<()> {
        let own = settings(planned);
        let values: Vec<Option<&String>> = self.settings.iter().map(|name| own.get(name)).collect();
        let probes: Vec<Option<&f64>> = self.probes.iter().map(|probe| outcome.figures.probes.get(probe)).collect();
        Ok(self.writer.serialize((Row::new(&self.name, planned, outcome), values, probes))?)
    }

    /// Ends the file.
    pub fn into_inner(self) -> Result<W> {
        self.writer.into_inner().map_err(|error| error.into_error().into())
    }
}

/// Target evaluations behind `elbo_nats`: for a flow those of its training and of the draws that are weighed.
fn bound_evals(figures: &Figures, cell: &Cell) -> Option<u64> {
    match &figures.sampler {
        Some(sampler) => sampler.bound_evals,
        None => figures.elbo_nats.and(figures.target_evals).map(|evals| evals + cell.eval.final_draws as u64),
    }
}

/// A unit enum's spelling in YAML.
fn spelling(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Every setting of a cell that is not a fixed column, flattened to `section.key`.
fn settings(planned: &PlannedCell) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    flatten("p", &planned.cell.flow.params, &mut all);
    flatten("target", &planned.cell.target.params, &mut all);
    let cell = &planned.cell;
    let sections = [
        ("train", serde_json::to_value(&cell.train)),
        ("eval", serde_json::to_value(&cell.eval)),
        ("sampling", serde_json::to_value(&cell.sampling)),
    ];
    for (section, value) in sections {
        if let Ok(Value::Object(map)) = value {
            flatten(section, &map, &mut all);
        }
    }
    all.remove("train.objective");
    all
}

fn flatten(prefix: &str, map: &Map<String, Value>, all: &mut BTreeMap<String, String>) {
    for (key, value) in map {
        let name = format!("{prefix}.{key}");
        match value {
            Value::Object(inner) => flatten(&name, inner, all),
            Value::Null => {}
            Value::String(text) => drop(all.insert(name, text.clone())),
            other => drop(all.insert(name, other.to_string())),
        }
    }
}
