//! The loop that keeps workers busy.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{File, TryLockError};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::child::{Child, Event};
use super::{Display, Spawn};
use crate::results::{CellFolder, Outcome, PlannedCell, Status, write_atomically};
use crate::worker::ToParent;

/// Limits are looked at this often.
const TICK: Duration = Duration::from_millis(20);
/// Workers that were asked to stop have this long to write their checkpoints.
const GRACE: Duration = Duration::from_secs(10);

/// One cell to run.
#[derive(Debug)]
pub struct Task<'a> {
    /// Folder of the cell.
    pub folder: CellFolder,
    /// The cell.
    pub planned: &'a PlannedCell,
    /// How to name it to a person.
    pub label: &'a str,
    /// What was stored of it when it was chosen: where that has changed, another run has been faster.
    pub stored: Option<Box<Outcome>>,
    /// Whether it starts from nothing, a checkpoint notwithstanding.
    pub fresh: bool,
}

/// What a run did.
#[derive(Debug, Default)]
pub struct Report {
    /// Cells run here, by their status.
    pub ran: BTreeMap<Status, usize>,
    /// Cells that another run holds, or has finished meanwhile.
    pub elsewhere: usize,
    /// Whether it was stopped from outside.
    pub interrupted: bool,
}

/// An event with the key of its worker.
type Keyed = (usize, Event);

/// Runs tasks, `jobs` at a time.
pub struct Pool<'a> {
    spawn: &'a Spawn,
    stop: Arc<AtomicBool>,
    display: Display,
    running: BTreeMap<usize, Child>,
    // Workers that wait to time themselves, and the one that does.
    waiting: VecDeque<usize>,
    timing: Option<usize>,
    events: (Sender<Keyed>, Receiver<Keyed>),
    report: Report,
}

impl<'a> Pool<'a> {
    /// A pool that ends early when `stop` is set.
    pub fn new(spawn: &'a Spawn, stop: Arc<AtomicBool>, display: Display) -> Self {
        Self {
            spawn,
            stop,
            display,
            running: BTreeMap::new(),
            waiting: VecDeque::new(),
            timing: None,
            events: channel(),
            report: Report::default(),
        }
    }

    /// Runs all tasks, in order as workers become free.
    pub fn run(mut self, tasks: impl IntoIterator<Item = Task<'a>>) -> Result<Report> {
        let mut tasks = tasks.into_iter().enumerate();
        let mut next = tasks.next();
        let mut deadline = None;
        while next.is_some() || !self.running.is_empty() {
            if self.stop.load(Ordering::Relaxed) {
                next = None;
                self.interrupt(&mut deadline);
            }
            // While someone times itself, no one starts: starting is work, too.
            while self.timing.is_none() && self.running.len() < self.spawn.jobs {
                let Some((key, task)) = next.take() else { break };
                next = tasks.next();
                self.start(key, &task).with_context(|| task.folder.root().display().to_string())?;
            }
            self.listen()?;
            self.reap()?;
            self.grant();
        }
        self.display.finish();
        Ok(self.report)
    }

    fn start(&mut self, key: usize, task: &Task<'_>) -> Result<()> {
        std::fs::create_dir_all(task.folder.root())?;
        let lock = File::create(task.folder.lock())?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                self.report.elsewhere += 1;
                self.display.ended(key);
                return Ok(());
            }
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        // What cannot be read is run again.
        let now = Outcome::read(&task.folder.status()).unwrap_or(None);
        if now.as_ref() != task.stored.as_deref() && now.is_some_and(|outcome| outcome.status.is_final()) {
            self.report.elsewhere += 1;
            self.display.ended(key);
            return Ok(());
        }
        self.clear(task)?;
        write_atomically(&task.folder.cell(), &serde_json::to_vec_pretty(&task.planned.cell)?)?;
        let child =
            Child::start(task.folder.clone(), &task.planned.plugin, self.spawn, lock, key, self.events.0.clone())?;
        self.display.started(key, task.label);
        self.running.insert(key, child);
        Ok(())
    }

    /// Removes what an earlier try left, the commit mark first; its checkpoint is where this one goes on.
    fn clear(&self, task: &Task<'_>) -> Result<()> {
        let folder = &task.folder;
        let mut old = vec![folder.status(), folder.metrics(), folder.params(), folder.draws(), folder.chains()];
        if task.fresh {
            old.extend([folder.checkpoint(), folder.log()]);
        }
        for path in old {
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }

    /// Waits for something to happen, at most one tick; then handles all that has.
    fn listen(&mut self) -> Result<()> {
        let first = match self.events.1.recv_timeout(TICK) {
            Ok(event) => event,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return Ok(()),
        };
        let rest: Vec<_> = self.events.1.try_iter().collect();
        for (key, event) in std::iter::once(first).chain(rest) {
            match event {
                Event::Said(ToParent::Progress(progress)) => self.display.progress(key, &progress),
                Event::Said(ToParent::TimingBegin) => self.waiting.push_back(key),
                Event::Said(ToParent::TimingEnd) => self.end_timing(key),
                Event::Closed => self.await_exit(key),
            }
        }
        Ok(())
    }

    /// A worker whose output ended is a moment from its end: wait that moment rather than a tick.
    fn await_exit(&mut self, key: usize) {
        let deadline = Instant::now() + TICK;
        while Instant::now() < deadline && self.running.get_mut(&key).is_some_and(|child| !child.has_ended()) {
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    fn reap(&mut self) -> Result<()> {
        let limits = self.spawn.limits;
        let mut ended = Vec::new();
        for (&key, child) in &mut self.running {
            child.enforce(&limits);
            if let Some(outcome) = child.outcome(self.spawn, self.stop.load(Ordering::Relaxed))? {
                if !child.folder.status().exists() {
                    write_atomically(&child.folder.status(), &outcome.to_json()?)?;
                }
                ended.push((key, outcome.status));
            }
        }
        for (key, status) in ended {
            self.running.remove(&key);
            self.waiting.retain(|&waiting| waiting != key);
            self.end_timing(key);
            self.display.ended(key);
            *self.report.ran.entry(status).or_default() += 1;
        }
        Ok(())
    }

    /// Gives the floor to the next worker that wants to time itself: all others stand still, whatever they are doing.
    fn grant(&mut self) {
        if self.timing.is_some() {
            return;
        }
        let Some(key) = self.waiting.pop_front() else { return };
        for (&other, child) in &mut self.running {
            if other != key {
                child.pause();
            }
        }
        if let Some(child) = self.running.get_mut(&key) {
            child.go();
            self.timing = Some(key);
        }
    }

    fn end_timing(&mut self, key: usize) {
        if self.timing == Some(key) {
            self.timing = None;
            self.running.values_mut().for_each(Child::resume);
        }
    }

    /// First asks every worker to stop, later kills those that did not.
    fn interrupt(&mut self, deadline: &mut Option<Instant>) {
        self.report.interrupted = true;
        match deadline {
            None => {
                self.timing = None;
                self.waiting.clear();
                self.running.values_mut().for_each(Child::ask_to_stop);
                *deadline = Some(Instant::now() + GRACE);
            }
            Some(deadline) if Instant::now() > *deadline => {
                for child in self.running.values_mut() {
                    child.kill(Status::Interrupted, "stopped from outside before it could write a checkpoint".into());
                }
            }
            Some(_) => {}
        }
    }
}
