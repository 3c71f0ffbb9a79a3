//! What a sweep leaves on disk: one place per format.

mod atomic;
mod collect;
mod environment;
mod folder;
mod kept_chains;
mod metric;
mod outcome;
mod plan;
mod row;
mod sampler;

pub use atomic::write_atomically;
pub use collect::{Collected, collect, collect_plan, stored};
pub use environment::{Environment, peak_rss_bytes};
pub use folder::{CellFolder, Folder};
pub use kept_chains::KeptChains;
pub use metric::MetricRow;
pub use outcome::{Figures, Outcome, Status};
pub use plan::{Planned, PlannedCell};
pub use row::Row;
pub use sampler::SamplerFigures;
