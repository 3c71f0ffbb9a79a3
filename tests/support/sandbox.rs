//! A folder of its own to run the binary in.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::background::running_in;
use crate::{Background, Results, built, wait_until};

/// A run that takes longer hangs.
const HANG: Duration = Duration::from_secs(240);

/// A temporary folder, removed at the end.
#[derive(Debug)]
pub struct Sandbox {
    folder: tempfile::TempDir,
}

impl Sandbox {
    /// A folder with one file, `sweep.yaml`.
    pub fn new(sweep: &str) -> Self {
        let sandbox = Self { folder: tempfile::tempdir().expect("a temporary folder can be made") };
        sandbox.write("sweep.yaml", sweep);
        sandbox
    }

    /// A path in it.
    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(relative)
    }

    /// Writes a file into it.
    pub fn write(&self, relative: &str, text: &str) {
        std::fs::write(self.path(relative), text).expect("the sandbox can be written to");
    }

    /// `harness` with the words of `line` as arguments, to be run here; the fixtures are on its plugin path.
    pub fn harness(&self, line: &str) -> assert_cmd::Command {
        let mut command = assert_cmd::Command::from_std(self.command(line));
        command.timeout(HANG);
        command
    }

    /// Starts it and returns at once.
    pub fn start(&self, line: &str) -> Background {
        let mut command = self.command(line);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Background::new(command.spawn().expect("the binary can be started"))
    }

    /// Waits until nothing that was started here runs any more, whoever started it.
    pub fn wait_until_quiet(&self) {
        let folder = self.folder.path().canonicalize().expect("it exists");
        wait_until("no process is left behind", || running_in(&folder).is_empty());
    }

    /// The results folder of that name.
    pub fn results(&self, relative: &str) -> Results {
        Results::at(self.path(relative))
    }

    fn command(&self, line: &str) -> Command {
        let built = built();
        let mut command = Command::new(&built.harness);
        command
            .args(line.split_whitespace())
            .current_dir(self.folder.path())
            .env("HARNESS_PLUGIN_PATH", &built.fixtures)
            // A cell is often met half-way.
            .env("HARNESS_CHECKPOINT_S", "0.05")
            .env_remove("RUST_LOG")
            .env_remove("RUST_BACKTRACE")
            .env_remove("RAYON_NUM_THREADS")
            .stdin(Stdio::null());
        command
    }
}
