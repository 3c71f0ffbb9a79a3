//! The terms of the bound, right or as a mistake has them.

use flow_sdk::candle_core::Tensor;
use flow_sdk::{Base, Result, Tape};
use phase_space::{Moments, halves};

use crate::Mistake;

/// log π of states `[n, 2d]`; mistaken, of their first half.
pub fn log_prior(state: &Tensor, mistakes: &[Mistake]) -> Result<Tensor> {
    match mistakes.contains(&Mistake::PriorOnPositionOnly) {
        true => Base::Gaussian.log_density(&halves(state)?.0),
        false => Base::Gaussian.log_density(state),
    }
}

/// log N of the standardised `noise` `[n, d]`: −½ Σ e² − Σ log σ − ½d log 2π.
pub fn log_encoder(noise: &Tensor, moments: &Moments, mistakes: &[Mistake]) -> Result<Tensor> {
    let counted = if mistakes.contains(&Mistake::EncoderWithoutHalf) { 2.0 } else { 1.0 };
    let log_sd = moments.log_sd.sum(1)?.affine(counted, 0.0)?;
    let log_density = (Base::Gaussian.log_density(noise)? - log_sd)?;
    match mistakes.contains(&Mistake::EncoderSummedOverBatch) {
        true => Ok(log_density.sum_all()?.reshape(1)?.broadcast_as(log_density.shape())?.contiguous()?),
        false => Ok(log_density),
    }
}

/// A tape whose gradient points the other way.
pub struct Negated(pub Box<dyn Tape>);

impl Tape for Negated {
    fn backward(&self, grad_x: Option<&Tensor>, grad_log_q: &Tensor) -> Result<Tensor> {
        Ok(self.0.backward(grad_x, grad_log_q)?.neg()?)
    }
}
