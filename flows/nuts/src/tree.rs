//! One transition of the No-U-Turn sampler: a pure function of start, settings and seed.
//!
//! Hoffman and Gelman, "The No-U-Turn Sampler" (JMLR 15, 2014), as the crate `nuts-rs` implements it: multinomial
//! sampling along the trajectory, biased towards its later half (Betancourt, arXiv:1701.02434, appendix A). With
//! z = x / sd, unit mass and leapfrog steps, a tree doubles in a random direction until (z⁺ − z⁻)·v < 0 at one of the
//! ends z⁻, z⁺ of it, or of one half with the other's nearest point.
//!
//! Deviation: none of ours. All that `nuts-rs` adapts is off: its step size, and its mass matrix, which it would
//! otherwise take from the gradient at the start. A kernel whose metric depends on where it starts keeps another law.
//! What remains is `MAX_ENERGY_ERROR`, measured from the start as in Stan: two points of one trajectory may disagree on
//! whether it diverges, by as much as their own energies differ. At 2 that shows, from 10 on it is below what 400,000
//! chains resolve, even where half of the trajectories diverge.

use std::cell::Cell;
use std::collections::HashMap;

use nuts_rs::rand::{Rng, SeedableRng, rngs::ChaCha8Rng};
use nuts_rs::{
    Chain, CpuLogpFunc, CpuMath, CpuMathError, FlowNutsSettings, HasDims, KineticEnergyKind, LogpError, Settings as _,
    StepSizeAdaptMethod,
};

/// A point whose energy exceeds the start's by more than this, in nats, ends the trajectory as a divergence (Stan's).
const MAX_ENERGY_ERROR: f64 = 1000.0;

/// Where a transition starts; d coordinates, one or more.
#[derive(Clone, Copy, Debug)]
pub struct Start<'a> {
    /// The position, d numbers, finite.
    pub x: &'a [f64],
    /// The target's log density at `x`, nats up to a constant, finite.
    pub log_density: f64,
    /// Its gradient with respect to `x`, d numbers, finite.
    pub grad: &'a [f64],
}

/// What stays fixed during a transition. None of it may depend on `Start`, else the target's law is not kept.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'a> {
    /// Leapfrog step size in the scaled coordinates z = x / sd, positive.
    pub step_size: f64,
    /// Scale of each coordinate, d positive numbers: the square roots of the diagonal of the inverse mass matrix.
    pub sd: &'a [f64],
    /// The tree doubles this often at most, 1 or more: a transition takes fewer than 2^max_depth leapfrog steps.
    pub max_depth: u64,
}

/// Where a transition went, with what the log needs of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawn {
    /// The new position, d numbers; the start's own bits if the chain stayed.
    pub x: Vec<f64>,
    /// The log density at `x`, nats, bit for bit as the target gave it.
    pub log_density: f64,
    /// The gradient at `x`, d numbers, bit for bit as the target gave it.
    pub grad: Vec<f64>,
    /// Mean of min(1, exp(H(start) − H(point))) over all points of the tree but the start, 0 for a divergent one: the
    /// statistic that dual averaging steers (Hoffman and Gelman 2014, section 3.2, who average over the last doubling).
    pub accept: f64,
    /// Whether the trajectory ended in a divergence. `x` is then a point from before it, often the start.
    pub diverging: bool,
    /// Leapfrog steps taken. Each calls the target once, unless its position overflowed.
    pub steps: u64,
}

/// Why there was no transition.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum Error<E> {
    /// The target failed; its error as it came.
    #[error("{0}")]
    Target(E),
    /// The start or the settings cannot be used.
    #[error("{0}")]
    Refused(String),
    /// `nuts-rs` gave up for a reason of its own; not known to happen.
    #[error("nuts-rs: {0}")]
    Sampler(String),
}

