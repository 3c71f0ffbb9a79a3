//! The axes of a sweep: flows, targets, trainings, devices, element types and seeds, of which it runs every combination.

use super::catalog::{Catalog, TargetSpec};
use super::components;
use super::findings::{Findings, quoted};
use super::node::{Node, Span};
use super::parameters::Parameters;
use super::sampling;
use super::train::Training;
use crate::cell::{Component, DeviceKind, Dtype};
use serde_json::{Map, Value};
use std::collections::HashMap;

/// One value on each axis makes a cell.
pub(super) struct Grid {
    pub flows: Vec<FlowVariant>,
    pub targets: Vec<Component>,
    pub trainings: Vec<Training>,
    /// Of samplers; flows go by the first.
    pub samplings: Vec<sampling::Variant>,
    pub devices: Vec<DeviceKind>,
    pub dtypes: Vec<Dtype>,
    pub seeds: Vec<u64>,
}

/// A flow with one combination of its parameters.
pub(super) struct FlowVariant {
    pub flow: Component,
    pub plugin_sha256: String,
    pub kind: Kind,
}

/// What a flow is to a training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Flow,
    /// A sampler with parameters to be trained.
    Trained,
    /// A sampler that no training would change.
    Untrained,
}

/// What flows or targets a file names, expanded.
pub(super) struct Named<T> {
    pub variants: Vec<T>,
    /// The names of their parameters.
    pub parameters: Vec<String>,
    /// Whether every entry was understood, so that `parameters` are all there are.
    pub complete: bool,
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self { variants: Vec::new(), parameters: Vec::new(), complete: false }
    }
}

impl Grid {
    /// Number of cells, before exclusion.
    pub fn len(&self) -> usize {
        let Self { flows, targets, trainings, samplings, devices, dtypes, seeds } = self;
        [targets.len(), trainings.len(), samplings.len(), devices.len(), dtypes.len(), seeds.len()]
            .into_iter()
            .fold(flows.len(), usize::saturating_mul)
    }

    /// The lengths of the axes, for messages.
    pub fn sizes(&self) -> String {
        let Self { flows, targets, trainings, samplings, devices, dtypes, seeds } = self;
        let on = if devices.len() > 1 { format!(" × {} devices", devices.len()) } else { String::new() };
        let chains =
            if samplings.len() > 1 { format!(" × {} ways of sampling", samplings.len()) } else { String::new() };
        format!(
            "{} flows × {} targets × {} trainings{chains}{on} × {} dtypes × {} seeds",
            flows.len(),
            targets.len(),
            trainings.len(),
            dtypes.len(),
            seeds.len()
        )
    }
}

/// Reads `flows`.
pub(super) fn flows(node: &Node, catalog: &Catalog, findings: &mut Findings) -> Named<FlowVariant> {
    let mut named = Named { complete: true, ..Named::default() };
    let mut spans = Vec::new();
    for entry in components::read("flow", node, findings) {
        let Some(plugin) = catalog.flows.get(entry.name) else {
            named.complete = false;
            unknown("flow", entry.name, entry.name_span, catalog.flows.keys(), findings);
            continue;
        };
        let of = format!("flow `{}`", entry.name);
        let parameters = match &plugin.descriptor {
            Ok(descriptor) => Parameters::new(&of, &descriptor.parameters),
            Err(_) => Ok(Parameters::unknown(&of)),
        };
        for params in expand(&entry, parameters, &mut named.parameters, findings) {
            let flow = Component { name: entry.name.to_owned(), params };
            let kind = match &plugin.descriptor {
                Ok(descriptor) if descriptor.kind == "sampler" && descriptor.can("train") => Kind::Trained,
                Ok(descriptor) if descriptor.kind == "sampler" => Kind::Untrained,
                _ => Kind::Flow,
            };
            named.variants.push(FlowVariant { flow, plugin_sha256: plugin.sha256.clone(), kind });
            spans.push(entry.span);
        }
    }
    refuse_repeats(
        named.variants.iter().map(|variant| (&variant.flow.name, &variant.flow.params)).zip(spans),
        "flow",
        findings,
    );
    named
}

/// Reads `targets`.
pub(super) fn targets(node: &Node, catalog: &Catalog, findings: &mut Findings) -> Named<Component> {
    let mut named = Named { complete: true, ..Named::default() };
    let mut spans = Vec::new();
    for entry in components::read("target", node, findings) {
        let Some(spec) = catalog.targets.get(entry.name) else {
            named.complete = false;
            unknown("target", entry.name, entry.name_span, catalog.targets.keys(), findings);
            continue;
        };
        let parameters = Parameters::new(&format!("target `{}`", entry.name), &spec.schema);
        let variants = expand(&entry, parameters, &mut named.parameters, findings);
        if let Some(error) = variants.iter().find_map(|params| refused(spec, params)) {
            findings.error(entry.span, format!("target `{}`: {error}", entry.name));
        }
        spans.extend(variants.iter().map(|_| entry.span));
        named.variants.extend(variants.into_iter().map(|params| Component { name: entry.name.to_owned(), params }));
    }
    refuse_repeats(named.variants.iter().map(|target| (&target.name, &target.params)).zip(spans), "target", findings);
    named
}

/// Reports the first of things that equals an earlier one: its cells would be run twice.
pub(super) fn refuse_repeats<T: serde::Serialize>(
    things: impl Iterator<Item = (T, Span)>,
    kind: &str,
    findings: &mut Findings,
) {
    let mut seen: HashMap<String, Span> = HashMap::new();
    for (thing, span) in things {
        // Parameters are canonical and sorted: equal things have equal text.
        let Ok(text) = serde_json::to_string(&thing) else {
            continue;
        };
        if let Some(first) = seen.insert(text, span) {
            let finding = findings.error(span, format!("this {kind} repeats an earlier one, defaults included"));
            if first != span {
                finding.see(first, "first here");
            }
            finding.help("remove one of the two; several runs of one cell are `seeds`");
            return;
        }
    }
}

fn expand(
    entry: &components::Component<'_>,
    parameters: Result<Parameters, String>,
    known: &mut Vec<String>,
    findings: &mut Findings,
) -> Vec<Map<String, Value>> {
    let parameters = match parameters {
        Ok(parameters) => parameters,
        Err(error) => {
            findings
                .error(
                    entry.name_span,
                    format!(
                        "the parameters of {} cannot be checked: its JSON Schema is not valid: {error}",
                        quoted(entry.name)
                    ),
                )
                .help("this is a mistake in the plugin, not in the sweep");
            return Vec::new();
        }
    };
    let variants = parameters.expand(entry.params, entry.span, findings);
    known.extend(parameters.names().map(str::to_owned));
    known.extend(variants.iter().flat_map(|params| params.keys().cloned()));
    known.sort();
    known.dedup();
    variants
}

fn refused(spec: &TargetSpec, params: &Map<String, Value>) -> Option<String> {
    (spec.check)(params).err()
}

fn unknown<'a>(kind: &str, name: &str, span: Span, known: impl Iterator<Item = &'a String>, findings: &mut Findings) {
    let known: Vec<&str> = known.map(String::as_str).collect();
    let finding = findings.error(span, format!("unknown {kind} {}", quoted(name)));
    if known.is_empty() {
        finding.help(format!("no {kind}s were found: see `harness list {kind}s`"));
    } else {
        finding.suggest(name, known);
    }
}
