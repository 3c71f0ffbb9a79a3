//! `harness bench-pair`: whether one build is slower than another, both run in turn.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;
use harness::compare::{Finding, Gated, Round, Side, Throughputs, Verdict, conclude, judge_rounds, throughputs};
use indicatif::ProgressBar;

use super::INTERRUPTED;
use super::compare::VerdictArgs;

#[derive(Args)]
#[command(
    after_help = "Example: harness bench-pair --base ../main/target/release/harness --head target/release/harness speed.yaml\n\
    Each finds its plugins beside it. The sweep needs `eval: {throughput: true}`; keep it to a few short cells\n\
    Exit codes: 0 pass, 10 regression, 11 inconclusive, 12 no data, 64 bad input"
)]
pub struct BenchPairArgs {
    /// The sweep that both run.
    pub sweep: PathBuf,
    /// What was: a harness.
    #[arg(long, value_name = "BIN")]
    pub base: PathBuf,
    /// What is.
    #[arg(long, value_name = "BIN")]
    pub head: PathBuf,
    /// Rounds of base, head, head, base; as many again where they do not suffice for a pass.
    #[arg(long, value_name = "N", default_value = "16", value_parser = clap::value_parser!(u16).range(2..))]
    pub rounds: u16,
    /// Threads a cell.
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: u16,
    #[command(flatten)]
    verdict: VerdictArgs,
}

pub fn bench_pair(args: &BenchPairArgs) -> Result<u8> {
    let gate = args.verdict.gate()?.speed.unwrap_or_default();
    let out = &args.verdict.out;
    let sweep = args.sweep.canonicalize().with_context(|| args.sweep.display().to_string())?;
    let binaries = [&args.base, &args.head].map(|path| path.canonicalize().with_context(|| path.display().to_string()));
    let [base, head] = binaries;
    let bench = Bench { base: base?, head: head?, sweep, threads: args.threads, rounds: args.rounds };
    std::fs::create_dir_all(out).with_context(|| out.display().to_string())?;
    let scratch = tempfile::tempdir_in(out)?;
    let bar = ProgressBar::new(0);
    let Some(first) = bench.measure(scratch.path(), &bar)? else { return Ok(INTERRUPTED) };
    let mut rows = vec![first.clone()];
    let mut gated = judge_rounds(&first, &gate);
    if matches!(gated.verdict, Verdict::Regression | Verdict::Inconclusive) {
        let Some(second) = bench.measure(scratch.path(), &bar)? else { return Ok(INTERRUPTED) };
        let both = judge_rounds(&[first.clone(), second.clone()].concat(), &gate);
        gated = once_more(gated, judge_rounds(&second, &gate), both);
        rows.push(second);
    }
    bar.finish_and_clear();
    write_rounds(&out.join("rounds.csv"), &rows)?;
    let origin = |side: &str| Side::read(&scratch.path().join(side)).origin();
    let (mut base, mut head) = (origin("base"), origin("head"));
    (base.path, head.path) = (args.base.clone(), args.head.clone());
    let cells = base.cells;
    let comparison = conclude((base, head), cells, vec![gated]);
    args.verdict.say(&comparison)
}

/// What is run in turn.
struct Bench {
    base: PathBuf,
    head: PathBuf,
    sweep: PathBuf,
    threads: u16,
    rounds: u16,
}

impl Bench {
    /// All rounds; none where it was interrupted.
    fn measure(&self, scratch: &Path, bar: &ProgressBar) -> Result<Option<Vec<Round>>> {
        bar.inc_length(4 * u64::from(self.rounds));
        let mut rounds = Vec::new();
        for _ in 0..self.rounds {
            let turn = |binary: &Path, name: &str| -> Result<Option<Throughputs>> {
                let found = self.run(binary, &scratch.join(name));
                bar.inc(1);
                found
            };
            let Some(first) = turn(&self.base, "base")? else { return Ok(None) };
            let Some(second) = turn(&self.head, "head")? else { return Ok(None) };
            let Some(third) = turn(&self.head, "head")? else { return Ok(None) };
            let Some(last) = turn(&self.base, "base")? else { return Ok(None) };
            rounds.push(Round { base: [first, last], head: [second, third] });
        }
        Ok(Some(rounds))
    }

    fn run(&self, binary: &Path, out: &Path) -> Result<Option<Throughputs>> {
        let threads = self.threads.to_string();
        let output = Command::new(binary)
            .args(["run", "--force", "--jobs", "1", "--threads", &threads, "--out"])
            .arg(out)
            .arg(&self.sweep)
            .output()
            .with_context(|| binary.display().to_string())?;
        match output.status.code() {
            Some(0 | 20) => {}
            Some(130) => return Ok(None),
            _ => bail!("{}: {}\n{}", binary.display(), output.status, String::from_utf8_lossy(&output.stderr).trim()),
        }
        let side = Side::read(out);
        let runs = side.table().map_err(anyhow::Error::msg)?;
        Ok(Some(throughputs(runs)))
    }
}

/// What was measured twice. Of a cell that was slower the second time alone counts: one in twenty is slower by chance. Of one that was
/// inconclusive both together do, but they cannot make it slower, since nothing would have confirmed that.
fn once_more(first: Gated, second: Gated, both: Gated) -> Gated {
    let of = |gated: &Gated, like: &Finding| {
        gated.findings.iter().find(|found| found.subject == like.subject && found.metric == like.metric).cloned()
    };
    let judged = |finding: Finding| {
        let (found, why) = match finding.verdict {
            Verdict::Regression => (of(&second, &finding), "the second time, since it was slower the first"),
            Verdict::Inconclusive => (of(&both, &finding), "both times together"),
            _ => return finding,
        };
        let Some(mut found) = found else { return finding };
        if finding.verdict == Verdict::Inconclusive && found.verdict == Verdict::Regression {
            found.verdict = Verdict::Inconclusive;
        }
        found.message = format!("{}; {why}", found.message);
        found
    };
    let findings = first.findings.into_iter().map(judged).collect();
    Gated::of(first.name, findings, "nothing was measured", |n| format!("{n} throughputs as before"))
}

/// Every measurement, for whoever wants to look for himself.
fn write_rounds(path: &Path, measured: &[Vec<Round>]) -> Result<()> {
    let mut csv = csv::Writer::from_path(path).with_context(|| path.display().to_string())?;
    csv.write_record(["time", "round", "turn", "side", "cell", "metric", "value"])?;
    for (time, rounds) in measured.iter().enumerate() {
        for (number, round) in rounds.iter().enumerate() {
            for (turn, (side, values)) in round.turns().into_iter().enumerate() {
                for ((cell, metric), value) in values {
                    csv.serialize((time, number, turn, side, cell, metric, value))?;
                }
            }
        }
    }
    Ok(csv.flush()?)
}
