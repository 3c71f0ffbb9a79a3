//! Small matrix products on panels: rows of 32 features, a point a row.

mod accumulate;
mod buffer;
mod layout;
mod micro;
mod outer;
mod product;
mod shape;

pub use accumulate::{Pair, accumulate};
pub use buffer::Buffer;
pub use layout::{PANEL, Row, columns_sum, from_columns, panels, to_columns};
pub use outer::{Spread, add_outer, outer_totals, total};
pub use product::{NARROW, product};
pub use shape::Shape;
