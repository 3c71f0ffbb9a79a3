//! The main function of a worker process.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use anyhow::{Context, Result};
use nix::sys::resource::{Resource, setrlimit};

use super::{Link, ParentLink, run};
use crate::cell::{Cell, DeviceKind};
use crate::results::{CellFolder, peak_rss_bytes, write_atomically};

/// A worker's log may grow to this, and so may any other file it writes.
const FILE_LIMIT: u64 = 1 << 30;

/// Stack of a thread: as much as the system gives to the first one.
const STACK: usize = 8 << 20;

/// Exit code of a worker that was asked to stop: a plugin that ends the process leaves another.
pub const STOPPED: u8 = 75;

/// What the parent tells a worker on its command line.
#[derive(Clone, Debug, clap::Args)]
pub struct WorkerArgs {
    /// Folder of the cell.
    pub folder: PathBuf,
    /// The plugin's file.
    #[arg(long)]
    pub plugin: PathBuf,
    /// Memory limit in bytes.
    #[arg(long)]
    pub memory: u64,
    /// Concurrent cells, to be recorded.
    #[arg(long)]
    pub jobs: usize,
    /// Which CUDA device, where the cell is for one.
    #[arg(long, default_value_t = 0)]
    pub ordinal: usize,
    /// Threads it was given, to be recorded.
    #[arg(long)]
    pub threads: usize,
    /// Key into env.json, to be recorded.
    #[arg(long)]
    pub environment: String,
}

/// The threads of a cell. It runs inside of them: from there a hand-off to another takes half a microsecond, from outside
/// twenty.
pub fn pool(threads: usize) -> Result<rayon::ThreadPool> {
    Ok(rayon::ThreadPoolBuilder::new().num_threads(threads).stack_size(STACK).build()?)
}

/// Runs the cell in the folder; writes its status unless it was asked to stop. Returns its exit code.
pub fn main(args: &WorkerArgs) -> Result<u8> {
    // A parent that is killed takes its workers with it, stopped ones too.
    nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)?;
    setrlimit(Resource::RLIMIT_FSIZE, FILE_LIMIT, FILE_LIMIT).context("file size limit")?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0).context("core dumps")?;
    let stop = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGTERM, Arc::clone(&stop))?;
    let started = Instant::now();
    let started_utc = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let folder = CellFolder::at(&args.folder);
    let text = std::fs::read(folder.cell()).with_context(|| folder.cell().display().to_string())?;
    let cell: Cell = serde_json::from_slice(&text).with_context(|| folder.cell().display().to_string())?;
    // The parent watches resident memory; this stops what grows faster than it looks. CUDA's driver reserves address space by the
    // terabyte, and would fail.
    if cell.device == DeviceKind::Cpu {
        setrlimit(Resource::RLIMIT_DATA, args.memory, args.memory).context("memory limit")?;
    }
    let mut link = ParentLink::open(stop)?;
    let result = pool(args.threads)?.install(|| run(&cell, &args.plugin, &folder, &mut link, args.ordinal))?;
    let Some(mut outcome) = result else { return Ok(STOPPED) };
    outcome.started_utc = Some(started_utc);
    outcome.wall_s = Some(started.elapsed().saturating_sub(link.paused()).as_secs_f64());
    outcome.peak_rss_bytes = peak_rss_bytes();
    outcome.threads = Some(args.threads);
    outcome.concurrent_jobs = Some(args.jobs);
    outcome.environment = Some(args.environment.clone());
    write_atomically(&folder.status(), &outcome.to_json()?)?;
    // The checkpoint has served; the status stands without it.
    let _ = std::fs::remove_file(folder.checkpoint());
    Ok(0)
}
