//! A verdict in Markdown, for a terminal and for a comment on a pull request.

use std::fmt::Write;

use super::Comparison;
use super::verdict::{Finding, Gated, Verdict};

/// Findings of a gate that are listed; the rest is counted.
const LISTED: usize = 12;

/// The text.
pub fn markdown(comparison: &Comparison) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write(&mut text, comparison);
    text
}

fn write(text: &mut String, comparison: &Comparison) -> std::fmt::Result {
    let Comparison { verdict, summary, base, head, pairs, gates, .. } = comparison;
    writeln!(text, "## {} {}\n", sign(*verdict), verdict.name())?;
    writeln!(text, "{}.\n", cell(summary))?;
    writeln!(
        text,
        "Base `{}` ({} cells), head `{}` ({} cells), {pairs} in both.\n",
        base.path.display(),
        base.cells,
        head.path.display(),
        head.cells
    )?;
    writeln!(text, "| gate | verdict | |\n|---|---|---|")?;
    for gate in gates {
        writeln!(text, "| {} | {} {} | {} |", gate.name, sign(gate.verdict), gate.verdict.name(), cell(&gate.summary))?;
    }
    for gate in gates.iter().filter(|gate| !gate.findings.is_empty()) {
        findings(text, gate)?;
    }
    Ok(())
}

/// Those that are no pass; where all are, those in which something moved.
fn findings(text: &mut String, gate: &Gated) -> std::fmt::Result {
    let grave: Vec<&Finding> = gate.findings.iter().filter(|finding| finding.verdict != Verdict::Pass).collect();
    let shown = match grave.is_empty() {
        true => gate
            .findings
            .iter()
            .filter(|finding| finding.measured.is_some_and(|of| of.n > 1 && of.loss != 0.0))
            .collect(),
        false => grave,
    };
    if shown.is_empty() {
        return Ok(());
    }
    let heading = format!("{} of {}", shown.len(), gate.findings.len());
    writeln!(text, "\n<details><summary>{}: {heading}</summary>\n", gate.name)?;
    writeln!(text, "| | figure | verdict | |\n|---|---|---|---|")?;
    for finding in shown.iter().take(LISTED) {
        let Finding { subject, metric, verdict, message, .. } = finding;
        writeln!(text, "| {} | `{metric}` | {} | {} |", cell(subject), verdict.name(), cell(message))?;
    }
    if shown.len() > LISTED {
        writeln!(text, "\n{} more are in verdict.json.", shown.len() - LISTED)?;
    }
    writeln!(text, "\n</details>")
}

fn sign(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "✅",
        Verdict::Regression => "❌",
        Verdict::Inconclusive => "❔",
        Verdict::Incomparable => "🚫",
        Verdict::NoData => "⛔",
    }
}

/// Without what ends a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}
