//! One side of a comparison: a results folder, or a table alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::results::{Environment, Folder};
use crate::table::Runs;

/// A side as it was read.
#[derive(Debug)]
pub struct Side {
    path: PathBuf,
    table: Result<Runs, String>,
    machines: BTreeSet<Machine>,
}

/// Where a side is from.
#[derive(Clone, Debug, Serialize)]
pub struct Origin {
    /// Folder or file.
    pub path: PathBuf,
    /// Cells in its table.
    pub cells: usize,
    /// What it was run on; empty where nothing is known of that.
    pub machines: BTreeSet<Machine>,
}

/// What has to be the same for times to be compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Machine {
    /// Model of the processor.
    pub cpu: Option<String>,
    /// Logical processors.
    pub cores: usize,
    /// Graphics driver.
    pub gpu_driver: Option<String>,
}

impl Side {
    /// Reads a results folder, or a file of the form of runs.csv; what is wrong with it is kept, and becomes a verdict.
    pub fn read(path: &Path) -> Self {
        let folder = Folder::at(path);
        let (file, env) = match path.is_dir() {
            true => (folder.runs(), folder.environment()),
            false => (path.to_owned(), path.with_file_name("env.json")),
        };
        let table = read(&file);
        let used: BTreeSet<&str> = match &table {
            Ok(runs) => runs.runs.iter().filter_map(|run| run.row.environment.as_deref()).collect(),
            Err(_) => BTreeSet::new(),
        };
        let all: BTreeMap<String, Environment> =
            std::fs::read(env).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        let machines = all.iter().filter(|(key, _)| used.contains(key.as_str())).map(|(_, env)| machine(env)).collect();
        Self { path: path.to_owned(), table, machines }
    }

    /// Its table, or why there is none.
    pub fn table(&self) -> Result<&Runs, String> {
        self.table.as_ref().map_err(Clone::clone)
    }

    /// Where it is from.
    pub fn origin(&self) -> Origin {
        let cells = self.table.as_ref().map_or(0, |runs| runs.runs.len());
        Origin { path: self.path.clone(), cells, machines: self.machines.clone() }
    }
}

fn read(file: &Path) -> Result<Runs, String> {
    if !file.exists() {
        return Err(format!("{}: there is no such file", file.display()));
    }
    let runs = Runs::read(file).map_err(|error| format!("{error:#}"))?;
    match (runs.broken.first(), runs.runs.is_empty()) {
        (Some(first), _) if runs.broken.len() == 1 => Err(first.clone()),
        (Some(first), _) => Err(format!("{first}; and {} more lines", runs.broken.len() - 1)),
        (None, true) => Err(format!("{}: it has no cells", file.display())),
        (None, false) => Ok(runs),
    }
}

fn machine(env: &Environment) -> Machine {
    Machine { cpu: env.cpu.clone(), cores: env.cores, gpu_driver: env.gpu_driver.clone() }
}
