//! What was measured along the way of each cell, thinned to what a page can hold.

use std::collections::{BTreeMap, HashMap};
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

use super::rounded;
use crate::results::MetricRow;
use crate::table::Run;

/// Numbers in all curves together: some two megabytes of a page.
const MOST_NUMBERS: usize = 250_000;
/// Looks of a cell that are always kept: enough to see a shape.
const LEAST_LOOKS: usize = 6;

/// Metrics in the order of a menu: name, title, unit, log Z beside it, only positive.
const BOUNDS: [(&str, &str, &str, bool, bool); 7] = [
    ("elbo_nats", "ELBO", "nats", true, false),
    ("eubo_nats", "EUBO", "nats", true, false),
    ("iw_bound_nats", "importance-weighted bound", "nats", true, false),
    ("w2", "sliced W2", "", false, true),
    ("mode_coverage", "mode coverage", "", false, false),
    ("reverse_ess", "reverse ESS", "", false, false),
    ("forward_ess", "forward ESS", "", false, false),
];

/// A metric that has curves.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measured {
    /// Its name in metrics.csv.
    pub key: String,
    /// What a menu calls it.
    pub title: String,
    /// Its unit; empty for a bare number.
    pub unit: String,
    /// Whether it says how a training went rather than how good its result is.
    pub stability: bool,
    /// Whether a logarithmic axis can hold it.
    pub positive: bool,
    /// A known answer to draw beside it.
    pub reference: Option<&'static str>,
}

/// The curves of one cell.
#[derive(Clone, Debug, Serialize)]
pub struct Curve {
    /// Which cell.
    pub cell: usize,
    /// Training steps at which there was a look.
    pub step: Vec<u64>,
    /// Seconds until then.
    pub wall_s: Vec<f64>,
    /// Target evaluations until then.
    pub target_evals: Vec<u64>,
    /// Values at each look, a metric each.
    pub values: Vec<Option<Vec<Option<f64>>>>,
}

/// All curves of a sweep.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Curves {
    /// What was measured.
    pub metrics: Vec<Measured>,
    /// Where.
    pub cells: Vec<Curve>,
}

#[derive(Default)]
struct Looks {
    at: Vec<(u64, f64, u64)>,
    values: BTreeMap<String, Vec<Option<f64>>>,
}

impl Curves {
    /// Reads metrics.csv; none where there is no such file. An error names its line.
    pub fn read(path: &Path, runs: &[Run]) -> Result<Self> {
        if !path.exists() {
            return Ok(Self::default());
        }
        let places: HashMap<&str, usize> =
            runs.iter().enumerate().map(|(index, run)| (run.row.cell_id.as_str(), index)).collect();
        let mut cells: BTreeMap<usize, Looks> = BTreeMap::new();
        whole(path)?;
        let mut reader = csv::Reader::from_path(path).with_context(|| path.display().to_string())?;
        for row in reader.deserialize() {
            let row: MetricRow = row.with_context(|| format!("{}: damaged", path.display()))?;
            // A row of a cell that is not in the table belongs to another plan.
            let Some(&cell) = places.get(row.cell_id.as_str()) else { continue };
            cells.entry(cell).or_default().take(row);
        }
        Ok(Self::of(cells))
    }

    fn of(cells: BTreeMap<usize, Looks>) -> Self {
        let mut names: Vec<&String> = cells.values().flat_map(|looks| looks.values.keys()).collect();
        names.sort();
        names.dedup();
        let metrics = measured(&names, &cells);
        let each = (MOST_NUMBERS / (metrics.len() + 3).max(1) / cells.len().max(1)).max(LEAST_LOOKS);
        let curves = cells.iter().map(|(&cell, looks)| looks.curve(cell, &metrics, each)).collect();
        Self { metrics, cells: curves }
    }
}

/// A number that was cut short is a number, too: the last line has to end. The file may be large, and is not read for it.
fn whole(path: &Path) -> Result<()> {
    let mut file = std::fs::File::open(path).with_context(|| path.display().to_string())?;
    let mut last = [b'\n'];
    if file.metadata()?.len() > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    anyhow::ensure!(last == *b"\n", "{}: damaged: its last line is not complete", path.display());
    Ok(())
}

impl Looks {
    fn take(&mut self, row: MetricRow) {
        let at = (row.step, row.wall_s, row.target_evals);
        if self.at.last().is_none_or(|last| last.0 != at.0) {
            self.at.push(at);
        }
        let values = self.values.entry(row.metric).or_default();
        values.resize(self.at.len() - 1, None);
        values.push(row.value.filter(|value| value.is_finite()));
    }

    /// At most `most` looks, evenly spread, the last one among them.
    fn curve(&self, cell: usize, metrics: &[Measured], most: usize) -> Curve {
        let n = self.at.len();
        let chosen: Vec<usize> = match n <= most {
            true => (0..n).collect(),
            false => (0..most).map(|i| i * (n - 1) / (most - 1)).collect(),
        };
        let values = |metric: &Measured| {
            let values = self.values.get(&metric.key)?;
            Some(chosen.iter().map(|&i| values.get(i).copied().flatten().map(rounded)).collect())
        };
        Curve {
            cell,
            step: chosen.iter().map(|&i| self.at[i].0).collect(),
            wall_s: chosen.iter().map(|&i| rounded(self.at[i].1)).collect(),
            target_evals: chosen.iter().map(|&i| self.at[i].2).collect(),
            values: metrics.iter().map(values).collect(),
        }
    }
}

/// The bounds and distances first; then all else, which says how a training went.
fn measured(names: &[&String], cells: &BTreeMap<usize, Looks>) -> Vec<Measured> {
    let positive = |name: &String| {
        let values = cells.values().filter_map(|looks| looks.values.get(name)).flatten();
        values.flatten().all(|&value| value > 0.0)
    };
    let bounds = BOUNDS.iter().filter(|bound| names.iter().any(|name| *name == bound.0)).map(
        |&(key, title, unit, log_z, positive)| Measured {
            key: key.into(),
            title: title.into(),
            unit: unit.into(),
            stability: false,
            positive,
            reference: log_z.then_some("log_z"),
        },
    );
    let mut rest: Vec<&&String> = names.iter().filter(|name| !BOUNDS.iter().any(|bound| bound.0 == **name)).collect();
    // Gradients first: where a training goes wrong they show it.
    rest.sort_by_key(|name| (!name.starts_with("grad_norm_p50"), !name.starts_with("grad_norm")));
    let rest = rest.into_iter().map(|name| Measured {
        key: name.to_string(),
        title: name.trim_end_matches("_nats").replace('_', " "),
        unit: if name.ends_with("_nats") { "nats".into() } else { String::new() },
        stability: true,
        positive: positive(name),
        reference: name.contains("log_z").then_some("log_z"),
    });
    bounds.chain(rest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_cut_is_no_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let rows = "cell_id,step,wall_s,target_evals,metric,value,se,n\na,0,0.0,0,elbo_nats,1.25,,10\n";
        std::fs::write(file.path(), rows).unwrap();
        assert!(Curves::read(file.path(), &[]).is_ok());
        std::fs::write(file.path(), &rows[..rows.len() - 5]).unwrap();
        let error = Curves::read(file.path(), &[]).unwrap_err();
        assert!(error.to_string().ends_with("its last line is not complete"), "{error}");
    }
}
