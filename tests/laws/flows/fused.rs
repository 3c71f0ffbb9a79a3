//! Laws of flows with kernels of their own: the kernels are the definition in tensor operations, at every level of vector
//! instructions; rows do not depend on how they are grouped.

use crate::{instance, values};
use flow_sdk::candle_core::{DType, Device, Tensor};
use flow_sdk::kernels::philox::Stream;
use flow_sdk::kernels::simd;
use flow_sdk::{Element, Fused, FusedDensity, Rows};
use serde_json::Value;

/// Dimensions, each with numbers of rows: odd ones, full blocks, one more, one less.
const SHAPES: [(usize, &[usize]); 4] = [(1, &[1, 64]), (2, &[63, 65, 1000]), (3, &[64, 129]), (100, &[7, 100])];

/// Sampling by rows is sampling, and its gradient is that of the tape.
///
/// In f64 to 1e-9 of the largest entry: a thousand roundings, and some of them amplified by layers that stretch. In f32 the
/// same with 6e-8 for a rounding, 2e-3 of the largest entry for sums of a thousand rows.
pub fn kernels_sample_as_the_definition_does<F: Fused>(name: &str, configs: &[Value]) {
    for_all(
        |width, dim, n, config| {
            simd::at(width, || {
                sampling::<f64, F>(&format!("{name} {config} {width:?} f64 {dim}-d n={n}"), config, dim, n, 1e-9);
                sampling::<f32, F>(&format!("{name} {config} {width:?} f32 {dim}-d n={n}"), config, dim, n, 2e-3);
            });
        },
        configs,
    );
}

/// Likewise for densities.
pub fn kernels_tell_densities_as_the_definition_does<F: FusedDensity>(name: &str, configs: &[Value]) {
    for_all(
        |width, dim, n, config| {
            simd::at(width, || {
                densities::<f64, F>(&format!("{name} {config} {width:?} f64 {dim}-d n={n}"), config, dim, n, 1e-9);
                densities::<f32, F>(&format!("{name} {config} {width:?} f32 {dim}-d n={n}"), config, dim, n, 2e-3);
            });
        },
        configs,
    );
}

/// Any split of a batch has the bits of the whole.
pub fn rows_do_not_depend_on_their_group<F: Fused>(name: &str, configs: &[Value]) {
    for config in configs {
        let (flow, flat) = instance::<F>(config, 3, DType::F32, 31);
        if !flow.is_fused() {
            println!("skipped: {name} {config}: no kernel for this instance");
            continue;
        }
        let params = flat.to_vec1::<f32>().unwrap();
        let rows = |first: usize, n: usize| {
            let (mut x, mut log_q) = (vec![0.0f32; 3 * n], vec![0.0; n]);
            flow.sample_rows(&params, 32, first, &mut x, &mut log_q).unwrap();
            (x, log_q)
        };
        let (x, log_q) = rows(0, 200);
        for (first, n) in [(0, 1), (1, 64), (37, 100), (199, 1)] {
            let part = rows(first, n);
            assert_eq!(part.0, x[3 * first..3 * (first + n)], "{name} {config} {first}..+{n}");
            assert_eq!(part.1, log_q[first..first + n], "{name} {config} {first}..+{n}");
        }
    }
}

/// Likewise for densities, whose noise goes by the number of a row in its batch.
pub fn densities_do_not_depend_on_their_group<F: FusedDensity>(name: &str, configs: &[Value]) {
    for config in configs {
        let (flow, flat) = instance::<F>(config, 3, DType::F32, 41);
        if !flow.is_fused() {
            println!("skipped: {name} {config}: no kernel for this instance");
            continue;
        }
        let (params, x) = (flat.to_vec1::<f32>().unwrap(), normals::<f32>(42, 3 * 200));
        let densities = |first: usize, n: usize| {
            let mut log_q = vec![0.0f32; n];
            flow.density_rows(&params, &x[3 * first..3 * (first + n)], 43, first, &mut log_q).unwrap();
            log_q
        };
        let whole = densities(0, 200);
        for (first, n) in [(0, 1), (1, 64), (37, 100), (199, 1)] {
            assert_eq!(densities(first, n), whole[first..first + n], "{name} {config} {first}..+{n}");
        }
    }
}

fn for_all(check: impl Fn(simd::Width, usize, usize, &Value), configs: &[Value]) {
    for config in configs {
        for &width in simd::available() {
            for (dim, sizes) in SHAPES {
                sizes.iter().for_each(|&n| check(width, dim, n, config));
            }
        }
    }
}

