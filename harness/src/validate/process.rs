//! A check in a process of its own: what it does there harms nobody.

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::verdict::Ended;
use super::{Case, Check, Objection, Subject, Verdict, consistency};
use crate::host::{drain, ended_within};
use crate::results::write_atomically;

/// Memory of such a process: what a plugin leaks or takes does not bring the machine down.
const MEMORY: u64 = 4 << 30;
/// Lines of standard error that are worth showing.
const LAST_WORDS: usize = 3;
/// A digest is taken within a check, which has a limit of its own.
const DIGEST_LIMIT: Duration = Duration::from_secs(600);

/// What such a process is asked, on its command line.
#[derive(Clone, Debug, clap::Args)]
pub struct JobArgs {
    /// The plugin's file.
    plugin: PathBuf,
    /// The check; without one, digests of the case are taken.
    #[arg(long)]
    check: Option<String>,
    /// Numbers of the cases.
    #[arg(long, value_delimiter = ',')]
    cases: Vec<u64>,
    /// Parameters that every case has, in JSON.
    #[arg(long)]
    fixed: String,
    /// Where the answer goes: standard output is the plugin's.
    #[arg(long)]
    answer: PathBuf,
}

/// The main function of such a process.
pub fn main(args: &JobArgs) -> Result<u8> {
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
    setrlimit(Resource::RLIMIT_DATA, MEMORY, MEMORY).context("memory limit")?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0).context("core dumps")?;
    let fixed: Map<String, Value> = serde_json::from_str(&args.fixed)?;
    let answer = match &args.check {
        Some(name) => {
            let check = super::named(name).with_context(|| format!("no check is called `{name}`"))?;
            serde_json::to_vec(&check.run(&args.plugin, &fixed, &args.cases))?
        }
        None => {
            let subject = Subject::open(&args.plugin, &fixed)?;
            let case = subject.case(args.cases.first().copied().unwrap_or(0));
            match consistency::digests(&subject, &case) {
                Ok(digests) => serde_json::to_vec(&digests)?,
                Err(objection) => bail!("{objection:?}"),
            }
        }
    };
    write_atomically(&args.answer, &answer)?;
    Ok(0)
}

/// Runs a check in a process of its own.
pub fn run_elsewhere(
    check: &Check,
    plugin: &Path,
    fixed: &Map<String, Value>,
    cases: &[u64],
    limit: Duration,
) -> Result<Verdict> {
    let asked = Asked { plugin, fixed, cases, check: Some(check.name), threads: None };
    Ok(match asked.ask::<Verdict>(limit)? {
        Ok(verdict) => verdict,
        Err(end) => Verdict::new(Ended::Crashed, end),
    })
}

/// Digests of a case by name, taken in a process with that many threads.
pub fn digest_elsewhere(subject: &Subject, case: &Case, threads: usize) -> Result<Vec<(String, String)>, Objection> {
    let cases = [case.seed];
    let asked =
        Asked { plugin: &subject.path, fixed: subject.fixed(), cases: &cases, check: None, threads: Some(threads) };
    let harness = |error: anyhow::Error| Objection::Failed(format!("{error:#}"));
    asked.ask(DIGEST_LIMIT).map_err(harness)?.map_err(Objection::Failed)
}

struct Asked<'a> {
    plugin: &'a Path,
    fixed: &'a Map<String, Value>,
    cases: &'a [u64],
    check: Option<&'a str>,
    threads: Option<usize>,
}

impl Asked<'_> {
    /// The answer, or how the process ended without one.
    fn ask<T: DeserializeOwned>(&self, limit: Duration) -> Result<Result<T, String>> {
        let folder = tempfile::tempdir()?;
        let answer = folder.path().join("answer.json");
        let mut command = Command::new(crate::THIS_PROGRAM);
        command.arg0("harness").arg("check-plugin").arg(self.plugin).arg("--answer").arg(&answer);
        command.args(["--fixed", &Value::Object(self.fixed.clone()).to_string()]);
        command.args(["--cases", &self.cases.iter().map(u64::to_string).collect::<Vec<_>>().join(",")]);
        command.args(self.check.iter().flat_map(|check| ["--check", check]));
        if let Some(threads) = self.threads {
            command.env("RAYON_NUM_THREADS", threads.to_string()).env("OMP_NUM_THREADS", threads.to_string());
        } else {
            // Blocks that threads keep for themselves count as used: a leak is to be seen to the byte.
            command.env("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0");
            // Unset, candle asks the machine at every product of matrices.
            command.env("RAYON_NUM_THREADS", std::env::var("RAYON_NUM_THREADS").unwrap_or_else(|_| "1".into()));
            // A group of its own, with whatever the plugin starts. A digest stays in that of its check.
            command.process_group(0);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().context("starting a process for a check")?;
        let said = drain(child.stderr.take());
        let ended = ended_within(&mut child, limit)?;
        if ended.is_none() {
            // A digest is in its check's group, and leads none.
            child.kill()?;
        }
        if self.threads.is_none() {
            // What it left running; there may be nothing.
            let _ = killpg(Pid::from_raw(child.id() as i32), Signal::SIGKILL);
        }
        child.wait()?;
        let said = last_words(&said.join().unwrap_or_default());
        let text = std::fs::read(&answer).ok();
        Ok(match (ended, text) {
            (Some(_), Some(text)) => Ok(serde_json::from_slice(&text)?),
            (Some(status), None) => Err(format!("{}{said}", how(status))),
            (None, _) => Err(format!("no answer within {limit:?}: does a call hang?{said}")),
        })
    }
}

fn how(status: ExitStatus) -> String {
    match status.signal().map(Signal::try_from) {
        Some(Ok(signal)) => format!("the process was ended by {signal}"),
        _ => format!("the process ended ({status}) before the check did"),
    }
}

/// The last that it said, to be put after how it ended.
fn last_words(said: &str) -> String {
    let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(LAST_WORDS)..];
    if last.is_empty() { String::new() } else { format!("; it said: {}", last.join(" / ")) }
}
