//! Numbers in and out of tensors, for checks that compare them one by one.

use candle_core::{DType, Device, Result, Tensor};
use flow_kernels::philox::Stream;

/// Every element, row by row, as f64.
pub fn values(tensor: &Tensor) -> Result<Vec<f64>> {
    tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1()
}

/// Σ aᵢ bᵢ.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Standard normals; the first rows do not depend on how many there are.
pub fn normals(seed: u64, shape: &[usize], dtype: DType) -> Result<Tensor> {
    let mut stream = Stream::new(seed);
    let normals: Vec<f64> = (0..shape.iter().product()).map(|_| stream.normal()).collect();
    Tensor::from_vec(normals, shape, &Device::Cpu)?.to_dtype(dtype)
}

/// `start` with independent normals of that deviation added.
pub fn moved(start: &Tensor, seed: u64, by: f64) -> Result<Tensor> {
    start + (normals(seed, start.dims(), start.dtype())? * by)?
}

/// Mean and its standard error.
pub fn mean_and_se(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, (variance / n).sqrt())
}
