//! runs.csv as a report reads it: every line or an error with its number.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use anyhow::{Context, Result};

use crate::results::{Row, Status};

/// One row with its settings.
#[derive(Clone, Debug)]
pub struct Run {
    /// The fixed columns.
    pub row: Row,
    /// How the cell ended.
    pub status: Status,
    /// Every setting that the cell has: `p.layers`, `train.batch`, …, and `objective`, `device`, `dtype`.
    pub settings: BTreeMap<String, String>,
    /// Figures that the plugin reports of itself.
    pub probes: BTreeMap<String, f64>,
}

impl Run {
    /// What the cell is, in words, if `group` is the name of its group.
    pub fn name_in(&self, group: &str) -> String {
        format!("{group}, seed {}", self.row.seed)
    }
}

/// What a file held.
#[derive(Clone, Debug, Default)]
pub struct Runs {
    /// Rows that could be read, in the file's order.
    pub runs: Vec<Run>,
    /// A message for each line that could not.
    pub broken: Vec<String>,
}

/// Sections of settings among the columns.
pub const SECTIONS: [&str; 5] = ["p.", "target.", "train.", "eval.", "sampling."];

impl Runs {
    /// Reads runs.csv.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read(path).with_context(|| path.display().to_string())?;
        let place = |line: u64| format!("{}:{line}", path.display());
        // Lengths are checked here, for all lines rather than the first.
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_slice());
        let headers = reader.headers().with_context(|| place(1))?.clone();
        anyhow::ensure!(
            headers.iter().any(|column| column == "cell_id"),
            "{}: no column `cell_id`: not a runs.csv",
            place(1)
        );
        let (mut runs, mut seen) = (Self::default(), HashSet::new());
        let mut record = csv::ByteRecord::new();
        while reader.read_byte_record(&mut record).with_context(|| path.display().to_string())? {
            let line = record.position().map_or(0, csv::Position::line);
            match run(&record, &headers) {
                Err(problem) => runs.broken.push(format!("{}: {problem:#}", place(line))),
                Ok(run) if !seen.insert(run.row.cell_id.clone()) => {
                    runs.broken.push(format!("{}: cell {} once more", place(line), run.row.cell_id));
                }
                Ok(run) => runs.runs.push(run),
            }
        }
        if !text.is_empty() && !text.ends_with(b"\n") {
            // A number that was cut short is a number, too.
            if runs.runs.pop().is_some() {
                runs.broken.push(format!("{}: the last line is not complete", path.display()));
            }
        }
        Ok(runs)
    }
}

fn run(record: &csv::ByteRecord, headers: &csv::StringRecord) -> Result<Run> {
    let record = csv::StringRecord::from_byte_record(record.clone()).context("not UTF-8")?;
    anyhow::ensure!(record.len() == headers.len(), "{} fields, expected {}", record.len(), headers.len());
    let row: Row = record.deserialize(Some(headers)).map_err(|error| explain(&error, headers))?;
    let status = clap::ValueEnum::from_str(&row.status, false)
        .map_err(|_| anyhow::anyhow!("column `status`: `{}` is no status", row.status))?;
    let fields = || headers.iter().zip(&record).filter(|(_, value)| !value.is_empty());
    let mut settings: BTreeMap<String, String> = fields()
        .filter(|(column, _)| SECTIONS.iter().any(|section| column.starts_with(section)))
        .map(|(column, value)| (column.to_owned(), value.to_owned()))
        .collect();
    let fixed = [("objective", &row.objective), ("device", &row.device), ("dtype", &row.dtype)];
    settings.extend(fixed.map(|(name, value)| (name.to_owned(), value.clone())));
    let probes = fields()
        .filter_map(|(column, value)| Some((column.strip_prefix("probe.")?, value)))
        .map(|(name, value)| {
            let value = value.parse().with_context(|| format!("column `probe.{name}`: `{value}` is no number"))?;
            Ok((name.to_owned(), value))
        })
        .collect::<Result<_>>()?;
    Ok(Run { row, status, settings, probes })
}

/// The error without its own idea of lines: it has seen one record.
fn explain(error: &csv::Error, headers: &csv::StringRecord) -> anyhow::Error {
    let csv::ErrorKind::Deserialize { err, .. } = error.kind() else { return anyhow::anyhow!("{error}") };
    let column = err.field().and_then(|field| headers.get(field as usize));
    anyhow::anyhow!("{}{}", column.map(|column| format!("column `{column}`: ")).unwrap_or_default(), err.kind())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "schema_version,cell_id,name,flow,target,dim,objective,seed,device,dtype,status,plugin_sha256,\
                          elbo_nats,p.layers,probe.spread\n";

    fn read(lines: &str) -> Runs {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), format!("{HEADER}{lines}")).unwrap();
        Runs::read(file.path()).unwrap()
    }

    fn line(id: &str, status: &str, elbo: &str) -> String {
        format!("1,{id},s,planar,u1,2,data,0,cpu,f32,{status},ff,{elbo},8,0.5\n")
    }

    #[test]
    fn every_line_is_read_or_named() {
        let text = [line("a", "ok", "1.5"), line("b", "fine", ""), line("c", "ok", "one"), "1,d\n".into()].concat();
        let runs = read(&(text + &line("a", "ok", "2") + &line("e", "diverged", "")));
        let read: Vec<&str> = runs.runs.iter().map(|run| run.row.cell_id.as_str()).collect();
        assert_eq!(read, ["a", "e"]);
        assert_eq!(runs.runs[0].row.elbo_nats, Some(1.5));
        assert_eq!(runs.runs[0].settings["p.layers"], "8");
        assert_eq!(runs.runs[0].probes["spread"], 0.5);
        let ends = [":3: column `status`: `fine` is no status", ":4: column `elbo_nats`: invalid float literal"];
        let ends = [ends[0], ends[1], ":5: 2 fields, expected 15", ":6: cell a once more"];
        assert_eq!(runs.broken.len(), ends.len(), "{:?}", runs.broken);
        for (message, end) in runs.broken.iter().zip(ends) {
            assert!(message.ends_with(end), "{message}");
        }
    }

    #[test]
    fn a_line_that_was_cut_short_is_not_a_line() {
        let runs = read(&(line("a", "ok", "1.5") + line("b", "ok", "1.5").trim_end()));
        assert_eq!((runs.runs.len(), runs.broken.len()), (1, 1));
    }
}
