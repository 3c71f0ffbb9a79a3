//! A binary that runs while the test goes on.

use std::path::Path;
use std::process::{Child, Output};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Waiting longer than this is waiting in vain.
const HANG: Duration = Duration::from_secs(120);

/// A running binary; killed when it is dropped.
#[derive(Debug)]
pub struct Background {
    child: Option<Child>,
}

impl Background {
    pub(crate) fn new(child: Child) -> Self {
        Self { child: Some(child) }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.id() as i32), signal).expect("it runs, or has not been waited for");
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        let child = self.child.as_mut().expect("it has not been waited for");
        child.try_wait().expect("its state can be asked for").is_some()
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Output {
        let child = self.child.take().expect("it is waited for once");
        child.wait_with_output().expect("its output can be read")
    }

    fn id(&self) -> u32 {
        self.child.as_ref().expect("it has not been waited for").id()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Processes that run in a folder.
pub(crate) fn running_in(folder: &Path) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").expect("/proc is there").flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_there = |id: &u32| std::fs::read_link(format!("/proc/{id}/cwd")).is_ok_and(|path| path == folder);
    ids.filter(is_there).filter(|&id| is_alive(id)).collect()
}

/// Whether a process runs. One that has ended and that nobody has asked about does not.
fn is_alive(id: u32) -> bool {
    let text = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    // The state stands after the name, which may hold anything but ends at the last bracket.
    let state = text.rsplit_once(')').and_then(|(_, rest)| rest.trim_start().chars().next());
    state.is_some_and(|state| !matches!(state, 'Z' | 'X'))
}

/// Looks until `condition` holds.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + HANG;
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
