//! The C functions behind the edge: of instances, of flows, of their kernels, of samplers, of tapes.

/// Calls a generic function for the element type of the parameters.
macro_rules! by_dtype {
    ($params:ident, $function:ident::<$kind:ty>($($argument:expr),* $(,)?)) => {
        match $crate::view::dtype_of($params)? {
            candle_core::DType::F32 => $function::<f32, $kind>($($argument),*),
            _ => $function::<f64, $kind>($($argument),*),
        }
    };
}

mod cotangents;
mod flow;
mod fused;
mod fused_sampler;
mod guard;
mod instance;
mod sampler;
mod tape;

pub use flow::{density, probe, sample};
pub use fused::{density_gradient, fused_density, fused_sample, sample_gradient, sample_rows};
pub use fused_sampler::{transition_gradient, transition_rows};
pub use guard::{describe, guard};
pub use instance::{OfFlow, OfSampler, create, destroy, init, layout};
pub use sampler::{adapt, probe as chain_probe, transition, transition_taped};
pub use tape::{backward, free_tape};
