//! A question to a plugin, asked case by case.

use std::path::Path;

use serde_json::{Map, Value};

use super::verdict::{Ended, Finding, Objection, Verdict};
use super::{Case, Subject};

/// A question to a plugin.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// `group.name`.
    pub name: &'static str,
    /// What is expected.
    pub law: &'static str,
    /// Where to look.
    pub look: &'static str,
    /// The kind of plugin that is asked; none for every kind.
    pub(super) kind: Option<&'static str>,
    /// Whether every case is asked, or the first alone.
    pub(super) every_case: bool,
    pub(super) ask: fn(&Subject, &Case) -> Finding,
}

impl Check {
    /// Whether `pattern` means it: its name, the part after the point, or its group.
    pub fn is_meant_by(&self, pattern: &str) -> bool {
        self.name == pattern || self.name.split('.').any(|part| part == pattern)
    }

    /// Whether it is a question to that kind of plugin.
    pub fn is_for(&self, kind: &str) -> bool {
        self.kind.is_none_or(|asked| asked == kind)
    }

    /// Asks here, case by case, until one objects.
    pub fn run(&self, plugin: &Path, fixed: &Map<String, Value>, cases: &[u64]) -> Verdict {
        let subject = match Subject::open(plugin, fixed) {
            Ok(subject) => subject,
            Err(error) => return Verdict::new(Ended::Failed, error.to_string()),
        };
        if !self.is_for(&subject.descriptor.kind) {
            return Verdict::new(Ended::Skipped, format!("of a {} only", self.kind.unwrap_or_default()));
        }
        // A check that asks once asks the first case, unless another is to be reproduced.
        let cases = if self.every_case { cases } else { &cases[..cases.len().min(1)] };
        let (mut passed, mut warning, mut skipped) = (false, None, None);
        for &seed in cases {
            let case = subject.case(seed);
            match (self.ask)(&subject, &case) {
                Ok(()) => passed = true,
                Err(Objection::Failed(found)) => return Verdict::of(Ended::Failed, found, &case),
                Err(Objection::Warning(found)) => {
                    warning.get_or_insert_with(|| Verdict::of(Ended::Warning, found, &case));
                }
                Err(Objection::Skipped(why)) => {
                    skipped.get_or_insert_with(|| Verdict::new(Ended::Skipped, why));
                }
            }
        }
        let success = passed.then(|| Verdict::new(Ended::Success, ""));
        warning.or(success).or(skipped).unwrap_or_else(|| Verdict::new(Ended::Skipped, "there are no cases"))
    }
}
