//! How far rounding may move a value, a gradient or a Hessian-vector product: times ε, and a number of operations.

use super::Results;
use crate::{Row, along, matrix, numbers};

/// To first order, relative errors of ε in x, in the constants and in each operation move
///
/// - f = log γ by ε times Σⱼ |xⱼ ∂ⱼ f| + |f| + its summands, about one a coordinate;
/// - ∂ᵢ f by ε times Σⱼ |xⱼ Hᵢⱼ|, the largest slope, and, the weights of components moving by ε |f| √(p(1−p)),
///   |f| √(1 + |Hᵢᵢ|): p(1−p) times the square of the difference of two scores is at most 1 + |Hᵢᵢ|;
/// - (Hv)ᵢ by ε times Σⱼ |xⱼ ∂ⱼ (Hv)ᵢ|, here differences, Σⱼ |Hᵢⱼ vⱼ|, and for the weights, by the same bound in i and along v,
///   |f| (1 + Σⱼ |Hᵢⱼ|) maxⱼ |vⱼ|.
pub fn scales(row: &Row, x: &[f64], v: &[f64], exact: &Results<f64>) -> Results<f64> {
    /// A rounding of f32.
    const STEP: f64 = 1.0 / (1_u64 << 24) as f64;
    let dim = row.dim();
    let (points, directions) = (matrix(x, dim), matrix(v, dim));
    let [value, grad, product] = exact;
    let columns: Vec<Vec<f64>> =
        (0..dim).map(|j| numbers(&row.target.hvp(&points, &along(j, &points)).unwrap())).collect();
    let mut moved = vec![0.0; x.len()];
    for j in 0..dim {
        let mut near = x.to_vec();
        near.iter_mut().skip(j).step_by(dim).for_each(|x| *x *= 1.0 + STEP);
        let near = numbers(&row.target.hvp(&matrix(&near, dim), &directions).unwrap());
        for ((moved, near), product) in moved.iter_mut().zip(&near).zip(product) {
            *moved += (near - product).abs() / STEP;
        }
    }
    let largest = |numbers: &[f64]| numbers.iter().fold(1.0, |m: f64, n| m.max(n.abs()));
    let mut scales: Results<f64> = Default::default();
    for (k, value) in value.iter().map(|value| value.abs()).enumerate() {
        let here = k * dim..(k + 1) * dim;
        let (x, grad, v) = (&x[here.clone()], &grad[here.clone()], &v[here.clone()]);
        scales[0].push(value + dim as f64 + x.iter().zip(grad).map(|(x, g)| (x * g).abs()).sum::<f64>());
        for i in 0..dim {
            let weighted = |by: &[f64]| (0..dim).map(|j| (by[j] * columns[j][k * dim + i]).abs()).sum::<f64>();
            let weights = value * (1.0 + columns[i][k * dim + i].abs()).sqrt();
            scales[1].push(largest(grad) + weighted(x) + weights);
            let weights = value * (1.0 + weighted(&vec![1.0; dim])) * largest(v);
            scales[2].push(moved[k * dim + i] + weighted(v) + weights);
        }
    }
    scales
}
