//! Target densities: each known by name, each with what is known about it.

#![allow(
    clippy::needless_range_loop,
    reason = "loops over lanes index several arrays at once, and vectorise as they stand"
)]

mod banana;
mod columns;
mod components;
mod constant;
mod device;
mod draws;
mod funnel;
mod gaussian;
mod gaussian_mixture;
mod gmm_40;
mod gmm_9;
mod icg;
mod kernel;
mod log_sum_exp;
mod many_well;
mod mode_shares;
mod mog;
mod plane;
pub mod registry;
mod rough_well;
mod scg;
mod separable;
mod sigmoid;
mod soft_uniform;
mod student_t_mixture;
mod target;
mod two_ridges;
mod u1;
mod u2;
mod u3;
mod u4;
mod uniform_means;
mod wave;

pub use device::{DeviceKernel, evaluate, grad, hvp, log_density};
pub use kernel::{Curvature, Float, Kernel, Out};
pub use registry::Entry;
pub use target::{Error, ExactDraws, Known, Modes, Result, Target};
