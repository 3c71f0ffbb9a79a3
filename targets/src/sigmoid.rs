//! The logistic function, without overflow in either tail and with the right derivative everywhere.

use candle_core::{Result, Tensor};
use flow_kernels::real::Real;
use flow_kernels::simd::Level;

/// σ(t) = 1 / (1 + exp(−t)), through tanh: a reverse pass meets no ∞ · 0.
pub(crate) fn sigmoid(t: &Tensor) -> Result<Tensor> {
    (t * 0.5)?.tanh()?.affine(0.5, 0.5)
}

/// log σ(t) = (t − |t|)/2 − log(1 + exp(−|t|)).
pub(crate) fn log_sigmoid(t: &Tensor) -> Result<Tensor> {
    let abs = abs(t)?;
    ((t - &abs)? * 0.5)? - log_1p_exp_neg(&abs)?
}

/// σ(t) and σ(−t) of one number, in a kernel: from one e^{−|t|}, which cannot overflow, and one division.
#[inline(always)]
pub(crate) fn both<L: Level, T: Real>(t: T) -> [T; 2] {
    let e = (-t.magnitude()).exp::<L>();
    let larger = (T::ONE + e).recip();
    let smaller = e * larger;
    if t < T::ZERO { [smaller, larger] } else { [larger, smaller] }
}

/// |t| with derivative 0 at t = 0, where [`Tensor::abs`] has 1.
pub(crate) fn abs(t: &Tensor) -> Result<Tensor> {
    t.maximum(&t.neg()?)
}

/// log(1 + exp(−t)) for t ≥ 0.
pub(crate) fn log_1p_exp_neg(t: &Tensor) -> Result<Tensor> {
    (t.neg()?.exp()? + 1.0)?.log()
}
