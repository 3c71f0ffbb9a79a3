//! Base noise that is addressed by element: any part of an endless row, the same bits whoever asks.

mod blocks;
mod fill;
#[cfg(test)]
mod laws;

pub use fill::{normals, signs, soft_uniforms, uniforms};
