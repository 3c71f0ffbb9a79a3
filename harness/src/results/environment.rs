//! env.json: where and by what a sweep was run.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::write_atomically;

/// One environment: equal ones have equal keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// Version of the harness.
    pub harness_version: String,
    /// Version of the measurement protocol.
    pub protocol: u32,
    /// Commit of the repository that the run was started in, where there is one.
    pub git_sha: Option<String>,
    /// Whether that repository had changes that are not committed.
    pub git_dirty: Option<bool>,
    /// Hash of the Cargo.lock that the harness was built with.
    pub cargo_lock_sha256: String,
    /// Compiler that built the harness, profile and target.
    pub built_by: String,
    /// Instruction sets that the harness was built for.
    pub target_features: String,
    /// Model of the processor.
    pub cpu: Option<String>,
    /// Logical processors that this process may use.
    pub cores: usize,
    /// Memory of the machine.
    pub memory_bytes: Option<u64>,
    /// Operating system and kernel.
    pub kernel: Option<String>,
    /// NVIDIA driver, where there is one.
    pub gpu_driver: Option<String>,
    /// Concurrent cells.
    pub jobs: usize,
    /// Threads a cell.
    pub threads: usize,
    /// Plugins by name: hash of the library.
    pub plugins: BTreeMap<String, String>,
    /// Command line.
    pub argv: Vec<String>,
}

impl Environment {
    /// Reads this machine.
    pub fn here(jobs: usize, threads: usize, plugins: BTreeMap<String, String>) -> Self {
        let git = |arguments: &[&str]| output(Command::new("git").args(arguments));
        let git_sha = git(&["rev-parse", "HEAD"]);
        Self {
            harness_version: env!("CARGO_PKG_VERSION").into(),
            protocol: crate::cell::PROTOCOL,
            git_dirty: git_sha.as_ref().and_then(|_| git(&["status", "--porcelain"])).map(|text| !text.is_empty()),
            git_sha,
            cargo_lock_sha256: hex(&Sha256::digest(include_bytes!("../../../Cargo.lock"))),
            built_by: env!("HARNESS_BUILD").into(),
            target_features: env!("HARNESS_TARGET_FEATURES").into(),
            cpu: field("/proc/cpuinfo", "model name"),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: field("/proc/meminfo", "MemTotal").and_then(|text| kibibytes(&text)),
            kernel: output(Command::new("uname").arg("-sr")),
            gpu_driver: std::fs::read_to_string("/proc/driver/nvidia/version")
                .ok()
                .and_then(|text| text.lines().next().map(str::to_owned)),
            jobs,
            threads,
            plugins,
            argv: std::env::args().collect(),
        }
    }

    /// Its key in env.json: a hash of its content.
    pub fn key(&self) -> Result<String> {
        Ok(hex(&Sha256::digest(serde_json::to_vec(self)?))[..12].to_owned())
    }

    /// Adds it to env.json, which keeps one entry for every environment that cells were run in.
    ///
    /// A damaged file is replaced: it describes runs, it does not hold them.
    pub fn record(&self, path: &Path) -> Result<()> {
        let mut all: BTreeMap<String, Self> =
            std::fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        all.insert(self.key()?, self.clone());
        write_atomically(path, &serde_json::to_vec_pretty(&all)?)
    }
}

/// The value of the first line `key : value` of a file.
fn field(path: &str, key: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.split(':').next().is_some_and(|name| name.trim() == key))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// `16384 kB` in bytes.
fn kibibytes(text: &str) -> Option<u64> {
    Some(text.strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// Peak resident memory of this process.
pub fn peak_rss_bytes() -> Option<u64> {
    kibibytes(&field("/proc/self/status", "VmHWM")?)
}

fn output(command: &mut Command) -> Option<String> {
    let output = command.output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
