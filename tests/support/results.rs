//! A results folder as tests look at it, with and without what differs between two equal runs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A row of a table: values by column, empty ones left out.
pub type Record = BTreeMap<String, String>;

/// Columns of runs.csv that tell when, how fast and under which circumstances a cell ran.
const CIRCUMSTANCES: [&str; 12] = [
    "train_samples_per_s",
    "draws_per_s",
    "setup_s",
    "train_s",
    "wall_s",
    "peak_rss_bytes",
    "threads",
    "started_utc",
    "concurrent_jobs",
    "environment",
    "device_name",
    "peak_device_bytes",
];

/// A results folder.
#[derive(Clone, Debug)]
pub struct Results {
    root: PathBuf,
}

/// All that has to be equal between two runs of the same cells, bit for bit.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// Rows of runs.csv without circumstances.
    pub runs: Vec<Record>,
    /// Rows of metrics.csv without times.
    pub metrics: Vec<Record>,
    /// Parameters and draws of every cell.
    pub files: BTreeMap<PathBuf, Vec<u8>>,
}

impl Results {
    pub(crate) fn at(root: PathBuf) -> Self {
        Self { root }
    }

    /// A path in it.
    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }

    /// A file of a cell.
    pub fn cell(&self, id: &str, file: &str) -> PathBuf {
        self.root.join("cells").join(id).join(file)
    }

    /// What a cell's worker and its plugin said.
    pub fn log(&self, id: &str) -> String {
        self.text(self.cell(id, "log.txt"))
    }

    /// The text of a file.
    pub fn text(&self, relative: impl AsRef<Path>) -> String {
        let path = self.path(relative);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Rows of runs.csv.
    pub fn runs(&self) -> Vec<Record> {
        read_csv(&self.path("runs.csv"))
    }

    /// Rows of runs.csv by what `key` says of them.
    pub fn runs_by(&self, key: impl Fn(&Record) -> String) -> BTreeMap<String, Record> {
        self.runs().into_iter().map(|row| (key(&row), row)).collect()
    }

    /// How many cells have each status.
    pub fn statuses(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for row in self.runs() {
            *counts.entry(row["status"].clone()).or_default() += 1;
        }
        counts
    }

    /// Identities of the cells that have a folder.
    pub fn cells(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.path("cells")) else { return Vec::new() };
        let mut ids: Vec<String> = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
        ids.sort();
        ids
    }

    /// When each cell was finished: a cell that ran again has another time.
    pub fn finished(&self) -> BTreeMap<String, SystemTime> {
        let time = |id: &str| std::fs::metadata(self.cell(id, "status.json")).and_then(|data| data.modified()).ok();
        self.cells().into_iter().filter_map(|id| Some((id.clone(), time(&id)?))).collect()
    }

    /// What has to be the same whenever these cells are run.
    pub fn snapshot(&self) -> Snapshot {
        let without = |mut row: Record, columns: &[&str]| {
            row.retain(|name, _| !columns.contains(&name.as_str()));
            row
        };
        let runs: Vec<Record> = self.runs().into_iter().map(|row| without(row, &CIRCUMSTANCES)).collect();
        let metrics = read_csv(&self.path("metrics.csv")).into_iter().filter(|row| !row["metric"].ends_with("_per_s"));
        let metrics = metrics.map(|row| without(row, &["wall_s"])).collect();
        let mut files = BTreeMap::new();
        for row in &runs {
            for name in ["params.safetensors", "draws.csv"] {
                if let Ok(bytes) = std::fs::read(self.cell(&row["cell_id"], name)) {
                    files.insert(Path::new(&row["cell_id"]).join(name), bytes);
                }
            }
        }
        Snapshot { runs, metrics, files }
    }
}

impl Snapshot {
    /// That of one flow's cells.
    pub fn of_flow(mut self, flow: &str) -> Self {
        self.runs.retain(|row| row["flow"] == flow);
        let ids: Vec<&String> = self.runs.iter().map(|row| &row["cell_id"]).collect();
        self.metrics.retain(|row| ids.contains(&&row["cell_id"]));
        self.files.retain(|path, _| ids.iter().any(|id| path.starts_with(id)));
        self
    }

    /// Fails with the first difference.
    #[track_caller]
    pub fn assert_same(&self, other: &Self) {
        for (ours, theirs) in [(&self.runs, &other.runs), (&self.metrics, &other.metrics)] {
            for (row, same) in ours.iter().zip(theirs) {
                assert_eq!(row, same);
            }
            assert_eq!(ours.len(), theirs.len(), "number of rows");
        }
        assert_eq!(self.files.keys().collect::<Vec<_>>(), other.files.keys().collect::<Vec<_>>());
        for (path, bytes) in &self.files {
            assert!(other.files[path] == *bytes, "{} differs", path.display());
        }
    }
}

fn read_csv(path: &Path) -> Vec<Record> {
    let mut reader = csv::Reader::from_path(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let rows =
        reader.deserialize::<Record>().map(|row| row.unwrap_or_else(|error| panic!("{}: {error}", path.display())));
    rows.map(|row| row.into_iter().filter(|(_, value)| !value.is_empty()).collect()).collect()
}
