//! A sweep file, from text to checked and resolved cells.

mod allowed;
mod canonical;
mod catalog;
mod cells;
mod components;
mod diagnostic;
mod document;
mod eval;
mod exclude;
mod fields;
mod findings;
mod grid;
mod header;
mod limits;
mod mask;
mod node;
mod parameters;
mod plugins;
mod property;
mod resolve;
mod sampling;
mod schema;
mod seeds;
mod source;
mod train;

pub use catalog::{Catalog, Plugin, TargetSpec};
pub use cells::{Excluded, MAX_CELLS, Sweep};
pub use diagnostic::{Diagnostic, Diagnostics};
pub use document::Document;
pub use header::{DeviceSpec, Devices};
pub use limits::Limits;
pub use resolve::{Overrides, resolve};
pub use schema::schema;
pub use source::Source;

#[cfg(test)]
mod bad_names;
#[cfg(test)]
mod bad_settings;
#[cfg(test)]
mod bad_values;
#[cfg(test)]
mod bad_yaml;
#[cfg(test)]
mod example;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod paper;
