//! Laws of target densities: each one check over every registered target.

mod cuda;
mod derivatives;
mod draws;
mod kernels;
mod mass;
mod parameters;
mod precision;

use candle_core::{DType, Device, Tensor};
use serde_json::json;
use targets::{ExactDraws, Target, registry};

/// One row of the table.
struct Row {
    label: String,
    name: &'static str,
    target: Box<dyn Target>,
}

/// Every target with its defaults, then some with other parameters.
fn table() -> Vec<Row> {
    let variants = [
        ("gaussian", json!({"dim": 1, "mean": 3.0, "sd": 0.2})),
        ("gaussian", json!({"dim": 5, "mean": -1.0, "sd": 4.0})),
        ("icg", json!({"dim": 5})),
        ("u2", json!({"width": 2.5, "softness": 3.0})),
        ("u3", json!({"width": 2.5, "softness": 3.0})),
        ("u4", json!({"width": 2.5, "softness": 3.0})),
        ("rough-well", json!({"dim": 1, "eta": 0.8})),
        ("rough-well", json!({"dim": 3, "eta": 0.1})),
        ("funnel", json!({"dim": 2})),
        ("funnel", json!({"dim": 4})),
        ("banana", json!({"curvature": 0.1})),
        ("gmm-40", json!({"dim": 1, "seed": 2})),
        ("gmm-40", json!({"dim": 4, "seed": 3})),
        ("student-t-mixture", json!({"dim": 1, "seed": 2})),
        ("student-t-mixture", json!({"dim": 3, "seed": 3})),
        ("many-well", json!({"dim": 2})),
        ("many-well", json!({"dim": 4})),
    ];
    let defaults = registry::names().into_iter().map(|name| (name, json!({})));
    defaults
        .chain(variants)
        .map(|(name, params)| {
            let target = registry::build(name, params.as_object().unwrap()).unwrap();
            Row { label: format!("{name} {params}"), name, target }
        })
        .collect()
}

impl Row {
    fn dim(&self) -> usize {
        self.target.dim()
    }

    fn exact(&self) -> Option<&dyn ExactDraws> {
        let exact = self.target.exact_draws();
        if exact.is_none() {
            println!("{}: skipped: no exact draws", self.label);
        }
        exact
    }

    /// Where laws on derivatives look: 24 draws, and the same four times as far out and beside the axes of symmetry.
    /// All are representable in f32.
    fn points(&self) -> Tensor {
        let draws = self.exact().map(|exact| exact.draw(1, 24)).unwrap_or_else(|| vec![0.3; 24 * self.dim()]);
        let tails = draws.iter().map(|x| 4.0 * x + 0.3);
        let points: Vec<f64> = draws.iter().copied().chain(tails).map(|x| f64::from(x as f32)).collect();
        matrix(&points, self.dim())
    }

    fn log_density(&self, x: &Tensor) -> Vec<f64> {
        numbers(&self.target.log_density(x).unwrap())
    }

    fn grad(&self, x: &Tensor) -> Vec<f64> {
        numbers(&self.target.grad(x).unwrap())
    }
}

fn matrix(values: &[f64], dim: usize) -> Tensor {
    Tensor::from_slice(values, (values.len() / dim, dim), &Device::Cpu).unwrap()
}

fn numbers(x: &Tensor) -> Vec<f64> {
    x.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// The unit vector along coordinate `i`, in every row.
fn along(i: usize, x: &Tensor) -> Tensor {
    let dim = x.dims()[1];
    let row: Vec<f64> = (0..dim).map(|j| f64::from(u8::from(i == j))).collect();
    matrix(&row.repeat(x.dims()[0]), dim)
}