/// Draws the next state from `start`, leaving the target's law invariant.
///
/// `target(x, grad)` writes the gradient of the log density at `x` and returns the log density, nats. Where that, or the
/// gradient, is not finite, the trajectory diverges. It is never called at the start, and never where `x` is not finite.
///
/// All randomness is of `seed`: the same arguments give the same bits on processors with the same vector width.
pub fn transition<E>(
    start: Start<'_>,
    settings: Settings<'_>,
    seed: u64,
    target: impl FnMut(&[f64], &mut [f64]) -> Result<f64, E>,
) -> Result<Drawn, Error<E>> {
    check(&start, &settings).map_err(Error::Refused)?;
    let mut failure = None;
    let drawn = draw(
        Scaled { start, sd: settings.sd, target, failure: &mut failure, asked: Cell::new(false) },
        &settings,
        seed,
    );
    match (failure, drawn) {
        (Some(error), _) => Err(Error::Target(error)),
        (None, Err(error)) => Err(Error::Sampler(error)),
        (None, Ok(drawn)) => Ok(drawn),
    }
}

fn check(start: &Start<'_>, settings: &Settings<'_>) -> Result<(), String> {
    let (d, d_grad, d_sd) = (start.x.len(), start.grad.len(), settings.sd.len());
    if d == 0 || d_grad != d || d_sd != d {
        return Err(format!(
            "{d} coordinates, {d_grad} of the gradient, {d_sd} scales: give one or more of each, equally many"
        ));
    }
    if !start.log_density.is_finite() || !all_finite(start.x) || !all_finite(start.grad) {
        return Err("position, log density or gradient is not finite at the start: start inside the support".into());
    }
    if !positive(settings.step_size) {
        return Err(format!("step size {}: give a positive, finite one", settings.step_size));
    }
    if let Some(sd) = settings.sd.iter().find(|sd| !positive(**sd)) {
        return Err(format!("scale {sd} of a coordinate: give positive, finite ones"));
    }
    if let Some((x, sd)) = start.x.iter().zip(settings.sd).find(|(x, sd)| !(*x / *sd).is_finite()) {
        return Err(format!("coordinate {x} at scale {sd} overflows: give a larger scale"));
    }
    if settings.max_depth == 0 {
        return Err("a tree of depth 0 never moves: give a depth of 1 or more".into());
    }
    Ok(())
}

/// One draw of a `nuts-rs` chain that lives for this draw only.
fn draw<E, T>(target: Scaled<'_, E, T>, settings: &Settings<'_>, seed: u64) -> Result<Drawn, String>
where
    T: FnMut(&[f64], &mut [f64]) -> Result<f64, E>,
{
    // The "flow" settings leave the change of coordinates to the target: of all in `nuts-rs`, they alone never look at
    // the start to choose a metric.
    let mut fixed = FlowNutsSettings {
        num_tune: 0,
        maxdepth: settings.max_depth,
        max_energy_error: MAX_ENERGY_ERROR,
        trajectory_kind: KineticEnergyKind::Euclidean,
        gradient_clipping: None,
        store_gradient: true,
        ..Default::default()
    };
    let step_size = &mut fixed.adapt_options.step_size_settings;
    step_size.adapt_options.method = StepSizeAdaptMethod::Fixed(settings.step_size);
    step_size.jitter = None;

    let x = target.start.x;
    let message = |error| format!("{error:#}");
    let mut chain = fixed.new_chain(0, CpuMath::new(target), &mut ChaCha8Rng::seed_from_u64(seed)).map_err(message)?;
    chain.set_position(x).map_err(message)?;
    let (x, _, stats, progress) = chain.expanded_draw().map_err(message)?;
    Ok(Drawn {
        x: x.into_vec(),
        log_density: stats.point.logp,
        grad: stats.point.gradient.ok_or("the gradient was not kept")?,
        accept: stats.adapt.step_size.mean_tree_accept,
        diverging: progress.diverging,
        steps: progress.num_steps,
    })
}

/// The target in the coordinates z = x / sd, as `nuts-rs` asks for it.
///
/// log |det dx/dz| = Σ ln sd is the same everywhere; it cancels in every energy difference, so 0 stands for it.
struct Scaled<'a, E, T> {
    start: Start<'a>,
    sd: &'a [f64],
    target: T,
    /// The target's error, which `nuts-rs` could only hand on as a message.
    failure: &'a mut Option<E>,
    /// Whether `nuts-rs` has asked for the version of the coordinates before.
    asked: Cell<bool>,
}

impl<E, T> Scaled<'_, E, T> {
    /// Coordinates and gradient of the start: z = x / sd, ∇z = sd · ∇x.
    fn scaled_start(&self, z: &mut [f64], grad_z: &mut [f64]) {
        for (i, &sd) in self.sd.iter().enumerate() {
            z[i] = self.start.x[i] / sd;
            grad_z[i] = self.start.grad[i] * sd;
        }
    }
}

