//! Tests of what draws say: standardised means, cells of equal probability, limits of χ².

use flow_sdk::candle_core::Tensor;

use crate::oracle::values;

/// Standard errors that a mean of draws may be off: 1 in 150,000 for each. Seeds are fixed: what held once holds again.
pub const SE_LIMIT: f64 = 4.5;

/// The 0.9999 quantile of χ² with `dof` degrees of freedom (Wilson & Hilferty 1931), to 1 % from ten on.
pub fn chi_square_limit(dof: usize) -> f64 {
    let (k, z) = (dof as f64, 3.719);
    k * (1.0 - 2.0 / (9.0 * k) + z * (2.0 / (9.0 * k)).sqrt()).powi(3)
}

/// Mean over its own standard error; 0 where all are 0.
pub fn z_score(differences: &[f64]) -> f64 {
    let n = differences.len() as f64;
    let mean = differences.iter().sum::<f64>() / n;
    let variance = differences.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
    if mean == 0.0 { 0.0 } else { mean / (variance / n).sqrt() }
}

/// The larger of two, and not a number where one is not: not `f64::max`, which forgets it.
pub fn larger(a: f64, b: f64) -> f64 {
    if b > a || b.is_nan() { b } else { a }
}

/// Largest distance between two tensors of one shape.
pub fn largest_gap(a: &Tensor, b: &Tensor) -> f64 {
    values(a).iter().zip(values(b)).map(|(a, b)| (a - b).abs()).fold(0.0, larger)
}

/// A partition of space by the quantiles of draws: `first` parts of the first coordinate, each cut into `second` by the
/// next coordinate, where there is one.
pub struct Cells {
    dim: usize,
    second: usize,
    edges: Vec<f64>,
    /// By part of the first coordinate.
    inner: Vec<Vec<f64>>,
}

impl Cells {
    /// About `cells` of them, equally probable for `reference` `[m, d]` to within one draw each.
    pub fn new(reference: &Tensor, cells: usize) -> Self {
        let dim = reference.dims()[1];
        let second = if dim == 1 { 1 } else { (cells as f64).sqrt() as usize };
        let first = cells / second;
        let mut rows: Vec<Vec<f64>> = reference.to_vec2().unwrap();
        rows.sort_by(|a, b| a[0].total_cmp(&b[0]));
        let parts: Vec<&[Vec<f64>]> = (0..first).map(|i| part(&rows, i, first)).collect();
        let edges = parts[1..].iter().map(|part| part[0][0]).collect();
        let inner = parts.iter().map(|rows| {
            let mut column: Vec<f64> = rows.iter().map(|row| row[1.min(dim - 1)]).collect();
            column.sort_by(f64::total_cmp);
            (1..second).map(|j| part(&column, j, second)[0]).collect()
        });
        Self { dim, second, edges, inner: inner.collect() }
    }

    pub fn count(&self) -> usize {
        self.inner.len() * self.second
    }

    /// The cell of each row of `x` `[n, d]`.
    pub fn of(&self, x: &Tensor) -> Vec<usize> {
        let place = |row: &[f64]| {
            let first = self.edges.partition_point(|edge| *edge <= row[0]);
            let second = self.inner[first].partition_point(|edge| *edge <= row[1.min(self.dim - 1)]);
            first * self.second + second
        };
        values(x).chunks_exact(self.dim).map(place).collect()
    }
}

/// Part `i` of `parts` of equal length.
fn part<T>(all: &[T], i: usize, parts: usize) -> &[T] {
    &all[i * all.len() / parts..(i + 1) * all.len() / parts]
}

/// χ² of counts that should be equal, against cells that were cut from `reference` draws: their own error adds its share
/// to the variance.
pub fn chi_square(counts: &[usize], reference: usize) -> f64 {
    let n = counts.iter().sum::<usize>() as f64;
    let expected = n / counts.len() as f64;
    let square: f64 = counts.iter().map(|count| (*count as f64 - expected).powi(2)).sum();
    square / expected / (1.0 + n / reference as f64)
}
