//! Laws of targets on a CUDA device: the definition is there what it is on the processor, and the kernel is the definition.

use candle_core::{DType, Device, Tensor};
use flow_kernels::real::Real;
use serde_json::json;
use targets::registry;

use crate::kernels::scale::scales;
use crate::kernels::{Results, bits, compare, places};
use crate::{Row, matrix, numbers, table};

/// All the table has, and what fills the lanes of a warp, the last of them in part.
fn rows() -> Vec<Row> {
    let wide = [
        ("gaussian", json!({"dim": 100, "mean": 1.0, "sd": 2.0})),
        ("icg", json!({"dim": 33})),
        ("many-well", json!({"dim": 100})),
        ("rough-well", json!({"dim": 100, "eta": 0.1})),
        ("funnel", json!({"dim": 100})),
        ("gmm-40", json!({"dim": 5, "seed": 2})),
        ("gmm-40", json!({"dim": 100})),
        ("student-t-mixture", json!({"dim": 150})),
    ];
    let wide = wide.into_iter().map(|(name, params)| {
        let target = registry::build(name, params.as_object().unwrap()).unwrap();
        Row { label: format!("{name} {params}"), name, target }
    });
    table().into_iter().chain(wide).collect()
}

/// In double precision to 1e-12 of the scale, in single to 16 ε of it: what roundings may do, as on the processor.
#[test]
fn a_device_says_what_the_processor_says() {
    let Some(device) = laws::cuda() else { return };
    for row in &rows() {
        let x = some(places(row), row.dim());
        let v: Vec<f64> = (0..x.len()).map(|i| f64::from((1.7 * i as f64 + 0.4).sin() as f32)).collect();
        let (points, along) = (matrix(&x, row.dim()), matrix(&v, row.dim()));
        let product = numbers(&row.target.hvp(&points, &along).unwrap());
        let exact = [row.log_density(&points), row.grad(&points), product];
        let scales = scales(row, &x, &v, &exact);
        assert!(row.target.device_kernel().is_some(), "{}: no kernel on a device", row.label);
        let on = |tensor: &Tensor, dtype: DType| tensor.to_dtype(dtype).unwrap().to_device(&device).unwrap();
        for (dtype, tolerance, largest) in
            [(DType::F64, 1e-12, 1e290), (DType::F32, 16.0 * f64::from(f32::EPSILON), 1e30)]
        {
            let (points, along) = (on(&points, dtype), on(&along, dtype));
            let defined = [
                row.target.log_density(&points).unwrap(),
                row.target.grad(&points).unwrap(),
                row.target.hvp(&points, &along).unwrap(),
            ];
            check(&format!("{}, definition", row.label), &exact, &defined, &scales, tolerance, largest);
            let fused = by_kernel(row, &points, &along);
            check(&format!("{}, kernel", row.label), &exact, &fused, &scales, tolerance, largest);
        }
    }
}

/// So far as scales are worth their time: they cost d² evaluations a point.
fn some(points: Vec<f64>, dim: usize) -> Vec<f64> {
    let most = if dim > 32 { 21 } else { usize::MAX };
    points.chunks_exact(dim).rev().take(most).flatten().copied().collect()
}

fn check(label: &str, exact: &Results<f64>, found: &[Tensor; 3], scales: &Results<f64>, tolerance: f64, largest: f64) {
    fn as_floats<T: Real + candle_core::WithDType>(found: &[Tensor; 3]) -> Results<T> {
        [0, 1, 2].map(|i| found[i].flatten_all().unwrap().to_vec1::<T>().unwrap())
    }
    match found[0].dtype() {
        DType::F32 => compare::<f32>(label, exact, &as_floats(found), scales, tolerance, largest),
        _ => compare::<f64>(label, exact, &as_floats(found), scales, tolerance, largest),
    }
}

fn by_kernel(row: &Row, x: &Tensor, v: &Tensor) -> [Tensor; 3] {
    let (value, grad) = targets::evaluate(&*row.target, x, true, true).unwrap();
    [value.unwrap(), grad.unwrap(), targets::hvp(&*row.target, x, v).unwrap()]
}

