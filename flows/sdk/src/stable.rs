//! Elementwise functions that neither overflow nor lose their gradient.

use candle_core::Tensor;

use crate::Result;

/// log(1 + eˣ) = max(x, 0) + log(1 + e^{−|x|}): finite for every finite x.
pub fn softplus(x: &Tensor) -> Result<Tensor> {
    Ok((x.relu()? + (x.abs()?.neg()?.exp()? + 1.0)?.log()?)?)
}

/// log σ(x) = −softplus(−x).
pub fn log_sigmoid(x: &Tensor) -> Result<Tensor> {
    Ok(softplus(&x.neg()?)?.neg()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

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
