//! Where a table comes from, and what in that should make a reader careful.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Serialize;

use crate::results::{Environment, Status};
use crate::table::{Run, Runs};

/// Something to know before reading on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Remark {
    /// `warning` or `note`.
    pub level: &'static str,
    /// What it is.
    pub text: String,
}

/// An environment in which cells were run.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs, reason = "the fields are those of env.json")]
pub struct Machine {
    pub environment: String,
    pub cpu: Option<String>,
    pub cores: usize,
    pub memory: Option<String>,
    pub gpu: Option<String>,
    pub git: Option<String>,
    pub dirty: Option<bool>,
    pub built_by: String,
    pub harness: String,
    pub protocol: u32,
    pub jobs: usize,
    pub threads: usize,
    pub cells: usize,
}

/// Machines of the cells, and remarks on them and on the table.
pub fn provenance(env: &Path, table: &Runs) -> (Vec<Machine>, Vec<Remark>) {
    let mut remarks: Vec<Remark> = table.broken.iter().map(|line| warning(format!("left out: {line}"))).collect();
    let environments: BTreeMap<String, Environment> = match std::fs::read(env).map(|text| serde_json::from_slice(&text))
    {
        Ok(Ok(environments)) => environments,
        Ok(Err(error)) => {
            remarks.push(warning(format!("env.json is damaged ({error}): nothing is known of the machines")));
            BTreeMap::new()
        }
        Err(_) => {
            remarks.push(warning("there is no env.json: nothing is known of the machines".into()));
            BTreeMap::new()
        }
    };
    let machines: Vec<Machine> = environments
        .iter()
        .map(|(key, of)| machine(key, of, &table.runs))
        .filter(|machine| machine.cells > 0)
        .collect();
    remarks.extend(of_machines(&machines));
    remarks.extend(of_plugins(&table.runs));
    remarks.extend(of_seeds(&table.runs));
    (machines, remarks)
}

fn machine(key: &str, of: &Environment, runs: &[Run]) -> Machine {
    Machine {
        environment: key.into(),
        cpu: of.cpu.clone(),
        cores: of.cores,
        memory: of.memory_bytes.map(|bytes| bytesize::ByteSize(bytes).display().iec().to_string()),
        gpu: of.gpu_driver.clone(),
        git: of.git_sha.as_ref().map(|sha| sha.chars().take(9).collect()),
        dirty: of.git_dirty,
        built_by: of.built_by.clone(),
        harness: of.harness_version.clone(),
        protocol: of.protocol,
        jobs: of.jobs,
        threads: of.threads,
        cells: runs.iter().filter(|run| run.row.environment.as_deref() == Some(key)).count(),
    }
}

fn of_machines(machines: &[Machine]) -> Vec<Remark> {
    let distinct = |of: &dyn Fn(&Machine) -> String| machines.iter().map(of).collect::<BTreeSet<_>>();
    let mut remarks = Vec::new();
    let mut mixed = |what: &str, values: BTreeSet<String>, consequence: &str| {
        if values.len() > 1 {
            let values = values.into_iter().collect::<Vec<_>>().join("; ");
            remarks.push(warning(format!("{what}: {values}. {consequence}")));
        }
    };
    let cpu = |machine: &Machine| format!("{}, {} cores", machine.cpu.as_deref().unwrap_or("?"), machine.cores);
    mixed(
        "mixed machines",
        distinct(&cpu),
        "Times are not comparable across them, and the last bits of figures may differ.",
    );
    let version = |machine: &Machine| format!("{} (protocol {})", machine.harness, machine.protocol);
    mixed("mixed versions of the harness", distinct(&version), "Figures of different protocols are not comparable.");
    let commit = |machine: &Machine| machine.git.clone().unwrap_or_else(|| "none".into());
    mixed("mixed commits", distinct(&commit), "Code may have changed in between.");
    let load = |machine: &Machine| format!("{} jobs of {} threads", machine.jobs, machine.threads);
    mixed("mixed loads", distinct(&load), "Times are not comparable across them.");
    if machines.iter().any(|machine| machine.dirty == Some(true)) {
        remarks.push(warning("some cells were run from a tree with changes that are not committed".into()));
    }
    remarks
}

fn of_plugins(runs: &[Run]) -> Vec<Remark> {
    let mut builds: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for run in runs {
        builds.entry(&run.row.flow).or_default().insert(&run.row.plugin_sha256);
    }
    let mixed = builds.iter().filter(|(_, builds)| builds.len() > 1);
    mixed.map(|(flow, builds)| warning(format!("{} builds of the plugin `{flow}` are mixed", builds.len()))).collect()
}

/// What intervals over seeds are worth.
fn of_seeds(runs: &[Run]) -> Option<Remark> {
    let seeds: BTreeSet<u64> = runs.iter().map(|run| run.row.seed).collect();
    let (ok, n) = (runs.iter().filter(|run| run.status == Status::Ok).count(), seeds.len());
    (ok > 0 && n < 5).then(|| Remark {
        level: "note",
        text: match n {
            1 => "one seed: nothing here says how much chance there is in a figure".into(),
            n => format!("{n} seeds: intervals over so few are narrower than they should be"),
        },
    })
}

fn warning(text: String) -> Remark {
    Remark { level: "warning", text }
}
