//! `harness run`: every cell of a sweep that has no result yet.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result, bail};
use clap::Args;
use harness::prepare::{Prepared, prepare};
use harness::results::{
    Collected, Environment, Folder, Outcome, PlannedCell, Status, collect_plan, stored, write_atomically,
};
use harness::schedule::{Display, Limits, Pool, Report, Spawn, Task};

use super::plan::labels;
use super::{BrokeOff, FAILED_CELLS, INTERRUPTED, OK};

#[derive(Args)]
#[command(after_help = "Example: harness run sweep.yaml --jobs 2\n\
    Exit codes: 0 every planned cell has a result, 20 some cells failed, 64 bad input, 130 interrupted")]
pub struct RunArgs {
    /// The sweep.
    pub sweep: PathBuf,
    /// Results folder [default: results/<name of the sweep>].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Cells at a time [default: as many as there are processors for; one where there is a CUDA device in the sweep].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
    /// Threads a cell [default: processors that no cell is left for]. Results do not depend on it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
    /// cpu or cuda:0; beats the sweep's own.
    #[arg(long)]
    pub device: Option<String>,
    /// Run only every N-th cell, beginning with the I-th; shards may share a results folder.
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
    /// Run cells that ended in one of these ways again.
    #[arg(long, value_delimiter = ',', value_name = "STATUS")]
    pub retry: Vec<Status>,
    /// Write report.html and report.md when it ends.
    #[arg(long)]
    pub report: bool,
    /// Run every cell again, finished ones too.
    #[arg(long)]
    pub force: bool,
}

/// The I-th of N parts of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    index: usize,
    count: usize,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
        match parts {
            Some((index, count)) if 1 <= index && index <= count => Ok(Self { index, count }),
            _ => Err(format!("`{text}` is not a shard; it is I/N with 1 ≤ I ≤ N, for example 1/4")),
        }
    }
}

pub fn run(args: &RunArgs, plugin_dirs: &[PathBuf]) -> Result<u8> {
    let prepared = prepare(&args.sweep, args.device.clone(), plugin_dirs)?;
    if let (Some(reason), false) = (&prepared.no_cuda, prepared.sweep.devices.is_axis) {
        bail!("{reason}; use --device cpu, or list it, `device: [cpu, cuda]`, to have its cells skipped");
    }
    let folder = folder(args.out.as_ref(), &prepared.plan.name);
    folder.create()?;
    let spawn = spawn(args, &prepared, &folder)?;
    write_atomically(&folder.plan(), &prepared.plan.to_json()?)?;
    if !same_file(&args.sweep, &folder.sweep()) {
        write_atomically(&folder.sweep(), prepared.text.as_bytes())?;
    }
    let stop = Arc::new(AtomicBool::new(false));
    // A second Ctrl-C ends at once; workers go with their parent. Not so SIGTERM: `timeout` and batch systems send it to
    // the process and to its group, and mean one.
    let interrupt = signal_hook::consts::SIGINT;
    signal_hook::flag::register_conditional_shutdown(interrupt, INTERRUPTED.into(), Arc::clone(&stop))?;
    for signal in [interrupt, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    let (report, collected) = execute(args, &prepared, &folder, &spawn, stop).context(BrokeOff)?;
    summarise(&folder, &report, &collected);
    if args.report {
        let written = harness::report::report(&folder, false)?;
        println!("report: {}", written.html.display());
    }
    Ok(if report.interrupted {
        INTERRUPTED
    } else if collected.counts.keys().any(|status| status.is_failure()) {
        FAILED_CELLS
    } else {
        OK
    })
}

/// The results folder of a sweep.
pub fn folder(out: Option<&PathBuf>, name: &str) -> Folder {
    Folder::at(out.cloned().unwrap_or_else(|| PathBuf::from("results").join(name)))
}

fn spawn(args: &RunArgs, prepared: &Prepared, folder: &Folder) -> Result<Spawn> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let cells = shard(&prepared.plan.cells, args.shard).count();
    // Cells on one device slow each other, and each would be timed by the others' leave.
    let on_device = prepared.sweep.devices.cuda().filter(|_| prepared.no_cuda.is_none());
    let jobs = args.jobs.map(usize::from).or(on_device.map(|_| 1));
    let (jobs, threads) = jobs_and_threads(cores, cells, jobs, args.threads.map(usize::from));
    let plugins = prepared.plugins.iter().map(|(name, found)| (name.clone(), found.sha256.clone())).collect();
    let environment = Environment::here(jobs, threads, plugins);
    environment.record(&folder.environment())?;
    let limits = Limits { wall: prepared.sweep.limits.wall, memory_bytes: prepared.sweep.limits.memory_bytes };
    let ordinal = on_device.map_or(0, |device| device.ordinal);
    Ok(Spawn { limits, jobs, threads, ordinal, environment: environment.key()? })
}

