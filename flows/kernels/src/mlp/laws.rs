//! Laws of forces and networks, at every level of vector instructions: each pass is the derivative that it says it is.
//!
//! Central differences with h = 1e-5 leave truncation and cancellation near 1e-9 for values of order one; the bounds are a
//! hundredfold of that, times the size of what is compared.

use super::*;
use crate::panel::{Buffer, Row, from_columns, panels, to_columns};
use crate::philox::Stream;
use crate::real::Real;
use crate::simd::{at, available};

const STEP: f64 = 1e-5;
const BOUND: f64 = 1e-7;

/// (d, hidden widths, points): widths around panels and tiles, points likewise.
const SIZES: [(usize, &[usize], usize); 8] = [
    (1, &[1], 1),
    (2, &[3, 7], 31),
    (5, &[8], 32),
    (2, &[31, 33], 33),
    (8, &[33, 1, 3], 5),
    (9, &[7, 8, 9], 6),
    (100, &[8, 31], 3),
    (2, &[128, 128], 64),
];

fn normals(seed: u64, count: usize, sd: f64) -> Vec<f64> {
    let mut stream = Stream::new(seed);
    (0..count).map(|_| sd * stream.normal()).collect()
}

fn rows<T: Real>(count: usize) -> Buffer<T> {
    let mut buffer = Buffer::default();
    buffer.resize(count);
    // Padding must reach no result.
    buffer.rows_mut().as_flattened_mut().fill(T::of(f64::NAN));
    buffer
}

fn zeros<T: Real>(count: usize) -> Buffer<T> {
    let mut buffer = rows(count);
    buffer.clear();
    buffer
}

fn in_panels<T: Real>(columns: &[f64], m: usize) -> Buffer<T> {
    let mut buffer = rows(panels(columns.len() / m) * m);
    let columns: Vec<T> = columns.iter().map(|&x| T::of(x)).collect();
    from_columns(&columns, m, buffer.rows_mut());
    buffer
}

fn in_columns<T: Real>(rows: &[Row<T>], dim: usize, m: usize) -> Vec<f64> {
    let mut columns = vec![T::ZERO; dim * m];
    to_columns(rows, m, &mut columns);
    columns.into_iter().map(Real::wide).collect()
}

fn cast<T: Real>(values: &[f64]) -> Vec<T> {
    values.iter().map(|&x| T::of(x)).collect()
}

/// Entries, some of them where there are many, and three directions of length one in all of them.
fn check(name: &str, values: &[f64], grad: &[f64], f: &dyn Fn(&[f64]) -> f64) {
    let along = |direction: &[f64]| {
        let moved = |by: f64| values.iter().zip(direction).map(|(x, u)| x + by * u).collect::<Vec<f64>>();
        let difference = (f(&moved(STEP)) - f(&moved(-STEP))) / (2.0 * STEP);
        let got: f64 = grad.iter().zip(direction).map(|(g, u)| g * u).sum();
        let size = 1.0 + grad.iter().zip(direction).map(|(g, u)| (g * u).powi(2)).sum::<f64>().sqrt();
        assert!((got - difference).abs() < BOUND * size, "{name}: {got} but {difference}");
    };
    assert_eq!(values.len(), grad.len(), "{name}");
    for index in (0..values.len()).step_by((values.len() / 30).max(1)) {
        along(&(0..values.len()).map(|i| f64::from(u8::from(i == index))).collect::<Vec<f64>>());
    }
    for seed in 0..3 {
        along(&normals(seed, values.len(), 1.0 / (values.len() as f64).sqrt()));
    }
}

/// E summed over points, written out.
fn energy(dim: usize, hidden: &[usize], activation: Activation, params: &[f64], x: &[f64], m: usize) -> f64 {
    let point = |p: usize| {
        let mut a: Vec<f64> = (0..dim).map(|i| x[i * m + p]).collect();
        let mut rest = params;
        for &width in hidden {
            let (weights, after) = rest.split_at(width * a.len());
            let (bias, after) = after.split_at(width);
            let dot = |row: &[f64]| row.iter().zip(&a).map(|(w, a)| w * a).sum::<f64>();
            let mut z: Vec<f64> = weights.chunks(a.len()).zip(bias).map(|(row, b)| dot(row) + b).collect();
            activation.apply(&mut z, &mut vec![0.0; width], &mut vec![0.0; width]);
            (a, rest) = (z, after);
        }
        rest.iter().zip(&a).map(|(w, a)| w * a).sum::<f64>()
    };
    (0..m).map(point).sum()
}

