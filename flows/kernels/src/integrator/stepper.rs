//! Stepper that takes any scheme of the table through any separable system.
//!
//! A splitting runs its stages; its inverse is those stages in reversed order with −h. The implicit midpoint method
//! (Hairer, Lubich & Wanner 2006, section I.1.2) iterates m ← s + h/2·X(m), then takes s' = m + h/2·X(m): the step
//! with −h finds the same m from the other side, so it is the inverse. Explicit Euler and RK4 have no inverse in
//! closed form: the step Ψ with −h is nearly one, so s ← s + Ψ(s') − Ψ(Φ(s)) is iterated from Ψ(s').
//! Deviation: the midpoint iteration contracts for h·ω < 2 only, although the method is stable for every step.

use super::{Method, Scheme, Stage};

/// Cap on a fixed-point iteration: an error that shrinks by h·ω/2 each time has shrunk to f64's rounding, 1e-16, after
/// 200 for h·ω ≤ 1.66. From there to 2 the last iterate is left, with an error of the order (h·ω/2)²⁰⁰; beyond, none
/// converges.
pub const MAX_ITERATIONS: usize = 200;

/// A separable Hamiltonian system H(q, p) = U(q) + K(p) over some kind of state.
pub trait System {
    /// (q, p), of one particle or of many.
    type State: Clone;
    /// A rate of change of the state.
    type Field;
    /// What may go wrong.
    type Error;

    /// p ← p − h·∇U(q).
    fn kick(&self, state: &mut Self::State, h: f64) -> Result<(), Self::Error>;

    /// q ← q + h·∇K(p).
    fn drift(&self, state: &mut Self::State, h: f64) -> Result<(), Self::Error>;

    /// X = (∇K(p), −∇U(q)).
    fn field(&self, state: &Self::State) -> Result<Self::Field, Self::Error>;

    /// state ← state + h·field.
    fn advance(&self, state: &mut Self::State, h: f64, field: &Self::Field) -> Result<(), Self::Error>;

    /// Whether a fixed-point iteration may end: the states differ by rounding only, or are not finite.
    fn settled(&self, before: &Self::State, after: &Self::State) -> Result<bool, Self::Error>;
}

/// Takes `state` through `n_steps` steps of size `h`.
///
/// An iteration that does not settle within [`MAX_ITERATIONS`] leaves its last iterate and says nothing: what it makes
/// of the energy, or of a round trip, is for the caller to measure.
pub fn integrate<S: System>(
    scheme: &Scheme,
    system: &S,
    state: &mut S::State,
    h: f64,
    n_steps: usize,
) -> Result<(), S::Error> {
    if let Some(stages) = scheme.stages(n_steps) {
        return run(&stages, system, state, h);
    }
    for _ in 0..n_steps {
        match scheme.method {
            Method::ImplicitMidpoint => midpoint_step(system, state, h)?,
            explicit => *state = moved(state, system, 1.0, &slopes(explicit, system, state, h)?)?,
        }
    }
    Ok(())
}

/// Takes `state` back: the inverse of [`integrate`] with the same arguments.
///
/// Exact up to rounding for a splitting, and for the implicit midpoint method where its iteration settles. For the two
/// explicit methods of order p the iteration contracts by the defect of Ψ∘Φ from the identity, about (h·ω)^(p+1). A step
/// of explicit Euler so large that it folds phase space has no inverse.
pub fn integrate_back<S: System>(
    scheme: &Scheme,
    system: &S,
    state: &mut S::State,
    h: f64,
    n_steps: usize,
) -> Result<(), S::Error> {
    if let Some(stages) = scheme.inverse_stages(n_steps) {
        return run(&stages, system, state, h);
    }
    for _ in 0..n_steps {
        match scheme.method {
            Method::ImplicitMidpoint => midpoint_step(system, state, -h)?,
            explicit => {
                // s ← s + Ψ(s') − Ψ(Φ(s)), written in increments from s', since states can only be moved along fields.
                let back = slopes(explicit, system, state, -h)?;
                let guess = moved(state, system, 1.0, &back)?;
                *state = fixed_point(system, guess, |start| {
                    let there = slopes(explicit, system, start, h)?;
                    let reached = moved(start, system, 1.0, &there)?;
                    let next = moved(&moved(state, system, -1.0, &there)?, system, 1.0, &back)?;
                    moved(&next, system, -1.0, &slopes(explicit, system, &reached, -h)?)
                })?;
            }
        }
    }
    Ok(())
}

fn run<S: System>(stages: &[Stage], system: &S, state: &mut S::State, h: f64) -> Result<(), S::Error> {
    stages.iter().try_for_each(|stage| match stage {
        Stage::Kick(c) => system.kick(state, c * h),
        Stage::Drift(c) => system.drift(state, c * h),
    })
}

fn midpoint_step<S: System>(system: &S, state: &mut S::State, h: f64) -> Result<(), S::Error> {
    let half = |from: &S::State, middle: &S::State| moved(from, system, 1.0, &[(h / 2.0, system.field(middle)?)]);
    let middle = fixed_point(system, state.clone(), |middle| half(state, middle))?;
    *state = half(&middle, &middle)?;
    Ok(())
}

/// The increment Φ(s) − s of an explicit method's step from `state`, as a weighted sum of fields.
fn slopes<S: System>(method: Method, system: &S, state: &S::State, h: f64) -> Result<Vec<(f64, S::Field)>, S::Error> {
    let first = system.field(state)?;
    if method == Method::ExplicitEuler {
        return Ok(vec![(h, first)]);
    }
    let mut slopes = vec![(h / 6.0, first)];
    for (c, weight) in [(0.5, h / 3.0), (0.5, h / 3.0), (1.0, h / 6.0)] {
        let mut inner = state.clone();
        system.advance(&mut inner, c * h, &slopes[slopes.len() - 1].1)?;
        slopes.push((weight, system.field(&inner)?));
    }
    Ok(slopes)
}

/// `from` + sign · Σ weight · field.
fn moved<S: System>(from: &S::State, system: &S, sign: f64, slopes: &[(f64, S::Field)]) -> Result<S::State, S::Error> {
    let mut state = from.clone();
    slopes.iter().try_for_each(|(weight, field)| system.advance(&mut state, sign * weight, field))?;
    Ok(state)
}

/// Applies `map` until its argument settles, or as often as the cap allows.
fn fixed_point<S: System>(
    system: &S,
    mut state: S::State,
    map: impl Fn(&S::State) -> Result<S::State, S::Error>,
) -> Result<S::State, S::Error> {
    for _ in 0..MAX_ITERATIONS {
        let next = map(&state)?;
        let settled = system.settled(&state, &next)?;
        state = next;
        if settled {
            break;
        }
    }
    Ok(state)
}
