//! Derivatives of a flow from candle's autograd.

use candle_core::{Tensor, Var};

use crate::{Draws, Error, Result};

/// What a forward pass leaves behind for its reverse pass: points `[n, d]` and a number `[n]` at each, which are draws x
/// and log q(x) for a flow, proposals and their acceptance for a sampler.
pub trait Tape {
    /// Gradient `[P]` of Σ points·grad_points + Σ numbers·grad_numbers in the flat parameters; no `grad_points` means
    /// zero.
    fn backward(&self, grad_points: Option<&Tensor>, grad_numbers: &Tensor) -> Result<Tensor>;
}

/// What a forward pass returns: points and a number at each, among other things.
pub trait Recorded {
    /// `[n, d]`.
    fn points(&self) -> &Tensor;

    /// `[n]`.
    fn numbers(&self) -> &Tensor;

    /// The same values without their graph.
    fn detached(&self) -> Self;
}

/// The graph of a forward pass.
#[derive(Debug)]
pub struct AutogradTape {
    flat: Var,
    points: Tensor,
    numbers: Tensor,
}

impl AutogradTape {
    /// Runs `forward` on a fresh variable with the values of `flat` `[P]`, keeping its graph.
    pub fn record<R: Recorded>(
        flat: &Tensor,
        forward: impl FnOnce(&Tensor) -> Result<R>,
    ) -> Result<(R, Box<dyn Tape>)> {
        let flat = Var::from_tensor(&flat.detach())?;
        let result = forward(flat.as_tensor())?;
        let tape = Self { flat, points: result.points().clone(), numbers: result.numbers().clone() };
        Ok((result.detached(), Box::new(tape)))
    }
}

impl Tape for AutogradTape {
    fn backward(&self, grad_points: Option<&Tensor>, grad_numbers: &Tensor) -> Result<Tensor> {
        let mut scalar = (&self.numbers * grad_numbers)?.sum_all()?;
        if let Some(grad_points) = grad_points {
            scalar = (scalar + (&self.points * grad_points)?.sum_all()?)?;
        }
        let mut grads = scalar.backward()?;
        grads
            .remove(self.flat.as_tensor())
            .ok_or_else(|| Error::Message("nothing that was computed depends on the parameters".into()))
    }
}

impl Recorded for Draws {
    fn points(&self) -> &Tensor {
        &self.x
    }

    fn numbers(&self) -> &Tensor {
        &self.log_q
    }

    fn detached(&self) -> Self {
        Self { x: self.x.detach(), log_q: self.log_q.detach() }
    }
}
