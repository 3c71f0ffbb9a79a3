//! A list of named things: `planar` or `{planar: {layers: 8}}`.

use super::findings::{Findings, quoted};
use super::node::{Kind, Node, Span};

/// One entry of such a list.
pub(super) struct Component<'a> {
    pub name: &'a str,
    pub name_span: Span,
    /// `None`: no parameters are given.
    pub params: Option<&'a Node>,
    /// The whole entry.
    pub span: Span,
}

/// Reads the list; entries that are none are reported and left out.
pub(super) fn read<'a>(kind: &str, node: &'a Node, findings: &mut Findings) -> Vec<Component<'a>> {
    let Kind::List(items) = &node.kind else {
        let finding = findings.error(node.span, format!("`{kind}s` must be a list of {kind}s, but is {node}"));
        if let Kind::Text(name) = &node.kind {
            finding.help(format!("write `{kind}s: [{name}]`"));
        } else {
            finding.help(format!("start each {kind} with `- `"));
        }
        return Vec::new();
    };
    if items.is_empty() {
        findings.error(node.span, format!("`{kind}s` is an empty list")).help(format!("name at least one {kind}"));
    }
    items.iter().filter_map(|item| entry(kind, item, findings)).collect()
}

fn entry<'a>(kind: &str, node: &'a Node, findings: &mut Findings) -> Option<Component<'a>> {
    match &node.kind {
        Kind::Text(name) => return Some(Component { name, name_span: node.span, params: None, span: node.span }),
        Kind::Map(entries) => match entries.as_slice() {
            [only] => {
                let params = Some(&only.value).filter(|value| !value.is_blank());
                return Some(Component { name: &only.key, name_span: only.key_span, params, span: node.span });
            }
            [] => findings
                .error(node.span, format!("this entry names no {kind}"))
                .help(format!("write `{kind}: {{…}}` with its name")),
            [first, second, ..] if first.value.is_blank() => findings
                .error(
                    second.key_span,
                    format!("{} stands beside {}, not in it", quoted(&second.key), quoted(&first.key)),
                )
                .help(format!(
                    "indent the parameters of {} further, or write `{}: {{…}}`",
                    quoted(&first.key),
                    first.key
                )),
            [_, second, ..] => findings
                .error(second.key_span, format!("an entry names one {kind}, and {} is a second", quoted(&second.key)))
                .help(format!("start each {kind} with its own `- `")),
        },
        _ => findings
            .error(node.span, format!("a {kind} must be a name or a map from its name to parameters, but is {node}"))
            .help(format!("write `- name` or `- name: {{…}}`; names of {kind}s that look like numbers need quotes")),
    };
    None
}