fn sampling<T: Element, F: Fused>(place: &str, config: &Value, dim: usize, n: usize, tolerance: f64) {
    let (flow, flat) = instance::<F>(config, dim, T::DTYPE, 33);
    if !flow.is_fused() {
        println!("skipped: {place}: no kernel for this instance");
        return;
    }
    let params = flat.to_vec1::<T>().unwrap();
    let (grad_x, grad_log_q) = (normals::<T>(34, n * dim), normals::<T>(35, n));
    let (draws, tape) = flow.sample_taped(&flat, 36, n).unwrap();
    let expected = tape.backward(Some(&tensor(&grad_x, &[n, dim])), &tensor(&grad_log_q, &[n])).unwrap();

    let (mut x, mut log_q) = (vec![T::ZERO; n * dim], vec![T::ZERO; n]);
    flow.sample_rows(&params, 36, 0, &mut x, &mut log_q).unwrap();
    close(&format!("{place}: x"), &x, &values(&draws.x), tolerance);
    close(&format!("{place}: log q"), &log_q, &values(&draws.log_q), tolerance);

    let mut grad = vec![T::ZERO; params.len()];
    let (mut seen_x, mut seen_log_q, mut at) = (Vec::new(), Vec::new(), 0);
    // In two parts, as threads would.
    for rows in [0..n / 3, n / 3..n] {
        let mut pull = |rows: Rows<'_, T>| {
            let m = rows.log_q.len();
            seen_x.extend_from_slice(rows.x);
            seen_log_q.extend_from_slice(rows.log_q);
            rows.grad_x.copy_from_slice(&grad_x[at * dim..(at + m) * dim]);
            rows.grad_log_q.copy_from_slice(&grad_log_q[at..at + m]);
            at += m;
            Ok(())
        };
        flow.sample_gradient(&params, 36, rows, &mut pull, &mut grad).unwrap();
    }
    // Grouping may change the order of a sum, not more.
    close(&format!("{place}: pulled x"), &seen_x, &values(&draws.x), tolerance);
    close(&format!("{place}: pulled log q"), &seen_log_q, &values(&draws.log_q), tolerance);
    close(&format!("{place}: gradient"), &grad, &values(&expected), tolerance);
}

fn densities<T: Element, F: FusedDensity>(place: &str, config: &Value, dim: usize, n: usize, tolerance: f64) {
    let (flow, flat) = instance::<F>(config, dim, T::DTYPE, 37);
    if !flow.is_fused() {
        println!("skipped: {place}: no kernel for this instance");
        return;
    }
    let params = flat.to_vec1::<T>().unwrap();
    let (x, grad_log_q) = (normals::<T>(38, n * dim), normals::<T>(39, n));
    let (density, tape) = flow.density_taped(&flat, &tensor(&x, &[n, dim]), 40).unwrap();
    let expected = tape.backward(None, &tensor(&grad_log_q, &[n])).unwrap();

    let mut log_q = vec![T::ZERO; n];
    flow.density_rows(&params, &x, 40, 0, &mut log_q).unwrap();
    close(&format!("{place}: log q"), &log_q, &values(&density), tolerance);

    let mut grad = vec![T::ZERO; params.len()];
    let mut at = 0;
    for rows in [0..n / 3, n / 3..n] {
        let first = rows.start;
        let mut pull = |rows: Rows<'_, T>| {
            let m = rows.log_q.len();
            close(&format!("{place}: pulled log q"), rows.log_q, &values(&density)[at..at + m], tolerance);
            assert!(rows.grad_x.is_empty());
            rows.grad_log_q.copy_from_slice(&grad_log_q[at..at + m]);
            at += m;
            Ok(())
        };
        let x = &x[rows.start * dim..rows.end * dim];
        flow.density_gradient(&params, x, 40, first, &mut pull, &mut grad).unwrap();
    }
    // Importance weights are exponentials of log-densities, whose rounding they turn from an absolute error to a relative one.
    let largest = values(&density).iter().fold(0.0, |largest: f64, log_q| largest.max(log_q.abs()));
    let tolerance = tolerance + largest * T::EPSILON.wide();
    close(&format!("{place}: gradient"), &grad, &values(&expected), tolerance);
}

/// Every entry to `tolerance` times the largest, which is what a sum in another order is exact to.
pub(crate) fn close<T: Element>(place: &str, got: &[T], expected: &[f64], tolerance: f64) {
    assert_eq!(got.len(), expected.len(), "{place}");
    let largest = expected.iter().fold(1.0f64, |largest, value| largest.max(value.abs()));
    for (index, (got, expected)) in got.iter().zip(expected).enumerate() {
        let gap = (got.wide() - expected).abs();
        assert!(gap <= tolerance * largest, "{place}, entry {index}: {got:?} but {expected}, of at most {largest}");
    }
}

pub(crate) fn normals<T: Element>(seed: u64, count: usize) -> Vec<T> {
    let mut stream = Stream::new(seed);
    (0..count).map(|_| T::of(stream.normal())).collect()
}

pub(crate) fn tensor<T: Element>(values: &[T], shape: &[usize]) -> Tensor {
    Tensor::from_slice(values, shape, &Device::Cpu).unwrap()
}
