//! Fused kernels on CUDA devices, as functions on tensors.
//!
//! Each stands beside a definition in tensor operations, or beside the processor's kernel in `flow-kernels`, and laws hold them
//! equal. Everything is ordered by the device's one stream, the per-thread default one; nothing here waits for the device.
//! Without the feature `cuda` no kernel serves, and [`device`] says so.

mod device;
#[cfg(feature = "cuda")]
mod launch;
mod trajectory;

pub use device::device;
pub use trajectory::trajectory;
