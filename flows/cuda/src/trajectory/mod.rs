//! A whole trajectory of kicks and drifts through learnt energies as one operation on a CUDA device, with its reverse pass.
//!
//! What `flow_kernels::trajectory` is on the processor: same moves, same energies, same two ways to have states in the reverse
//! pass. Two launches forward and two back, whatever the number of moves; `kernels/trajectory.cuh` says what bounds them.
//! Shapes: parameters `[P]`, step sizes `[s]`, states `[n, 2d]`, q before p. Deviation: none.

#[cfg(feature = "cuda")]
mod operation;
#[cfg(feature = "cuda")]
mod passes;
#[cfg(feature = "cuda")]
mod plan;
#[cfg(feature = "cuda")]
mod planned;

use candle_core::{Result, Tensor};
use flow_kernels::trajectory::Trajectory;

/// The end `[n, 2d]` of the trajectory from `state`, differentiable in parameters, step sizes and state; with `keep` the forward
/// pass records what the reverse one reads, otherwise that rebuilds the states.
///
/// None where no kernel serves: elsewhere than on a CUDA device, in other than f32 and f64, for no points at all, or where a
/// block's shared memory has no room for 16 points of such widths.
///
/// # Errors
/// The device fails.
#[cfg(feature = "cuda")]
pub fn trajectory(
    trajectory: &Trajectory,
    keep: bool,
    params: &Tensor,
    steps: &Tensor,
    state: &Tensor,
) -> Result<Option<Tensor>> {
    operation::apply(trajectory, keep, params, steps, state)
}

/// None: this is a build without CUDA.
///
/// # Errors
/// There are none.
#[cfg(not(feature = "cuda"))]
pub fn trajectory(_: &Trajectory, _: bool, _: &Tensor, _: &Tensor, _: &Tensor) -> Result<Option<Tensor>> {
    Ok(None)
}
