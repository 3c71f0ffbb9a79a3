//! Newton's equations on the target, for n chains at once, as a system that every integration scheme can step.
//!
//! H(q, p) = ½ pᵀp − log γ(q), with q in units of the scales s (a diagonal mass matrix M = s⁻²; Neal, "MCMC using
//! Hamiltonian dynamics", 2011, section 4.1): a kick is p ← p + h s ⊙ ∇ log γ(q), a drift q ← q + h s ⊙ p. Every chain
//! has a step size of its own, h times its factor. The gradient is kept with the place at which it was taken, so that a
//! scheme that kicks twice at one place asks the target once. Shapes: q, p `[n, d]`; factors `[n, 1]`; s `[d]`.
//! Deviation: none.

use flow_sdk::candle_core::Tensor;
use flow_sdk::kernels::integrator::System;
use flow_sdk::{Error, Result, Target};

/// The equations of motion.
pub(crate) struct Newton<'a> {
    pub target: &'a Target,
    pub sd: Tensor,
    pub factors: Tensor,
}

/// Where the chains are in phase space.
#[derive(Clone)]
pub(crate) struct State {
    pub q: Tensor,
    pub p: Tensor,
    /// log γ and ∇ log γ at q, once they were asked for.
    pub known: Option<(Tensor, Tensor)>,
}

impl Newton<'_> {
    /// log γ(q) and ∇ log γ(q).
    pub fn look(&self, state: &mut State) -> Result<(Tensor, Tensor)> {
        let known = match state.known.take() {
            Some(known) => known,
            None => self.target.log_density_and_grad(&state.q)?,
        };
        Ok(state.known.insert(known).clone())
    }

    fn scaled(&self, rate: &Tensor) -> Result<Tensor> {
        Ok(rate.broadcast_mul(&self.sd)?.broadcast_mul(&self.factors)?)
    }
}

impl System for Newton<'_> {
    type State = State;
    type Field = (Tensor, Tensor);
    type Error = Error;

    fn kick(&self, state: &mut State, h: f64) -> Result<()> {
        let force = self.scaled(&self.look(state)?.1)?;
        state.p = (&state.p + (force * h)?)?;
        Ok(())
    }

    fn drift(&self, state: &mut State, h: f64) -> Result<()> {
        state.q = (&state.q + (self.scaled(&state.p)? * h)?)?;
        state.known = None;
        Ok(())
    }

    fn field(&self, state: &State) -> Result<(Tensor, Tensor)> {
        let force = match &state.known {
            Some((_, grad)) => self.scaled(grad)?,
            None => self.scaled(&self.target.grad(&state.q)?)?,
        };
        Ok((self.scaled(&state.p)?, force))
    }

    fn advance(&self, state: &mut State, h: f64, (velocity, force): &(Tensor, Tensor)) -> Result<()> {
        state.q = (&state.q + (velocity * h)?)?;
        state.p = (&state.p + (force * h)?)?;
        state.known = None;
        Ok(())
    }

    /// Every coordinate of every chain moved by less than four roundings, or is not finite.
    fn settled(&self, before: &State, after: &State) -> Result<bool> {
        let epsilon =
            if before.q.dtype() == flow_sdk::candle_core::DType::F32 { f32::EPSILON.into() } else { f64::EPSILON };
        for (a, b) in [(&before.q, &after.q), (&before.p, &after.p)] {
            let gap = (b - a)?.abs()?;
            let moved = gap.gt(&((b.abs()? + 1.0)? * (4.0 * epsilon))?)?;
            // A gap that is not a number is not greater than anything; an infinite one would go on for ever.
            let finite = gap.lt(&gap.ones_like()?.affine(0.0, f64::from(f32::MAX))?)?;
            if (moved * finite)?.flatten_all()?.max(0)?.to_scalar::<u8>()? > 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
