//! `harness new`: a plugin's crate that works as it stands.

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use harness::host::SearchPath;
use harness::scaffold::{Kind, Name, Scaffold, sdk, write};

use super::OK;

#[derive(Args)]
#[command(after_help = "Example: harness new flow my-flow\n         harness new sampler my-sampler --dir ~/plugins\n\
    It builds, passes its test and runs as it stands; what is yours to write is marked TODO.")]
pub struct NewArgs {
    /// What it is.
    pub kind: Kind,
    /// Its name, of crate, plugin and in sweeps: lower-case words with `-` between.
    pub name: String,
    /// Folder to make it in.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
    /// Source of flow-sdk [default: what this harness was built from].
    #[arg(long, value_name = "PATH")]
    pub sdk: Option<PathBuf>,
}

pub fn new(args: &NewArgs, plugin_dirs: &[PathBuf]) -> Result<u8> {
    let name: Name = args.name.parse().map_err(|error: String| anyhow!(error))?;
    refuse_known(&name, plugin_dirs)?;
    let harness = std::env::current_exe().context("where this executable is")?;
    let (kind, sdk) = (args.kind, sdk(args.sdk.as_deref())?);
    let files = Scaffold { kind, name: name.clone(), sdk, harness: harness.clone() }.files()?;
    let folder = write(&args.dir, name.as_str(), &files)?;
    println!("made {}; it works as it stands. Next:\n", folder.display());
    println!("  cd {}", folder.display());
    println!("  cargo build --release");
    println!("  cargo test --release");
    println!("  {} run example.yaml", harness.display());
    println!("\nWhat is yours to write is marked TODO in src/lib.rs; README.md has every step.");
    Ok(OK)
}

/// A second plugin of a name would hide the first, or be hidden by it, and their results could not be told apart.
fn refuse_known(name: &Name, plugin_dirs: &[PathBuf]) -> Result<()> {
    if targets::registry::entry(name.as_str()).is_some() {
        bail!("`{name}` is a target: take another name, since `harness describe {name}` shows that");
    }
    if let Some(path) = SearchPath::new(plugin_dirs)?.locate(name.as_str()) {
        bail!("`{name}` is a plugin already, {}: take another name", path.display());
    }
    Ok(())
}
