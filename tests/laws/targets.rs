//! Laws of target densities: each one check over every registered target.

use candle_core::{DType, Device, Tensor, Var};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
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

/// Targets whose coordinates are independent: one axis at a time will do.
const FACTORISED: [&str; 4] = ["gaussian", "icg", "rough-well", "many-well"];

/// Nodes along coordinate `j`, each with its step: 1600 over the range of 20 000 draws widened by .6 of it at both
/// ends, at equal steps; or, under heavy tails, at equal steps of t in x = s sinh t up to 10⁹ s.
fn axis(row: &Row, draws: &[f64], j: usize) -> Vec<(f64, f64)> {
    const NODES: usize = 1600;
    let heavy = match row.name {
        "funnel" if j > 0 => Some(1e-3),
        "student-t-mixture" => Some(1.0),
        _ => None,
    };
    let (low, high) = match heavy {
        Some(_) => (-(1e9f64.asinh()), 1e9f64.asinh()),
        None => {
            let column = || draws.iter().skip(j).step_by(row.dim());
            let low = column().fold(f64::INFINITY, |m, &x| m.min(x));
            let high = column().fold(f64::NEG_INFINITY, |m, &x| m.max(x));
            (low - 0.6 * (high - low), high + 0.6 * (high - low))
        }
    };
    let step = (high - low) / (NODES - 1) as f64;
    let nodes = (0..NODES).map(|i| low + i as f64 * step);
    match heavy {
        Some(s) => nodes.map(|t| (s * t.sinh(), s * t.cosh() * step)).collect(),
        None => nodes.map(|t| (t, step)).collect(),
    }
}

/// ∫ γ by the trapezoidal rule, over both coordinates or one at a time.
///
/// On smooth integrands its error falls faster than any power of the step; the ends cut off less than 3e-7 of the mass (the
/// bent tail of the banana; 20 000 draws reach 4 standard deviations, the widened range 5 to 9).
#[test]
fn log_z_is_what_quadrature_gives() {
    for row in table() {
        let (dim, known) = (row.dim(), row.target.known());
        let (Some(log_z), Some(exact)) = (known.log_z, row.exact()) else {
            println!("{}: skipped: log Z is unknown", row.label);
            continue;
        };
        let draws = exact.draw(3, 20_000);
        let sum = if FACTORISED.contains(&row.name) {
            let at_zero = row.log_density(&matrix(&vec![0.0; dim], dim))[0];
            let one = |j: usize| {
                let nodes = axis(&row, &draws, j);
                let mut x = vec![0.0; nodes.len() * dim];
                nodes.iter().enumerate().for_each(|(i, node)| x[i * dim + j] = node.0);
                let values = row.log_density(&matrix(&x, dim));
                values.iter().zip(&nodes).map(|(v, node)| node.1 * (v - at_zero).exp()).sum::<f64>().ln()
            };
            at_zero + (0..dim).map(one).sum::<f64>()
        } else if dim <= 2 {
            let across = if dim == 2 { axis(&row, &draws, 1) } else { vec![(0.0, 1.0)] };
            let one = |&(x0, step): &(f64, f64)| {
                let x: Vec<f64> = across.iter().flat_map(|node| [x0, node.0].into_iter().take(dim)).collect();
                let values = row.log_density(&matrix(&x, dim));
                values.iter().zip(&across).map(|(v, node)| step * node.1 * v.exp()).sum::<f64>()
            };
            axis(&row, &draws, 0).iter().map(one).sum::<f64>().ln()
        } else {
            println!("{}: skipped: {dim} dependent coordinates", row.label);
            continue;
        };
        assert!((sum - log_z).abs() < 1e-6 * dim as f64, "{}: log Z {log_z}, quadrature {sum}", row.label);
    }
}

/// Mean of `values` and its standard error.
fn mean_and_se(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let n = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / n;
    (mean, (values.map(|v| (v - mean).powi(2)).sum::<f64>() / (n * (n - 1.0))).sqrt())
}

