//! Laws of Hamiltonian flows, each one check over a table of schemes or of configurations.

use flow_sdk::candle_core::{DType, Device, Tensor, Var};
use flow_sdk::kernels::integrator::{Method, SCHEMES, Scheme};
use flow_sdk::kernels::mlp::Activation;
use flow_sdk::kernels::philox::Stream;
use flow_sdk::{Base, Density, Flow, Layout, Params, Result, Setup, Target, log_det};
use hamiltonian::{Hamiltonian, Momentum};
use hamiltonian_mistakes::HamiltonianMistakes;
use phase_space::{Dynamics, Encoder, KineticName, Memory, Settings};
use serde_json::{Value, json};

/// Learnt dynamics with parameters well away from their start.
struct Chain {
    dynamics: Dynamics,
    layout: Layout,
    flat: Tensor,
}

/// What differs from a small chain of two Hamiltonians.
type Case = (&'static str, fn(&mut Settings));

/// Together they cover every option but the scheme.
const CASES: [Case; 4] = [
    ("plain", |_| ()),
    ("tanh, one Hamiltonian twice, learnt step", |s| {
        (s.activation, s.shared, s.learn_step_size) = (Activation::Tanh, true, true);
    }),
    ("silu, masses, learnt steps", |s| {
        (s.activation, s.kinetic, s.learn_step_size) = (Activation::Silu, KineticName::Fixed, true);
    }),
    ("unit masses, one layer, long", |s| {
        (s.kinetic, s.hidden, s.n_steps) = (KineticName::Unit, vec![6], 8);
    }),
];

/// Dimensions of q.
const DIMS: [usize; 3] = [1, 2, 3];

fn settings(scheme: &'static Scheme, change: fn(&mut Settings)) -> Settings {
    let mut settings = Settings {
        hamiltonians: 2,
        shared: false,
        scheme,
        n_steps: 2,
        step_size: 0.25,
        learn_step_size: false,
        hidden: vec![5, 4],
        activation: Activation::Softplus,
        kinetic: KineticName::Learnt,
        memory: Memory::Stored,
    };
    change(&mut settings);
    settings
}

impl Chain {
    fn new(settings: Settings, dim: usize, dtype: DType, seed: u64) -> Self {
        let dynamics = Dynamics::new(settings, dim);
        let layout = dynamics.declare(Layout::new());
        let flat = shaken(layout.init(seed), 0.4, seed, dtype);
        Self { dynamics, layout, flat }
    }

    fn params(&self) -> Params<'_> {
        Params::new(&self.flat, &self.layout)
    }

    fn forward(&self, state: &Tensor) -> Tensor {
        self.dynamics.forward(&self.params(), state).unwrap().0
    }

    /// The end of `map` from `state`, and the gradients of its product with a cotangent in parameters and state.
    fn pull(&self, map: Map, state: &Tensor) -> [Tensor; 3] {
        let (flat, state) = (Var::from_tensor(&self.flat).unwrap(), Var::from_tensor(state).unwrap());
        let end = map(&self.dynamics, &Params::new(flat.as_tensor(), &self.layout), state.as_tensor()).unwrap().0;
        let cotangent = Base::Gaussian.draw(2, end.dims()[0], end.dims()[1], end.dtype(), &Device::Cpu).unwrap();
        let grads = (&end * cotangent).unwrap().sum_all().unwrap().backward().unwrap();
        let grad = |var: &Var| grads.get(var.as_tensor()).expect("the end depends on it").clone();
        [end.detach(), grad(&flat), grad(&state)]
    }
}

/// One of the maps of [`Dynamics`].
type Map = for<'a> fn(&'a Dynamics, &'a Params<'a>, &'a Tensor) -> Result<(Tensor, Tensor)>;

const FORWARD: Map = |dynamics, params, state| dynamics.forward(params, state);
const INVERSE: Map = |dynamics, params, state| dynamics.inverse(params, state);

