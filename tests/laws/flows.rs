//! Laws that every flow obeys, each one check over the tables below; some are of bijections only.

use flow_sdk::candle_core::{DType, Device, Tensor};
use flow_sdk::kernels::philox::Stream;
use flow_sdk::{Base, Density, Draws, Flow, Inverse, Layout, Params, Result, Setup, Target, log_det};
use serde_json::{Value, json};

/// Runs a law on every flow that pushes a base through a bijection, with parameters that cover its options.
///
/// A new flow is one line here or in [`every_augmented`].
macro_rules! every_bijection {
    ($law:ident) => {
        $law::<planar::Planar>("planar", &[json!({"layers": 1}), json!({"layers": 5}), soft_uniform(3)]);
        $law::<radial::Radial>("radial", &[json!({"layers": 1}), json!({"layers": 5}), soft_uniform(3)]);
    };
}

/// Runs a law on every flow whose densities are estimates on an extended space.
macro_rules! every_augmented {
    ($law:ident) => {
        $law::<hamiltonian::Hamiltonian>("hamiltonian", &hamiltonians());
        $law::<hamiltonian_mistakes::HamiltonianMistakes>(
            "hamiltonian-mistakes",
            &[json!({"hidden": [4], "n_steps": 2}), json!({"hidden": [4], "n_steps": 1, "bounded_encoder": false})],
        );
    };
}

/// Runs a law on all flows.
macro_rules! every_flow {
    ($law:ident) => {
        every_bijection!($law);
        every_augmented!($law);
    };
}

/// Dimensions that a flow must work in.
const DIMS: [usize; 3] = [1, 2, 5];

fn soft_uniform(layers: usize) -> Value {
    json!({"layers": layers, "base": "soft-uniform", "base_width": 3.0, "base_softness": 6.0})
}

/// Small, so that differences in every parameter are quick; smaller still where a scheme iterates or carries a Jacobian.
fn hamiltonians() -> Vec<Value> {
    let small = json!({"hamiltonians": 2, "n_steps": 2, "hidden": [5, 4], "encoder_hidden": [4]});
    let tiny = json!({"hamiltonians": 1, "n_steps": 2, "hidden": [3], "encoder_hidden": [3]});
    let with = |base: &Value, changes: Value| {
        let mut config = base.as_object().unwrap().clone();
        config.extend(changes.as_object().unwrap().clone());
        Value::Object(config)
    };
    vec![
        with(&small, json!({"base": "soft-uniform", "base_width": 3.0, "base_softness": 6.0})),
        with(
            &small,
            json!({
                "shared": true, "learn_step_size": true, "activation": "tanh", "kinetic": "fixed",
                "integrator": "symplectic-euler",
            }),
        ),
        with(&small, json!({"momentum": "conditional", "importance_samples": 3, "activation": "silu"})),
        with(&small, json!({"memory": "reversible"})),
        with(&tiny, json!({"integrator": "implicit-midpoint"})),
        with(&tiny, json!({"integrator": "rk4", "learn_step_size": true})),
    ]
}

/// A flow for `dim`, with parameters well away from its start: every term of every formula matters.
fn instance<F: Flow>(config: &Value, dim: usize, dtype: DType, seed: u64) -> (F, Tensor) {
    let setup = Setup { dim, dtype, device: Device::Cpu, target: Target::absent() };
    let flow = F::new(serde_json::from_value(config.clone()).unwrap(), &setup).unwrap();
    let mut stream = Stream::new(seed);
    let values: Vec<f64> = flow.init(seed).unwrap().iter().map(|value| value + 0.4 * stream.normal()).collect();
    let flat = Tensor::new(values, &Device::Cpu).unwrap().to_dtype(dtype).unwrap();
    (flow, flat)
}

fn params<'a>(flat: &'a Tensor, layout: &'a Layout) -> Params<'a> {
    Params::new(flat, layout)
}

