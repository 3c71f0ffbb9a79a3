//! What a cell records: rows of its metrics.csv.

use super::run::Run;
use crate::measure::{Evaluation, percentile};
use crate::results::MetricRow;

impl Run<'_> {
    /// Records an evaluation on `n` draws.
    pub(super) fn note(&mut self, evaluation: &Evaluation, n: usize) {
        self.last_elbo = evaluation.elbo.value.is_finite().then_some(evaluation.elbo.value);
        let e = evaluation;
        self.push("elbo_nats", Some(e.elbo.value), Some(e.elbo.se), Some(n));
        self.push("iw_bound_nats", Some(e.iw_bound.value), Some(e.iw_bound.se), Some(e.iw_bound.n));
        self.push("reverse_log_z_nats", Some(e.reverse_log_z), None, Some(n));
        self.push("reverse_ess", Some(e.reverse_ess), None, Some(n));
        if let Some(eubo) = e.eubo {
            self.push("eubo_nats", Some(eubo.value), Some(eubo.se), Some(n));
        }
        let optional = [
            ("forward_log_z_nats", e.forward_log_z),
            ("forward_ess", e.forward_ess),
            ("mode_coverage", e.mode_coverage),
            ("w2", e.w2),
            ("density_error_p50", e.density_error_p50),
        ];
        for (name, value) in optional.into_iter().filter(|(_, value)| value.is_some()) {
            self.push(name, value, None, Some(n));
        }
        self.push("nonfinite_draws", Some(e.nonfinite_draws as f64), None, Some(n));
    }

    /// Records how the steps went: so far, and by group of parameters since the previous evaluation.
    pub(super) fn note_steps(&mut self) {
        // Over the whole training so far, as runs.csv has it: the curve ends at the row's figure.
        if let Some(norm) = percentile(&self.record.grad_norms, 0.5) {
            self.push("grad_norm_p50", Some(norm), None, Some(self.record.grad_norms.len()));
        }
        self.push("nonfinite_steps", Some(self.trainer.counts.nonfinite as f64), None, None);
        self.push("skipped_steps", Some(self.trainer.counts.skipped as f64), None, None);
        // A group that is all of the gradient says nothing new.
        if self.groups.names().len() > 1 {
            let window = self.record.window.clone();
            let names: Vec<String> = self.groups.names().iter().map(|group| format!("grad_norm_max.{group}")).collect();
            for (name, norm) in names.iter().zip(window.largest) {
                self.push(name, Some(norm), None, Some(window.n));
            }
        }
    }

    /// Records the plugin's own figures, taken on `n` draws.
    pub(super) fn note_probes(&mut self, probes: &[(String, f64)], n: usize) {
        for (name, value) in probes {
            self.push(name, Some(*value), None, Some(n));
        }
    }

    /// Records one metric at this step; what is not finite is missing.
    pub(super) fn push(&mut self, metric: &str, value: Option<f64>, se: Option<f64>, n: Option<usize>) {
        let finite = |value: Option<f64>| value.filter(|value| value.is_finite());
        self.record.metrics.push(MetricRow {
            cell_id: self.id.clone(),
            step: self.trainer.step,
            wall_s: self.record.train_s,
            target_evals: self.target.evaluations(),
            metric: metric.into(),
            value: finite(value),
            se: finite(se),
            n: n.map(|n| n as u64),
        });
    }
}
