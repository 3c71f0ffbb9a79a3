//! runs.csv as it is read again: its rows, the figures that they have, the cells that differ in their seed alone.

mod figures;
mod groups;
mod runs;

pub use figures::{Figure, HIGHER, LOWER, figures, is_figure};
pub use groups::{Axis, Group, Grouping};
pub use runs::{Run, Runs};
