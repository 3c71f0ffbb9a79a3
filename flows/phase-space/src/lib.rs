//! Learnt Hamiltonian dynamics on phase space (q, p), for flows that are built on it.
//!
//! Everything is defined in candle's tensor operations ([`Energy`], [`Dynamics`]); splitting schemes run through the kernel of
//! `flow-kernels` instead, on a CUDA device through that of `flow-cuda`, which the laws hold equal to the definition.

mod dynamics;
mod encoder;
mod energy;
mod fused;
mod layer;
mod names;
mod stability;

pub use dynamics::{Dynamics, Memory, Settings};
pub use encoder::{Encoder, Moments};
pub use energy::Energy;
pub use layer::halves;
pub use names::{ActivationName, IntegratorName, KineticName};
pub use stability::{FIGURES, figures};