fn splittings() -> impl Iterator<Item = &'static Scheme> {
    SCHEMES.iter().filter(|scheme| matches!(scheme.method, Method::Splitting(_)))
}

/// `start` plus normals.
fn shaken(start: Vec<f64>, sd: f64, seed: u64, dtype: DType) -> Tensor {
    let mut stream = Stream::new(seed);
    let values: Vec<f64> = start.into_iter().map(|value| value + sd * stream.normal()).collect();
    Tensor::new(values, &Device::Cpu).unwrap().to_dtype(dtype).unwrap()
}

fn states(n: usize, dim: usize, dtype: DType) -> Tensor {
    Base::Gaussian.draw(1, n, 2 * dim, dtype, &Device::Cpu).unwrap()
}

fn values(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

fn largest_gap(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    // Not f64::max, which forgets what is not a number.
    let larger = |largest: f64, gap: f64| if gap > largest || gap.is_nan() { gap } else { largest };
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, larger)
}

/// Largest difference in units of the largest value.
fn relative_gap(a: &Tensor, b: &Tensor) -> f64 {
    let b = values(b);
    largest_gap(&values(a), &b) / b.iter().fold(1.0, |size: f64, b| size.max(b.abs()))
}

/// Holds gaps to a tolerance, remembers the largest, tells it at the end.
struct Worst(&'static str, f64);

impl Worst {
    fn hold(&mut self, gap: f64, tolerance: f64, place: &str) {
        assert!(gap < tolerance, "{}: {gap:e} at {place}", self.0);
        self.1 = self.1.max(gap);
    }
}

impl Drop for Worst {
    fn drop(&mut self) {
        println!("{}: at most {:.1e}", self.0, self.1);
    }
}

/// The kernel computes what the tensor operations define, and so does its reverse pass, whether states are kept or
/// rebuilt. 67 states are a block and a part of one.
///
/// Up to 8 steps of up to 11 stages, some hundred roundings each that mostly cancel: of the largest value, 1e-12 in f64 and
/// 1e-4 in f32 are several hundred to several thousand roundings.
#[test]
fn kernel_is_its_definition() {
    const PAIRS: [(&str, Map, Map); 2] = [
        ("forward", FORWARD, |dynamics, params, state| dynamics.forward_by_definition(params, state)),
        ("inverse", INVERSE, |dynamics, params, state| dynamics.inverse_by_definition(params, state)),
    ];
    let mut worst = [Worst("kernel, f64", 0.0), Worst("kernel, f32", 0.0)];
    for (scheme, (case, change)) in splittings().flat_map(|scheme| CASES.map(|case| (scheme, case))) {
        for (worst, (dtype, tolerance)) in worst.iter_mut().zip([(DType::F64, 1e-12), (DType::F32, 1e-4)]) {
            for memory in [Memory::Stored, Memory::Reversible] {
                let chain = Chain::new(Settings { memory, ..settings(scheme, change) }, 2, dtype, 3);
                let state = states(67, 2, dtype);
                for (way, kernel, definition) in PAIRS {
                    let (got, expected) = (chain.pull(kernel, &state), chain.pull(definition, &state));
                    for ((what, got), expected) in ["end", "in parameters", "in state"].iter().zip(got).zip(expected) {
                        let place = format!("{} {case}, {memory:?}, {way}: {what}", scheme.name);
                        worst.hold(relative_gap(&got, &expected), tolerance, &place);
                    }
                }
            }
        }
    }
}

/// Rebuilding the states gives the gradient that keeping them gives, over 40 steps as well.
///
/// Rounding is amplified on the way back by at most the Jacobian, here below 10³: 1e-10 in f64, 1e-3 in f32.
#[test]
fn rebuilt_gradient_is_the_stored_one() {
    let mut worst = [Worst("rebuilt gradient, f64", 0.0), Worst("rebuilt gradient, f32", 0.0)];
    for (scheme, (case, change)) in splittings().flat_map(|scheme| CASES.map(|case| (scheme, case))) {
        for (worst, (dtype, tolerance)) in worst.iter_mut().zip([(DType::F64, 1e-10), (DType::F32, 1e-3)]) {
            for (way, map) in [("forward", FORWARD), ("inverse", INVERSE)] {
                let [stored, rebuilt] = [Memory::Stored, Memory::Reversible].map(|memory| {
                    let settings = Settings { memory, n_steps: 20, step_size: 0.1, ..settings(scheme, change) };
                    Chain::new(settings, 3, dtype, 4).pull(map, &states(67, 3, dtype))
                });
                assert_eq!(values(&stored[0]), values(&rebuilt[0]));
                for i in [1, 2] {
                    let place = format!("{} {case}, {way}", scheme.name);
                    worst.hold(relative_gap(&rebuilt[i], &stored[i]), tolerance, &place);
                }
            }
        }
    }
}

/// The stated log-det is that of autograd's Jacobian of (q, p), the inverse's that of the forward map at the point found.
///
/// 1e-10: 2d ≤ 6 reverse passes and an LU in f64 lose a few digits of 16.
#[test]
fn stated_log_det_is_that_of_the_jacobian() {
    let mut worst = Worst("log-det", 0.0);
    for (scheme, dim) in SCHEMES.iter().flat_map(|scheme| DIMS.map(|dim| (scheme, dim))) {
        for (case, change) in CASES {
            let chain = Chain::new(settings(scheme, change), dim, DType::F64, 5);
            let (params, state) = (chain.params(), states(7, dim, DType::F64));
            let (end, stated) = chain.dynamics.forward(&params, &state).unwrap();
            let oracle = log_det::by_autograd(&state, |state| Ok(chain.dynamics.forward(&params, state)?.0)).unwrap();
            let place = format!("{} {case} in {dim}-d", scheme.name);
            worst.hold(largest_gap(&values(&stated), &oracle), 1e-10, &place);
            let by_inverse = chain.dynamics.inverse(&params, &end).unwrap().1;
            worst.hold(largest_gap(&values(&by_inverse), &oracle), 1e-10, &format!("{place}, inverse"));
        }
    }
}

/// A scheme that does not preserve volume has a log-det to speak of at a large step, with its derivative as gradient.
///
/// Central differences with h = 1e-6: cancellation near 1e-9, truncation likewise, although the logarithm of a determinant
/// near zero has large third derivatives.
#[test]
fn log_det_of_other_schemes_matters_and_has_its_gradient() {
    let mut worst = Worst("gradient of the log-det", 0.0);
    for scheme in SCHEMES.iter().filter(|scheme| !scheme.volume_preserving) {
        let settings = Settings { step_size: 2.0, ..settings(scheme, |s| s.learn_step_size = true) };
        let mut chain = Chain::new(settings, 2, DType::F64, 6);
        chain.flat = (&chain.flat * 1.5).unwrap();
        let state = states(7, 2, DType::F64);
        let flat = Var::from_tensor(&chain.flat).unwrap();
        let params = Params::new(flat.as_tensor(), &chain.layout);
        let log_det = chain.dynamics.forward(&params, &state).unwrap().1;
        let largest = values(&log_det).iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
        assert!(largest > 0.1, "{}: log-det is at most {largest}", scheme.name);
        println!("{}: log-det up to {largest:.2}", scheme.name);
        let grad = values(log_det.sum_all().unwrap().backward().unwrap().get(flat.as_tensor()).unwrap());
        let start = values(&chain.flat);
        for (index, grad) in grad.iter().enumerate() {
            let mut moved = |by: f64| {
                let mut moved = start.clone();
                moved[index] += by;
                chain.flat = Tensor::new(moved, &Device::Cpu).unwrap();
                values(&chain.dynamics.forward(&chain.params(), &state).unwrap().1).iter().sum::<f64>()
            };
            let difference = (moved(1e-6) - moved(-1e-6)) / 2e-6;
            let gap = (grad - difference).abs() / (1.0 + difference.abs());
            worst.hold(gap, 1e-7, &format!("{} parameter {index}", scheme.name));
        }
    }
}

/// The inverse undoes the map. Rounding is amplified by at most the Jacobian: 1e-10 in f64, 1e-4 in f32.
///
/// The step is such that the iterations of explicit schemes contract: RK4's does for h·ω < log 2 only, at saddles of H.
///
/// With −h in place of h the map is undone by time-symmetric schemes, and by no other: published code has it otherwise.
#[test]
fn inverse_undoes_the_chain() {
    let mut worst = [Worst("inverse, f64", 0.0), Worst("inverse, f32", 0.0)];
    for (scheme, dim) in SCHEMES.iter().flat_map(|scheme| DIMS.map(|dim| (scheme, dim))) {
        for (case, change) in CASES {
            let place = format!("{} {case} in {dim}-d", scheme.name);
            for (worst, (dtype, tolerance)) in worst.iter_mut().zip([(DType::F64, 1e-10), (DType::F32, 1e-4)]) {
                let settings = Settings { step_size: 0.15, ..settings(scheme, change) };
                let chain = Chain::new(settings, dim, dtype, 7);
                let state = states(67, dim, dtype);
                let end = chain.forward(&state);
                let back = chain.dynamics.inverse(&chain.params(), &end).unwrap().0;
                worst.hold(largest_gap(&values(&state), &values(&back)), tolerance, &place);
                let moved = largest_gap(&values(&state), &values(&end));
                assert!(moved > 0.1, "{place}: nothing moves");
                if dtype == DType::F64 {
                    let negated = chain.dynamics.forward_with_negated_step(&chain.params(), &end).unwrap();
                    let gap = largest_gap(&values(&state), &values(&negated));
                    assert_eq!(gap < 1e-12, scheme.reversible, "{place}: −h is off by {gap:e}");
                }
            }
        }
    }
}

/// Every parameter group of U and of K moves the trajectory: published code has a K that is learnt and never used.
#[test]
fn both_energies_move_the_trajectory() {
    for scheme in &SCHEMES {
        for (case, change) in CASES {
            let mut chain = Chain::new(settings(scheme, change), 2, DType::F64, 8);
            let (state, start) = (states(7, 2, DType::F64), values(&chain.flat));
            let end = values(&chain.forward(&state));
            for slice in chain.layout.slices().to_vec() {
                let mut stream = Stream::new(9);
                let mut moved = start.clone();
                moved[slice.offset..slice.offset + slice.len()].iter_mut().for_each(|v| *v += 0.3 * stream.normal());
                chain.flat = Tensor::new(moved, &Device::Cpu).unwrap();
                let gap = largest_gap(&end, &values(&chain.forward(&state)));
                assert!(gap > 1e-4, "{} {case}: `{}` moves the end by {gap:e}", scheme.name, slice.name);
            }
            let has = |energy: &str| chain.layout.slices().iter().any(|slice| slice.name.starts_with(energy));
            let unit = chain.dynamics.settings().kinetic == KineticName::Unit;
            assert!(has("potential") && has("kinetic") != unit, "{case}");
        }
    }
}

/// A flow on the line with what is needed to find its likelihood by quadrature: its prior and its dynamics.
struct Line {
    name: String,
    config: Value,
    flow: Hamiltonian,
    flat: Tensor,
    dynamics: Dynamics,
    momentum: Option<Encoder>,
    base: Base,
}

/// Cells of the quadratures are this wide.
const CELL: f64 = 0.1;
/// They reach from −this to this.
const WINDOW: f64 = 10.0;

fn lines() -> Vec<Line> {
    [
        json!({}),
        json!({"base": "soft-uniform", "base_width": 3.0, "base_softness": 6.0, "n_steps": 3}),
        json!({"integrator": "symplectic-euler", "kinetic": "fixed", "learn_step_size": true, "shared": true}),
        json!({"momentum": "conditional", "activation": "silu"}),
        json!({"integrator": "explicit-euler", "hamiltonians": 1, "n_steps": 4, "step_size": 0.4, "activation": "silu"}),
        json!({"integrator": "rk4", "momentum": "conditional", "hamiltonians": 1, "n_steps": 1, "step_size": 0.5}),
    ]
    .into_iter()
    .map(Line::new)
    .collect()
}

impl Line {
    fn new(changes: Value) -> Self {
        let mut config = json!({"hamiltonians": 2, "n_steps": 2, "hidden": [5, 4], "encoder_hidden": [4]});
        config.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let flow: Hamiltonian = flow(&config, 1);
        // Energies as elsewhere, the conditionals half as rough.
        let start = flow.init(10).unwrap();
        let (rough, fine) = (values(&shaken(start.clone(), 0.5, 10, DType::F64)), shaken(start, 0.2, 11, DType::F64));
        let mut flat = values(&fine);
        for slice in flow.layout().slices() {
            let range = slice.offset..slice.offset + slice.len();
            if !slice.name.starts_with("encoder") && !slice.name.starts_with("momentum") {
                flat[range].copy_from_slice(&rough[slice.offset..slice.offset + slice.len()]);
            }
        }
        let parsed: hamiltonian::Config = serde_json::from_value(config.clone()).unwrap();
        let settings = Settings {
            hamiltonians: parsed.hamiltonians,
            shared: parsed.shared,
            scheme: parsed.integrator.scheme(),
            n_steps: parsed.n_steps,
            step_size: parsed.step_size,
            learn_step_size: parsed.learn_step_size,
            hidden: parsed.hidden,
            activation: parsed.activation.into(),
            kinetic: parsed.kinetic,
            memory: parsed.memory,
        };
        let momentum = (parsed.momentum == Momentum::Conditional).then(|| Encoder::new("momentum", 1, &[4]));
        Self {
            name: changes.to_string(),
            config,
            flow,
            flat: Tensor::new(flat, &Device::Cpu).unwrap(),
            dynamics: Dynamics::new(settings, 1),
            momentum,
            base: Base::new(parsed.base, parsed.base_width, parsed.base_softness),
        }
    }

    /// The parameters with an encoder that is wider or narrower by that factor's logarithm, about.
    fn with_encoder(&self, log_sd: f64) -> Tensor {
        let mut flat = values(&self.flat);
        let slice = self.flow.layout().slices().iter().find(|slice| slice.name == "encoder.log_sd.b1").unwrap();
        flat[slice.offset] = log_sd;
        Tensor::new(flat, &Device::Cpu).unwrap()
    }

    /// q(x) = ∫ π(φ⁻¹(x, p)) |det ∂φ⁻¹| dp by the midpoint rule with cells of width `cell`.
    fn likelihood(&self, x: &[f64], cell: f64) -> Vec<f64> {
        let m = (2.0 * WINDOW / cell).round() as usize;
        let rows: Vec<f64> =
            x.iter().flat_map(|&x| (0..m).flat_map(move |i| [x, -WINDOW + (i as f64 + 0.5) * cell])).collect();
        let end = Tensor::from_vec(rows, (x.len() * m, 2), &Device::Cpu).unwrap();
        let params = Params::new(&self.flat, self.flow.layout());
        let (start, log_det) = self.dynamics.inverse(&params, &end).unwrap();
        let (q, p) = (start.narrow(1, 0, 1).unwrap(), start.narrow(1, 1, 1).unwrap());
        let of_p = match &self.momentum {
            Some(momentum) => momentum.log_density(&params, &q.contiguous().unwrap(), &p).unwrap(),
            None => self.base.log_density(&p).unwrap(),
        };
        let log_joint = ((self.base.log_density(&q).unwrap() + of_p).unwrap() - log_det).unwrap();
        values(&log_joint.exp().unwrap()).chunks(m).map(|row| row.iter().sum::<f64>() * cell).collect()
    }

    /// Midpoints of the cells, and q there.
    fn on_grid(&self) -> Vec<(f64, f64)> {
        let m = (2.0 * WINDOW / CELL).round() as usize;
        let x: Vec<f64> = (0..m).map(|i| -WINDOW + (i as f64 + 0.5) * CELL).collect();
        let q = self.likelihood(&x, CELL);
        x.into_iter().zip(q).collect()
    }

    /// Estimates of log q(x) with `k` importance samples: `rows` from each of `seeds` seeds.
    ///
    /// The encoder is wider than what it stands in for, so that its weights have a variance.
    fn estimates(&self, x: f64, k: usize, seeds: u64, rows: usize) -> Vec<f64> {
        let mut config = self.config.clone();
        config["importance_samples"] = k.into();
        let flow: Hamiltonian = flow(&config, 1);
        let flat = self.with_encoder(0.5);
        let params = Params::new(&flat, flow.layout());
        let x = Tensor::full(x, (rows, 1), &Device::Cpu).unwrap();
        (0..seeds).flat_map(|seed| values(&flow.density(&params, &x, 100 + seed).unwrap())).collect()
    }
}

fn flow<F: Flow>(config: &Value, dim: usize) -> F {
    let setup = Setup { dim, dtype: DType::F64, device: Device::Cpu, target: Target::absent() };
    F::new(serde_json::from_value(config.clone()).unwrap(), &setup).unwrap()
}

/// Mean and its standard error.
fn mean(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, (variance / n).sqrt())
}

