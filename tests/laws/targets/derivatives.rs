//! Laws of derivatives: gradients are those of the log density, Hessian-vector products those of the gradient.

use crate::{along, matrix, numbers, table};
use candle_core::{Tensor, Var};

#[test]
fn gradient_is_the_derivative_of_the_log_density() {
    for row in table() {
        let (x, dim) = (row.points(), row.dim());
        let (log_density, grad) = (row.log_density(&x), row.grad(&x));
        for i in 0..dim {
            for (k, slope) in differences(|x| row.log_density(x), &x, &along(i, &x)).into_iter().enumerate() {
                let exact = grad[k * dim + i];
                let tolerance = 1e-7 * (1.0 + exact.abs()) + 1e-10 * log_density[k].abs();
                assert!((slope - exact).abs() <= tolerance, "{} point {k} ∂{i}: {exact} {slope}", row.label);
            }
        }
    }
}

#[test]
fn gradient_is_what_autograd_finds() {
    for row in table() {
        let x = Var::from_tensor(&row.points()).unwrap();
        let sum = row.target.log_density(x.as_tensor()).unwrap().sum_all().unwrap();
        let auto = numbers(sum.backward().unwrap().get(x.as_tensor()).unwrap());
        let grad = row.grad(x.as_tensor());
        for (k, (auto, grad)) in auto.chunks(row.dim()).zip(grad.chunks(row.dim())).enumerate() {
            // The same numbers in another order: a few thousand roundings of the largest.
            let largest = grad.iter().fold(1.0, |m: f64, g| m.max(g.abs()));
            for (a, g) in auto.iter().zip(grad) {
                assert!((a - g).abs() <= 1e-11 * largest, "{} point {k}: {auto:?} {grad:?}", row.label);
            }
        }
    }
}

#[test]
fn hessian_vector_product_is_the_derivative_of_the_gradient() {
    for row in table() {
        let (x, dim) = (row.points(), row.dim());
        let v: Vec<f64> = (0..x.elem_count()).map(|i| (1.7 * i as f64).sin()).collect();
        let v = matrix(&v, dim);
        let product = numbers(&row.target.hvp(&x, &v).unwrap());
        let (slope, grad) = (differences(|x| row.grad(x), &x, &v), row.grad(&x));
        for k in 0..x.dims()[0] {
            let at = |values: &[f64]| values[k * dim..(k + 1) * dim].to_vec();
            let (product, slope, grad) = (at(&product), at(&slope), at(&grad));
            let largest = |values: &[f64]| values.iter().fold(1.0, |m: f64, v| m.max(v.abs()));
            let tolerance = 1e-7 * largest(&product) + 1e-9 * largest(&grad);
            for (p, s) in product.iter().zip(&slope) {
                assert!((p - s).abs() <= tolerance, "{} point {k}: {product:?} {slope:?}", row.label);
            }
        }
    }
}

/// Derivative of `f` at `x` along `v`, by central differences of fourth order with step h = 1e-4.
///
/// Truncation is h⁴/30 times the fifth derivative: below 3e-8 where that is below 1e10, as it is between the modes of
/// gmm-40. Rounding is about ε/h = 2e-12 times what is summed up to f, and ulp(x)/h < 1e-9 times the derivative.
fn differences(f: impl Fn(&Tensor) -> Vec<f64>, x: &Tensor, v: &Tensor) -> Vec<f64> {
    const H: f64 = 1e-4;
    let at = |steps: f64| f(&(x + (v * (steps * H)).unwrap()).unwrap());
    let (near, far) = ((at(1.0), at(-1.0)), (at(2.0), at(-2.0)));
    (0..near.0.len()).map(|i| (8.0 * (near.0[i] - near.1[i]) - (far.0[i] - far.1[i])) / (12.0 * H)).collect()
}
