//! The keys of a map whose keys are known.

use super::findings::{Findings, quoted};
use super::node::{Entry, Kind, Node, Span};

/// A map, checked for keys that do not belong.
pub(super) struct Fields<'a> {
    of: &'a str,
    entries: &'a [Entry],
    span: Span,
}

impl<'a> Fields<'a> {
    /// Reads a map; whatever else stands there is reported and taken as an empty one.
    pub fn read(of: &'a str, node: &'a Node, known: &[&str], findings: &mut Findings) -> Self {
        let entries = match &node.kind {
            Kind::Map(entries) => entries.as_slice(),
            _ => {
                findings
                    .error(node.span, format!("{of} must be a map, but is {node}"))
                    .help(format!("its keys are {}", super::findings::names(known)));
                &[]
            }
        };
        for entry in entries {
            if !known.contains(&entry.key.as_str()) {
                findings
                    .error(entry.key_span, format!("unknown key {} in {of}", quoted(&entry.key)))
                    .suggest(&entry.key, known.iter().copied());
            } else if entry.value.is_blank() {
                findings
                    .error(entry.key_span, format!("`{}` has no value", entry.key))
                    .help("give it one, or remove the line");
            }
        }
        Self { of, entries, span: node.span }
    }

    /// The value of a key, where there is one.
    pub fn get(&self, key: &str) -> Option<&'a Node> {
        self.entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value).filter(|value| !value.is_blank())
    }

    /// The value of a key that must be there.
    pub fn need(&self, key: &str, example: &str, findings: &mut Findings) -> Option<&'a Node> {
        if !self.entries.iter().any(|entry| entry.key == key) {
            findings.error(self.span, format!("{} has no `{key}`", self.of)).help(format!("add `{example}`"));
        }
        self.get(key)
    }
}
