//! Log-determinants of Jacobians: by autograd, the oracle that a stated log-det is held against; of given matrices, for
//! flows that have no better way.

use candle_core::{
    CpuStorage, CustomOp1, DType, Device, Layout, Result as TensorResult, Shape, Tensor, Var, WithDType, bail,
};
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

/// log |det| of a batch of matrices `[n, k, k]` → `[n]`, differentiable: the gradient is the inverse, transposed.
///
/// LU with partial pivoting in f64, whatever the dtype, on the processor, whatever the device: who needs it has small matrices.
pub fn of(matrices: &Tensor) -> Result<Tensor> {
    Ok(matrices.contiguous()?.to_device(&Device::Cpu)?.apply_op1(LogDet)?.to_device(matrices.device())?)
}

struct LogDet;

impl CustomOp1 for LogDet {
    fn name(&self) -> &'static str {
        "log-det"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> TensorResult<(CpuStorage, Shape)> {
        let (n, _, k) = layout.shape().dims3()?;
        let Some((from, to)) = layout.contiguous_offsets() else { bail!("log-det of a tensor with gaps") };
        let log_dets = |values: &[f64]| -> Vec<f64> {
            values.chunks(k * k).map(|one| DMatrix::from_row_slice(k, k, one).determinant().abs().ln()).collect()
        };
        let storage = match storage {
            CpuStorage::F32(values) => {
                let wide: Vec<f64> = values[from..to].iter().copied().map(f64::from).collect();
                CpuStorage::F32(log_dets(&wide).into_iter().map(f32::from_f64).collect())
            }
            CpuStorage::F64(values) => CpuStorage::F64(log_dets(&values[from..to])),
            _ => bail!("log-det needs f32 or f64"),
        };
        Ok((storage, Shape::from(n)))
    }

    fn bwd(&self, matrices: &Tensor, _: &Tensor, grad: &Tensor) -> TensorResult<Option<Tensor>> {
        let (n, _, k) = matrices.dims3()?;
        let values: Vec<f64> = matrices.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?;
        let inverses = values.chunks(k * k).flat_map(|one| {
            let inverse = DMatrix::from_row_slice(k, k, one).try_inverse();
            // Column-major storage of the inverse is its transpose in row-major order.
            inverse.map_or(vec![f64::NAN; k * k], |inverse| inverse.as_slice().to_vec())
        });
        let inverses =
            Tensor::from_iter(inverses, matrices.device())?.reshape((n, k, k))?.to_dtype(matrices.dtype())?;
        inverses.broadcast_mul(&grad.reshape((n, 1, 1))?).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against central differences, h = 1e-6 in f64: 1e-9 of truncation and cancellation.
    #[test]
    fn gradient_is_that_of_the_log_determinant() -> Result<()> {
        let values: Vec<f64> = (0..18).map(|i| (f64::from(i) * 1.7).sin() + f64::from(u8::from(i % 4 == 0))).collect();
        let matrices = Var::from_tensor(&Tensor::from_vec(values.clone(), (2, 3, 3), &Device::Cpu)?)?;
        let weights = Tensor::new(&[1.0, -2.0], &Device::Cpu)?;
        let scalar = |values: Vec<f64>| -> Result<f64> {
            let log_dets = of(&Tensor::from_vec(values, (2, 3, 3), &Device::Cpu)?)?;
            Ok((log_dets * &weights)?.sum_all()?.to_scalar()?)
        };
        let grads = (of(matrices.as_tensor())? * &weights)?.sum_all()?.backward()?;
        let grads: Vec<f64> = grads.get(matrices.as_tensor()).expect("reached").flatten_all()?.to_vec1()?;
        for (index, grad) in grads.iter().enumerate() {
            let moved = |by: f64| {
                let mut moved = values.clone();
                moved[index] += by;
                scalar(moved)
            };
            let difference = (moved(1e-6)? - moved(-1e-6)?) / 2e-6;
            assert!((grad - difference).abs() < 1e-7 * (1.0 + difference.abs()), "{index}: {grad} but {difference}");
        }
        Ok(())
    }
}
