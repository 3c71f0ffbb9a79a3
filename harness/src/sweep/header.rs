//! The keys at the top of the file that are no axes: version, name, device.

use super::findings::Findings;
use super::node::{Kind, Node};
use crate::cell::DeviceKind;
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// Longest name: it is a folder's, and some file systems stop at 255 bytes with a suffix.
const MAX_NAME: usize = 100;

/// A device of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceSpec {
    /// Its kind: part of a cell's identity.
    pub kind: DeviceKind,
    /// Which one of that kind: no part of it.
    pub ordinal: usize,
}

impl FromStr for DeviceSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, ordinal) = text.split_once(':').unwrap_or((text, "0"));
        match (kind, ordinal.parse()) {
            ("cpu", Ok(0)) if !text.contains(':') => Ok(Self { kind: DeviceKind::Cpu, ordinal: 0 }),
            ("cuda", Ok(ordinal)) if ordinal < 1024 => Ok(Self { kind: DeviceKind::Cuda, ordinal }),
            _ => Err("a device is `cpu`, `cuda`, or `cuda:` with a number".into()),
        }
    }
}

/// Checks `version`.
pub(super) fn version(node: &Node, findings: &mut Findings) {
    if !matches!(&node.kind, Kind::Number(number) if number.as_u64() == Some(1)) {
        findings
            .error(node.span, format!("`version` must be 1, but is {node}"))
            .help("write `version: 1`: this harness knows no other");
    }
}

/// Reads `name`, which becomes a folder.
pub(super) fn name(node: &Node, findings: &mut Findings) -> String {
    let Kind::Text(name) = &node.kind else {
        findings
            .error(node.span, format!("`name` must be text, but is {node}"))
            .help(format!("write it in quotes: `name: \"{node}\"`"));
        return String::new();
    };
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if !starts_well || !name.chars().all(safe) || name.len() > MAX_NAME {
        findings
            .error(node.span, format!("`name` is {node}, which cannot be a folder's name"))
            .help(format!("use up to {MAX_NAME} letters, digits, `-`, `_` and `.`, a letter or digit first"));
    }
    name.clone()
}

/// Reads `device`; the command line beats the file, which is checked all the same.
pub(super) fn device(node: Option<&Node>, option: Option<&str>, findings: &mut Findings) -> DeviceSpec {
    let cpu = DeviceSpec { kind: DeviceKind::Cpu, ordinal: 0 };
    let in_file = node.map_or(cpu, |node| {
        let parsed = match &node.kind {
            Kind::Text(text) => text.parse(),
            _ => Err("a device is text".into()),
        };
        parsed.unwrap_or_else(|error: String| {
            findings
                .error(node.span, format!("`device` is {node}: {error}"))
                .help("write `device: cpu` or `device: cuda:0`");
            cpu
        })
    });
    let Some(option) = option else { return in_file };
    option.parse().unwrap_or_else(|error| {
        findings
            .option_error(format!("`--device {option}`: {error}"))
            .help("write `--device cpu` or `--device cuda:0`");
        cpu
    })
}
