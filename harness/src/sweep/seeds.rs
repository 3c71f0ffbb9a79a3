//! Seeds: how many, or which.

use super::cells::MAX_CELLS;
use super::findings::Findings;
use super::node::{Kind, Node};
use std::collections::HashMap;

/// Reads `seeds`: a count n stands for 0 to n − 1.
pub(super) fn read(node: Option<&Node>, findings: &mut Findings) -> Vec<u64> {
    let Some(node) = node else { return vec![0] };
    match &node.kind {
        Kind::List(items) => list(node, items, findings),
        _ => match whole(node) {
            Some(0) => {
                findings.error(node.span, "`seeds` is 0, so there is nothing to run").help("ask for at least one seed");
                Vec::new()
            }
            // The bound keeps the list small; the size of the whole grid is checked later.
            Some(count) if count > MAX_CELLS as u64 => {
                findings
                    .error(node.span, format!("{count} seeds are too many"))
                    .help(format!("a sweep has at most {MAX_CELLS} cells"));
                Vec::new()
            }
            Some(count) => (0..count).collect(),
            None => {
                findings
                    .error(node.span, format!("`seeds` must be a count or a list of whole numbers, but is {node}"))
                    .help("write `seeds: 3` for 0, 1, 2, or `seeds: [7, 8]`");
                Vec::new()
            }
        },
    }
}

fn list(node: &Node, items: &[Node], findings: &mut Findings) -> Vec<u64> {
    if items.is_empty() {
        findings.error(node.span, "`seeds` is an empty list").help("write `seeds: 1` for seed 0 alone");
    }
    let mut seen = HashMap::new();
    let mut seeds = Vec::new();
    for item in items {
        let Some(seed) = whole(item) else {
            findings
                .error(item.span, format!("a seed must be a whole number from 0 to 2^64 - 1, but is {item}"))
                .help("write `seeds: [7, 8]`");
            continue;
        };
        if let Some(first) = seen.insert(seed, item.span) {
            findings
                .error(item.span, format!("seed {seed} is given twice"))
                .see(first, "first here")
                .help("remove one of the two");
        } else {
            seeds.push(seed);
        }
    }
    seeds
}

fn whole(node: &Node) -> Option<u64> {
    match &node.kind {
        Kind::Number(number) => number.as_u64(),
        _ => None,
    }
}
