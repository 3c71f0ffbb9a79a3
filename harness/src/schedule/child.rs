//! One worker process as its parent sees it: started in a group of its own, watched, stopped, continued, killed.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child as Process, Command, ExitStatus, Stdio};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::results::{CellFolder, Outcome, Status};
use crate::worker::{STOPPED, ToParent, ToWorker};

/// Limits of a cell.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Wall-clock time, pauses for others' timing windows excluded.
    pub wall: Duration,
    /// Resident memory.
    pub memory_bytes: u64,
}

/// Settings of glibc, which otherwise gives every step's buffers back to the system and faults them in again.
///
/// Its threshold for mapping blocks apart cannot be set above 32 MiB (a larger value is ignored): none are mapped. Heaps of
/// single threads are small, and given back whole: there is one for all.
pub const KEEP_MEMORY: [(&str, &str); 3] =
    [("MALLOC_TRIM_THRESHOLD_", "1073741824"), ("MALLOC_MMAP_MAX_", "0"), ("MALLOC_ARENA_MAX", "1")];

/// What every worker of a run is started with.
#[derive(Clone, Debug)]
pub struct Spawn {
    /// Limits of each cell.
    pub limits: Limits,
    /// Concurrent cells.
    pub jobs: usize,
    /// Threads a cell.
    pub threads: usize,
    /// Which CUDA device, for cells that are for one.
    pub ordinal: usize,
    /// Key into env.json.
    pub environment: String,
}

/// What a worker's pipe brings.
#[derive(Debug)]
pub enum Event {
    /// A message.
    Said(ToParent),
    /// The end of its output: it is ending.
    Closed,
}

/// A running worker.
pub struct Child {
    /// Folder of its cell.
    pub folder: CellFolder,
    process: Process,
    started: Instant,
    started_utc: String,
    paused: Duration,
    stopped_at: Option<Instant>,
    peak_rss_bytes: u64,
    kill: Option<(Status, String)>,
    // Held while the worker runs, so that no second run takes the same cell.
    _lock: File,
}

