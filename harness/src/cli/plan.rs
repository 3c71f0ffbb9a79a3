//! `harness plan`: every cell of a sweep, what is excluded, what is done; nothing is run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use harness::cell::Cell;
use harness::prepare::prepare;
use harness::results::Outcome;
use serde_json::{Map, Value};

use super::{OK, run::folder, table};

#[derive(Args)]
#[command(after_help = "Example: harness plan sweep.yaml")]
pub struct PlanArgs {
    /// The sweep.
    pub sweep: PathBuf,
    /// Results folder in which to look for what is done [default: results/<name of the sweep>].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

pub fn plan(args: &PlanArgs, plugin_dirs: &[PathBuf]) -> Result<u8> {
    let prepared = prepare(&args.sweep, None, plugin_dirs)?;
    let folder = folder(args.out.as_ref(), &prepared.plan.name);
    let mut rows = Vec::new();
    let excluded = prepared.sweep.excluded.iter().map(|excluded| &excluded.cell);
    let planned = prepared.plan.cells.iter().map(|planned| &planned.cell);
    let mut labels = labels(planned.chain(excluded)).into_iter();
    for (planned, label) in prepared.plan.cells.iter().zip(&mut labels) {
        let state = match Outcome::read(&folder.cell(&planned.id).status()) {
            Ok(Some(outcome)) => outcome.status.name(),
            Ok(None) => prepared.foregone(&planned.cell).map_or_else(
                || "pending".into(),
                |o| format!("will be {}: {}", o.status.name(), o.detail.unwrap_or_default()),
            ),
            Err(error) => format!("pending: {error:#}"),
        };
        rows.push(vec![planned.id.clone(), label, state]);
    }
    for (excluded, label) in prepared.sweep.excluded.iter().zip(labels) {
        rows.push(vec![excluded.cell.id(), label, format!("excluded by line {}: {}", excluded.line, excluded.rule)]);
    }
    table::print(&["cell", "what", "state"], &rows, args.json)?;
    if !args.json {
        println!("{} cells, {} excluded", prepared.plan.cells.len(), prepared.sweep.excluded.len());
    }
    Ok(OK)
}

/// A short name of every cell: flow, target and what varies between cells.
pub fn labels<'a>(cells: impl Iterator<Item = &'a Cell> + Clone) -> Vec<String> {
    let mut values: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (key, value) in cells.clone().flat_map(settings) {
        values.entry(key).or_default().insert(value);
    }
    let varies = |key: &str| values.get(key).is_some_and(|all| all.len() > 1);
    let label = |cell: &Cell| {
        let named: Vec<String> = settings(cell)
            .into_iter()
            .filter(|(key, _)| varies(key))
            .map(|(key, value)| format!("{}={value}", key.rsplit('.').next().unwrap_or(&key)))
            .collect();
        format!("{} → {} {} seed {}", cell.flow.name, cell.target.name, named.join(" "), cell.seed)
    };
    cells.map(label).collect()
}

/// Every setting of a cell by a key that names its section and, for parameters, its component.
fn settings(cell: &Cell) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let mut add = |prefix: String, map: &Map<String, Value>| {
        for (key, value) in map.iter().filter(|(_, value)| !value.is_null()) {
            all.insert(format!("{prefix}.{key}"), value.to_string().replace('"', ""));
        }
    };
    add(format!("flow {}", cell.flow.name), &cell.flow.params);
    add(format!("target {}", cell.target.name), &cell.target.params);
    // What varies is asked flow by flow: kinds of plugins are trained in ways of their own.
    let sections = [("train", serde_json::to_value(&cell.train)), ("sampling", serde_json::to_value(&cell.sampling))];
    for (name, section) in sections {
        if let Ok(Value::Object(section)) = section {
            add(format!("{name} of {}", cell.flow.name), &section);
        }
    }
    all.insert("device".into(), serde_json::json!(cell.device).to_string().replace('"', ""));
    all.insert("dtype".into(), serde_json::json!(cell.dtype).to_string().replace('"', ""));
    all
}