/// The likelihood integrates to one, and draws follow it.
///
/// The integrand is analytic in a strip about the real line and vanishes with all derivatives at ±10, so the midpoint rule
/// converges exponentially: 1e-8, as halving the cell shows. The kinks of a learnt conditional's ReLU leave it the second
/// order of 0.1: 1e-3. Draws: Kolmogorov and Smirnov's statistic at the edges of cells, where the distribution function is
/// known to h²q′/24 < 1e-3; 1.95/√n is its 0.1 % point.
#[test]
fn likelihood_integrates_to_one_and_draws_follow_it() {
    let mut worst = ["quadrature", "mass", "Kolmogorov–Smirnov √n D"].map(|name| Worst(name, 0.0));
    for line in lines() {
        let exact = if line.momentum.is_some() { 1e-3 } else { 1e-8 };
        let [coarse, fine] = [CELL, CELL / 2.0].map(|cell| line.likelihood(&[-1.5, 0.0, 1.0], cell));
        worst[0].hold(largest_gap(&coarse, &fine), exact, &line.name);
        let n = 20_000;
        let params = Params::new(&line.flat, line.flow.layout());
        let mut draws = values(&line.flow.sample(&params, 12, n).unwrap().x);
        draws.sort_by(f64::total_cmp);
        let (mut mass, mut largest) = (0.0, 0.0f64);
        for (x, q) in line.on_grid() {
            mass += q * CELL;
            let below = draws.partition_point(|&draw| draw < x + CELL / 2.0) as f64 / n as f64;
            largest = largest.max((below - mass).abs());
        }
        worst[1].hold((mass - 1.0).abs(), exact, &line.name);
        worst[2].hold(largest * (n as f64).sqrt(), 1.95, &line.name);
    }
}

