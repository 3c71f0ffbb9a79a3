//! What the author of a flow uses: traits in candle, named parameters over one flat vector, random streams,
//! derivatives by autograd, and the C ABI behind [`export_flow!`] and [`export_sampler!`].
//!
//! A plugin is a config struct, a layout and one forward pass, then `export_flow!`; see the `real-nvp` crate. A sampler is a
//! config struct and one transition, then `export_sampler!`; see the `rwmh` crate.

pub mod abi;
mod autograd;
mod base;
mod chain;
#[cfg(feature = "cuda")]
mod chain_on_device;
mod descriptor;
mod element;
mod error;
mod export;
mod flow;
mod fused;
mod fused_sampler;
mod in_graph;
mod layout;
pub mod log_det;
pub mod metropolis;
mod sampler;
pub mod stable;
mod target;
pub mod text;
#[doc(hidden)]
pub mod thunk;
pub mod view;
mod warm_up;

pub use autograd::{AutogradTape, Recorded, Tape};
pub use base::{Base, BaseKind};
pub use candle_core;
pub use chain::{Chain, Chained};
pub use descriptor::Descriptor;
pub use element::Element;
pub use error::{Error, Result};
pub use export::{describe_flow, describe_sampler};
pub use flow::{About, Bijection, Density, Draws, Flow, Inverse, Probe, Setup};
pub use flow_cuda as cuda;
pub use flow_kernels as kernels;
pub use fused::{DeviceKernels, Fused, FusedDensity, Pull, Rows};
pub use fused_sampler::{FusedSampler, FusedTrained, PointRows, Proposals, PullProposals, TransitionRows};
pub use layout::{Init, Layout, Params, Slice};
pub use sampler::{Adapt, ChainProbe, Point, Sampler, Seen, Trained, Transition};
pub use target::{Oracle, Target};
pub use warm_up::{Tune, WarmUp};
