//! The verbs, one a file, and what they share: exit codes, tables.

mod bench_pair;
mod collect;
mod compare;
mod describe;
mod list;
mod new;
mod plan;
mod replay;
mod report;
mod run;
mod schema;
mod table;
mod validate;

use std::io::IsTerminal;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use harness::sweep::Diagnostics;

/// Every planned cell has a result.
const OK: u8 = 0;
/// Some cells crashed, timed out, ran out of memory or could not load.
const FAILED_CELLS: u8 = 20;
/// The input is wrong; nothing was run.
const BAD_INPUT: u8 = 64;
/// The run broke off: a disk that is full, say. What was written is valid.
const BROKEN_OFF: u8 = 74;
/// Interrupted; results stay valid.
const INTERRUPTED: u8 = 130;

/// A benchmark harness for learnt flows and samplers.
#[derive(Parser)]
#[command(version, about, arg_required_else_help = true)]
struct Arguments {
    /// Directory in which to look for plugins first; may be given more than once.
    #[arg(long = "plugin-dir", value_name = "DIR", global = true)]
    plugin_dirs: Vec<PathBuf>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Run every cell of a sweep that has no result yet.
    Run(run::RunArgs),
    /// Show every cell of a sweep, what is excluded and what is done; run nothing.
    Plan(plan::PlanArgs),
    /// Rebuild runs.csv and metrics.csv from the cells of a results folder.
    Collect(collect::CollectArgs),
    /// Write report.html, one page that opens without a network, and report.md.
    Report(report::ReportArgs),
    /// Say whether one result is as good as another: correctness, quality, stability, speed.
    Compare(compare::CompareArgs),
    /// Say whether one build is slower than another, running both in turn.
    BenchPair(bench_pair::BenchPairArgs),
    /// List flows, targets, integrators.
    List(list::ListArgs),
    /// Show a flow's or target's parameters, reference and known values.
    Describe(describe::DescribeArgs),
    /// Ask a plugin whether it keeps its contract and obeys the laws.
    Validate(validate::ValidateArgs),
    /// Make the crate of a new plugin, which builds, passes its test and runs as it stands.
    New(new::NewArgs),
    /// Print the JSON Schema of sweep.yaml, for editors.
    #[command(after_help = "Example: harness schema > sweep.schema.json")]
    Schema,
    /// Run one cell again, in this process, and compare it with its stored result.
    Replay(replay::ReplayArgs),
    /// Run the cell in a folder. Started by `run`, not by people.
    #[command(hide = true)]
    Worker(harness::worker::WorkerArgs),
    /// Ask one check of a plugin. Started by `validate`, not by people.
    #[command(hide = true)]
    CheckPlugin(harness::validate::JobArgs),
    /// Print what a plugin says of itself. Started by the other verbs, since loading a plugin runs its code.
    #[command(hide = true)]
    DescribePlugin {
        /// The plugin's file.
        path: PathBuf,
    },
}

/// Candle and rayon read it when they start, so it has to stand before they do.
const THREADS: &str = "RAYON_NUM_THREADS";

/// Starts this program again with one thread, unless the environment says how many: for verbs that compute in this process.
fn with_threads_set() -> Result<()> {
    if std::env::var_os(THREADS).is_some() {
        return Ok(());
    }
    let mut again = std::process::Command::new(std::env::current_exe()?);
    Err(again.args(std::env::args_os().skip(1)).env(THREADS, "1").exec()).context("starting again")
}

/// Set where an error came after the first cell was started.
#[derive(Debug, thiserror::Error)]
#[error("the run broke off; what is finished stays, and the same command goes on from there")]
struct BrokeOff;

/// Parses, runs the verb, turns its result into an exit code.
pub fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info")).format_timestamp(None).init();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // The terminal may be gone; there is no one else to tell.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { BAD_INPUT } else { OK });
        }
    };
    let dirs = &arguments.plugin_dirs;
    let result = match &arguments.verb {
        Verb::Run(args) => run::run(args, dirs),
        Verb::Plan(args) => plan::plan(args, dirs),
        Verb::Collect(args) => collect::collect(args),
        Verb::Report(args) => report::report(args),
        Verb::Compare(args) => compare::compare(args),
        Verb::BenchPair(args) => bench_pair::bench_pair(args),
        Verb::List(args) => list::list(args, dirs),
        Verb::Describe(args) => describe::describe(args, dirs),
        Verb::Validate(args) => validate::validate(args, dirs),
        Verb::New(args) => new::new(args, dirs),
        Verb::Schema => schema::schema(dirs),
        Verb::Replay(args) => replay::replay(args),
        Verb::Worker(args) => harness::worker::main(args),
        Verb::CheckPlugin(args) => harness::validate::main(args),
        Verb::DescribePlugin { path } => harness::host::describe_here(path).map(|()| OK).map_err(Into::into),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) if is_broken_pipe(&error) => ExitCode::from(OK),
        Err(error) => {
            let code = if error.downcast_ref::<BrokeOff>().is_some() { BROKEN_OFF } else { BAD_INPUT };
            match error.downcast_ref::<Diagnostics>() {
                // Each of them says so itself.
                Some(all) => eprintln!("{}", all.render(std::io::stderr().is_terminal())),
                None => eprintln!("error: {error:#}"),
            }
            ExitCode::from(code)
        }
    }
}

/// The reader of our output has seen enough: `harness list | head`.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let broken = |e: &std::io::Error| e.kind() == std::io::ErrorKind::BrokenPipe;
    error.chain().any(|cause| cause.downcast_ref::<std::io::Error>().is_some_and(broken))
}
