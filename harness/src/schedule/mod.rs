//! Cells in worker processes: so many at once, each within its limits, none hurting another.

mod child;
mod pool;
mod progress;

pub use child::{KEEP_MEMORY, Limits, Spawn};
pub use pool::{Pool, Report, Task};
pub use progress::Display;