/// A row depends on itself alone, bit for bit, whatever else is asked for, in whatever place of a launch.
#[test]
fn a_row_on_a_device_depends_on_itself_alone() {
    let Some(device) = laws::cuda() else { return };
    for row in &rows() {
        for dtype in [DType::F32, DType::F64] {
            let dim = row.dim();
            let of = |seed: u64| {
                let values = crate::kernels::normal(dim, 131, seed);
                matrix(&values, dim).to_dtype(dtype).unwrap().to_device(&device).unwrap()
            };
            let (x, v) = (of(5), of(6));
            let all = by_kernel(row, &x, &v);
            let numbers_of = |tensors: &[Tensor]| tensors.iter().map(|t| bits(&numbers(t))).collect::<Vec<_>>();
            for (first, n) in [(0, 1), (130, 1), (3, 33), (1, 130), (64, 64)] {
                let part = |tensor: &Tensor| tensor.narrow(0, first, n).unwrap();
                let found = by_kernel(row, &part(&x), &part(&v));
                let whole = all.each_ref().map(part);
                assert_eq!(numbers_of(&found), numbers_of(&whole), "{} {dtype:?}: rows {first} + {n}", row.label);
            }
            let (value, none) = targets::evaluate(&*row.target, &x, true, false).unwrap();
            let (nothing, grad) = targets::evaluate(&*row.target, &x, false, true).unwrap();
            assert!(none.is_none() && nothing.is_none());
            let alone = [value.unwrap(), grad.unwrap()];
            assert_eq!(numbers_of(&alone), numbers_of(&all[..2]), "{} {dtype:?}: one at a time", row.label);
        }
    }
}

/// A point that is not finite has no finite value and no finite gradient, and its neighbours keep theirs.
#[test]
fn what_is_not_finite_stays_so_on_a_device() {
    const N: usize = 65;
    const BAD: usize = 40;
    let Some(device) = laws::cuda() else { return };
    let on = |values: &[f64], dim: usize| matrix(values, dim).to_dtype(DType::F32).unwrap().to_device(&device).unwrap();
    for row in &rows() {
        let dim = row.dim();
        let (x, v) = (crate::kernels::normal(dim, N, 7), crate::kernels::normal(dim, N, 8));
        let clean = by_kernel(row, &on(&x, dim), &on(&v, dim)).map(|tensor| numbers(&tensor));
        for i in [0, dim / 2, dim - 1] {
            for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                let mut x = x.clone();
                x[BAD * dim + i] = bad;
                let found = by_kernel(row, &on(&x, dim), &on(&v, dim)).map(|tensor| numbers(&tensor));
                for (what, (found, clean)) in found.iter().zip(&clean).enumerate() {
                    let wide = clean.len() / N;
                    let (here, after) = (BAD * wide, (BAD + 1) * wide);
                    let lost = found[here..after].iter().any(|number| !number.is_finite());
                    assert!(lost || what == 2, "{}: {bad} at {i}, result {what}", row.label);
                    let same =
                        bits(&found[..here]) == bits(&clean[..here]) && bits(&found[after..]) == bits(&clean[after..]);
                    assert!(same, "{}: rows beside {bad} at {i}, result {what}", row.label);
                }
            }
        }
    }
}

/// A target without a kernel on a device, and every one on the processor, is evaluated by its definition.
#[test]
fn elsewhere_the_definition_serves() {
    for row in &table() {
        let x = row.points();
        let (value, grad) = targets::evaluate(&*row.target, &x, true, true).unwrap();
        assert_eq!(bits(&numbers(&value.unwrap())), bits(&row.log_density(&x)), "{}", row.label);
        assert_eq!(bits(&numbers(&grad.unwrap())), bits(&row.grad(&x)), "{}", row.label);
        let product = targets::hvp(&*row.target, &x, &x).unwrap();
        assert_eq!(product.device().location(), Device::Cpu.location());
        assert_eq!(bits(&numbers(&product)), bits(&numbers(&row.target.hvp(&x, &x).unwrap())), "{}", row.label);
    }
}
