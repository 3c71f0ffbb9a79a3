//! What a results folder says, for people: report.html and report.md.
//!
//! A report reads runs.csv, metrics.csv, env.json and what cells kept of their chains, and computes nothing else: the same files
//! give the same bytes.

mod chains;
mod curves;
mod data;
mod markdown;
mod page;
mod pairs;
mod profiles;
mod provenance;
mod schemes;

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::results::{Folder, collect, write_atomically};
use crate::table::Runs;
use data::Data;

/// What was written.
#[derive(Debug)]
pub struct Written {
    /// The page.
    pub html: PathBuf,
    /// Its text.
    pub markdown: PathBuf,
    /// Cells that have no result yet.
    pub unfinished: usize,
    /// Lines of runs.csv that were left out.
    pub broken: Vec<String>,
}

/// Writes both files for a folder. Its tables are rebuilt from its cells first, where it has a plan.
///
/// A table with lines that cannot be read is an error that names them, unless `skip_broken`: then it is left as it is, and the
/// report is of the rest.
pub fn report(folder: &Folder, skip_broken: bool) -> Result<Written> {
    let has_plan = folder.plan().exists();
    if !has_plan && !folder.runs().exists() {
        bail!("{}: neither a plan nor a runs.csv: not a results folder", folder.root().display());
    }
    let old = if folder.runs().exists() { Runs::read(&folder.runs())? } else { Runs::default() };
    let table = match old.broken.is_empty() {
        false if !skip_broken => {
            let rebuild = format!("`harness collect {}` rebuilds the table from its cells; ", folder.root().display());
            let rebuild = if has_plan { rebuild.as_str() } else { "" };
            bail!("{}\n{rebuild}`--skip-broken` reports the rest", old.broken.join("\n"));
        }
        true if has_plan => {
            collect(folder)?;
            Runs::read(&folder.runs())?
        }
        _ => old,
    };
    let data = Data::new(folder, &table)?;
    let html = folder.root().join("report.html");
    let markdown = folder.root().join("report.md");
    write_atomically(&html, page::page(&data)?.as_bytes())?;
    write_atomically(&markdown, markdown::markdown(&data).as_bytes())?;
    let unfinished = table.runs.iter().filter(|run| !run.status.is_final()).count();
    Ok(Written { html, markdown, unfinished, broken: table.broken })
}

/// Six digits: more than any figure here is good for, and half the page.
fn rounded(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap_or(value)
}
