//! A verdict as JUnit XML, which test dashboards read: a suite a gate, a case a finding.

use anyhow::Result;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::Comparison;
use super::verdict::{Finding, Gated, Verdict};

/// The text.
pub fn junit(comparison: &Comparison) -> Result<String> {
    let mut report = Report::new("harness compare");
    report.add_test_suites(comparison.gates.iter().map(suite));
    Ok(report.to_string()?)
}

fn suite(gate: &Gated) -> TestSuite {
    let mut suite = TestSuite::new(gate.name);
    match gate.findings.is_empty() {
        true => suite.add_test_case(TestCase::new(gate.name, status(gate.verdict, &gate.summary))),
        false => suite.add_test_cases(gate.findings.iter().map(case)),
    };
    suite
}

fn case(finding: &Finding) -> TestCase {
    let mut case = TestCase::new(&finding.metric, status(finding.verdict, &finding.message));
    case.set_classname(&finding.subject);
    case
}

/// What could not be looked at is an error; what cannot be said is skipped, with the reason.
fn status(verdict: Verdict, message: &str) -> TestCaseStatus {
    let mut status = match verdict {
        Verdict::Pass => return TestCaseStatus::success(),
        Verdict::Regression => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Verdict::NoData | Verdict::Incomparable => TestCaseStatus::non_success(NonSuccessKind::Error),
        Verdict::Inconclusive => TestCaseStatus::skipped(),
    };
    status.set_type(verdict.name());
    status.set_message(message);
    status
}
