//! A network with one output as an energy: its gradient in the input, and that gradient's reverse pass.

mod activation;
mod field;

pub use activation::Activation;
pub use field::{Memo, Mlp};
