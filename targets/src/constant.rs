//! A constant array, kept in each element type and on each device that asked for it.

use candle_core::{Device, Result, Tensor};
use std::sync::{Mutex, PoisonError};

/// Numbers of a fixed shape, copied to a device once and not at every evaluation.
pub(crate) struct Constant {
    values: Vec<f64>,
    shape: Vec<usize>,
    tensors: Mutex<Vec<Tensor>>,
}

impl Constant {
    /// `values`, row-major in `shape`.
    pub(crate) fn new(values: Vec<f64>, shape: &[usize]) -> Self {
        assert_eq!(values.len(), shape.iter().product::<usize>(), "values fill the shape");
        Self { values, shape: shape.to_vec(), tensors: Mutex::new(Vec::new()) }
    }

    /// The tensor, with the element type and on the device of `x`.
    pub(crate) fn like(&self, x: &Tensor) -> Result<Tensor> {
        // A panic elsewhere leaves the list whole: pushing is the only change made under the lock.
        let mut tensors = self.tensors.lock().unwrap_or_else(PoisonError::into_inner);
        let known = |t: &&Tensor| t.dtype() == x.dtype() && t.device().same_device(x.device());
        if let Some(tensor) = tensors.iter().find(known) {
            return Ok(tensor.clone());
        }
        // Converted on the host: some devices have no f64.
        let tensor = Tensor::from_slice(&self.values, self.shape.as_slice(), &Device::Cpu)?
            .to_dtype(x.dtype())?
            .to_device(x.device())?;
        // Another thread may use it on a stream of its own, which does not wait for this copy.
        x.device().synchronize()?;
        tensors.push(tensor.clone());
        Ok(tensor)
    }

    /// xⱼ − cₖⱼ for every row x `[n, d]` and every row c of this matrix `[k, d]`: one `[n, k]` for each coordinate j.
    ///
    /// Not one `[n, k, d]`: sums over a short last dimension are many times slower than sums of whole tensors.
    pub(crate) fn offsets(&self, x: &Tensor) -> Result<impl Iterator<Item = Result<Tensor>>> {
        let (x, columns) = (x.clone(), self.like(x)?.t()?);
        Ok((0..self.shape[1]).map(move |j| x.narrow(1, j, 1)?.broadcast_sub(&columns.narrow(0, j, 1)?)))
    }

    /// Row `i` of a matrix.
    pub(crate) fn row(&self, i: usize) -> &[f64] {
        let width = self.shape[1];
        &self.values[i * width..(i + 1) * width]
    }

    /// Rows of a matrix.
    pub(crate) fn rows(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        self.values.chunks_exact(self.shape[1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::DType;

    #[test]
    fn each_dtype_is_made_once() {
        let constant = Constant::new(vec![1.0, 2.0], &[1, 2]);
        for dtype in [DType::F32, DType::F64, DType::F32] {
            let x = Tensor::zeros((3, 2), dtype, &Device::Cpu).unwrap();
            let tensor = constant.like(&x).unwrap();
            assert_eq!((tensor.dtype(), tensor.dims()), (dtype, &[1, 2][..]));
        }
        assert_eq!(constant.tensors.lock().unwrap().len(), 2);
    }
}
