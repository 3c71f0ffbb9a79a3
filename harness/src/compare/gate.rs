//! gate.yaml: what is looked at, and how much is tolerated.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::table::is_figure;

/// All gates; `null` switches one off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Gate {
    /// Version of this format.
    pub version: u32,
    /// Same cells, same statuses, same values.
    pub correctness: Option<Correctness>,
    /// Differences over seeds.
    pub quality: Option<Quality>,
    /// Cells that diverge.
    pub stability: Option<Stability>,
    /// Throughput, where it was measured.
    pub speed: Option<Speed>,
}

/// Deterministic: the same seed has to give the same numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Correctness {
    /// Largest absolute difference of a cell's figure, by its column.
    pub tolerance: BTreeMap<String, f64>,
    /// An ELBO may exceed log Z by this many of its standard errors.
    pub bound_errors: f64,
}

/// Statistical: paired by seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quality {
    /// Loss that is tolerated, in the figure's own unit, by its column.
    pub margin: BTreeMap<String, f64>,
    /// Probability of a false alarm anywhere in the gate.
    pub alpha: f64,
}

/// Of cells that diverge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Stability {
    /// Growth of their share that is tolerated.
    pub margin: f64,
    /// Probability of a false alarm.
    pub alpha: f64,
}

/// Of times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Speed {
    /// Slowing down between two sweeps that is tolerated: 0.25 is a quarter longer.
    pub margin: f64,
    /// The same of `bench-pair`, whose runs alternate.
    pub paired_margin: f64,
    /// Probability of a false alarm anywhere in the gate.
    pub alpha: f64,
}

impl Gate {
    /// Reads a gate.yaml.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let gate: Self = serde_saphyr::from_str(&text).with_context(|| path.display().to_string())?;
        gate.check().with_context(|| path.display().to_string())?;
        Ok(gate)
    }

    fn check(&self) -> Result<()> {
        ensure!(self.version == 1, "version: {}; this harness reads version 1", self.version);
        let tolerances = self.correctness.iter().flat_map(|gate| &gate.tolerance);
        let margins = self.quality.iter().flat_map(|gate| &gate.margin);
        for (column, value) in tolerances.chain(margins) {
            ensure!(is_figure(column), "`{column}` is no figure of runs.csv; `elbo_nats` and `w2`, for example, are");
            ensure!(value.is_finite() && *value >= 0.0, "{column}: {value}; expected a number from 0 on");
        }
        let alphas = [
            self.quality.as_ref().map(|gate| gate.alpha),
            self.stability.as_ref().map(|gate| gate.alpha),
            self.speed.as_ref().map(|gate| gate.alpha),
        ];
        for alpha in alphas.into_iter().flatten() {
            ensure!(alpha > 0.0 && alpha < 1.0, "alpha: {alpha}; expected a probability between 0 and 1");
        }
        let margins = [
            self.stability.as_ref().map(|gate| gate.margin),
            self.speed.as_ref().map(|gate| gate.margin),
            self.speed.as_ref().map(|gate| gate.paired_margin),
        ];
        for margin in margins.into_iter().flatten() {
            ensure!(margin >= 0.0, "margin: {margin}; expected a number from 0 on");
        }
        Ok(())
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            version: 1,
            correctness: Some(Correctness::default()),
            quality: Some(Quality::default()),
            stability: Some(Stability::default()),
            speed: Some(Speed::default()),
        }
    }
}

impl Default for Correctness {
    /// A thousandth of a nat: a thousand times f32's rounding of an ELBO of size one, a tenth of what a reader would notice.
    fn default() -> Self {
        let columns = ["elbo_nats", "eubo_nats", "iw_bound_nats", "w2", "mode_coverage"];
        Self { tolerance: columns.map(|column| (column.to_owned(), 1e-3)).into(), bound_errors: 5.0 }
    }
}

impl Default for Quality {
    /// A twentieth of a nat, five per cent of likelihood: below that, flows are told apart by nobody.
    fn default() -> Self {
        let margin = [("elbo_nats", 0.05), ("eubo_nats", 0.05), ("w2", 0.05), ("mode_coverage", 0.05)];
        Self { margin: margin.map(|(column, margin)| (column.to_owned(), margin)).into(), alpha: 0.05 }
    }
}

impl Default for Stability {
    fn default() -> Self {
        Self { margin: 0.0, alpha: 0.05 }
    }
}

impl Default for Speed {
    /// Two sweeps one after the other on a shared machine differ by as much as this with nothing changed; `bench-pair` sees less.
    fn default() -> Self {
        Self { margin: 0.25, paired_margin: 0.05, alpha: 0.05 }
    }
}
