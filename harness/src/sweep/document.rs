//! A sweep file that is YAML, not yet checked against anything.

use super::components;
use super::diagnostic::Diagnostics;
use super::findings::{Findings, quoted};
use super::node::{Kind, Node, Raw, Span, place, settle};
use super::source::Source;
use serde_saphyr::{DuplicateKeyPolicy, Error, NonFiniteFloatPolicy, Options, Spanned};

/// The file as a tree of spanned values.
#[derive(Clone, Debug)]
pub struct Document {
    pub(super) source: Source,
    pub(super) root: Node,
}

impl Document {
    /// Parses a file: one YAML document, a map at its top, every key text and unique.
    pub fn parse(source: &Source) -> Result<Document, Diagnostics> {
        let text = source.body();
        let mut findings = Findings::default();
        let root = match serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options()) {
            Ok(raw) => settle(raw, text, &mut findings),
            Err(error) => {
                explain(&error, text, &mut findings);
                return Err(findings.report(source));
            }
        };
        match &root.kind {
            Kind::Map(_) => {}
            Kind::Null => {
                findings.error(Span::new(0, 0), "the sweep file is empty").help("start it with `version: 1`");
            }
            _ => {
                findings
                    .error(root.span, format!("a sweep file must be a map, but is {root}"))
                    .help("start it with `version: 1`");
            }
        }
        if findings.is_empty() { Ok(Document { source: source.clone(), root }) } else { Err(findings.report(source)) }
    }

    /// The flows that the file names, each once, so that only their plugins need loading.
    pub fn flow_names(&self) -> Vec<String> {
        let Some(flows) = self.top("flows") else {
            return Vec::new();
        };
        // What is wrong with the entries is for `resolve` to say.
        let mut names: Vec<String> = Vec::new();
        for component in components::read("flow", flows, &mut Findings::default()) {
            if !names.iter().any(|name| name == component.name) {
                names.push(component.name.to_owned());
            }
        }
        names
    }

    /// The value of a key at the top of the file.
    pub(super) fn top(&self, key: &str) -> Option<&Node> {
        let Kind::Map(entries) = &self.root.kind else { return None };
        entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value).filter(|value| !value.is_blank())
    }
}

/// YAML 1.2 without the surprises of 1.1: `yes` is text, so are `010` and `1_000`.
fn options() -> Options {
    serde_saphyr::options! {
        // Sweeps are written by hand: these bounds are generous for them and stop bombs early.
        budget: serde_saphyr::budget! { max_depth: 32, max_nodes: 200_000, max_events: 500_000 },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 100_000, max_replay_stack_depth: 16 },
        // `settle` reports every duplicate, with the place of the first.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        strict_booleans: true,
        reject_unsupported_tags: true,
        emit_comments: false,
        with_snippet: false,
    }
}

/// A parser's error in our words where ours help more.
fn explain(error: &Error, text: &str, findings: &mut Findings) {
    let at = error.location().map_or(Span::new(0, 0), |location| place(&location, text));
    let error = match error {
        Error::AliasError { error, .. } => error,
        other => other,
    };
    let said = error.to_string();
    let said = said.split(" at line ").next().unwrap_or(&said);
    match error {
        Error::MultipleDocuments { .. } => findings
            .error(at, "the file holds more than one YAML document")
            .help("write one sweep a file, without `---` between"),
        Error::UnknownAnchor { .. } => findings
            .error(at, "this alias names no anchor")
            .help("define it earlier in the file with `&name`, or quote the text if `*` belongs to it"),
        Error::RecursiveReferencesRequireWeakTypes { .. } => {
            findings.error(at, "this alias stands inside its own anchor").help("write the value out")
        }
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => findings
            .error(at, format!("the file is too large or too deeply nested: {said}"))
            .help("write a sweep as lists of a few values; aliases within aliases multiply"),
        _ if said.contains("unsupported tag") => {
            findings.error(at, said.to_owned()).help("remove the tag: a sweep holds plain values")
        }
        _ if said.contains("tab") => findings.error(at, format!("not YAML: {said}")).help("indent with spaces"),
        _ => {
            let line = text[at.start..].lines().next().unwrap_or_default().trim();
            let finding = findings.error(at, format!("not YAML: {said}"));
            if line.is_empty() {
                finding.help("check the brackets, quotes and indentation above")
            } else {
                finding.help(format!("check brackets, quotes and indentation before {}", quoted(line)))
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Document, String> {
        let source = Source { path: "sweep.yaml".into(), text: text.into() };
        Document::parse(&source)
            .map_err(|error| error.iter().map(|one| one.message.clone()).collect::<Vec<_>>().join("; "))
    }

    #[test]
    fn flow_names_need_no_plugin_and_no_valid_sweep() {
        let document = parse("flows: [planar, {radial: {layers: [0, x]}}, 3, {planar: {}}, {a: 1, b: 2}]").unwrap();
        assert_eq!(document.flow_names(), ["planar", "radial"]);
        assert!(parse("flows: planar").unwrap().flow_names().is_empty());
        assert!(parse("{}").unwrap().flow_names().is_empty());
    }

    #[test]
    fn anchors_and_merges_are_read() {
        let document = parse("x: &base {a: 1, b: 2}\ny: {<<: *base, a: 3}").unwrap();
        let Kind::Map(entries) = &document.root.kind else { panic!("a map") };
        assert_eq!(entries[1].value.json().unwrap(), serde_json::json!({"a": 3, "b": 2}));
    }

    #[test]
    fn bombs_end_quickly() {
        let deep = format!("a: {}", "[".repeat(10_000));
        assert!(parse(&deep).is_err());
        let closed = format!("a: {}{}", "[".repeat(60), "]".repeat(60));
        assert!(parse(&closed).unwrap_err().contains("too deeply nested"));
        let block: String = (0..2_000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
        assert!(parse(&block).is_err());
        let mut laughs = String::from("l0: &l0 [lol]\n");
        for level in 1..20 {
            let below = format!("*l{}, ", level - 1).repeat(9);
            laughs += &format!("l{level}: &l{level} [{below}]\n");
        }
        assert!(parse(&laughs).unwrap_err().contains("too large"));
    }
}
