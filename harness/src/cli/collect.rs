//! `harness collect`: runs.csv and metrics.csv from the cells of a results folder.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use harness::results::{Folder, collect as rebuild};

use super::{BAD_INPUT, OK};

#[derive(Args)]
#[command(after_help = "Example: harness collect results/first-look")]
pub struct CollectArgs {
    /// Results folder.
    pub dir: PathBuf,
}

pub fn collect(args: &CollectArgs) -> Result<u8> {
    let folder = Folder::at(&args.dir);
    let collected = rebuild(&folder)?;
    let counts: Vec<String> = collected.counts.iter().map(|(status, n)| format!("{n} {}", status.name())).collect();
    println!("{}", counts.join(", "));
    println!("results: {}", folder.runs().display());
    for message in &collected.damaged {
        eprintln!("error: {message}");
    }
    Ok(if collected.damaged.is_empty() { OK } else { BAD_INPUT })
}
