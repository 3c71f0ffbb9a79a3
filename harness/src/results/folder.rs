//! Names in a results folder.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A results folder.
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// The folder at `root`, which need not exist.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Makes it, and checks that it can be written to, before anything is run.
    pub fn create(&self) -> Result<()> {
        let cells = self.root.join("cells");
        std::fs::create_dir_all(&cells).with_context(|| format!("cannot make {}", cells.display()))?;
        tempfile::tempfile_in(&cells).with_context(|| format!("{} is not writable", cells.display()))?;
        Ok(())
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A copy of the sweep.
    pub fn sweep(&self) -> PathBuf {
        self.root.join("sweep.yaml")
    }

    /// The plan.
    pub fn plan(&self) -> PathBuf {
        self.root.join("plan.json")
    }

    /// Where and by what it was run.
    pub fn environment(&self) -> PathBuf {
        self.root.join("env.json")
    }

    /// One row a cell.
    pub fn runs(&self) -> PathBuf {
        self.root.join("runs.csv")
    }

    /// Every metric at every evaluation.
    pub fn metrics(&self) -> PathBuf {
        self.root.join("metrics.csv")
    }

    /// The folder of a cell.
    pub fn cell(&self, id: &str) -> CellFolder {
        CellFolder { root: self.root.join("cells").join(id) }
    }
}

/// Names in the folder of a cell.
#[derive(Clone, Debug)]
pub struct CellFolder {
    root: PathBuf,
}

impl CellFolder {
    /// A cell folder on its own, outside a sweep.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The resolved cell.
    pub fn cell(&self) -> PathBuf {
        self.root.join("cell.json")
    }

    /// The outcome: written last, it marks the cell as done.
    pub fn status(&self) -> PathBuf {
        self.root.join("status.json")
    }

    /// Its rows of metrics.csv.
    pub fn metrics(&self) -> PathBuf {
        self.root.join("metrics.csv")
    }

    /// Trained parameters.
    pub fn params(&self) -> PathBuf {
        self.root.join("params.safetensors")
    }

    /// The first final draws.
    pub fn draws(&self) -> PathBuf {
        self.root.join("draws.csv")
    }

    /// Some of a sampler's chains.
    pub fn chains(&self) -> PathBuf {
        self.root.join("chains.json")
    }

    /// What the worker and its plugin wrote to standard error.
    pub fn log(&self) -> PathBuf {
        self.root.join("log.txt")
    }

    /// A training in mid-flight.
    pub fn checkpoint(&self) -> PathBuf {
        self.root.join("checkpoint.safetensors")
    }

    /// Locked by the process that runs the cell.
    pub fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }
}