#[test]
fn draws_have_the_known_moments() {
    for row in table() {
        let (Some(exact), known, dim) = (row.exact(), row.target.known(), row.dim()) else {
            continue;
        };
        let draws = exact.draw(5, 100_000);
        for j in 0..dim {
            let column = || draws.iter().skip(j).step_by(dim).copied();
            let Some(centre) = known.mean.as_ref().map(|mean| mean[j]) else {
                println!("{} coordinate {j}: skipped: mean unknown", row.label);
                continue;
            };
            let Some(sd) = known.sd.as_ref().map(|sd| sd[j]) else {
                println!("{} coordinate {j}: skipped: variance infinite, no standard error", row.label);
                continue;
            };
            let (mean, se) = mean_and_se(column());
            assert!((mean - centre).abs() < 5.0 * se, "{} mean {j}: {centre}, draws {mean} ± {se}", row.label);
            let squares = || column().map(|x| ((x - centre) / sd).powi(2));
            let (fourth, _) = mean_and_se(squares().map(|s| s * s));
            if fourth > 50.0 {
                println!("{} sd {j}: skipped: fourth moment too heavy for a standard error", row.label);
                continue;
            }
            let (square, se) = mean_and_se(squares());
            assert!((square - 1.0).abs() < 5.0 * se, "{} sd {j}: (draws/known)² {square} ± {se}", row.label);
        }
    }
}

/// Centre and spread (interquartile range over that of a standard normal) of a coordinate.
fn middle(draws: &[f64], dim: usize, j: usize) -> (f64, f64) {
    let mut column: Vec<f64> = draws.iter().skip(j).step_by(dim).copied().collect();
    column.sort_by(f64::total_cmp);
    let quantile = |q: usize| column[column.len() * q / 4];
    (quantile(2), (quantile(3) - quantile(1)) / 1.349)
}

/// Stein: E[f'(xᵢ) + f(xᵢ) ∂ᵢ log γ] = 0 for every bounded smooth f; here f = tanh((xᵢ − c)/s), in every dimension.
#[test]
fn draws_have_zero_mean_stein_score() {
    for row in table() {
        let (Some(exact), dim) = (row.exact(), row.dim()) else {
            continue;
        };
        let draws = exact.draw(7, 50_000);
        let grad = row.grad(&matrix(&draws, dim));
        for j in 0..dim {
            let (centre, spread) = middle(&draws, dim, j);
            let pairs = draws.iter().zip(&grad).skip(j).step_by(dim);
            let (mean, se) = mean_and_se(pairs.map(|(x, g)| {
                let t = ((x - centre) / spread).tanh();
                (1.0 - t * t) / spread + t * g
            }));
            assert!(mean.abs() < 5.0 * se, "{} coordinate {j}: {mean} ± {se}", row.label);
        }
    }
}

/// E_π[h/γ] Z = ∫ h = 1 for every normalised h on part of the space: draws, density and log Z agree there.
///
/// Here h is uniform on a box about a draw, so narrow that γ changes little within it: no few draws carry the mean.
#[test]
fn draws_density_and_log_z_agree() {
    for row in table() {
        let (Some(exact), Some(log_z), dim) = (row.exact(), row.target.known().log_z, row.dim()) else {
            continue;
        };
        if dim > 5 {
            println!("{}: skipped: a box in {dim} dimensions holds too few draws", row.label);
            continue;
        }
        let n = 200_000;
        let draws = exact.draw(9, n);
        let log_density = row.log_density(&matrix(&draws, dim));
        let spread: Vec<f64> = (0..dim).map(|j| middle(&draws, dim, j).1).collect();
        let mut boxes = 0;
        for centre in exact.draw(10, 8).chunks(dim) {
            let x = matrix(centre, dim);
            let slope = row.grad(&x);
            let half: Vec<f64> = (0..dim)
                .map(|j| {
                    let curvature = numbers(&row.target.hvp(&x, &along(j, &x)).unwrap())[j].abs();
                    curvature.sqrt().max(slope[j].abs()).recip().min(spread[j] / 2.0)
                })
                .collect();
            let log_h = -half.iter().map(|b| (2.0 * b).ln()).sum::<f64>();
            let inside = |x: &[f64]| x.iter().zip(centre).zip(&half).all(|((x, c), b)| (x - c).abs() < *b);
            let ratio = |(x, log_density): (&[f64], &f64)| {
                if inside(x) { (log_h - log_density + log_z).exp() } else { 0.0 }
            };
            let (mean, se) = mean_and_se(draws.chunks(dim).zip(&log_density).map(ratio));
            // With fewer draws in the box the standard error itself is uncertain.
            if draws.chunks(dim).filter(|x| inside(x)).count() >= 100 {
                boxes += 1;
                assert!((mean - 1.0).abs() < 5.0 * se, "{}: {mean} ± {se} at {centre:?}", row.label);
            }
        }
        assert!(boxes >= 3, "{}: only {boxes} of 8 boxes hold draws enough", row.label);
    }
}

