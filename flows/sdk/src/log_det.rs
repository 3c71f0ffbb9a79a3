//! The log-determinant of a map's Jacobian by autograd: the oracle that a stated log-det is held against.

use candle_core::{DType, Tensor, Var};
use nalgebra::DMatrix;

use crate::Result;

/// log |det ∂f/∂z| at every row of `z` `[n, d]`, for an `f` that maps rows independently; f64, `n` values.
///
/// d reverse passes: the sum over rows of output j has as its gradient row j of every Jacobian at once.
pub fn by_autograd(z: &Tensor, f: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Vec<f64>> {
    let (n, d) = z.dims2()?;
    let z = Var::from_tensor(&z.detach())?;
    let x = f(z.as_tensor())?;
    let mut jacobians = vec![DMatrix::<f64>::zeros(d, d); n];
    for row in 0..d {
        let grads = x.narrow(1, row, 1)?.sum_all()?.backward()?;
        let Some(grad) = grads.get(z.as_tensor()) else { continue };
        for (jacobian, values) in jacobians.iter_mut().zip(grad.to_dtype(DType::F64)?.to_vec2::<f64>()?) {
            for (column, value) in values.into_iter().enumerate() {
                jacobian[(row, column)] = value;
            }
        }
    }
    Ok(jacobians.into_iter().map(|jacobian| jacobian.determinant().abs().ln()).collect())
}
