//! Numeric kernels on slices: what flows, samplers and targets share below the tensor library.

pub mod chain;
pub mod conditional;
pub mod integrator;
pub mod mlp;
pub mod noise;
pub mod panel;
pub mod philox;
pub mod real;
pub mod root;
pub mod scratch;
pub mod simd;
pub mod trajectory;
