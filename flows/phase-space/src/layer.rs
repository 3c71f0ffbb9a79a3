//! One Hamiltonian as a system that the stepper moves: the definition, in tensor operations.
//!
//! The state may carry tangents, the columns of the Jacobian so far, which move along fields by the fields' own derivatives:
//! schemes that do not preserve volume take their log-determinant from these. Kicks and drifts preserve it, and leave
//! tangents alone. Shapes: q, p `[n, d]`; tangents
//! `[k·n, d]` each, k = 2d, tangent-major.

use flow_sdk::candle_core::{DType, Tensor};
use flow_sdk::kernels::integrator::System;
use flow_sdk::{Error, Params, Result};

use crate::Energy;

/// q and p, `[n, d]` each, of states `[n, 2d]`.
pub fn halves(state: &Tensor) -> Result<(Tensor, Tensor)> {
    let d = state.dim(1)? / 2;
    Ok((state.narrow(1, 0, d)?.contiguous()?, state.narrow(1, d, d)?.contiguous()?))
}

/// A point of phase space, with tangents where they are wanted.
#[derive(Clone, Debug)]
pub struct Phase {
    pub q: Tensor,
    pub p: Tensor,
    pub tangents: Option<(Tensor, Tensor)>,
}

/// Its rate of change.
pub type Rate = Phase;

/// One separable Hamiltonian with its step size `[1]`.
pub struct Layer<'a> {
    pub potential: &'a Energy,
    pub kinetic: &'a Energy,
    pub params: &'a Params<'a>,
    pub step_size: Tensor,
}

impl Phase {
    /// q and p side by side, `[n, 2d]`, apart.
    pub fn split(state: &Tensor) -> Result<Self> {
        let (q, p) = halves(state)?;
        Ok(Self { q, p, tangents: None })
    }

    /// The inverse of [`Phase::split`].
    pub fn join(&self) -> Result<Tensor> {
        Ok(Tensor::cat(&[&self.q, &self.p], 1)?)
    }

    /// With the identity as tangents.
    pub fn with_tangents(self) -> Result<Self> {
        let (n, d) = self.q.dims2()?;
        let unit = |offset: usize| -> Result<Tensor> {
            // Row block k is row k of an identity, n times.
            let identity = Tensor::eye(2 * d, self.q.dtype(), self.q.device())?.narrow(1, offset, d)?;
            Ok(identity.unsqueeze(1)?.broadcast_as((2 * d, n, d))?.contiguous()?.reshape((2 * d * n, d))?)
        };
        let tangents = Some((unit(0)?, unit(d)?));
        Ok(Self { tangents, ..self })
    }

    /// The Jacobian at every point, `[n, 2d, 2d]`, transposed: its determinant is the same.
    pub fn jacobian(&self) -> Result<Tensor> {
        let (n, d) = self.q.dims2()?;
        let (q, p) = self.tangents.as_ref().ok_or_else(|| Error::Message("the state carries no tangents".into()))?;
        Ok(Tensor::cat(&[q, p], 1)?.reshape((2 * d, n, 2 * d))?.transpose(0, 1)?.contiguous()?)
    }
}

impl Layer<'_> {
    fn scaled(&self, x: &Tensor, h: f64) -> Result<Tensor> {
        Ok(x.broadcast_mul(&self.step_size.affine(h, 0.0)?)?)
    }

    /// Hessian product of every tangent at its own point.
    fn bend(&self, energy: &Energy, x: &Tensor, tangent: &Tensor) -> Result<Tensor> {
        let copies = tangent.dim(0)? / x.dim(0)?;
        energy.hessian_product(self.params, &x.repeat((copies, 1))?, tangent)
    }
}

impl System for Layer<'_> {
    type State = Phase;
    type Field = Rate;
    type Error = Error;

    fn kick(&self, state: &mut Phase, h: f64) -> Result<()> {
        state.p = (&state.p - self.scaled(&self.potential.gradient(self.params, &state.q)?, h)?)?;
        Ok(())
    }

    fn drift(&self, state: &mut Phase, h: f64) -> Result<()> {
        state.q = (&state.q + self.scaled(&self.kinetic.gradient(self.params, &state.p)?, h)?)?;
        Ok(())
    }

    fn field(&self, state: &Phase) -> Result<Rate> {
        let tangents = match &state.tangents {
            Some((q, p)) => {
                Some((self.bend(self.kinetic, &state.p, p)?, self.bend(self.potential, &state.q, q)?.neg()?))
            }
            None => None,
        };
        Ok(Phase {
            q: self.kinetic.gradient(self.params, &state.p)?,
            p: self.potential.gradient(self.params, &state.q)?.neg()?,
            tangents,
        })
    }

    fn advance(&self, state: &mut Phase, h: f64, field: &Rate) -> Result<()> {
        state.q = (&state.q + self.scaled(&field.q, h)?)?;
        state.p = (&state.p + self.scaled(&field.p, h)?)?;
        if let (Some((q, p)), Some((q_rate, p_rate))) = (&mut state.tangents, &field.tangents) {
            *q = (&*q + self.scaled(q_rate, h)?)?;
            *p = (&*p + self.scaled(p_rate, h)?)?;
        }
        Ok(())
    }

    /// Largest difference below four roundings of the largest coordinate; a state that is not finite has nowhere to go.
    fn settled(&self, before: &Phase, after: &Phase) -> Result<bool> {
        let largest = |tensor: Tensor| -> Result<f64> {
            Ok(tensor.detach().abs()?.max_all()?.to_dtype(DType::F64)?.to_scalar::<f64>()?)
        };
        let epsilon = if before.q.dtype() == DType::F64 { f64::EPSILON } else { f64::from(f32::EPSILON) };
        let size = 1.0 + largest(after.join()?)?;
        let gap = largest((before.join()? - after.join()?)?)?;
        Ok(!gap.is_finite() || gap <= 4.0 * epsilon * size)
    }
}
