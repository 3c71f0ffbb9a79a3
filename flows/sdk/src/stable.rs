//! Elementwise functions that neither overflow nor lose their gradient.

use candle_core::Tensor;

use crate::Result;

/// log(1 + eˣ) = max(x, 0) + log(1 + e^{−|x|}): finite for every finite x.
pub fn softplus(x: &Tensor) -> Result<Tensor> {
    Ok((x.relu()? + (x.abs()?.neg()?.exp()? + 1.0)?.log()?)?)
}

/// max(x, 0), with slope 0 at 0 as the kernels and other libraries have it; candle's own has 1. A network whose inputs are all
/// switched off is at 0 exactly until its biases move.
pub fn relu(x: &Tensor) -> Result<Tensor> {
    // Not `x > 0`: what is not a number must stay so.
    let off = x.le(&x.zeros_like()?)?;
    Ok(off.where_cond(&x.zeros_like()?, x)?)
}

/// log σ(x) = −softplus(−x).
pub fn log_sigmoid(x: &Tensor) -> Result<Tensor> {
    Ok(softplus(&x.neg()?)?.neg()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    #[test]
    fn relu_is_flat_at_zero_and_hides_nothing() -> Result<()> {
        let x = Var::new(&[-2.0f64, 0.0, 3.0, f64::INFINITY, f64::NEG_INFINITY], &Device::Cpu)?;
        let y = relu(x.as_tensor())?;
        assert_eq!(y.to_vec1::<f64>()?, [0.0, 0.0, 3.0, f64::INFINITY, 0.0]);
        let grads = y.sum_all()?.backward()?;
        let slopes = grads.get(x.as_tensor()).ok_or(crate::Error::Message("no gradient".into()))?;
        assert_eq!(slopes.to_vec1::<f64>()?, [0.0, 0.0, 1.0, 1.0, 0.0]);
        assert!(relu(&Tensor::new(f64::NAN, &Device::Cpu)?)?.to_scalar::<f64>()?.is_nan());
        Ok(())
    }

    /// Values against log1p in f64 (error of a rounded sum: a few units in the last place of max(x, 1)); the gradient is σ(x).
    #[test]
    fn softplus_is_stable_with_its_gradient() -> Result<()> {
        let xs = [-800.0f64, -40.0, -3.0, -0.5, 0.25, 2.0, 30.0, 900.0];
        let x = Var::new(&xs, &Device::Cpu)?;
        let y = softplus(x.as_tensor())?;
        let grads = y.sum_all()?.backward()?;
        let slopes: Vec<f64> =
            grads.get(x.as_tensor()).ok_or(crate::Error::Message("no gradient".into()))?.to_vec1()?;
        for ((x, y), slope) in xs.iter().zip(y.to_vec1::<f64>()?).zip(slopes) {
            let exact = x.max(0.0) + (-x.abs()).exp().ln_1p();
            assert!((y - exact).abs() <= 4.0 * f64::EPSILON * exact.max(1.0), "{x}");
            assert!((slope - 1.0 / (1.0 + (-x).exp())).abs() < 1e-12, "{x}: {slope}");
        }
        Ok(())
    }
}