/// Cells at a time and threads a cell. Two cells of one thread are faster than one of two, so threads are for processors that no
/// cell is left for.
fn jobs_and_threads(cores: usize, cells: usize, jobs: Option<usize>, threads: Option<usize>) -> (usize, usize) {
    let jobs = jobs.unwrap_or_else(|| (cores / threads.unwrap_or(1)).clamp(1, cells.max(1)));
    (jobs, threads.unwrap_or_else(|| (cores / jobs).max(1)))
}

fn execute(
    args: &RunArgs,
    prepared: &Prepared,
    folder: &Folder,
    spawn: &Spawn,
    stop: Arc<AtomicBool>,
) -> Result<(Report, Collected)> {
    let labels = labels(prepared.plan.cells.iter().map(|planned| &planned.cell));
    let mut tasks = Vec::new();
    for (planned, label) in shard(&prepared.plan.cells, args.shard).zip(shard(&labels, args.shard)) {
        let cell = folder.cell(&planned.id);
        let (outcome, damaged) = match stored(&cell) {
            Ok((outcome, _)) => (outcome, false),
            Err(error) => {
                log::warn!("{error:#}; running the cell again");
                (Outcome::read(&cell.status()).unwrap_or(None), true)
            }
        };
        // What was skipped for want of a device is run where there is one.
        let done = |outcome: &Outcome| match outcome.status {
            Status::Skipped => prepared.foregone(&planned.cell).is_some(),
            status => status.is_final() && !args.retry.contains(&status),
        };
        if !args.force && !damaged && outcome.as_ref().is_some_and(done) {
            continue;
        }
        match prepared.foregone(&planned.cell) {
            Some(outcome) => write_foregone(folder, planned, &outcome)?,
            None => tasks.push(Task { folder: cell, planned, label, stored: outcome.map(Box::new), fresh: args.force }),
        }
    }
    let display = Display::new(tasks.len());
    let report = Pool::new(spawn, stop, display).run(tasks)?;
    Ok((report, collect_plan(folder, &prepared.plan)?))
}

fn shard<T>(all: &[T], shard: Option<Shard>) -> impl Iterator<Item = &T> {
    let Shard { index, count } = shard.unwrap_or(Shard { index: 1, count: 1 });
    all.iter().skip(index - 1).step_by(count)
}

fn write_foregone(folder: &Folder, planned: &PlannedCell, outcome: &Outcome) -> Result<()> {
    let cell = folder.cell(&planned.id);
    std::fs::create_dir_all(cell.root())?;
    write_atomically(&cell.cell(), &serde_json::to_vec_pretty(&planned.cell)?)?;
    write_atomically(&cell.status(), &outcome.to_json()?)
}

fn summarise(folder: &Folder, report: &Report, collected: &Collected) {
    let list = |counts: &BTreeMap<Status, usize>| {
        let parts: Vec<String> = counts.iter().map(|(status, n)| format!("{n} {}", status.name())).collect();
        if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
    };
    println!("ran now: {}", list(&report.ran));
    if report.elsewhere > 0 {
        println!("held or finished by another run: {}", report.elsewhere);
    }
    println!("all planned cells: {}", list(&collected.counts));
    for (status, reason) in collected.reasons.iter().filter(|(status, _)| **status != Status::Ok) {
        println!("  {}, first of them {reason}", status.name());
    }
    println!("results: {}", folder.runs().display());
    if report.interrupted {
        println!("interrupted: the same command goes on from here");
    }
}

fn same_file(a: &std::path::Path, b: &std::path::Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

#[cfg(test)]
mod tests {
    use super::jobs_and_threads;

    #[test]
    fn processors_go_to_cells_first() {
        assert_eq!(jobs_and_threads(8, 100, None, None), (8, 1));
        assert_eq!(jobs_and_threads(8, 3, None, None), (3, 2));
        assert_eq!(jobs_and_threads(8, 1, None, None), (1, 8));
        assert_eq!(jobs_and_threads(8, 0, None, None), (1, 8));
        assert_eq!(jobs_and_threads(8, 100, Some(2), None), (2, 4));
        assert_eq!(jobs_and_threads(8, 100, None, Some(4)), (2, 4));
        assert_eq!(jobs_and_threads(2, 100, Some(4), None), (4, 1));
        assert_eq!(jobs_and_threads(2, 100, None, Some(8)), (1, 8));
    }
}