impl Child {
    /// Starts a worker on a cell folder that holds cell.json. Its events arrive at `events` under `key`.
    pub fn start(
        folder: CellFolder,
        plugin: &PathBuf,
        spawn: &Spawn,
        lock: File,
        key: usize,
        events: Sender<(usize, Event)>,
    ) -> Result<Self> {
        let log = File::options().create(true).append(true).open(folder.log())?;
        let threads = spawn.threads.to_string();
        let mut process = Command::new(crate::THIS_PROGRAM)
            .arg0("harness")
            .arg("worker")
            .arg(folder.root())
            .arg("--plugin")
            .arg(plugin)
            .args(["--memory", &spawn.limits.memory_bytes.to_string(), "--jobs", &spawn.jobs.to_string()])
            .args(["--threads", &threads, "--environment", &spawn.environment])
            .args(["--ordinal", &spawn.ordinal.to_string()])
            // Every image has a thread pool of its own, and reads this; unset, candle asks the machine at every product.
            .env("RAYON_NUM_THREADS", &threads)
            .envs(KEEP_MEMORY)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .process_group(0)
            .spawn()
            .context("cannot start a worker process")?;
        let stdout = process.stdout.take().context("a piped child has its output")?;
        let mut log = File::options().append(true).open(folder.log())?;
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
                match serde_json::from_slice(&line) {
                    Ok(message) => drop(events.send((key, Event::Said(message)))),
                    // Not ours: it belongs into the log.
                    Err(_) => drop(log.write_all(&line).and_then(|()| log.write_all(b"\n"))),
                }
            }
            drop(events.send((key, Event::Closed)));
        });
        let started_utc = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        Ok(Self {
            folder,
            process,
            started: Instant::now(),
            started_utc,
            paused: Duration::ZERO,
            stopped_at: None,
            peak_rss_bytes: 0,
            kill: None,
            _lock: lock,
        })
    }

    /// Lets it time itself.
    pub fn go(&mut self) {
        self.say(&ToWorker::Go);
    }

    /// Makes it stand still.
    pub fn pause(&mut self) {
        if self.stopped_at.is_none() {
            self.signal(Signal::SIGSTOP);
            self.stopped_at = Some(Instant::now());
        }
    }

    /// Lets it go on, and tells it how long it stood still.
    pub fn resume(&mut self) {
        if let Some(stopped_at) = self.stopped_at.take() {
            let paused = stopped_at.elapsed();
            self.paused += paused;
            self.signal(Signal::SIGCONT);
            self.say(&ToWorker::Paused(paused.as_secs_f64()));
        }
    }

    /// Asks it to write a checkpoint and end.
    pub fn ask_to_stop(&mut self) {
        self.resume();
        self.signal(Signal::SIGTERM);
    }

    /// Kills it and all that it started, for the reason given.
    pub fn kill(&mut self, status: Status, reason: String) {
        self.kill.get_or_insert((status, reason));
        self.signal(Signal::SIGKILL);
    }

    /// Kills it if it is over a limit.
    pub fn enforce(&mut self, limits: &Limits) {
        if self.kill.is_some() || self.stopped_at.is_some() {
            return;
        }
        let rss = resident_bytes(self.process.id()).unwrap_or(0);
        self.peak_rss_bytes = self.peak_rss_bytes.max(rss);
        if rss > limits.memory_bytes {
            let limit = bytesize::ByteSize::b(limits.memory_bytes);
            self.kill(Status::Oom, format!("over its memory limit of {limit}"));
        } else if self.started.elapsed().saturating_sub(self.paused) > limits.wall {
            let limit = humantime::format_duration(limits.wall);
            self.kill(Status::Timeout, format!("over its wall-clock limit of {limit}"));
        }
    }

    /// Whether the process is gone.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.process.try_wait(), Ok(None))
    }

    /// Its outcome, once it has ended: its own, or what its death tells. `None` while it runs.
    pub fn outcome(&mut self, spawn: &Spawn, interrupted: bool) -> Result<Option<Outcome>> {
        let Some(exit) = self.process.try_wait()? else { return Ok(None) };
        // What it started must not outlive it.
        self.signal(Signal::SIGKILL);
        if let Some(outcome) = Outcome::read(&self.folder.status())? {
            return Ok(Some(outcome));
        }
        let (status, detail) = match self.kill.take() {
            Some((status, reason)) => (status, reason),
            None if interrupted || exit.code() == Some(STOPPED.into()) => {
                (Status::Interrupted, "stopped from outside; the next run goes on with it".into())
            }
            None => self.diagnose(exit),
        };
        Ok(Some(Outcome {
            started_utc: Some(self.started_utc.clone()),
            wall_s: Some(self.started.elapsed().saturating_sub(self.paused).as_secs_f64()),
            peak_rss_bytes: (self.peak_rss_bytes > 0).then_some(self.peak_rss_bytes),
            threads: Some(spawn.threads),
            concurrent_jobs: Some(spawn.jobs),
            environment: Some(spawn.environment.clone()),
            ..Outcome::bare(status, detail)
        }))
    }

    /// What a death without words means.
    fn diagnose(&self, exit: ExitStatus) -> (Status, String) {
        let last = last_line(&self.folder);
        // Rust's and C++'s words when an allocation is refused, which the memory limit makes happen.
        if last.contains("memory allocation of") || last.contains("bad_alloc") {
            return (Status::Oom, format!("an allocation was refused at its memory limit: {last}"));
        }
        let how = match exit.signal() {
            Some(number) => Signal::try_from(number).map_or_else(|_| format!("signal {number}"), |s| s.to_string()),
            None => exit.to_string(),
        };
        let words = if last.is_empty() { String::new() } else { format!("; its last words: {last}") };
        (Status::Crashed, format!("the worker ended with {how}{words}"))
    }

    fn signal(&self, signal: Signal) {
        // Failure means that the group has ended: what was to be signalled is gone.
        let _ = killpg(Pid::from_raw(self.process.id() as i32), signal);
    }

    fn say(&mut self, message: &ToWorker) {
        let Some(stdin) = self.process.stdin.as_mut() else { return };
        // Failure means that the worker is ending; `outcome` will see how.
        if let Ok(line) = serde_json::to_string(message) {
            let _ = stdin.write_all(format!("{line}\n").as_bytes()).and_then(|()| stdin.flush());
        }
    }
}

impl Drop for Child {
    /// No worker is left behind, whatever path the parent took.
    fn drop(&mut self) {
        if matches!(self.process.try_wait(), Ok(None)) {
            self.signal(Signal::SIGKILL);
            let _ = self.process.wait();
        }
    }
}

fn resident_bytes(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * page_size())
}

fn page_size() -> u64 {
    use std::sync::OnceLock;
    static SIZE: OnceLock<u64> = OnceLock::new();
    *SIZE.get_or_init(|| {
        let size = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten();
        size.and_then(|size| u64::try_from(size).ok()).unwrap_or(4096)
    })
}

/// The last line of its log that says something, cut to a readable length.
fn last_line(folder: &CellFolder) -> String {
    use std::io::{Read, Seek, SeekFrom};
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(folder.log())?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(4096)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let text = String::from_utf8_lossy(&read().unwrap_or_default()).into_owned();
    let telling = |line: &&str| !line.trim().is_empty() && !line.starts_with("note:");
    let lines: Vec<&str> = text.lines().filter(telling).collect();
    let allocation = lines.iter().rev().find(|line| line.contains("memory allocation of"));
    allocation.or(lines.last()).map(|line| line.chars().take(300).collect()).unwrap_or_default()
}
