//! Chains of simple layers, a block of points at a time: every point goes through all layers and back while it is in cache.

mod block;
mod layers;
mod planar;
mod radial;

pub use block::{FOLDED, LANES, Lanes, gather, map, map2, map3, scatter};
pub use layers::{Block, Kind, Layers, Way, pull, push};
pub use planar::Planar;
pub use radial::Radial;
