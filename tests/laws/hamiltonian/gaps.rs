//! Gaps between numbers, held to tolerances.

use flow_sdk::candle_core::{DType, Tensor};

pub fn values(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

pub fn largest_gap(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    // Not f64::max, which forgets what is not a number.
    let larger = |largest: f64, gap: f64| if gap > largest || gap.is_nan() { gap } else { largest };
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, larger)
}

/// Largest difference in units of the largest value.
pub fn relative_gap(a: &Tensor, b: &Tensor) -> f64 {
    let b = values(b);
    largest_gap(&values(a), &b) / b.iter().fold(1.0, |size: f64, b| size.max(b.abs()))
}

/// Holds gaps to a tolerance, remembers the largest, tells it at the end.
pub struct Worst(pub &'static str, pub f64);

impl Worst {
    pub fn hold(&mut self, gap: f64, tolerance: f64, place: &str) {
        assert!(gap < tolerance, "{}: {gap:e} at {place}", self.0);
        self.1 = self.1.max(gap);
    }
}

impl Drop for Worst {
    fn drop(&mut self) {
        println!("{}: at most {:.1e}", self.0, self.1);
    }
}