/// Densities are estimates of log q(x) from below (Jensen; three standard errors), closer with more importance samples,
/// and their exponentials are unbiased (four standard errors). Seeds are fixed: a law that held once holds again.
#[test]
fn densities_bound_the_likelihood_and_are_unbiased() {
    for line in lines() {
        let points = [-1.5, 0.0, 1.0];
        for (x, q) in points.into_iter().zip(line.likelihood(&points, CELL)) {
            let mut gaps = Vec::new();
            for (k, seeds, rows) in [(1, 20, 1000), (64, 4, 100)] {
                let place = format!("{} at {x}, {k} samples", line.name);
                let log_q = line.estimates(x, k, seeds, rows);
                let (bound, se) = mean(&log_q);
                assert!(bound - 3.0 * se <= q.ln(), "{place}: {bound} ± {se} but log q {}", q.ln());
                gaps.push((q.ln() - bound, se));
                let (estimate, se) = mean(&log_q.iter().map(|log_q| log_q.exp()).collect::<Vec<f64>>());
                let off = (estimate - q).abs() / se;
                assert!(off < 4.0, "{place}: {estimate} ± {se} but q {q}");
                println!(
                    "{place}: log q − bound {:.4} ± {:.4}, q off by {off:.1} SE",
                    gaps.last().unwrap().0,
                    gaps.last().unwrap().1
                );
            }
            let (one, many) = (gaps[0], gaps[1]);
            assert!(many.0 + 3.0 * many.1 < one.0 - 3.0 * one.1, "{} at {x}: {gaps:?}", line.name);
        }
    }
}

