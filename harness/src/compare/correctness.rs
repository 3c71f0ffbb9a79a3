//! Same cells, same statuses, same values; no ELBO above log Z. Deterministic, so one cell is enough to fail.

use super::gate::Correctness;
use super::pairing::{Pair, Pairing};
use super::verdict::{Finding, Gated, Measured, Verdict};
use crate::results::Status;
use crate::table::Figure;

pub fn judge(pairing: &Pairing<'_>, gate: &Correctness) -> Gated {
    let with_tolerance = |figure: &Figure| gate.tolerance.get(&figure.key).copied();
    let columns: Vec<(&Figure, f64)> =
        pairing.figures.iter().filter_map(|figure| Some((figure, with_tolerance(figure)?))).collect();
    let vanished = pairing.vanished.iter().map(|(cell, run)| Finding {
        subject: cell.clone(),
        metric: "status".into(),
        verdict: Verdict::Regression,
        message: format!("it is gone; it was `{}`", run.status.name()),
        measured: None,
    });
    let findings = vanished.chain(pairing.pairs.iter().flat_map(|pair| of_pair(pair, &columns, gate))).collect();
    let added = match pairing.added {
        0 => String::new(),
        n => format!("; {n} cells are new"),
    };
    Gated::of("correctness", findings, "no cell has anything to compare", |n| {
        format!("{n} statuses and values as before{added}")
    })
}

fn of_pair(pair: &Pair<'_>, columns: &[(&Figure, f64)], gate: &Correctness) -> Vec<Finding> {
    let mut findings = vec![status(pair)];
    if pair.base.status == Status::Ok && pair.head.status == Status::Ok {
        findings.extend(columns.iter().filter_map(|(figure, tolerance)| value(pair, figure, *tolerance)));
    }
    findings.extend(bound(pair, gate.bound_errors));
    findings
}

fn status(pair: &Pair<'_>) -> Finding {
    let (old, new) = (pair.base.status, pair.head.status);
    let (verdict, message) = match old {
        // There is nothing yet that it could differ from.
        Status::Pending | Status::Interrupted => (Verdict::NoData, format!("in base it is `{}`", old.name())),
        _ if old == new => (Verdict::Pass, format!("`{}`, as before", new.name())),
        _ => {
            let why = pair.head.row.status_detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default();
            (Verdict::Regression, format!("it was `{}` and is `{}`{why}", old.name(), new.name()))
        }
    };
    Finding { subject: pair.label(), metric: "status".into(), verdict, message, measured: None }
}

fn value(pair: &Pair<'_>, figure: &Figure, tolerance: f64) -> Option<Finding> {
    let old = figure.of(pair.base)?;
    let finding = |verdict, message, measured| {
        Some(Finding { subject: pair.label(), metric: figure.key.clone(), verdict, message, measured })
    };
    let Some(new) = figure.of(pair.head) else {
        return finding(Verdict::Regression, format!("it was {old} and is missing"), None);
    };
    let difference = new - old;
    let measured = Measured { loss: difference.abs(), interval: None, margin: tolerance, smallest_visible: None, n: 1 };
    match difference.abs() <= tolerance {
        true => finding(Verdict::Pass, format!("{new}, as before"), Some(measured)),
        false => finding(
            Verdict::Regression,
            format!("it was {old} and is {new}: {difference:+.3e}, tolerated are {tolerance:.1e}"),
            Some(measured),
        ),
    }
}

/// E_q log w ≤ log Z for every flow (Jensen's inequality), but for the noise of its estimate.
fn bound(pair: &Pair<'_>, errors: f64) -> Option<Finding> {
    let row = &pair.head.row;
    let (elbo, se, log_z) = (row.elbo_nats?, row.elbo_se_nats?, row.log_z_nats?);
    // What rounding of a sum of f32's may add.
    let slack = 1e-4 * (1.0 + log_z.abs());
    let above = elbo - log_z;
    (above > errors * se + slack).then(|| Finding {
        subject: pair.label(),
        metric: "elbo_nats".into(),
        verdict: Verdict::Regression,
        message: format!("the ELBO {elbo} ± {se:.2e} lies above log Z = {log_z}: no density does; a log-det or a log-density is wrong"),
        measured: Some(Measured { loss: above, interval: None, margin: errors * se + slack, smallest_visible: None, n: 1 }),
    })
}
