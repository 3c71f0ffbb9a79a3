//! Figures on the stability of learnt dynamics, over a small batch of phase-space points.
//!
//! - `energy_error`: median over points of |H_i(φ_i(s)) − H_i(s)|, of the worst Hamiltonian;
//! - `reversibility_error`: largest ‖φ⁻¹(φ(s)) − s‖ over the whole chain, in the dtype of training: also what
//!   `memory: reversible` loses by rebuilding states;
//! - `log_det_error`, and its median `log_det_error_p50`: |stated − autodiff log |det|| of the (q, p) Jacobian, in f64, so
//!   that it judges the formula and not the rounding of a map with a large Jacobian;
//! - `force_max`: largest |∇U_i| at the ends of the Hamiltonians' arcs;
//! - `stability_ratio`, and its median `stability_ratio_p50`: h·√|λ| / limit, λ the eigenvalue of largest modulus of
//!   K''(p)·U''(q), the square of the local frequency, and limit the scheme's on the oscillator: above 1 the scheme is
//!   unstable there. Missing for a scheme that is never, or always, stable;
//! - `downhill_share`: share of points whose last arc ends at a lower U_T than it began;
//! - `basin_share`: share of the ends at which U_T is convex, its Hessian positive definite.

use flow_sdk::candle_core::{DType, Tensor};
use flow_sdk::kernels::integrator::Stability;
use flow_sdk::{Error, Params, Result, log_det};
use nalgebra::DMatrix;

use crate::layer::Phase;
use crate::{Dynamics, Energy};

/// Names of the figures, in order.
pub const FIGURES: &[&str] = &[
    "energy_error",
    "reversibility_error",
    "log_det_error",
    "log_det_error_p50",
    "force_max",
    "stability_ratio",
    "stability_ratio_p50",
    "downhill_share",
    "basin_share",
];

/// The figures at the starts `state` `[n, 2d]`.
pub fn figures(dynamics: &Dynamics, params: &Params<'_>, state: &Tensor) -> Result<Vec<f64>> {
    let (end, _) = dynamics.forward(params, state)?;
    let (again, _) = dynamics.inverse(params, &end)?;
    let gaps = values(&(again - state)?.sqr()?.sum(1)?.sqrt()?)?;
    let log_det_errors = log_det_errors(dynamics, params, state)?;
    let along = Along::of(dynamics, params, state)?;
    Ok(vec![
        along.energy_errors.iter().map(|errors| median(errors)).fold(0.0, larger),
        gaps.into_iter().fold(0.0, larger),
        log_det_errors.iter().copied().fold(0.0, larger),
        median(&log_det_errors),
        along.forces.into_iter().fold(0.0, larger),
        along.ratios.iter().copied().fold(if along.ratios.is_empty() { f64::NAN } else { 0.0 }, larger),
        median(&along.ratios),
        share(&along.downhill),
        share(&along.basin),
    ])
}

/// What is seen on the way, Hamiltonian by Hamiltonian.
#[derive(Default)]
struct Along {
    energy_errors: Vec<Vec<f64>>,
    forces: Vec<f64>,
    ratios: Vec<f64>,
    /// Of the last Hamiltonian.
    downhill: Vec<bool>,
    basin: Vec<bool>,
}

impl Along {
    fn of(dynamics: &Dynamics, params: &Params<'_>, state: &Tensor) -> Result<Self> {
        let mut along = Self::default();
        let steps = values(&dynamics.step_sizes(params)?)?;
        let mut state = state.clone();
        for i in 0..dynamics.settings().hamiltonians {
            let step = steps[i.min(steps.len() - 1)];
            let next = dynamics.advance_one(params, i, &state)?;
            let change = (dynamics.energy(params, i, &next)? - dynamics.energy(params, i, &state)?)?;
            along.energy_errors.push(values(&change)?.into_iter().map(f64::abs).collect());
            for end in [&state, &next] {
                let force = dynamics.hamiltonian(i).0.gradient(params, &Phase::split(end)?.q)?;
                along.forces.extend(values(&force.sqr()?.sum(1)?.sqrt()?)?);
            }
            if let Stability::Limit(limit) = dynamics.settings().scheme.stability {
                along.ratios.extend(frequencies(dynamics, params, i, &state)?.iter().map(|omega| step * omega / limit));
            }
            if i + 1 == dynamics.settings().hamiltonians {
                let (potential, _) = dynamics.hamiltonian(i);
                let (from, to) = (Phase::split(&state)?.q, Phase::split(&next)?.q);
                let fall = (potential.value(params, &from)? - potential.value(params, &to)?)?;
                along.downhill = values(&fall)?.into_iter().map(|fall| fall > 0.0).collect();
                let convex = |hessian: DMatrix<f64>| hessian.cholesky().is_some();
                along.basin = hessians(potential, params, &to)?.into_iter().map(convex).collect();
            }
            state = next;
        }
        Ok(along)
    }
}

/// √|λ| at every point, λ the eigenvalue of largest modulus of K''(p)·U''(q).
fn frequencies(dynamics: &Dynamics, params: &Params<'_>, i: usize, state: &Tensor) -> Result<Vec<f64>> {
    let Phase { q, p, .. } = Phase::split(state)?;
    let (potential, kinetic) = dynamics.hamiltonian(i);
    let pairs = hessians(kinetic, params, &p)?.into_iter().zip(hessians(potential, params, &q)?);
    let radius = |product: DMatrix<f64>| {
        // The eigenvalue iteration does not end on numbers that are none.
        if product.iter().any(|entry| !entry.is_finite()) {
            return f64::NAN;
        }
        product.complex_eigenvalues().iter().map(|lambda| lambda.norm()).fold(0.0, f64::max)
    };
    Ok(pairs.map(|(k, u)| radius(k * u).sqrt()).collect())
}

/// The Hessian of an energy at every row of x.
fn hessians(energy: &Energy, params: &Params<'_>, x: &Tensor) -> Result<Vec<DMatrix<f64>>> {
    let (n, d) = x.dims2()?;
    // Column j of every Hessian at once.
    let columns: Vec<Vec<f64>> = (0..d)
        .map(|j| {
            let unit = Tensor::eye(d, x.dtype(), x.device())?.narrow(0, j, 1)?.broadcast_as((n, d))?.contiguous()?;
            values(&energy.hessian_product(params, x, &unit)?)
        })
        .collect::<Result<_>>()?;
    Ok((0..n).map(|row| DMatrix::from_fn(d, d, |i, j| columns[j][row * d + i])).collect())
}

/// |stated − autodiff| of the log-det at every point, in f64.
fn log_det_errors(dynamics: &Dynamics, params: &Params<'_>, state: &Tensor) -> Result<Vec<f64>> {
    let flat = params.flat().detach().to_dtype(DType::F64)?;
    let params = Params::new(&flat, params.layout());
    let state = state.to_dtype(DType::F64)?;
    let stated = values(&dynamics.forward(&params, &state)?.1)?;
    let oracle = log_det::by_autograd(&state, |state| Ok(dynamics.forward(&params, state)?.0))?;
    Ok(stated.iter().zip(oracle).map(|(stated, oracle)| (stated - oracle).abs()).collect())
}

fn values(tensor: &Tensor) -> Result<Vec<f64>> {
    tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1().map_err(Error::from)
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

fn share(flags: &[bool]) -> f64 {
    flags.iter().filter(|&&flag| flag).count() as f64 / flags.len() as f64
}

/// The larger of two; what is not a number stays.
fn larger(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) }
}