fn values(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

fn largest_gap(a: &Tensor, b: &Tensor) -> f64 {
    // Not f64::max, which forgets what is not a number.
    let larger = |largest: f64, gap: f64| if gap > largest || gap.is_nan() { gap } else { largest };
    values(a).iter().zip(values(b)).map(|(a, b)| (a - b).abs()).fold(0.0, larger)
}

/// The stated log-det is that of the Jacobian. 1e-9: d ≤ 5 reverse passes and an LU in f64 lose a few digits of 16.
fn log_det_is_the_jacobians<B: Inverse>(name: &str, configs: &[Value]) {
    for (config, dim) in configs.iter().flat_map(|config| DIMS.map(|dim| (config, dim))) {
        let (flow, flat) = instance::<B>(config, dim, DType::F64, 1);
        let params = params(&flat, Flow::layout(&flow));
        let z = flow.base().draw(2, 50, dim, DType::F64, &Device::Cpu).unwrap();
        let stated = values(&flow.forward(&params, &z).unwrap().1);
        let oracle = log_det::by_autograd(&z, |z| Ok(flow.forward(&params, z)?.0)).unwrap();
        for (stated, oracle) in stated.iter().zip(oracle) {
            assert!((stated - oracle).abs() < 1e-9, "{name} {config} in {dim}-d: {stated} but autograd {oracle}");
        }
    }
}

/// Inverse after forward is the identity, and both tell the same log-det.
///
/// Rounding is amplified by at most the layers' condition numbers, here under 10⁴: 1e-10 in f64, 1e-2 in f32.
fn inverse_undoes_forward<B: Inverse>(name: &str, configs: &[Value]) {
    for (config, dim) in configs.iter().flat_map(|config| DIMS.map(|dim| (config, dim))) {
        for (dtype, tolerance) in [(DType::F64, 1e-10), (DType::F32, 1e-2)] {
            let (flow, flat) = instance::<B>(config, dim, dtype, 3);
            let params = params(&flat, Flow::layout(&flow));
            let z = flow.base().draw(4, 200, dim, dtype, &Device::Cpu).unwrap();
            let (x, forward) = flow.forward(&params, &z).unwrap();
            let (back, inverse) = flow.inverse(&params, &x).unwrap();
            let (gap, log_det_gap) = (largest_gap(&z, &back), largest_gap(&forward, &inverse));
            assert!(gap < tolerance, "{name} {config} {dtype:?} in {dim}-d: {gap:e}");
            assert!(log_det_gap < 10.0 * tolerance, "{name} {config} {dtype:?} in {dim}-d: log-det {log_det_gap:e}");
        }
    }
}

/// The reverse pass is the derivative, parameter by parameter, of sampling and of density.
///
/// Central differences with h = 1e-5 in f64: truncation h²f‴/6 and cancellation ε|f|/h are both near 1e-10 for f = O(10);
/// where log q is in the thousands, four roundings of it over h are allowed for.
fn backward_is_the_derivative<F: Density>(name: &str, configs: &[Value]) {
    let n = 16;
    for (config, dim) in configs.iter().flat_map(|config| DIMS.map(|dim| (config, dim))) {
        let (flow, flat) = instance::<F>(config, dim, DType::F64, 5);
        let mut stream = Stream::new(6);
        let mut normals = |count: usize| (0..count).map(|_| stream.normal()).collect::<Vec<f64>>();
        let grad_x = Tensor::from_vec(normals(n * dim), (n, dim), &Device::Cpu).unwrap();
        let grad_log_q = Tensor::new(normals(n), &Device::Cpu).unwrap();
        let x = Tensor::from_vec(normals(n * dim), (n, dim), &Device::Cpu).unwrap();
        let dot = |a: &Tensor, b: &Tensor| values(&(a * b).unwrap()).iter().sum::<f64>();
        let by_sample = |flat: &Tensor| {
            let Draws { x, log_q } = flow.sample(&params(flat, flow.layout()), 7, n).unwrap();
            dot(&x, &grad_x) + dot(&log_q, &grad_log_q)
        };
        let by_density = |flat: &Tensor| dot(&flow.density(&params(flat, flow.layout()), &x, 7).unwrap(), &grad_log_q);
        let (draws, sample_tape) = flow.sample_taped(&flat, 7, n).unwrap();
        let (log_q, density_tape) = flow.density_taped(&flat, &x, 7).unwrap();
        let size = |log_q: &Tensor| dot(&log_q.abs().unwrap(), &grad_log_q.abs().unwrap());
        type Scalar<'a> = &'a dyn Fn(&Tensor) -> f64;
        let cases: [(&str, Tensor, Scalar<'_>, f64); 2] = [
            ("sample", sample_tape.backward(Some(&grad_x), &grad_log_q).unwrap(), &by_sample, size(&draws.log_q)),
            ("density", density_tape.backward(None, &grad_log_q).unwrap(), &by_density, size(&log_q)),
        ];
        for (what, grad, scalar, size) in cases {
            let (grad, start, h) = (values(&grad), values(&flat), 1e-5);
            for index in 0..start.len() {
                let moved = |by: f64| {
                    let mut moved = start.clone();
                    moved[index] += by;
                    scalar(&Tensor::new(moved, &Device::Cpu).unwrap())
                };
                let difference = (moved(h) - moved(-h)) / (2.0 * h);
                let gap = (grad[index] - difference).abs();
                let place = format!("{name} {config} in {dim}-d, {what}, parameter {index}");
                let tolerance = 1e-6 * (1.0 + difference.abs()) + 4.0 * f64::EPSILON * size / h;
                assert!(gap < tolerance, "{place}: {} but differences {difference}", grad[index]);
            }
        }
    }
}

/// The reverse passes of sampling and of density reach every parameter: at one of five starts, since a ReLU unit that is
/// off at all points of a batch rightly has no gradient there.
fn backward_reaches_all<F: Density>(name: &str, configs: &[Value]) {
    let n = 16;
    for (config, dim) in configs.iter().flat_map(|config| DIMS.map(|dim| (config, dim))) {
        let mut reached = [Vec::new(), Vec::new()];
        for seed in 20..25 {
            let (flow, flat) = instance::<F>(config, dim, DType::F64, seed);
            let ones = Tensor::ones(n, DType::F64, &Device::Cpu).unwrap();
            let (draws, sample_tape) = flow.sample_taped(&flat, seed, n).unwrap();
            let density_tape = flow.density_taped(&flat, &draws.x, seed).unwrap().1;
            for (reached, tape) in reached.iter_mut().zip([sample_tape, density_tape]) {
                let grad = values(&tape.backward(None, &ones).unwrap());
                reached.resize(grad.len(), false);
                reached.iter_mut().zip(grad).for_each(|(reached, grad)| *reached |= grad != 0.0);
            }
        }
        for (what, reached) in ["sample", "density"].iter().zip(reached) {
            let missed = reached.iter().position(|reached| !reached);
            assert_eq!(missed, None, "{name} {config} in {dim}-d, {what}: no gradient reaches this parameter");
        }
    }
}

/// exp(log q) integrates to one over the plane.
///
/// Midpoint rule with step 0.05 on [−15, 15]²: the kinks of tanh layers are smooth at that step, and a base within
/// 5 of the origin cannot be moved past 15 by three to five layers with these parameters. 2e-3 is what halving the step
/// changes, tenfold.
fn density_is_normalised<F: Density>(name: &str, configs: &[Value]) {
    let (half, step) = (15.0f64, 0.05f64);
    let m = (2.0 * half / step) as usize;
    for config in configs {
        let (flow, flat) = instance::<F>(config, 2, DType::F64, 8);
        let params = params(&flat, flow.layout());
        let centre = |i: usize| -half + (i as f64 + 0.5) * step;
        let mut mass = 0.0;
        for i in 0..m {
            let row: Vec<f64> = (0..m).flat_map(|j| [centre(i), centre(j)]).collect();
            let x = Tensor::from_vec(row, (m, 2), &Device::Cpu).unwrap();
            let log_q = values(&flow.density(&params, &x, 0).unwrap());
            mass += log_q.iter().map(|log_q| log_q.exp()).sum::<f64>() * step * step;
        }
        assert!((mass - 1.0).abs() < 2e-3, "{name} {config}: mass {mass}");
    }
}

/// What `sample` says of a draw, `density` says of the same point.
fn sample_and_density_agree<F: Density>(name: &str, configs: &[Value]) {
    for (config, dim) in configs.iter().flat_map(|config| DIMS.map(|dim| (config, dim))) {
        let (flow, flat) = instance::<F>(config, dim, DType::F64, 9);
        let params = params(&flat, flow.layout());
        let draws = flow.sample(&params, 10, 200).unwrap();
        let gap = largest_gap(&draws.log_q, &flow.density(&params, &draws.x, 0).unwrap());
        assert!(gap < 1e-8, "{name} {config} in {dim}-d: {gap:e}");
    }
}

/// Same seed, same bits; another seed, other draws; neither a draw nor a density depends on how many rows follow it (up
/// to the order of a sum in a matrix product).
fn draws_are_a_function_of_the_seed<F: Density>(name: &str, configs: &[Value]) {
    for (config, dim) in configs.iter().flat_map(|config| DIMS.map(|dim| (config, dim))) {
        let (flow, flat) = instance::<F>(config, dim, DType::F64, 11);
        let params = params(&flat, flow.layout());
        let draw = |seed, n| flow.sample(&params, seed, n).unwrap();
        let (first, again, other) = (draw(12, 64), draw(12, 64), draw(13, 64));
        assert_eq!(values(&first.x), values(&again.x), "{name}");
        assert_eq!(values(&first.log_q), values(&again.log_q), "{name}");
        assert!(largest_gap(&first.x, &other.x) > 0.1, "{name}: the seed does not matter");
        assert_eq!(first.x.dims(), [64, dim], "{name}");
        assert_eq!(first.log_q.dims(), [64], "{name}");
        let few = draw(12, 5);
        assert!(largest_gap(&few.x, &first.x.narrow(0, 0, 5).unwrap()) < 1e-12, "{name}: rows depend on the batch");
        let all = flow.density(&params, &first.x, 14).unwrap();
        assert_eq!(values(&all), values(&flow.density(&params, &first.x, 14).unwrap()), "{name}");
        let few = flow.density(&params, &first.x.narrow(0, 0, 5).unwrap(), 14).unwrap();
        assert!(largest_gap(&few, &all.narrow(0, 0, 5).unwrap()) < 1e-9, "{name}: densities depend on the batch");
    }
}

/// A density is that of its own row, whatever stands beside it. (An estimate depends on the row's number, too.)
fn densities_are_row_by_row<F: Density>(name: &str, configs: &[Value]) {
    for (config, dim) in configs.iter().flat_map(|config| DIMS.map(|dim| (config, dim))) {
        let (flow, flat) = instance::<F>(config, dim, DType::F64, 11);
        let params = params(&flat, flow.layout());
        let x = flow.sample(&params, 12, 64).unwrap().x;
        let all = flow.density(&params, &x, 0).unwrap();
        let one = flow.density(&params, &x.narrow(0, 3, 1).unwrap(), 0).unwrap();
        assert!(largest_gap(&one, &all.narrow(0, 3, 1).unwrap()) < 1e-9, "{name}: densities depend on the batch");
    }
}

/// f32 computes what f64 does: draws to 1e-4, log q to 1e-4 of itself: a thousand roundings of 6e-8.
fn single_precision_agrees_with_double<F: Density>(name: &str, configs: &[Value]) {
    for (config, dim) in configs.iter().flat_map(|config| DIMS.map(|dim| (config, dim))) {
        let draws = [DType::F32, DType::F64].map(|dtype| {
            let (flow, flat) = instance::<F>(config, dim, dtype, 14);
            flow.sample(&params(&flat, flow.layout()), 15, 200).unwrap()
        });
        let gap = largest_gap(&draws[0].x, &draws[1].x);
        assert!(gap < 1e-4, "{name} {config} in {dim}-d: {gap:e}");
        for (single, double) in values(&draws[0].log_q).iter().zip(values(&draws[1].log_q)) {
            let gap = (single - double).abs() / (1.0 + double.abs());
            assert!(gap < 1e-4, "{name} {config} in {dim}-d: log q {single} and {double}");
        }
    }
}

/// ELBO ≤ log Z ≤ EUBO, at random parameters and after training on the target.
///
/// Three standard errors, and seeds that are fixed: a law that held once holds again.
fn bounds_hold<F: Density>(name: &str, configs: &[Value]) {
    for (config, target) in configs.iter().flat_map(|config| ["gaussian", "u1", "banana", "gmm-9"].map(|t| (config, t)))
    {
        let target = targets::registry::build(target, &serde_json::Map::new()).unwrap();
        let log_z = target.known().log_z.unwrap();
        let (flow, mut flat) = instance::<F>(config, target.dim(), DType::F64, 16);
        for step in 0..150u64 {
            if step.is_multiple_of(149) {
                let params = params(&flat, flow.layout());
                let draws = flow.sample(&params, 17, 5000).unwrap();
                let (elbo, se) = mean((target.log_density(&draws.x).unwrap() - &draws.log_q).unwrap());
                assert!(elbo - 3.0 * se <= log_z, "{name} {config} step {step}: elbo {elbo} ± {se} > {log_z}");
                let exact = target.exact_draws().unwrap().draw(18, 5000);
                let x = Tensor::from_vec(exact, (5000, target.dim()), &Device::Cpu).unwrap();
                let log_q = flow.density(&params, &x, 0).unwrap();
                let (eubo, se) = mean((target.log_density(&x).unwrap() - log_q).unwrap());
                assert!(eubo + 3.0 * se >= log_z, "{name} {config} step {step}: eubo {eubo} ± {se} < {log_z}");
            }
            flat = descend(&flow, &flat, &*target, step).unwrap();
        }
    }
}

/// One step of normalised gradient descent on the reverse KL divergence.
fn descend<F: Flow>(flow: &F, flat: &Tensor, target: &dyn targets::Target, step: u64) -> Result<Tensor> {
    let n = 128;
    let (draws, tape) = flow.sample_taped(flat, 1000 + step, n)?;
    let grad_x = (target.grad(&draws.x).unwrap() * (-1.0 / n as f64))?;
    let grad = tape.backward(Some(&grad_x), &Tensor::full(1.0 / n as f64, n, &Device::Cpu)?)?;
    let norm = values(&grad).iter().map(|g| g * g).sum::<f64>().sqrt();
    Ok((flat - (grad * (0.05 / norm))?)?)
}

fn mean(log_w: Tensor) -> (f64, f64) {
    let log_w = values(&log_w);
    let n = log_w.len() as f64;
    let mean = log_w.iter().sum::<f64>() / n;
    let variance = log_w.iter().map(|w| (w - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, (variance / n).sqrt())
}

/// In place of a law that holds of bijections only; `hamiltonian.rs` has the extended ones.
#[allow(clippy::extra_unused_type_parameters, reason = "it is called as a law is")]
fn skipped<F: Density>(name: &str, _: &[Value]) {
    println!("skipped: {name}: its densities are estimates on an extended space");
}

macro_rules! laws {
    ($($test:ident => $law:ident),* $(,)?) => {
        $(#[test]
        fn $test() {
            every_flow!($law);
        })*
    };
}

macro_rules! laws_of_bijections {
    ($($test:ident => $law:ident),* $(,)?) => {
        $(#[test]
        fn $test() {
            every_bijection!($law);
            every_augmented!(skipped);
        })*
    };
}

laws! {
    reverse_pass_is_the_derivative => backward_is_the_derivative,
    gradient_reaches_every_parameter => backward_reaches_all,
    same_seed_same_bits => draws_are_a_function_of_the_seed,
    f32_agrees_with_f64 => single_precision_agrees_with_double,
    elbo_and_eubo_bound_log_z => bounds_hold,
}

laws_of_bijections! {
    stated_log_det_is_that_of_the_jacobian => log_det_is_the_jacobians,
    inverse_after_forward_is_the_identity => inverse_undoes_forward,
    density_integrates_to_one => density_is_normalised,
    sample_and_density_tell_the_same => sample_and_density_agree,
    densities_do_not_depend_on_other_rows => densities_are_row_by_row,
}

#[test]
fn cpu_agrees_with_cuda() {
    println!("skipped: the plugins have no CUDA build yet");
}

/// The bases in the table differ: a law that ignored the base would not notice.
#[test]
fn the_table_covers_both_bases() {
    let (gaussian, _) = instance::<planar::Planar>(&json!({}), 2, DType::F64, 0);
    let (soft, _) = instance::<planar::Planar>(&soft_uniform(3), 2, DType::F64, 0);
    use flow_sdk::Bijection;
    assert_eq!(gaussian.base(), Base::Gaussian);
    assert_ne!(soft.base(), Base::Gaussian);
}
