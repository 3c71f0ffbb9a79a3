//! A running cell's link to whoever started it: progress out, the right to be timed and the order to stop in.

use std::fs::File;
use std::io::{BufRead, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::{Progress, ToParent, ToWorker};

/// What a running cell needs from outside.
pub trait Link {
    /// Says how far it is.
    fn progress(&mut self, progress: &Progress) -> Result<()>;

    /// Runs `f` while no other cell runs; false where it was asked to stop before its turn came.
    fn exclusively(&mut self, f: &mut dyn FnMut() -> Result<()>) -> Result<bool>;

    /// Whether it should stop at the next step.
    fn stop_requested(&self) -> bool;

    /// Time that it was made to stand still, so far.
    fn paused(&self) -> Duration;
}

/// The link of a worker process to its parent.
pub struct ParentLink {
    out: File,
    stop: Arc<AtomicBool>,
    paused_ns: Arc<AtomicU64>,
    go: Receiver<()>,
    last_progress: Option<Instant>,
}

impl ParentLink {
    /// Listens on standard input, and takes standard output for itself: what a plugin prints there goes to standard error.
    pub fn open(stop: Arc<AtomicBool>) -> Result<Self> {
        let out = File::from(std::io::stdout().as_fd().try_clone_to_owned()?);
        nix::unistd::dup2_stdout(std::io::stderr())?;
        let paused_ns = Arc::new(AtomicU64::new(0));
        let (sender, go) = channel();
        let paused = Arc::clone(&paused_ns);
        std::thread::spawn(move || {
            for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                match serde_json::from_str(&line) {
                    Ok(ToWorker::Go) => drop(sender.send(())),
                    Ok(ToWorker::Paused(seconds)) => {
                        paused.fetch_add((seconds * 1e9) as u64, Ordering::Relaxed);
                    }
                    Err(error) => log::warn!("unreadable message `{line}` from the parent: {error}"),
                }
            }
            // The parent is gone. The kernel tells a worker that has asked it to; this is for the moment before.
            let _ = nix::sys::signal::killpg(nix::unistd::getpgrp(), nix::sys::signal::Signal::SIGKILL);
        });
        Ok(Self { out, stop, paused_ns, go, last_progress: None })
    }

    fn say(&mut self, message: &ToParent) -> Result<()> {
        let mut line = serde_json::to_string(message)?;
        line.push('\n');
        self.out.write_all(line.as_bytes()).context("talking to the parent")
    }
}

impl Link for ParentLink {
    fn progress(&mut self, progress: &Progress) -> Result<()> {
        // Ten a second are enough for a reader, and cost nothing.
        if self.last_progress.is_some_and(|last| last.elapsed() < Duration::from_millis(100)) {
            return Ok(());
        }
        self.last_progress = Some(Instant::now());
        self.say(&ToParent::Progress(progress.clone()))
    }

    fn exclusively(&mut self, f: &mut dyn FnMut() -> Result<()>) -> Result<bool> {
        self.say(&ToParent::TimingBegin)?;
        loop {
            match self.go.recv_timeout(Duration::from_millis(50)) {
                Ok(()) => break,
                Err(RecvTimeoutError::Timeout) if self.stop_requested() => return Ok(false),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => bail!("the parent closed the pipe"),
            }
        }
        let result = f();
        self.say(&ToParent::TimingEnd)?;
        result.map(|()| true)
    }

    fn stop_requested(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn paused(&self) -> Duration {
        Duration::from_nanos(self.paused_ns.load(Ordering::Relaxed))
    }
}

/// The link of a cell that runs on its own, before the eyes of a person.
pub struct Console {
    stop: Arc<AtomicBool>,
    last: u64,
}

impl Console {
    /// Prints a line at every tenth of the training.
    pub fn new(stop: Arc<AtomicBool>) -> Self {
        Self { stop, last: u64::MAX }
    }
}

impl Link for Console {
    fn progress(&mut self, progress: &Progress) -> Result<()> {
        let tenth = progress.step * 10 / progress.steps.max(1);
        if tenth != self.last {
            self.last = tenth;
            let elbo = progress.elbo.map_or_else(|| "–".into(), |elbo| format!("{elbo:.4}"));
            eprintln!("step {:>8} of {}   elbo {elbo} nats", progress.step, progress.steps);
        }
        Ok(())
    }

    fn exclusively(&mut self, f: &mut dyn FnMut() -> Result<()>) -> Result<bool> {
        f().map(|()| true)
    }

    fn stop_requested(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn paused(&self) -> Duration {
        Duration::ZERO
    }
}
