//! Numeric kernels on slices: what flows, samplers and targets share below the tensor library.

pub mod philox;
pub mod root;
