//! Small fully connected networks on panels of points: energies with their forces, and plain ReLU networks.

mod activation;
mod chain;
mod energy;
mod field;
mod field_reverse;
mod network;

pub use activation::Activation;
pub use chain::{Chain, Layer, LayerGrad};
pub use energy::Mlp;
pub use network::Network;

#[cfg(test)]
mod laws;
