//! `harness validate`: whether a plugin keeps its contract and obeys the laws.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use clap::Args;
use harness::host::{Found, SearchPath};
use harness::validate::{CHECKS, Check, Report, Row, Verdict, run_elsewhere};
use serde_json::{Map, Value};

use super::{FAILED_CELLS, OK};

#[derive(Args)]
#[command(after_help = "Example: harness validate target/release/libmy_flow.so\n         \
    harness validate planar --only numerics,leaks\n\
    Each check runs in a process of its own, over cases: 0, 1 and 2 are the plugin's defaults in 2, 1 and 5 dimensions,\n\
    every other number stands for a dimension and parameters at random.\n\
    Exit codes: 0 nothing failed, 20 a check failed or crashed, 64 bad input")]
pub struct ValidateArgs {
    /// The plugin: its file, or its name on the search path.
    #[arg(value_name = "PLUGIN.so|NAME", required_unless_present = "list")]
    pub plugin: Option<String>,
    /// Only these checks: names, or groups of them.
    #[arg(long, value_delimiter = ',', value_name = "CHECK,…")]
    pub only: Vec<String>,
    /// Print every check with the law that it asks, and run none.
    #[arg(long)]
    pub list: bool,
    /// Give a parameter this value in every case, in JSON or as text; may be given more than once.
    #[arg(long = "set", value_name = "PARAMETER=VALUE")]
    pub fixed: Vec<String>,
    /// Cases at random, beside those with defaults.
    #[arg(long, default_value_t = 3, value_name = "N")]
    pub fuzz: u64,
    /// Number of the first case at random.
    #[arg(long, default_value_t = 100, value_name = "SEED")]
    pub seed: u64,
    /// Ask in this case alone: the number that a failed check names.
    #[arg(long, value_name = "SEED")]
    pub reproduce: Option<u64>,
    /// Longest time of one check.
    #[arg(long, default_value = "2min", value_parser = humantime::parse_duration, value_name = "TIME")]
    pub limit: Duration,
    /// Checks at a time [default: one a processor].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
    /// Ask in this process, one check after the other: for a debugger.
    #[arg(long)]
    pub in_process: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

pub fn validate(args: &ValidateArgs, plugin_dirs: &[PathBuf]) -> Result<u8> {
    let mut checks = chosen(&args.only)?;
    let Some(plugin) = args.plugin.as_ref().filter(|_| !args.list) else {
        let rows: Vec<Vec<String>> = checks.iter().map(|check| vec![check.name.into(), check.law.into()]).collect();
        super::table::print(&["check", "expects"], &rows, args.json)?;
        return Ok(OK);
    };
    if args.in_process {
        super::with_threads_set()?;
    }
    let found = find(plugin, plugin_dirs)?;
    let descriptor = found.descriptor.clone().map_err(|reason| anyhow!("{reason}"))?;
    // Those of another kind are of no interest, unless one was asked for by name.
    checks.retain(|check| check.is_for(&descriptor.kind) || args.only.iter().any(|name| name == check.name));
    let fixed = fixed(&args.fixed, &descriptor.parameters)?;
    let cases: Vec<u64> = match args.reproduce {
        Some(seed) => vec![seed],
        None => (0..3).chain((0..args.fuzz).map(|number| args.seed.max(3) + number)).collect(),
    };
    let ask = |check: &Check| {
        if args.in_process {
            eprintln!("{} …", check.name);
            return Ok(check.run(&found.path, &fixed, &cases));
        }
        run_elsewhere(check, &found.path, &fixed, &cases, args.limit)
    };
    let verdicts = if args.in_process {
        checks.iter().map(|check| ask(check)).collect::<Result<Vec<_>>>()?
    } else {
        let jobs = args.jobs.map(usize::from);
        side_by_side(&checks, jobs.unwrap_or(std::thread::available_parallelism().map_or(1, usize::from)), ask)?
    };
    let sets: String = args.fixed.iter().map(|set| format!(" --set '{set}'")).collect();
    let again = format!("harness validate {}{sets}", found.path.display());
    let rows = checks.iter().zip(verdicts).map(|(check, verdict)| Row::new(check, verdict, &again)).collect::<Vec<_>>();
    let passed = !rows.iter().any(|row| row.verdict.result.is_fault());
    let report = Report {
        plugin: found.path,
        id: descriptor.id,
        version: descriptor.version,
        kind: descriptor.kind,
        passed,
        checks: rows,
    };
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{:#}", serde_json::to_value(&report)?)?;
    } else {
        writeln!(out, "{}", report.text())?;
    }
    Ok(if passed { OK } else { FAILED_CELLS })
}

/// A file, or a name on the search path.
fn find(plugin: &str, plugin_dirs: &[PathBuf]) -> Result<Found> {
    let search = SearchPath::new(plugin_dirs)?;
    search.meant(plugin)?.ok_or_else(|| {
        let places: Vec<_> = search.places().iter().map(|place| place.display().to_string()).collect();
        anyhow!("no plugin is called `{plugin}`: looked in {}; `--plugin-dir` names others", places.join(", "))
    })
}

/// The checks that are meant, in their order.
fn chosen(only: &[String]) -> Result<Vec<&'static Check>> {
    if let Some(unknown) = only.iter().find(|pattern| !CHECKS.iter().any(|check| check.is_meant_by(pattern))) {
        let part =
            |name: &'static str| if unknown.contains('.') { name } else { name.rsplit('.').next().unwrap_or(name) };
        let similar = |name| strsim::jaro_winkler(part(name), unknown);
        let near = CHECKS.iter().map(|check| check.name).max_by(|a, b| similar(a).total_cmp(&similar(b)));
        let near = near.unwrap_or_default();
        bail!("no check is called `{unknown}`; did you mean `{near}`? `harness validate --list` shows all");
    }
    Ok(CHECKS.iter().filter(|check| only.is_empty() || only.iter().any(|pattern| check.is_meant_by(pattern))).collect())
}

/// `layers=3` → {"layers": 3}, checked against the schema.
fn fixed(settings: &[String], schema: &Value) -> Result<Map<String, Value>> {
    let mut fixed = Map::new();
    for setting in settings {
        let Some((name, value)) = setting.split_once('=') else { bail!("--set {setting}: it is PARAMETER=VALUE") };
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.into()));
        fixed.insert(name.into(), value);
    }
    jsonschema::validate(schema, &Value::Object(fixed.clone()))
        .map_err(|error| anyhow!("--set: {error} (`harness describe` shows the parameters)"))?;
    Ok(fixed)
}

/// Asks several at a time; verdicts in the order of the checks.
fn side_by_side(
    checks: &[&'static Check],
    jobs: usize,
    ask: impl Fn(&Check) -> Result<Verdict> + Sync,
) -> Result<Vec<Verdict>> {
    let (next, verdicts) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..jobs.min(checks.len()) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(check) = checks.get(number) else { break };
                    let verdict = ask(check);
                    verdicts.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((number, verdict));
                }
            });
        }
    });
    let mut verdicts = verdicts.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    verdicts.sort_by_key(|(number, _)| *number);
    verdicts.into_iter().map(|(_, verdict)| verdict).collect()
}
