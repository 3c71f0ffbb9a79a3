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

/// The first element of which two results differ by more than a share of one and itself, or of which one alone is not a number.
pub fn first_gap(a: &[f64], b: &[f64], share: f64) -> Option<usize> {
    let close = |(a, b): (&f64, &f64)| a.to_bits() == b.to_bits() || (a - b).abs() <= share * (1.0 + b.abs());
    a.iter().zip(b).position(|pair| !close(pair))
}

#[cfg(test)]
mod tests {
    use super::first_gap;

    #[test]
    fn what_is_not_a_number_differs_from_a_number_only() {
        let (nan, large) = (f64::NAN, f64::INFINITY);
        assert_eq!(first_gap(&[nan, large, 1.0], &[nan, large, 1.0 + 1e-10], 1e-9), None);
        assert_eq!(first_gap(&[1.0, nan], &[1.0, 2.0], 1e-9), Some(1));
        assert_eq!(first_gap(&[1.0, 2.0], &[1.0, nan], 1e-9), Some(1));
        assert_eq!(first_gap(&[large], &[1.0], 1e-9), Some(0));
        assert_eq!(first_gap(&[1e6], &[1e6 + 1.0], 1e-6), None);
    }
}
