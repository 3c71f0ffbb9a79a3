//! Logarithms of sums of exponentials, without overflow.
//!
//! log Σⱼ exp aⱼ = m + log Σⱼ exp(aⱼ − m) with m = maxⱼ aⱼ, and softmaxⱼ = exp(aⱼ − m) / Σₖ exp(aₖ − m).
//! Neither depends on m, so m is detached: reverse passes need not go through the maximum.

use candle_core::{D, Result, Tensor};

/// log Σⱼ exp(aⱼ): `[n, k]` → `[n]`.
pub(crate) fn log_sum_exp(a: &Tensor) -> Result<Tensor> {
    let max = a.max_keepdim(D::Minus1)?.detach();
    let sum = a.broadcast_sub(&max)?.exp()?.sum_keepdim(D::Minus1)?;
    (sum.log()? + max)?.squeeze(D::Minus1)
}

/// exp(aⱼ) / Σₖ exp(aₖ): `[n, k]` → `[n, k]`.
pub(crate) fn softmax(a: &Tensor) -> Result<Tensor> {
    let max = a.max_keepdim(D::Minus1)?.detach();
    let exp = a.broadcast_sub(&max)?.exp()?;
    exp.broadcast_div(&exp.sum_keepdim(D::Minus1)?)
}

/// log(exp a + exp b), element by element.
pub(crate) fn log_add_exp(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let max = a.maximum(b)?.detach();
    ((a - &max)?.exp()? + (b - &max)?.exp()?)?.log()? + max
}
