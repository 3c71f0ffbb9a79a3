//! Where plugins are, and what they say of themselves when asked in a process of their own.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use flow_sdk::Descriptor;
use sha2::{Digest, Sha256};

use super::child::{drain, ended_within};
use super::{Library, LoadError};

/// Environment variable with further plugin directories, separated by colons.
const PATH_VARIABLE: &str = "HARNESS_PLUGIN_PATH";
/// A plugin that takes longer than this to describe itself is unloadable.
const DESCRIBE_LIMIT: Duration = Duration::from_secs(10);

/// Where plugins are looked for, in order.
#[derive(Clone, Debug)]
pub struct SearchPath {
    /// Directories, and files that are plugins themselves.
    places: Vec<PathBuf>,
}

/// A plugin file.
#[derive(Clone, Debug)]
pub struct Found {
    /// The library.
    pub path: PathBuf,
    /// Hash of its content.
    pub sha256: String,
    /// What it says of itself, or why it cannot be loaded.
    pub descriptor: Result<Descriptor, String>,
}

impl SearchPath {
    /// `first`, then those of `HARNESS_PLUGIN_PATH`, then the directory of this executable.
    pub fn new(first: &[PathBuf]) -> Result<Self> {
        let mut places = first.to_vec();
        let variable = std::env::var_os(PATH_VARIABLE).unwrap_or_default();
        places.extend(std::env::split_paths(&variable).filter(|path| !path.as_os_str().is_empty()));
        let executable = std::env::current_exe().context("where this executable is")?;
        places.extend(executable.parent().map(Path::to_path_buf));
        Ok(Self { places })
    }

    /// The places, in order.
    pub fn places(&self) -> &[PathBuf] {
        &self.places
    }

    /// The file of the plugin of that name.
    pub fn locate(&self, name: &str) -> Option<PathBuf> {
        let file = format!("lib{}.so", name.replace('-', "_"));
        let candidates =
            self.places.iter().map(|place| if place.is_file() { place.clone() } else { place.join(&file) });
        candidates.filter(|path| path.ends_with(&file)).find(|path| path.exists())
    }

    /// The plugin of that name, described; `None` where there is no such file.
    ///
    /// # Errors
    /// The file is there but is not a shared library: a mistake of the user's, not a plugin that fails.
    pub fn find(&self, name: &str) -> Result<Option<Found>> {
        self.locate(name).map(inspect).transpose()
    }

    /// The plugin that a user means by a file or by a name; `None` where there is none of that name.
    ///
    /// # Errors
    /// As [`SearchPath::find`], and a file that is not there.
    pub fn meant(&self, plugin: &str) -> Result<Option<Found>> {
        // No name has either.
        if !plugin.contains(['/', '.']) {
            return self.find(plugin);
        }
        let path = PathBuf::from(plugin);
        ensure!(path.is_file(), "there is no file {plugin}; build the plugin first, with crate-type = [\"cdylib\"]");
        inspect(path).map(Some)
    }

    /// Every plugin on the path, by name; libraries without the entry function are something else, and left out.
    pub fn all(&self) -> Result<BTreeMap<String, Found>> {
        let mut found = BTreeMap::new();
        for place in &self.places {
            for path in files(place) {
                let Some(name) = plugin_name(&path) else { continue };
                if !found.contains_key(&name) && mentions_entry(&path) {
                    found.insert(name, inspect(path)?);
                }
            }
        }
        Ok(found)
    }
}

/// Runs in the process that `describe_elsewhere` starts: prints the descriptor, or fails with the reason.
pub fn describe_here(path: &Path) -> Result<(), LoadError> {
    let descriptor = Library::open(path)?.descriptor()?;
    println!("{}", serde_json::json!(descriptor));
    Ok(())
}

/// Hash of a file's content, in hexadecimal.
pub fn sha256_of(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    Ok(Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect())
}

fn inspect(path: PathBuf) -> Result<Found> {
    let path = path.canonicalize().with_context(|| path.display().to_string())?;
    let sha256 = sha256_of(&path)?;
    let descriptor = describe_elsewhere(&path)?;
    Ok(Found { path, sha256, descriptor })
}

/// Loads the plugin in another process, since loading runs its code.
fn describe_elsewhere(path: &Path) -> Result<Result<Descriptor, String>> {
    super::library::check_elf(path)?;
    let mut child = Command::new(crate::THIS_PROGRAM)
        .args([OsString::from("describe-plugin"), path.into()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("starting a process to describe a plugin")?;
    let (stdout, stderr) = (drain(child.stdout.take()), drain(child.stderr.take()));
    let Some(status) = ended_within(&mut child, DESCRIBE_LIMIT)? else {
        child.kill()?;
        child.wait()?;
        return Ok(Err(format!("{}: describe took longer than {DESCRIBE_LIMIT:?}", path.display())));
    };
    let (stdout, stderr) = (stdout.join().unwrap_or_default(), stderr.join().unwrap_or_default());
    if !status.success() {
        let said = stderr.trim().trim_start_matches("error: ").to_owned();
        let said = if said.is_empty() { format!("{}: describe ended with {status}", path.display()) } else { said };
        return Ok(Err(said));
    }
    let last = stdout.lines().last().unwrap_or_default();
    Ok(serde_json::from_str(last).map_err(|error| format!("{}: not a descriptor: {error}", path.display())))
}

/// The files of a directory, or the file itself; none of what is not there.
fn files(place: &Path) -> Vec<PathBuf> {
    match std::fs::read_dir(place) {
        Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
        Err(_) => vec![place.to_owned()],
    }
}

/// `libnn_hmc.so` → `nn-hmc`.
fn plugin_name(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?.strip_prefix("lib")?.strip_suffix(".so")?;
    Some(name.replace('_', "-"))
}

/// Whether the file contains the entry's name at all: cheap, and runs none of its code.
fn mentions_entry(path: &Path) -> bool {
    let entry = flow_sdk::abi::ENTRY.as_bytes();
    std::fs::read(path).is_ok_and(|bytes| bytes.windows(entry.len()).any(|window| window == entry))
}
