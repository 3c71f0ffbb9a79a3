//! Laws of precision: f32 gives the values of f64 wherever it can hold them, whatever the batch.

use crate::{along, matrix, numbers, table};
use candle_core::{DType, Tensor};

/// To first order, relative errors of ε in x, in the constants and in each operation move f by ε times
/// Σⱼ |xⱼ ∂ⱼ f| + |f| and, where f is a sum, + its summands, about one a coordinate. In a gradient ∂ᵢ the weights of
/// components also move, by ε |log γ| √(p(1−p)); p(1−p) times the square of the difference of their scores is at most
/// 1 + |Hᵢᵢ|.
/// The factor 16 covers the number of operations: 11 was seen in one dimension of gmm-40, elsewhere at most 2.
#[test]
fn f32_agrees_with_f64() {
    const TOLERANCE: f64 = 16.0 * f32::EPSILON as f64;
    for row in table() {
        let (x, dim) = (row.points(), row.dim());
        let n = x.dims()[0];
        let small = x.to_dtype(DType::F32).unwrap();
        let (points, log_density, grad) = (numbers(&x), row.log_density(&x), row.grad(&x));
        let columns: Vec<Vec<f64>> = (0..dim).map(|j| numbers(&row.target.hvp(&x, &along(j, &x)).unwrap())).collect();
        let (log_density_32, grad_32) = (row.log_density(&small), row.grad(&small));
        for k in 0..n {
            let (x, grad) = (&points[k * dim..(k + 1) * dim], &grad[k * dim..(k + 1) * dim]);
            let scale = log_density[k].abs() + dim as f64 + x.iter().zip(grad).map(|(x, g)| (x * g).abs()).sum::<f64>();
            let error = (log_density[k] - log_density_32[k]).abs();
            assert!(error <= TOLERANCE * scale, "{} point {k}: {error:e} of {scale:e}", row.label);
            let largest = grad.iter().fold(1.0, |m: f64, g| m.max(g.abs()));
            for i in 0..dim {
                let along_x: f64 = (0..dim).map(|j| (x[j] * columns[j][k * dim + i]).abs()).sum();
                let weights = log_density[k].abs() * (1.0 + columns[i][k * dim + i].abs()).sqrt();
                let scale = largest + along_x + weights;
                let error = (grad[i] - grad_32[k * dim + i]).abs();
                assert!(error <= TOLERANCE * scale, "{} point {k} ∂{i}: {error:e} of {scale:e}", row.label);
            }
        }
    }
}

#[test]
fn shapes_dtypes_and_single_rows_are_right() {
    for row in table() {
        let x = row.points();
        let (n, dim) = (x.dims()[0], row.dim());
        for dtype in [DType::F32, DType::F64] {
            let x = x.to_dtype(dtype).unwrap();
            let (log_density, grad) = (row.target.log_density(&x).unwrap(), row.target.grad(&x).unwrap());
            let hvp = row.target.hvp(&x, &x).unwrap();
            assert_eq!((log_density.dims(), log_density.dtype()), (&[n][..], dtype), "{}", row.label);
            assert_eq!((grad.dims(), grad.dtype()), (&[n, dim][..], dtype), "{}", row.label);
            assert_eq!((hvp.dims(), hvp.dtype()), (&[n, dim][..], dtype), "{}", row.label);
            for batch in [1, 7] {
                let part = x.narrow(0, 3, batch).unwrap();
                let apart = [row.log_density(&part), row.grad(&part)].concat();
                let within = [&log_density, &grad].map(|t| numbers(&t.narrow(0, 3, batch).unwrap())).concat();
                assert_eq!(apart, within, "{} in batches of {batch}", row.label);
            }
        }
    }
}

/// At the origin, on the axes and on the diagonal up to 1e3: finite in f32 wherever f32 can represent the value.
#[test]
fn far_tails_are_finite() {
    for row in table() {
        let dim = row.dim();
        let mut points = vec![0.0; dim];
        for far in [-1e3, -50.0, 50.0, 1e3] {
            points.extend(vec![far; dim]);
            for i in 0..dim {
                points.extend((0..dim).map(|j| if i == j { far } else { 0.0 }));
            }
        }
        let x = matrix(&points, dim);
        let small = x.to_dtype(DType::F32).unwrap();
        let hvp = |x: &Tensor| numbers(&row.target.hvp(x, &x.ones_like().unwrap()).unwrap());
        let log_density = row.log_density(&x);
        let pairs =
            [(log_density.clone(), row.log_density(&small)), (row.grad(&x), row.grad(&small)), (hvp(&x), hvp(&small))];
        for (large, small) in pairs {
            let per_point = large.len() / log_density.len();
            for (k, (large, small)) in large.iter().zip(small).enumerate() {
                let representable = large.abs() < f64::from(f32::MAX);
                assert!(!representable || small.is_finite(), "{} {k}: {large} {small}", row.label);
                assert!(!large.is_nan() || log_density[k / per_point].is_infinite(), "{} {k}: {large}", row.label);
            }
        }
        assert!(row.log_density(&small).iter().all(|value| !value.is_nan()), "{}", row.label);
    }
}
