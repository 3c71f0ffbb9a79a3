//! What a cell may use.

use super::fields::Fields;
use super::findings::Findings;
use super::node::{Kind, Node};
use bytesize::ByteSize;
use serde::Serialize;
use std::time::Duration;

/// Bounds on the worker process of one cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// Wall-clock time.
    pub wall: Duration,
    /// Memory of the process.
    pub memory_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { wall: Duration::from_secs(3600), memory_bytes: ByteSize::gib(8).as_u64() }
    }
}

/// Reads `limits`.
pub(super) fn read(node: Option<&Node>, findings: &mut Findings) -> Limits {
    let mut limits = Limits::default();
    let Some(node) = node else { return limits };
    let fields = Fields::read("`limits`", node, &["wall", "memory"], findings);
    if let Some(wall) =
        fields.get("wall").and_then(|node| with_unit("wall", "10min", node, findings, humantime::parse_duration))
    {
        limits.wall = wall;
    }
    if let Some(memory) =
        fields.get("memory").and_then(|node| with_unit("memory", "4GiB", node, findings, str::parse::<ByteSize>))
    {
        limits.memory_bytes = memory.as_u64();
    }
    limits
}

fn with_unit<T: Default + PartialEq, E: std::fmt::Display>(
    key: &str,
    example: &str,
    node: &Node,
    findings: &mut Findings,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Option<T> {
    let help = format!("write `{key}: {example}`");
    let bare = |text: &str| text.trim().parse::<f64>().is_ok();
    match &node.kind {
        Kind::Text(text) if !bare(text) => match parse(text.trim()) {
            Ok(value) if value != T::default() => return Some(value),
            Ok(_) => findings.error(node.span, format!("`{key}` must be above zero")).help(help),
            Err(error) => findings.error(node.span, format!("`{key}` is {node}: {error}")).help(help),
        },
        Kind::Text(_) | Kind::Number(_) => {
            findings.error(node.span, format!("`{key}` is {node}, which has no unit")).help(help)
        }
        _ => findings.error(node.span, format!("`{key}` must be a figure with its unit, but is {node}")).help(help),
    };
    None
}