impl<E, T> CpuLogpFunc for Scaled<'_, E, T>
where
    T: FnMut(&[f64], &mut [f64]) -> Result<f64, E>,
{
    type LogpError = Stopped;
    type FlowParameters = ();
    type ExpandedVector = ();

    fn dim(&self) -> usize {
        self.sd.len()
    }

    /// The density at the start: with these settings `nuts-rs` asks for no other before the first leapfrog step.
    fn logp(&mut self, x: &[f64], grad: &mut [f64]) -> Result<f64, Stopped> {
        debug_assert_eq!(x, self.start.x);
        grad.copy_from_slice(self.start.grad);
        Ok(self.start.log_density)
    }

    fn new_transformation<R: Rng + ?Sized>(&mut self, _: &mut R, _: usize, _: u64) -> Result<(), Stopped> {
        Ok(())
    }

    fn init_transformation<R: Rng + ?Sized>(&mut self, _: &mut R, _: &[f64], _: &[f64], _: u64) -> Result<(), Stopped> {
        Ok(())
    }

    /// The start. Its scaled gradient is a placeholder until [`Self::inv_transform_normalize`]: `nuts-rs` refuses to
    /// start where a component is zero, but a mode, or a flat direction, is a start like any other.
    fn init_from_untransformed_position(
        &mut self,
        (): &(),
        x: &[f64],
        grad: &mut [f64],
        z: &mut [f64],
        grad_z: &mut [f64],
        _clip: Option<f64>,
    ) -> Result<(f64, f64), Stopped> {
        let log_density = self.logp(x, grad)?;
        self.scaled_start(z, grad_z);
        grad_z.fill(1.0);
        Ok((log_density, 0.0))
    }

    /// The start again, after `nuts-rs` has looked at it.
    fn inv_transform_normalize(
        &mut self,
        (): &(),
        _x: &[f64],
        _grad: &[f64],
        z: &mut [f64],
        grad_z: &mut [f64],
    ) -> Result<f64, Stopped> {
        self.scaled_start(z, grad_z);
        Ok(0.0)
    }

    /// A point of the trajectory.
    fn init_from_transformed_position(
        &mut self,
        (): &(),
        x: &mut [f64],
        grad: &mut [f64],
        z: &[f64],
        grad_z: &mut [f64],
        _clip: Option<f64>,
    ) -> Result<(f64, f64), Stopped> {
        for (i, &sd) in self.sd.iter().enumerate() {
            x[i] = z[i] * sd;
        }
        // A target need not understand infinity. Not-a-number makes the point a divergence.
        if !all_finite(x) {
            grad.fill(f64::NAN);
            grad_z.fill(f64::NAN);
            return Ok((f64::NAN, 0.0));
        }
        let log_density = (self.target)(x, grad).map_err(|error| {
            *self.failure = Some(error);
            Stopped
        })?;
        for (i, &sd) in self.sd.iter().enumerate() {
            grad_z[i] = grad[i] * sd;
        }
        Ok((log_density, 0.0))
    }

    /// The version of the coordinates: another one after the first question, which is about the placeholder, so that
    /// `nuts-rs` computes the start's coordinates once more.
    fn transformation_id(&self, (): &()) -> Result<i64, Stopped> {
        Ok(self.asked.replace(true).into())
    }

    fn expand_vector<R: Rng + ?Sized>(&mut self, _: &mut R, _: &[f64]) -> Result<(), CpuMathError> {
        Ok(())
    }
}

/// Names for columns that are never written.
impl<E, T> HasDims for Scaled<'_, E, T> {
    fn dim_sizes(&self) -> HashMap<String, u64> {
        HashMap::new()
    }
}

/// The target failed; the error itself is in [`Scaled::failure`].
#[derive(Debug, thiserror::Error)]
#[error("the target failed")]
struct Stopped;

impl LogpError for Stopped {
    fn is_recoverable(&self) -> bool {
        false
    }
}

fn all_finite(values: &[f64]) -> bool {
    values.iter().all(|value| value.is_finite())
}

fn positive(value: f64) -> bool {
    value.is_finite() && value > 0.0
}
