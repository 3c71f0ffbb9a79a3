//! What all checks found of one plugin, for people and for machines.

use serde::Serialize;
use std::path::PathBuf;

use super::{Check, Ended, Verdict};

/// Of one plugin.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Its file.
    pub plugin: PathBuf,
    /// Its name.
    pub id: String,
    /// Its version.
    pub version: String,
    /// `flow` or `sampler`.
    pub kind: String,
    /// Whether no check failed or crashed.
    pub passed: bool,
    /// One a check.
    pub checks: Vec<Row>,
}

/// One check.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// What was expected.
    pub expected: &'static str,
    /// What came.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Where to look, of what is not well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub look: Option<&'static str>,
    /// The command that asks this again, and nothing else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub again: Option<String>,
}

impl Row {
    /// `again` is the beginning of a command, to which the check and its case are added.
    pub fn new(check: &Check, verdict: Verdict, again: &str) -> Self {
        let wanted = matches!(verdict.result, Ended::Warning | Ended::Failed | Ended::Crashed);
        let seed = verdict.case.as_ref().map(|case| format!(" --reproduce {}", case.seed)).unwrap_or_default();
        let again = wanted.then(|| format!("{again} --only {}{seed} --in-process", check.name));
        Self { name: check.name, expected: check.law, look: wanted.then_some(check.look), verdict, again }
    }

    /// A line, and of what is not well some more.
    fn text(&self, width: usize) -> String {
        let Verdict { result, found, case } = &self.verdict;
        let head = format!(
            "  {:width$}  {}",
            self.name,
            if result.is_fault() { result.name().to_uppercase() } else { result.name().into() }
        );
        let mut lines = vec![match result {
            Ended::Skipped => format!("{head}: {found}"),
            _ => head,
        }];
        if let (Some(look), Some(again)) = (self.look, &self.again) {
            lines.push(format!("      expected  {}", self.expected));
            lines.push(format!("      found     {found}"));
            lines.extend(case.as_ref().map(|case| {
                let parameters = match case.parameters.is_empty() {
                    true => "at their defaults".into(),
                    false => serde_json::Value::Object(case.parameters.clone()).to_string(),
                };
                let plural = if case.dim == 1 { "" } else { "s" };
                format!("      in        case {}: {} dimension{plural}, parameters {parameters}", case.seed, case.dim)
            }));
            lines.push(format!("      look      {look}"));
            lines.push(format!("      again     {again}"));
        }
        lines.join("\n")
    }
}

impl Report {
    /// For people.
    pub fn text(&self) -> String {
        let width = self.checks.iter().map(|row| row.name.len()).max().unwrap_or(0);
        let count = |ended: Ended| self.checks.iter().filter(|row| row.verdict.result == ended).count();
        let all = [Ended::Success, Ended::Warning, Ended::Skipped, Ended::Failed, Ended::Crashed];
        let counts =
            all.into_iter().filter(|&ended| count(ended) > 0).map(|ended| format!("{} {}", count(ended), ended.name()));
        let rows: Vec<String> = self.checks.iter().map(|row| row.text(width)).collect();
        format!(
            "{} {} ({}), {}\n{}\n{}: {}",
            self.id,
            self.version,
            self.kind,
            self.plugin.display(),
            rows.join("\n"),
            if self.passed { "passed" } else { "did not pass" },
            counts.collect::<Vec<_>>().join(", ")
        )
    }
}
