//! Fused kernels on CUDA devices, as functions on tensors.
//!
//! Each stands beside a definition in tensor operations, or beside the processor's kernel in `flow-kernels`, and laws hold them
//! equal. Everything is ordered by the device's one stream, the per-thread default one; nothing here waits for the device.
//! Without the feature `cuda` there is [`device`] only, which says so.

#[cfg(feature = "cuda")]
mod aligned;
#[cfg(feature = "cuda")]
pub mod chain;
mod device;
pub mod hmc;
#[cfg(feature = "cuda")]
mod launch;
pub mod memory;
pub mod noise;
#[cfg(feature = "cuda")]
pub mod optimiser;
pub mod targets;
mod trajectory;

pub use device::{Properties, device, devices, peak_bytes, properties};
pub use trajectory::trajectory;
