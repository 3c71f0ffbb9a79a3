//! Hamiltonian Monte Carlo between two gradients: a launch each for its start, a kick with its drift, its end.
//!
//! A trajectory of L merged kicks after the first costs L + 1 launches here, beside those of the target. What a launch moves is
//! in `src/kernels/hmc.cu`. Shapes: x, q, ∇ `[n, d]`, log γ `[n]`, scales `[d]`, in f32 or f64, all on one CUDA device.
//! Without the feature `cuda` a trajectory cannot be started.

#[cfg(not(feature = "cuda"))]
mod absent;
#[cfg(feature = "cuda")]
mod launches;

use candle_core::Tensor;

#[cfg(not(feature = "cuda"))]
pub use absent::Trajectory;
#[cfg(feature = "cuda")]
pub use launches::Trajectory;

/// Points with what the target says there.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// `[n, d]`.
    pub x: &'a Tensor,
    /// log γ(x), `[n]`.
    pub log_density: &'a Tensor,
    /// ∇ log γ(x), `[n, d]`.
    pub grad: &'a Tensor,
}

/// What chains go by.
#[derive(Clone, Copy, Debug)]
pub struct Motion<'a> {
    /// s, `[d]`.
    pub sd: &'a Tensor,
    /// log ε, one number on the device.
    pub log_step: &'a Tensor,
    /// ε where log ε is what it was at first, and that logarithm.
    pub untuned: (f64, f64),
    /// A chain's step size is uniform within this share of ε.
    pub jitter: f64,
    /// Seeds of the streams.
    pub streams: Streams,
}

/// Seeds of the streams of one transition.
#[derive(Clone, Copy, Debug)]
pub struct Streams {
    /// Of momenta.
    pub momentum: u64,
    /// Of the uniforms that accept.
    pub acceptance: u64,
    /// Of the uniforms that jitter step sizes.
    pub jitter: u64,
}

/// Where chains are after a transition.
#[derive(Debug)]
pub struct End {
    /// `[n, d]`.
    pub x: Tensor,
    /// log γ(x), `[n]`.
    pub log_density: Tensor,
    /// ∇ log γ(x), `[n, d]`.
    pub grad: Tensor,
    /// Where the trajectories ended, `[n, d]`.
    pub proposal: Tensor,
    /// Probability of going there, `[n]`.
    pub accept: Tensor,
}
