//! Means of mixture components, uniform on a cube.

use crate::draws::rows;
use flow_kernels::philox::derive_seed;

/// Keeps the means apart from draws made under the same seed.
const PURPOSE: u64 = u64::from_be_bytes(*b"mixmeans");

/// `count` points uniform on [−reach, reach]ᵈ, row-major `[count, dim]`.
pub(crate) fn uniform_means(seed: u64, count: usize, dim: usize, reach: f64) -> Vec<f64> {
    rows(derive_seed(seed, PURPOSE, 0), count, dim, |stream, row| {
        row.fill_with(|| reach * (2.0 * stream.uniform() - 1.0));
    })
}
