//! The scalar equation that inverts a planar layer, for a whole batch, with its derivative.
//!
//! α + s·tanh(α) = c with s > −1. The root is found without a graph; one Newton step from it, whose correction is zero
//! but whose graph is not, then carries the derivative of the implicit function: dα = (dc − tanh(α) ds)/(1 + s·sech²(α)).

use flow_sdk::candle_core::{Device, Tensor};
use flow_sdk::kernels::root::planar_root;
use flow_sdk::{Error, Result};

/// α `[n, 1]` for s `[1]` and c `[n, 1]`, differentiable in both.
pub fn solve(s: &Tensor, c: &Tensor) -> Result<Tensor> {
    let root = match c.device() {
        Device::Cpu => root_by_kernel(s, c)?,
        _ => root_by_tensors(&s.detach(), &c.detach())?,
    };
    let tanh = root.tanh()?;
    let slope = (tanh.sqr()?.affine(-1.0, 1.0)?.broadcast_mul(&s.detach())? + 1.0)?;
    let residual = ((c - &root)? - tanh.broadcast_mul(s)?)?;
    Ok((root + (residual / slope)?)?)
}

/// The root in f64, a row at a time.
fn root_by_kernel(s: &Tensor, c: &Tensor) -> Result<Tensor> {
    use flow_sdk::candle_core::DType::F64;
    let s: Vec<f64> = s.detach().to_dtype(F64)?.to_vec1()?;
    let [s] = s[..] else { return Err(Error::Message("one s a layer".into())) };
    let roots: Vec<f64> =
        c.detach().to_dtype(F64)?.flatten_all()?.to_vec1::<f64>()?.iter().map(|&c| planar_root(s, c)).collect();
    Ok(Tensor::from_vec(roots, c.dims(), c.device())?.to_dtype(c.dtype())?)
}

/// The same root by tensor operations: bisection to the bracket's last bit in f32, then Newton.
///
/// The bracket c ± |s| halves 30 times; three Newton steps from within 2⁻³⁰|s| square that error past f64's precision
/// wherever the slope 1 + s·sech² is not tiny.
fn root_by_tensors(s: &Tensor, c: &Tensor) -> Result<Tensor> {
    let s = s.broadcast_as(c.shape())?.contiguous()?;
    let margin = s.abs()?;
    let (mut low, mut high) = ((c - &margin)?, (c + &margin)?);
    for _ in 0..30 {
        let middle = ((&low + &high)? * 0.5)?;
        let below = (&middle + (&s * middle.tanh()?)?)?.lt(c)?;
        low = below.where_cond(&middle, &low)?;
        high = below.where_cond(&high, &middle)?;
    }
    let mut root = ((low + high)? * 0.5)?;
    for _ in 0..3 {
        let tanh = root.tanh()?;
        let slope = ((&s * tanh.sqr()?.affine(-1.0, 1.0)?)? + 1.0)?;
        root = (&root - (((&root + (&s * tanh)?)? - c)? / slope)?)?;
    }
    Ok(root)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both paths solve the same equation; α differs by rounding over the slope, here at least 0.05.
    #[test]
    fn tensors_and_kernel_agree() -> Result<()> {
        let cs: Vec<f64> = (-400..400).map(|i| f64::from(i) * 0.025).collect();
        let n = cs.len();
        let c = Tensor::from_vec(cs, (n, 1), &Device::Cpu)?;
        for s in [-0.95, -0.5, 0.0, 0.7, 3.0, 20.0] {
            let s = Tensor::new(&[s], &Device::Cpu)?;
            let gap = (root_by_kernel(&s, &c)? - root_by_tensors(&s, &c)?)?.abs()?.max_all()?.to_scalar::<f64>()?;
            assert!(gap < 1e-13, "{s}: {gap:e}");
        }
        Ok(())
    }
}
