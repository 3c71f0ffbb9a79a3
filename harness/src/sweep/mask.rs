//! Holds a rule against the axes of a grid.

use super::canonical::same;
use super::exclude::{Condition, Rule, Section, plain};
use super::findings::{Findings, names, quoted};
use super::grid::Grid;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// A rule against a grid: a cell matches where it does so on every axis.
pub(super) struct Mask {
    pub flows: Vec<bool>,
    pub targets: Vec<bool>,
    pub trainings: Vec<bool>,
    pub samplings: Vec<bool>,
    pub devices: Vec<bool>,
    pub dtypes: Vec<bool>,
    pub seeds: Vec<bool>,
}

impl Rule {
    /// Holds the rule against the axes; `None`, with the reason reported, where it matches no cell.
    pub fn mask(&self, grid: &Grid, findings: &mut Findings) -> Option<Mask> {
        let before = findings.len();
        let mask = Mask {
            flows: self.matches(
                Section::Flow,
                &grid.flows,
                |variant, key| component(&variant.flow.name, &variant.flow.params, key),
                findings,
            ),
            targets: self.matches(
                Section::Target,
                &grid.targets,
                |target, key| component(&target.name, &target.params, key),
                findings,
            ),
            trainings: self.matches(
                Section::Train,
                &grid.trainings,
                |training, key| training.facts.get(key).cloned(),
                findings,
            ),
            samplings: self.matches(
                Section::Sampling,
                &grid.samplings,
                |variant, key| variant.facts.get(key).cloned(),
                findings,
            ),
            devices: self.matches(
                Section::Device,
                &grid.devices,
                |device, _| serde_json::to_value(device).ok(),
                findings,
            ),
            dtypes: self.matches(Section::Dtype, &grid.dtypes, |dtype, _| serde_json::to_value(dtype).ok(), findings),
            seeds: self.matches(Section::Seed, &grid.seeds, |&seed, _| Some(seed.into()), findings),
        };
        let Mask { flows, targets, trainings, samplings, devices, dtypes, seeds } = &mask;
        let everywhere =
            [flows, targets, trainings, samplings, devices, dtypes, seeds].into_iter().all(|axis| axis.contains(&true));
        if !everywhere && findings.len() == before {
            findings
                .error(self.span, "this rule matches no cell")
                .help("its keys hold one by one but never together: correct or remove it");
        }
        (findings.len() == before).then_some(mask)
    }

    fn matches<T>(
        &self,
        section: Section,
        axis: &[T],
        fact: impl Fn(&T, &str) -> Option<Value>,
        findings: &mut Findings,
    ) -> Vec<bool> {
        let mut mask = vec![true; axis.len()];
        for condition in self.conditions.iter().filter(|condition| condition.section == section) {
            let facts: Vec<Option<Value>> = axis.iter().map(|one| fact(one, &condition.key)).collect();
            let has = |fact: &Option<Value>, value: &Value| fact.as_ref().is_some_and(|fact| same(fact, value));
            let is_whole = |fact: &Option<Value>| condition.whole.as_ref().is_some_and(|whole| has(fact, whole));
            for (keep, fact) in mask.iter_mut().zip(&facts) {
                *keep &= is_whole(fact) || condition.items.iter().any(|(value, _)| has(fact, value));
            }
            if facts.iter().any(is_whole) {
                continue;
            }
            for (value, span) in &condition.items {
                if !facts.iter().any(|fact| has(fact, value)) {
                    let known: BTreeSet<String> = facts.iter().flatten().map(plain).collect();
                    let finding = findings.error(*span, format!("no cell has {}", quoted(&condition.shown(value))));
                    if value.is_string() {
                        finding.suggest(&plain(value), known.iter().map(String::as_str));
                    } else {
                        finding.help(format!("there are {}", names(&known.iter().collect::<Vec<_>>())));
                    }
                }
            }
        }
        mask
    }
}

impl Condition {
    fn shown(&self, value: &Value) -> String {
        let key = match self.section {
            Section::Flow if self.key.is_empty() => "flow",
            Section::Target if self.key.is_empty() => "target",
            Section::Device => "device",
            Section::Dtype => "dtype",
            Section::Seed => "seed",
            _ => &self.key,
        };
        format!("{key}: {}", plain(value))
    }
}

/// A name under the empty key, parameters under theirs.
fn component(name: &str, params: &Map<String, Value>, key: &str) -> Option<Value> {
    if key.is_empty() { Some(name.into()) } else { params.get(key).cloned() }
}