/// ∇E, then Σ vᵀ∇E, its gradient in the parameters, Hv: scaled as asked.
fn field<T: Real>(net: &Mlp, [params, x, v]: [&[f64]; 3], m: usize, scale: f64) -> (Vec<f64>, f64, Vec<f64>, Vec<f64>) {
    let (mut packed, mut kept, mut scratch) =
        (zeros(net.packed_rows()), rows(net.kept_rows(m)), rows(net.scratch_rows(m)));
    net.pack(&cast(params), packed.rows_mut());
    let (x, v) = (in_panels::<T>(x, m), in_panels::<T>(v, m));
    let (mut force, mut hv, mut grad) = (zeros(x.rows().len()), zeros(x.rows().len()), zeros(net.grad_rows()));
    let (kept_rows, scratch_rows) = (kept.rows_mut(), scratch.rows_mut());
    net.add_gradient(packed.rows(), x.rows(), m, T::of(scale), kept_rows, scratch_rows, force.rows_mut());
    let out = (grad.rows_mut(), hv.rows_mut());
    let along = net.reverse(packed.rows(), kept_rows, v.rows(), m, T::of(scale), scratch_rows, out.0, out.1);
    let mut flat = vec![T::ZERO; net.n_params()];
    net.fold(grad.rows(), &mut flat);
    let columns = |rows: &Buffer<T>| in_columns(rows.rows(), net.dim(), m);
    (columns(&force), along.wide(), flat.into_iter().map(Real::wide).collect(), columns(&hv))
}

/// The force is the energy's gradient, and its reverse pass is the derivative of vᵀ∇E in every parameter and every input.
#[test]
fn force_and_its_reverse_pass_are_derivatives() {
    for (dim, hidden, m) in SIZES {
        for activation in [Activation::Softplus, Activation::Tanh, Activation::Silu] {
            let net = Mlp::new(dim, hidden, activation);
            let widest = hidden.iter().fold(dim, |a, &b| a.max(b)) as f64;
            let params = normals(1, net.n_params(), 1.5 / widest.sqrt());
            let (x, v) = (normals(2, dim * m, 1.0), normals(3, dim * m, 1.0));
            let force = |params: &[f64], x: &[f64]| field::<f64>(&net, [params, x, &v], m, 1.0).0;
            let dot = |force: Vec<f64>| force.iter().zip(&v).map(|(g, v)| g * v).sum::<f64>();
            for &width in available() {
                let name = |what: &str| format!("{width:?} {activation:?} {dim} {hidden:?} {m}: {what}");
                let (gradient, along, grad, hv) = at(width, || field::<f64>(&net, [&params, &x, &v], m, 0.5));
                let halved = |values: Vec<f64>| values.into_iter().map(|x| 2.0 * x).collect::<Vec<f64>>();
                let (gradient, grad, hv) = (halved(gradient), halved(grad), halved(hv));
                assert!(
                    (along - dot(gradient.clone())).abs() < 1e-12 * (1.0 + along.abs() * m as f64),
                    "{}",
                    name("along")
                );
                check(&name("force"), &x, &gradient, &|x| energy(dim, hidden, activation, &params, x, m));
                check(&name("parameters"), &params, &grad, &|params| dot(force(params, &x)));
                check(&name("Hessian"), &x, &hv, &|x| dot(force(&params, x)));
            }
        }
    }
}

/// f32 against f64: sums of at most 128 terms of order one through six products, 64 points: some 30 roundings' worth, of
/// the largest entry.
#[test]
fn single_precision_is_close_to_double() {
    for (dim, hidden, m) in SIZES {
        for activation in [Activation::Softplus, Activation::Tanh, Activation::Silu] {
            let net = Mlp::new(dim, hidden, activation);
            let widest = hidden.iter().fold(dim, |a, &b| a.max(b)) as f64;
            let params = normals(1, net.n_params(), 1.0 / widest.sqrt());
            let operands = [&params[..], &normals(2, dim * m, 1.0), &normals(3, dim * m, 1.0)];
            let double = field::<f64>(&net, operands, m, 0.5);
            for &width in available() {
                let single = at(width, || field::<f32>(&net, operands, m, 0.5));
                let pairs = [(&single.0, &double.0), (&single.2, &double.2), (&single.3, &double.3)];
                for (which, (got, exact)) in pairs.into_iter().enumerate() {
                    let size = exact.iter().fold(1.0, |size: f64, x| size.max(x.abs()));
                    let worst = got.iter().zip(exact).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                    let bound = 32.0 * f64::from(f32::EPSILON) * size;
                    assert!(worst < bound, "{width:?} {activation:?} {hidden:?} {which}: {worst} of {size}");
                }
            }
        }
    }
}