/// Draws weigh to one: E[g(x)/e^{log q}] = ∫∫ g(x) f(p|x) dp dx = 1 for any density g, here a normal of variance ½ in their
/// midst, within four standard errors. This is what makes E[log γ − log q] a bound of log Z. The encoder is narrow, so that the weights have a variance.
#[test]
fn draws_weigh_to_one() {
    for line in lines() {
        let flat = line.with_encoder(-0.7);
        let draws = line.flow.sample(&Params::new(&flat, line.flow.layout()), 17, 200_000).unwrap();
        let x = values(&draws.x);
        let centre = mean(&x).0;
        let log_g = |x: f64| -(x - centre).powi(2) - 0.5 * std::f64::consts::PI.ln();
        let log_w = x.into_iter().zip(values(&draws.log_q)).map(|(x, log_q)| log_g(x) - log_q);
        let (mean, se) = mean(&log_w.map(f64::exp).collect::<Vec<f64>>());
        println!("{}: weights are {mean:.4} ± {se:.4}", line.name);
        assert!((mean - 1.0).abs() < 4.0 * se && se < 0.01, "{}: weights are {mean} ± {se}", line.name);
    }
}

/// Groups of parameters by the prefixes of their names.
const GROUPS: [&str; 4] = ["potential", "kinetic", "encoder.mean", "encoder.log_sd"];

