//! Integration schemes as data: their stages, and what is known of each.
//!
//! A splitting of step h is a product of kicks p ← p − c·h·∇U(q) and drifts q ← q + c·h·∇K(p); the coefficients of
//! either kind sum to one. Its inverse is its adjoint with −h (Hairer, Lubich & Wanner, "Geometric Numerical
//! Integration", 2nd edition, 2006, section II.3): the stages in reversed order with negated coefficients. Deviation:
//! none.

use Stage::{Drift, Kick};

use super::SCHEMES;

/// One stage of a splitting: a fraction of the step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stage {
    /// p ← p − c·h·∇U(q).
    Kick(f64),
    /// q ← q + c·h·∇K(p).
    Drift(f64),
}

/// How a scheme takes its step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Method {
    /// One stage after another, in this order.
    Splitting(&'static [Stage]),
    /// s ← s + h·X(s), with X = (∇K, −∇U).
    ExplicitEuler,
    /// The classical four-stage method of Kutta.
    RungeKutta4,
    /// s' = s + h·X((s + s')/2).
    ImplicitMidpoint,
}

/// For which h·ω the powers of the step matrix stay bounded on the harmonic oscillator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stability {
    /// For none.
    Never,
    /// From 0 up to this.
    Limit(f64),
    /// For all.
    Unconditional,
}

/// An integration scheme, with what is known of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scheme {
    /// The name in tables and sweeps.
    pub name: &'static str,
    /// How it steps.
    pub method: Method,
    /// The global error is of the order h^order.
    pub order: u32,
    /// Evaluations of ∇U a step, where adjacent stages of a kind of neighbouring steps are merged; none where it
    /// iterates.
    pub gradients: Option<u32>,
    /// Limit of h·ω on the harmonic oscillator.
    pub stability: Stability,
    /// Its Jacobian J satisfies JᵀΩJ = Ω.
    pub symplectic: bool,
    /// ρΦρ = Φ⁻¹, where ρ flips p: it is time-symmetric.
    pub reversible: bool,
    /// |det J| = 1.
    pub volume_preserving: bool,
    /// Where it comes from.
    pub reference: &'static str,
}

impl Scheme {
    /// The scheme of that name.
    pub fn named(name: &str) -> Option<&'static Scheme> {
        SCHEMES.iter().find(|scheme| scheme.name == name)
    }

    /// The stages of `n_steps` steps, adjacent ones of a kind merged into one; none for a scheme that is no splitting.
    pub fn stages(&self, n_steps: usize) -> Option<Vec<Stage>> {
        let Method::Splitting(step) = self.method else { return None };
        let mut stages: Vec<Stage> = Vec::with_capacity(step.len() * n_steps);
        for &stage in std::iter::repeat_n(step, n_steps).flatten() {
            match (stages.last_mut(), stage) {
                (Some(Kick(last)), Kick(c)) | (Some(Drift(last)), Drift(c)) => *last += c,
                _ => stages.push(stage),
            }
        }
        Some(stages)
    }

    /// The stages of the inverse: those of `n_steps` steps in reversed order, with negated coefficients.
    pub fn inverse_stages(&self, n_steps: usize) -> Option<Vec<Stage>> {
        let negated = |stage| match stage {
            Kick(c) => Kick(-c),
            Drift(c) => Drift(-c),
        };
        Some(self.stages(n_steps)?.into_iter().rev().map(negated).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_merge_and_the_inverse_undoes_them() {
        let leapfrog = Scheme::named("leapfrog").unwrap();
        assert_eq!(leapfrog.stages(2).unwrap(), [Kick(0.5), Drift(1.0), Kick(1.0), Drift(1.0), Kick(0.5)]);
        let euler = Scheme::named("symplectic-euler").unwrap();
        assert_eq!(euler.inverse_stages(1).unwrap(), [Drift(-1.0), Kick(-1.0)]);
        assert_eq!(leapfrog.stages(0).unwrap(), []);
        assert_eq!(Scheme::named("rk4").unwrap().stages(1), None);
    }
}
