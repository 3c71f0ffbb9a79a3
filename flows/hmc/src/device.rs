//! The transition on a CUDA device: kicks, drifts and the choice in launches of their own, between those of the target.
//!
//! For splittings that are their own inverse; formulas are those of the sampler, and so are the random numbers, to rounding.
//! Between two evaluations of the target there is one launch. Shapes: `[n, d]`, a chain a row. Deviation: kicks at one place are
//! one kick.

use flow_sdk::cuda::hmc::{End, Known, Motion, Trajectory};
use flow_sdk::kernels::integrator::Stage;
use flow_sdk::{Params, Point, Result, Setup, Transition, WarmUp, metropolis};

/// Moves every chain once through the stages, whose step sizes have that jitter.
pub(crate) fn transition(
    (stages, jitter): (&[Stage], f64),
    (warm_up, setup): (&WarmUp, &Setup),
    params: &Params<'_>,
    from: &Point,
    seed: u64,
) -> Result<Transition> {
    let target = &setup.target;
    let grad = match &from.grad {
        Some(grad) => grad.clone(),
        None => target.grad(&from.x)?,
    };
    let start = Known { x: &from.x, log_density: &from.log_density, grad: &grad };
    let (log_step, sd, untuned) = warm_up.tensors(params)?;
    let motion = Motion { sd: &sd, log_step: &log_step, untuned, jitter, streams: metropolis::streams(seed) };
    let mut moves = Moves(stages);
    let mut trajectory = Trajectory::start(start, motion, moves.kick(), moves.drift())?;
    loop {
        let kick = moves.kick();
        if moves.0.is_empty() {
            // The last word on where the trajectory ends.
            let (value, grad) = target.log_density_and_grad(trajectory.q())?;
            let End { x, log_density, grad, proposal, accept } = trajectory.end(start, &value, &grad, kick)?;
            return Ok(Transition { next: Point { x, log_density, grad: Some(grad) }, proposal, accept });
        }
        let grad = target.grad(trajectory.q())?;
        trajectory.kick_and_drift(&grad, kick, moves.drift())?;
    }
}

/// What is left of the stages, in which kicks and drifts alternate.
struct Moves<'a>(&'a [Stage]);

impl Moves<'_> {
    /// The kick that is next, none being zero.
    fn kick(&mut self) -> f64 {
        let Some((&Stage::Kick(kick), rest)) = self.0.split_first() else { return 0.0 };
        self.0 = rest;
        kick
    }

    /// Likewise the drift.
    fn drift(&mut self) -> f64 {
        let Some((&Stage::Drift(drift), rest)) = self.0.split_first() else { return 0.0 };
        self.0 = rest;
        drift
    }
}