/// Mistakes, and the groups whose gradient each changes: through draws, and through densities.
///
/// Through draws the prior's gradient is zero with p₀ or without, for (q₀, p₀) does not depend on the parameters; and
/// there nothing is inverted. At a given x the encoder's log-density, in terms of its noise, is −Σ log σ(x) alone.
const MISTAKES: [(&str, &[&str], &[&str]); 5] = [
    ("minimised-elbo", &GROUPS, &GROUPS),
    ("prior-on-position-only", &[], &GROUPS),
    ("encoder-without-half", &["potential", "kinetic", "encoder.log_sd"], &["encoder.log_sd"]),
    ("encoder-summed-over-batch", &GROUPS, &["encoder.log_sd"]),
    ("negated-step-as-inverse", &[], &GROUPS),
];

/// With these mistakes, in two dimensions; parameters are the same for all that have the same layout.
fn mistaken(mistakes: &[&str]) -> (HamiltonianMistakes, Tensor) {
    let config = json!({"mistakes": mistakes, "hidden": [5, 4], "n_steps": 2, "step_size": 0.5});
    let flow: HamiltonianMistakes = flow(&config, 2);
    let flat = shaken(flow.init(13).unwrap(), 0.3, 14, DType::F64);
    (flow, flat)
}

const N: usize = 16;

