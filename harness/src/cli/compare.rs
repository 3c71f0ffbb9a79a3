//! `harness compare`: a verdict on two results.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use harness::compare::{Comparison, Gate, Side, bencher, compare as judge, github_action_benchmark, junit, markdown};
use harness::results::write_atomically;
use harness::table::{HIGHER, LOWER};

#[derive(Args)]
#[command(after_help = "Example: harness compare results/baselines/regression results/regression --gate gate.yaml\n\
    Exit codes: 0 pass, 10 regression, 11 inconclusive, 12 no data or no baseline, 13 incomparable, 64 bad gate\n\
    A gate.yaml has `version: 1` and any of `correctness`, `quality`, `stability`, `speed`; `null` switches one off")]
pub struct CompareArgs {
    /// What was: a results folder, or a file of the form of runs.csv.
    pub base: PathBuf,
    /// What is.
    pub head: PathBuf,
    /// Pair cells that differ in this setting, a column of runs.csv: `--across device` holds a GPU's result against a processor's.
    #[arg(long, value_name = "COLUMN")]
    pub across: Vec<String>,
    #[command(flatten)]
    verdict: VerdictArgs,
}

/// By what is judged, and where the verdict goes.
#[derive(Args)]
pub struct VerdictArgs {
    /// Gates with their tolerances and margins [default: all gates, with the margins in the README]; `bench-pair` looks at `speed`.
    #[arg(long, value_name = "FILE")]
    pub gate: Option<PathBuf>,
    /// Folder for verdict.json, verdict.md, junit.xml; of `compare` for what benchmark trackers read, of `bench-pair` for rounds.csv.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub out: PathBuf,
    /// Print verdict.json instead of Markdown.
    #[arg(long)]
    pub json: bool,
}

pub fn compare(args: &CompareArgs) -> Result<u8> {
    let gate = args.verdict.gate()?;
    let (base, head) = (Side::read(&args.base), Side::read(&args.head));
    let code = args.verdict.say(&judge(&base, &head, &gate, &args.across))?;
    trackers(&head, &args.verdict.out)?;
    Ok(code)
}

impl VerdictArgs {
    /// The gates that are asked for.
    pub fn gate(&self) -> Result<Gate> {
        Ok(self.gate.as_deref().map(Gate::read).transpose()?.unwrap_or_default())
    }

    /// Writes verdict.json, verdict.md and junit.xml, prints the verdict, and says it as an exit code.
    pub fn say(&self, comparison: &Comparison) -> Result<u8> {
        let (out, text) = (&self.out, markdown(comparison));
        std::fs::create_dir_all(out).with_context(|| out.display().to_string())?;
        write_atomically(&out.join("verdict.json"), &serde_json::to_vec_pretty(comparison)?)?;
        write_atomically(&out.join("verdict.md"), text.as_bytes())?;
        write_atomically(&out.join("junit.xml"), junit(comparison)?.as_bytes())?;
        match self.json {
            true => println!("{:#}", serde_json::to_value(comparison)?),
            false => print!("{text}"),
        }
        Ok(comparison.verdict.exit_code())
    }
}

/// Figures of head, where it can be read.
fn trackers(head: &Side, out: &Path) -> Result<()> {
    let Ok(runs) = head.table() else { return Ok(()) };
    let files = [
        ("bigger-is-better.json", github_action_benchmark(runs, HIGHER)),
        ("smaller-is-better.json", github_action_benchmark(runs, LOWER)),
        ("bencher.json", bencher(runs)),
    ];
    files.iter().try_for_each(|(name, value)| write_atomically(&out.join(name), &serde_json::to_vec_pretty(value)?))
}