#[test]
fn modes_have_the_share_of_draws_that_their_weight_says() {
    for row in table() {
        let (Some(modes), Some(exact)) = (row.target.modes(), row.exact()) else {
            println!("{}: skipped: no modes", row.label);
            continue;
        };
        let (n, weights) = (100_000, modes.weights());
        assert_eq!(weights.len(), modes.count(), "{}", row.label);
        assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{}", row.label);
        let mut shares = vec![0.0; modes.count()];
        for x in exact.draw(11, n).chunks(row.dim()) {
            shares[modes.assign(x)] += 1.0 / n as f64;
        }
        for (k, (share, weight)) in shares.iter().zip(&weights).enumerate() {
            // Binomial errors of the share, and of weights that were themselves counted on 2¹⁸ draws; where fewer than
            // one draw is expected, five may come.
            let se = (weight * (1.0 - weight) * (1.0 / n as f64 + 1.0 / f64::from(1 << 18))).sqrt();
            assert!((share - weight).abs() < 5.0 * se + 5.0 / n as f64, "{} {k}: {weight} {share}", row.label);
        }
    }
}

/// To first order, relative errors of ε in x, in the constants and in each operation move f by ε times
/// Σⱼ |xⱼ ∂ⱼ f| + |f| and, where f is a sum, + its summands, about one a coordinate. In a gradient ∂ᵢ the weights of components
/// also move, by ε |log γ| √(p(1−p)); p(1−p) times the square of the difference of their scores is at most 1 + |Hᵢᵢ|.
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

#[test]
fn a_draw_depends_on_seed_and_index_alone() {
    for row in table() {
        let Some(exact) = row.exact() else { continue };
        let (few, many) = (exact.draw(13, 10), exact.draw(13, 100));
        assert_eq!(few.len(), 10 * row.dim(), "{}", row.label);
        assert_eq!(few[..], many[..few.len()], "{}", row.label);
        assert_ne!(few, exact.draw(14, 10), "{}", row.label);
    }
}

#[test]
fn schemas_state_defaults_and_ranges() {
    for name in registry::names() {
        let schema = (registry::entry(name).unwrap().schema)();
        assert!(schema["$schema"].as_str().is_some_and(|s| s.contains("2020-12")), "{name}");
        for (parameter, rule) in schema["properties"].as_object().into_iter().flatten() {
            let build = |value: Value| registry::build(name, &Map::from_iter([(parameter.clone(), value)]));
            assert!(rule.get("description").is_some(), "{name} {parameter}");
            assert!(build(rule["default"].clone()).is_ok(), "{name} {parameter}");
            let bounds = [("minimum", -1.0), ("maximum", 1.0)].map(|(key, beyond)| (rule.get(key), beyond));
            for (bound, beyond) in bounds {
                let Some(bound) = bound.and_then(Value::as_f64) else {
                    continue;
                };
                let outside =
                    if rule["type"] == "integer" { json!((bound + beyond) as i64) } else { json!(bound + beyond) };
                let message = build(outside).err().expect("a value out of range").to_string();
                assert!(message.contains(parameter.as_str()), "{name}: {message}");
            }
        }
    }
}

#[test]
fn bad_parameters_are_explained() {
    let message = |name: &str, params: Value| {
        registry::build(name, params.as_object().unwrap()).err().expect("bad parameters").to_string()
    };
    assert_eq!(message("gauss", json!({})), "unknown target `gauss`");
    let unknown = message("gaussian", json!({"sigma": 1.0}));
    assert_eq!(unknown, "target `gaussian` has no parameter `sigma`; it takes dim, mean, sd");
    assert_eq!(message("u1", json!({"dim": 3})), "target `u1` has no parameter `dim`; it takes no parameters");
    let odd = message("many-well", json!({"dim": 5}));
    assert!(odd.contains("`dim`") && odd.ends_with("a multiple of 2"), "{odd}");
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-3i64..70).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        prop::collection::vec(-2i64..3, 0..3).prop_map(Value::from),
    ]
}

proptest! {
    /// A target or an error, never a panic; and never a target when a name is unknown.
    #[test]
    fn any_parameters_build_or_fail(
        which in prop::sample::select(registry::names()),
        known in prop::sample::subsequence(vec!["dim", "seed", "mean", "sd", "width", "softness", "eta", "curvature"], 0..4),
        values in prop::collection::vec(any_value(), 4),
        stray in prop::option::of("[a-z_]{1,6}"),
    ) {
        let mut params: Map<String, Value> = known.iter().map(|k| (*k).to_owned()).zip(values.clone()).collect();
        if let Some(stray) = stray {
            params.insert(stray, values[3].clone());
        }
        let schema = (registry::entry(which).unwrap().schema)();
        let takes = |name: &String| schema["properties"].get(name).is_some();
        let built = registry::build(which, &params);
        prop_assert!(built.is_err() || params.keys().all(takes));
        if let Ok(target) = built {
            prop_assert!(target.dim() >= 1);
        }
    }
}