fn points() -> Tensor {
    Base::Gaussian.draw(15, N, 2, DType::F64, &Device::Cpu).unwrap()
}

/// Gradients through draws and through densities.
fn gradients(flow: &HamiltonianMistakes, flat: &Tensor) -> [Vec<f64>; 2] {
    let (grad_x, grad_log_q) = (points(), Tensor::full(1.0 / N as f64, N, &Device::Cpu).unwrap());
    let by_draws = flow.sample_taped(flat, 16, N).unwrap().1.backward(Some(&grad_x), &grad_log_q).unwrap();
    let by_densities = flow.density_taped(flat, &points(), 16).unwrap().1.backward(None, &grad_log_q).unwrap();
    [values(&by_draws), values(&by_densities)]
}

/// x, log q of draws, and densities, as they are evaluated.
fn evaluated<F: Density>(flow: &F, flat: &Tensor) -> [Vec<f64>; 3] {
    let params = Params::new(flat, flow.layout());
    let draws = flow.sample(&params, 16, N).unwrap();
    [values(&draws.x), values(&draws.log_q), values(&flow.density(&params, &points(), 16).unwrap())]
}

/// Each mistake changes the gradients that it should, by a tenth of a per cent at least, and no other, to rounding.
#[test]
fn mistakes_change_the_gradient() {
    let (flow, flat) = mistaken(&[]);
    let right = gradients(&flow, &flat);
    for (mistake, by_draws, by_densities) in MISTAKES {
        let (mistaken, _) = mistaken(&[mistake]);
        let wrong = gradients(&mistaken, &flat);
        for (what, changed, (right, wrong)) in
            [("draws", by_draws, (&right[0], &wrong[0])), ("densities", by_densities, (&right[1], &wrong[1]))]
        {
            if mistake == "minimised-elbo" {
                assert!(right.iter().zip(wrong).all(|(right, wrong)| *right == -wrong), "{mistake}, {what}");
            }
            for group in GROUPS {
                let part = |grad: &[f64]| -> Vec<f64> {
                    let slices = flow.layout().slices().iter().filter(|slice| slice.name.starts_with(group));
                    slices.flat_map(|slice| grad[slice.offset..slice.offset + slice.len()].to_vec()).collect()
                };
                let (right, wrong) = (part(right), part(wrong));
                let gap = largest_gap(&right, &wrong) / right.iter().fold(0.0, |size: f64, g| size.max(g.abs()));
                let place = format!("{mistake}, {what}: {group} is off by {gap:.1e}");
                println!("{place}");
                assert!(if changed.contains(&group) { gap > 1e-3 } else { gap < 1e-12 }, "{place}");
            }
        }
    }
}

