//! The keys at the top of the file: version, name, devices.

use super::findings::Findings;
use super::node::{Kind, Node};
use crate::cell::DeviceKind;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
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

/// Where the cells of a sweep run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Devices {
    /// Of each kind at most one.
    pub all: Vec<DeviceSpec>,
    /// Whether the file lists them: then a cell whose device is not there is skipped, and the others run.
    pub is_axis: bool,
}

impl Devices {
    /// The CUDA device, if one is named.
    pub fn cuda(&self) -> Option<DeviceSpec> {
        self.all.iter().copied().find(|device| device.kind == DeviceKind::Cuda)
    }

    fn one(device: DeviceSpec) -> Self {
        Self { all: vec![device], is_axis: false }
    }
}

const CPU: DeviceSpec = DeviceSpec { kind: DeviceKind::Cpu, ordinal: 0 };

/// Reads `device`, one or a list; the command line beats the file, which is checked all the same.
pub(super) fn devices(node: Option<&Node>, option: Option<&str>, findings: &mut Findings) -> Devices {
    let in_file = match node.map(|node| (&node.kind, node)) {
        None => Devices::one(CPU),
        Some((Kind::List(items), node)) => device_list(items, node, findings),
        Some((_, node)) => Devices::one(device(node, findings)),
    };
    let Some(option) = option else { return in_file };
    Devices::one(option.parse().unwrap_or_else(|error| {
        findings
            .option_error(format!("`--device {option}`: {error}"))
            .help("write `--device cpu` or `--device cuda:0`");
        CPU
    }))
}

fn device_list(items: &[Node], node: &Node, findings: &mut Findings) -> Devices {
    if items.is_empty() {
        findings.error(node.span, "`device` lists none").help("write `device: cpu` or `device: [cpu, cuda:0]`");
    }
    let mut all: Vec<DeviceSpec> = Vec::new();
    for item in items {
        let before = findings.len();
        let one = device(item, findings);
        if findings.len() == before && all.iter().any(|known| known.kind == one.kind) {
            findings
                .error(item.span, format!("`device` lists a second device of the kind of {item}"))
                .help("which one of several does not change the numbers: for more of them, run shards");
        }
        all.push(one);
    }
    Devices { all, is_axis: true }
}

fn device(node: &Node, findings: &mut Findings) -> DeviceSpec {
    let parsed = match &node.kind {
        Kind::Text(text) => text.parse(),
        _ => Err("a device is text".into()),
    };
    parsed.unwrap_or_else(|error: String| {
        findings
            .error(node.span, format!("`device` is {node}: {error}"))
            .help("write `device: cpu` or `device: cuda:0`");
        CPU
    })
}

/// JSON Schema of one value of `device`.
pub(super) fn device_schema() -> Value {
    json!({"type": "string", "pattern": "^(cpu|cuda(:[0-9]+)?)$", "default": "cpu"})
}