/// Outputs, gradients in parameters and inputs for a cotangent.
fn network<T: Real>(net: &Network, [params, x, v]: [&[f64]; 3], m: usize) -> [Vec<f64>; 3] {
    let chain = net.chain();
    let (inputs, outputs) = (chain.width(0), chain.width(chain.depth()));
    let (mut packed, mut kept, mut scratch) =
        (zeros(chain.packed_rows()), rows(net.kept_rows(m)), rows(net.scratch_rows(m)));
    chain.pack(&cast(params), packed.rows_mut());
    let (x, v) = (in_panels::<T>(x, m), in_panels::<T>(v, m));
    let (mut out, mut into, mut grad) = (rows(v.rows().len()), zeros(x.rows().len()), zeros(chain.grad_rows()));
    net.forward(packed.rows(), x.rows(), m, kept.rows_mut(), out.rows_mut());
    let to = (grad.rows_mut(), into.rows_mut());
    net.reverse(packed.rows(), kept.rows(), v.rows(), m, scratch.rows_mut(), to.0, to.1);
    let mut flat = vec![T::ZERO; chain.n_params()];
    chain.fold(grad.rows(), &mut flat);
    let flat = flat.into_iter().map(Real::wide).collect();
    [in_columns(out.rows(), outputs, m), flat, in_columns(into.rows(), inputs, m)]
}

/// A network's reverse pass is its derivative, its outputs are those written out, and f32 is close to f64.
#[test]
fn networks_reverse_pass_is_the_derivative() {
    for (inputs, hidden, m) in SIZES {
        for outputs in [1, inputs, 40] {
            let net = Network::new(inputs, hidden, outputs);
            let params = normals(1, net.chain().n_params(), 0.3);
            let (x, v) = (normals(2, inputs * m, 1.0), normals(3, outputs * m, 1.0));
            let dot = |params: &[f64], x: &[f64]| {
                let [out, ..] = network::<f64>(&net, [params, x, &v], m);
                out.iter().zip(&v).map(|(a, b)| a * b).sum::<f64>()
            };
            let widths: Vec<usize> = hidden.iter().copied().chain([outputs]).collect();
            for &width in available() {
                let name = |what: &str| format!("{width:?} {inputs} {hidden:?} {outputs} {m}: {what}");
                let [out, grad, into] = at(width, || network::<f64>(&net, [&params, &x, &v], m));
                let exact = written_out(&widths, &params, &x, m);
                assert!(
                    out.iter().zip(&exact).all(|(a, b)| (a - b).abs() < 1e-12 * (1.0 + b.abs())),
                    "{}",
                    name("out")
                );
                check(&name("parameters"), &params, &grad, &|params| dot(params, &x));
                check(&name("inputs"), &x, &into, &|x| dot(&params, x));
                let [single, ..] = at(width, || network::<f32>(&net, [&params, &x, &v], m));
                let size = exact.iter().fold(1.0, |size: f64, x| size.max(x.abs()));
                let near = |(a, b): (&f64, &f64)| (a - b).abs() < 32.0 * f64::from(f32::EPSILON) * size;
                assert!(single.iter().zip(&exact).all(near), "{}", name("f32"));
            }
        }
    }
}

/// The outputs, `[o][m]`.
fn written_out(widths: &[usize], params: &[f64], x: &[f64], m: usize) -> Vec<f64> {
    let (mut value, mut rest) = (x.to_vec(), params);
    for (l, &width) in widths.iter().enumerate() {
        let inputs = value.len() / m;
        let (weights, after) = rest.split_at(width * inputs);
        let (bias, after) = after.split_at(width);
        let z =
            |o: usize, p: usize| (0..inputs).map(|i| weights[o * inputs + i] * value[i * m + p]).sum::<f64>() + bias[o];
        let z: Vec<f64> = (0..width * m).map(|index| z(index / m, index % m)).collect();
        value = if l + 1 < widths.len() { z.into_iter().map(|z| z.max(0.0)).collect() } else { z };
        rest = after;
    }
    value
}