/// What is evaluated stays right, bit by bit, and is what the `hamiltonian` flow says with the same parameters.
#[test]
fn mistakes_leave_evaluation_alone() {
    let (right, flat) = mistaken(&[]);
    let expected = evaluated(&right, &flat);
    for (mistake, ..) in MISTAKES {
        assert_eq!(evaluated(&mistaken(&[mistake]).0, &flat), expected, "{mistake}");
    }
    let config = json!({"integrator": "symplectic-euler", "hidden": [5, 4], "encoder_hidden": [5, 4], "n_steps": 2, "step_size": 0.5});
    let same: Hamiltonian = flow(&config, 2);
    assert_eq!(same.layout(), right.layout());
    let mut worst = Worst("flow without mistakes", 0.0);
    for (got, expected) in evaluated(&same, &flat).iter().zip(&expected) {
        worst.hold(largest_gap(got, expected), 1e-12, "hamiltonian");
    }
}

/// Without its K the flow has no parameters of it, and is another: with unit masses.
#[test]
fn unused_kinetic_energy_is_none() {
    let (flow_, flat) = mistaken(&["kinetic-unused"]);
    assert!(flow_.layout().slices().iter().all(|slice| !slice.name.starts_with("kinetic")));
    let config = json!({
        "integrator": "symplectic-euler", "kinetic": "unit", "hidden": [5, 4], "encoder_hidden": [5, 4], "n_steps": 2,
        "step_size": 0.5,
    });
    let same: Hamiltonian = flow(&config, 2);
    assert_eq!(same.layout(), flow_.layout());
    for (got, expected) in evaluated(&same, &flat).iter().zip(evaluated(&flow_, &flat)) {
        assert!(largest_gap(got, &expected) < 1e-12);
    }
}
