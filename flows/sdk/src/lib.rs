//! What the author of a flow uses: traits in candle, named parameters over one flat vector, random streams,
//! derivatives by autograd, and the C ABI behind [`export_flow!`].
//!
//! A plugin is a config struct, a layout and one forward pass, then `export_flow!`; see the `planar` crate.

pub mod abi;
mod autograd;
mod base;
mod descriptor;
mod error;
mod export;
mod flow;
mod layout;
pub mod log_det;
pub mod stable;
mod target;
pub mod text;
#[doc(hidden)]
pub mod thunk;
pub mod view;

pub use autograd::{AutogradTape, Tape};
pub use base::{Base, BaseKind};
pub use candle_core;
pub use descriptor::Descriptor;
pub use error::{Error, Result};
pub use export::describe_flow;
pub use flow::{About, Bijection, Density, Draws, Flow, Inverse, Probe, Setup};
pub use flow_kernels as kernels;
pub use layout::{Init, Layout, Params, Slice};
pub use target::Target;
