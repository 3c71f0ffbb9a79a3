//! Numeric kernels on slices: what flows, samplers and targets share below the tensor library.

pub mod integrator;
pub mod mlp;
pub mod panel;
pub mod philox;
pub mod real;
pub mod root;
pub mod simd;
pub mod trajectory;
