//! From a parsed file to the cells it asks for, or to all that is wrong with it.

use super::catalog::Catalog;
use super::cells::{Exclusion, MAX_CELLS, Sweep, cells};
use super::diagnostic::Diagnostics;
use super::document::Document;
use super::exclude::{self, Keys};
use super::fields::Fields;
use super::findings::Findings;
use super::grid::{self, Grid};
use super::node::{Node, Span};
use super::property::Property;
use super::{eval, header, limits, plugins, sampling, seeds, train};
use crate::cell::Dtype;
use serde_json::{Value, json};

/// What the command line says over the file.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--device`.
    pub device: Option<String>,
}

/// The keys of a sweep file.
pub(super) const KEYS: [&str; 13] = [
    "version", "name", "plugins", "flows", "targets", "exclude", "seeds", "train", "eval", "sampling", "limits",
    "device", "dtype",
];

/// Checks a file against the catalog and writes out its cells; reports all errors at once, in file order.
pub fn resolve(document: &Document, catalog: &Catalog, overrides: &Overrides) -> Result<Sweep, Diagnostics> {
    let mut findings = Findings::default();
    let sweep = read(document, catalog, overrides, &mut findings);
    match sweep {
        Some(sweep) if findings.is_empty() => Ok(sweep),
        _ => Err(findings.report(&document.source)),
    }
}

fn read(document: &Document, catalog: &Catalog, overrides: &Overrides, findings: &mut Findings) -> Option<Sweep> {
    let root = document.root.span;
    let top = Fields::read("the sweep", &document.root, &KEYS, findings);
    if let Some(node) = top.need("version", "version: 1", findings) {
        header::version(node, findings);
    }
    let name = top.need("name", "name: my-sweep", findings).map(|node| header::name(node, findings));
    plugins::read(top.get("plugins"), document.source.folder(), findings);
    let flows = top.need("flows", "flows: [planar]", findings).map(|node| grid::flows(node, catalog, findings));
    let targets = top.need("targets", "targets: [u1]", findings).map(|node| grid::targets(node, catalog, findings));
    let seeds = seeds::read(top.get("seeds"), findings);
    let trainings = train::read(top.get("train"), root, findings);
    let eval = eval::read(top.get("eval"), root, findings);
    let samplings = sampling::read(top.get("sampling"), root, findings);
    let limits = limits::read(top.get("limits"), findings);
    let devices = header::devices(top.get("device"), overrides.device.as_deref(), findings);
    let dtypes = dtypes(top.get("dtype"), root, findings);
    let (flows, targets) = (flows.unwrap_or_default(), targets.unwrap_or_default());
    let keys = Keys {
        flow: flows.parameters,
        target: targets.parameters,
        train: train::names(),
        sampling: sampling::names(),
        complete: flows.complete && targets.complete,
    };
    let grid_is_sound = findings.is_empty();
    let rules = exclude::read(top.get("exclude"), &keys, findings);

    let kinds = devices.all.iter().map(|device| device.kind).collect();
    let (flows, targets) = (flows.variants, targets.variants);
    let grid = Grid { flows, targets, trainings, samplings, devices: kinds, dtypes, seeds };
    if grid.len() > MAX_CELLS {
        findings
            .error(root, format!("the axes multiply to more than {MAX_CELLS} cells: {}", grid.sizes()))
            .help("shorten some of the lists, or split the sweep");
        return None;
    }
    // Axes with mistakes in them are short of values, and rules would be blamed for it.
    if !grid_is_sound {
        return None;
    }
    let exclusions: Vec<Exclusion> = rules
        .into_iter()
        .filter_map(|rule| {
            let mask = rule.mask(&grid, findings)?;
            Some(Exclusion { mask, line: document.source.line(rule.span.start), rule: rule.text })
        })
        .collect();
    if !findings.is_empty() {
        return None;
    }
    let (cells, excluded) = cells(&grid, &eval?, &exclusions);
    if cells.is_empty() {
        let at = top.get("exclude").map_or(root, |node| node.span);
        findings.error(at, "the rules exclude every cell").help("remove one of them");
    }
    Some(Sweep { name: name?, cells, excluded, limits, devices })
}

/// Reads `dtype`, an axis.
fn dtypes(node: Option<&Node>, root: Span, findings: &mut Findings) -> Vec<Dtype> {
    let Some(node) = node else {
        return vec![Dtype::F32];
    };
    let read = Property::new("dtype", "the sweep", &dtype_schema(), true).and_then(|property| {
        let values = Value::Array(property.values(node, findings));
        serde_json::from_value(values).map_err(|error| error.to_string())
    });
    read.unwrap_or_else(|error| {
        findings.error(root, format!("`dtype` cannot be read: {error}"));
        Vec::new()
    })
}

/// JSON Schema of one value of `dtype`.
pub(super) fn dtype_schema() -> Value {
    json!({"enum": ["f32", "f64"], "default": "f32"})
}
