//! Rules that take cells out of the grid.

use super::findings::{Findings, names, quoted};
use super::node::{Kind, Node, Span};
use serde_json::Value;
use std::collections::BTreeSet;

/// A rule: a cell goes where every key has one of its values.
pub(super) struct Rule {
    /// As text, for plans.
    pub text: String,
    pub span: Span,
    pub conditions: Vec<Condition>,
}

/// What one key of a rule asks.
pub(super) struct Condition {
    pub section: Section,
    /// Empty for the name of the flow or target itself.
    pub key: String,
    /// Any of these will do.
    pub items: Vec<(Value, Span)>,
    /// All of it as one value, for keys whose values are lists themselves.
    pub whole: Option<Value>,
}

/// The part of a cell that holds a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    Flow,
    Target,
    Train,
    Sampling,
    Device,
    Dtype,
    Seed,
}

/// The keys that rules can use.
pub(super) struct Keys {
    pub flow: Vec<String>,
    pub target: Vec<String>,
    pub train: Vec<String>,
    pub sampling: Vec<String>,
    /// Whether every flow and target was understood; if not, an unknown key may be one of theirs.
    pub complete: bool,
}

/// More rules than this are a mistake, and each is held against each axis.
const MAX_RULES: usize = 1000;

/// Reads `exclude`.
pub(super) fn read(node: Option<&Node>, keys: &Keys, findings: &mut Findings) -> Vec<Rule> {
    let Some(node) = node else { return Vec::new() };
    let Kind::List(items) = &node.kind else {
        findings
            .error(node.span, format!("`exclude` must be a list of rules, but is {node}"))
            .help("start each rule with `- `: `- {flow: …, target: …}`");
        return Vec::new();
    };
    if items.len() > MAX_RULES {
        findings
            .error(node.span, format!("{} rules are too many", items.len()))
            .help("a rule may list values: `{dim: [2, 10]}`");
        return Vec::new();
    }
    items.iter().filter_map(|item| rule(item, keys, findings)).collect()
}

fn rule(node: &Node, keys: &Keys, findings: &mut Findings) -> Option<Rule> {
    let Kind::Map(entries) = &node.kind else {
        findings.error(node.span, format!("a rule must be a map, but is {node}")).help("write `{flow: …, target: …}`");
        return None;
    };
    if entries.is_empty() {
        findings
            .error(node.span, "an empty rule excludes everything")
            .help("name what it excludes: `{flow: …, target: …}`");
        return None;
    }
    let before = findings.len();
    let mut conditions = Vec::new();
    for entry in entries {
        let Some((section, key)) = keys.find(&entry.key, entry.key_span, findings) else {
            continue;
        };
        let items = match &entry.value.kind {
            Kind::List(items) if items.is_empty() => {
                findings.error(entry.value.span, format!("`{}` lists no values", entry.key)).help("name at least one");
                continue;
            }
            Kind::List(items) => items.as_slice(),
            _ => std::slice::from_ref(&entry.value),
        };
        let items = items.iter().filter_map(|item| Some((item.json().ok()?, item.span))).collect();
        conditions.push(Condition { section, key, items, whole: entry.value.json().ok() });
    }
    let parts: Vec<String> = entries.iter().map(|entry| format!("{}: {}", entry.key, written(&entry.value))).collect();
    (findings.len() == before).then(|| Rule { text: format!("{{{}}}", parts.join(", ")), span: node.span, conditions })
}

impl Keys {
    fn find(&self, key: &str, span: Span, findings: &mut Findings) -> Option<(Section, String)> {
        let sections = [
            (Section::Flow, "flow", &self.flow),
            (Section::Target, "target", &self.target),
            (Section::Train, "train", &self.train),
            (Section::Sampling, "sampling", &self.sampling),
        ];
        match key {
            "flow" => return Some((Section::Flow, String::new())),
            "target" => return Some((Section::Target, String::new())),
            "device" => return Some((Section::Device, String::new())),
            "dtype" => return Some((Section::Dtype, String::new())),
            "seed" => return Some((Section::Seed, String::new())),
            _ => {}
        }
        let holds = |names: &[String], key: &str| names.iter().any(|name| name == key);
        let qualified = key.split_once('.').and_then(|(prefix, key)| {
            sections
                .iter()
                .find(|(_, name, names)| *name == prefix && holds(names, key))
                .map(|(section, ..)| (*section, key.to_owned()))
        });
        let found: Vec<_> = sections.iter().filter(|(.., names)| holds(names, key)).collect();
        match (qualified, found.as_slice()) {
            (Some(found), _) => Some(found),
            (None, [(section, ..)]) => Some((*section, key.to_owned())),
            (None, []) if !self.complete => None,
            (None, []) => {
                let fixed = ["flow", "target", "device", "dtype", "seed"];
                let known: BTreeSet<&str> =
                    sections.iter().flat_map(|(.., names)| names.iter().map(String::as_str)).chain(fixed).collect();
                findings.error(span, format!("no cell has a key {}", quoted(key))).suggest(key, known);
                None
            }
            (None, several) => {
                let ways: Vec<String> = several.iter().map(|(_, name, _)| format!("{name}.{key}")).collect();
                findings
                    .error(span, format!("`{key}` has several meanings here"))
                    .help(format!("say which: {}", names(&ways)));
                None
            }
        }
    }
}

pub(super) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn written(node: &Node) -> String {
    match &node.kind {
        Kind::List(items) => format!("[{}]", items.iter().map(written).collect::<Vec<_>>().join(", ")),
        _ => node.json().map_or_else(|node| node.to_string(), |value| plain(&value)),
    }
}
