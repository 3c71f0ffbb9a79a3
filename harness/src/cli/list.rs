//! `harness list`: flows and targets by name.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueEnum};
use harness::host::SearchPath;

use super::{OK, table};

#[derive(Args)]
#[command(after_help = "Example: harness list targets")]
pub struct ListArgs {
    /// What to list [default: both].
    pub what: Option<What>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// Plugins on the search path.
    Flows,
    /// Target densities.
    Targets,
}

pub fn list(args: &ListArgs, plugin_dirs: &[PathBuf]) -> Result<u8> {
    let mut rows = Vec::new();
    if args.what != Some(What::Targets) {
        for (name, found) in SearchPath::new(plugin_dirs)?.all()? {
            rows.push(match found.descriptor {
                Ok(about) => vec![about.kind, name, about.summary, about.reference],
                Err(reason) => vec!["unloadable".into(), name, reason, String::new()],
            });
        }
    }
    if args.what != Some(What::Flows) {
        for entry in targets::registry::names().into_iter().filter_map(targets::registry::entry) {
            rows.push(vec!["target".into(), entry.name.into(), entry.summary.into(), entry.reference.into()]);
        }
    }
    table::print(&["kind", "name", "what", "reference"], &rows, args.json)?;
    Ok(OK)
}
