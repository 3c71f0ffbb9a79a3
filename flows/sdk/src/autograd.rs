//! Derivatives of a flow from candle's autograd.

use candle_core::{Tensor, Var};

use crate::{Draws, Error, Result};

/// What a forward pass leaves behind for its reverse pass.
pub trait Tape {
    /// Gradient `[P]` of Σ x·grad_x + Σ log_q·grad_log_q in the flat parameters; no `grad_x` means zero.
    fn backward(&self, grad_x: Option<&Tensor>, grad_log_q: &Tensor) -> Result<Tensor>;
}

/// The graph of a forward pass.
#[derive(Debug)]
pub struct AutogradTape {
    flat: Var,
    draws: Draws,
}

impl AutogradTape {
    /// Runs `forward` on a fresh variable with the values of `flat` `[P]`, keeping its graph.
    pub fn record(flat: &Tensor, forward: impl FnOnce(&Tensor) -> Result<Draws>) -> Result<(Draws, Box<dyn Tape>)> {
        let flat = Var::from_tensor(&flat.detach())?;
        let draws = forward(flat.as_tensor())?;
        let detached = Draws { x: draws.x.detach(), log_q: draws.log_q.detach() };
        Ok((detached, Box::new(Self { flat, draws })))
    }
}

impl Tape for AutogradTape {
    fn backward(&self, grad_x: Option<&Tensor>, grad_log_q: &Tensor) -> Result<Tensor> {
        let mut scalar = (&self.draws.log_q * grad_log_q)?.sum_all()?;
        if let Some(grad_x) = grad_x {
            scalar = (scalar + (&self.draws.x * grad_x)?.sum_all()?)?;
        }
        let mut grads = scalar.backward()?;
        grads
            .remove(self.flat.as_tensor())
            .ok_or_else(|| Error::Message("neither x nor log_q depends on the parameters".into()))
    }
}
