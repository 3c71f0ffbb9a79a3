//! `harness replay`: one cell again, in this process, beside its stored result.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Result, anyhow, bail};
use clap::Args;
use harness::results::{CellFolder, Folder, Outcome, Planned};
use harness::worker::{Console, run};

use super::{FAILED_CELLS, INTERRUPTED, OK, table};

#[derive(Args)]
#[command(after_help = "Example: harness replay results/first-look 3fa2\nThe stored result is left as it is.")]
pub struct ReplayArgs {
    /// Results folder.
    pub dir: PathBuf,
    /// Identity of the cell, or its beginning.
    pub cell: String,
    /// Print the comparison as JSON.
    #[arg(long)]
    pub json: bool,
}

pub fn replay(args: &ReplayArgs) -> Result<u8> {
    super::with_threads_set()?;
    let folder = Folder::at(&args.dir);
    let plan = Planned::read(&folder.plan())?;
    let matching: Vec<_> = plan.cells.iter().filter(|planned| planned.id.starts_with(&args.cell)).collect();
    let planned = match matching[..] {
        [one] => one,
        [] => bail!("no planned cell begins with `{}`; `harness plan` and runs.csv show them", args.cell),
        _ => bail!("{} cells begin with `{}`; give more of it", matching.len(), args.cell),
    };
    let stop = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::clone(&stop))?;
    let scratch = tempfile::tempdir()?;
    let mut link = Console::new(stop);
    eprintln!("{:#}", serde_json::to_value(&planned.cell)?);
    let Some(outcome) = run(&planned.cell, &planned.plugin, &CellFolder::at(scratch.path()), &mut link, 0)? else {
        return Ok(INTERRUPTED);
    };
    let detail = outcome.detail.clone().map(|detail| format!(": {detail}")).unwrap_or_default();
    eprintln!("{}{detail}", outcome.status.name());
    let stored = Outcome::read(&folder.cell(&planned.id).status())?;
    compare(&outcome, stored.as_ref(), args.json)?;
    Ok(if outcome.status.is_failure() { FAILED_CELLS } else { OK })
}

/// Prints both results side by side; what is not a time has to be the same.
fn compare(now: &Outcome, stored: Option<&Outcome>, json: bool) -> Result<()> {
    let figures = |outcome: &Outcome| -> Result<serde_json::Map<String, serde_json::Value>> {
        match serde_json::to_value(&outcome.figures)? {
            serde_json::Value::Object(map) => Ok(map),
            _ => Err(anyhow!("figures are an object")),
        }
    };
    let (now, stored) = (figures(now)?, stored.map(figures).transpose()?);
    let mut rows = Vec::new();
    for (name, value) in now.into_iter().filter(|(_, value)| !value.is_null()) {
        let before = stored.as_ref().and_then(|stored| stored.get(&name));
        let timing = name.ends_with("_s");
        let verdict = match before {
            None => "not stored",
            Some(_) if timing => "a time",
            Some(before) if *before == value => "same",
            Some(_) => "DIFFERS",
        };
        let before = before.map(ToString::to_string).unwrap_or_default();
        rows.push(vec![name, value.to_string(), before, verdict.into()]);
    }
    table::print(&["figure", "now", "stored", "verdict"], &rows, json)
}
