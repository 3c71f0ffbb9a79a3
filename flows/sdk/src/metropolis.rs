//! The Metropolis–Hastings step of n chains at once: noise, acceptance, the choice between going and staying.
//!
//! A proposal with log ratio r = log π(x′) − log π(x) + log |J| + (what else the proposal owes) is accepted with probability
//! min(1, eʳ) (Metropolis et al. 1953; Hastings, Biometrika 57, 1970). A ratio that is not a number is a refusal, so that a
//! trajectory that blew up costs a step, not the chain.

use candle_core::{DType, Tensor};
use flow_cuda::hmc::Streams;
use flow_cuda::noise::Noise as Kind;
use flow_kernels::philox::derive_seed;
use flow_kernels::real::Real;
use flow_kernels::simd::Level;
use flow_kernels::{dispatch, noise};

use crate::{Base, Element, Point, PointRows, Result, Setup, Transition, TransitionRows};

/// Streams of one transition.
#[derive(Clone, Copy, Debug)]
#[repr(u64)]
enum Noise {
    Momentum = 1,
    Acceptance = 2,
    Direction = 3,
    Jitter = 4,
}

impl Noise {
    fn seed(self, seed: u64) -> u64 {
        derive_seed(seed, self as u64, 0)
    }
}

/// Seeds of a transition's streams, for kernels that draw by themselves what the functions here draw.
pub fn streams(seed: u64) -> Streams {
    Streams {
        momentum: Noise::Momentum.seed(seed),
        acceptance: Noise::Acceptance.seed(seed),
        jitter: Noise::Jitter.seed(seed),
    }
}

/// Standard normals `[n, d]` for a transition's `seed`: momenta, or the step of a random walk. Row i does not depend on n.
pub fn normals(setup: &Setup, seed: u64, n: usize) -> Result<Tensor> {
    Base::Gaussian.draw(Noise::Momentum.seed(seed), n, setup.dim, setup.dtype, &setup.device)
}

/// A fair sign `[n, 1]`, 1 or −1: the direction of time of a trajectory.
pub fn signs(setup: &Setup, seed: u64, n: usize) -> Result<Tensor> {
    let signs = column(setup, Kind::Signs, Noise::Direction.seed(seed), n)?;
    Ok(signs.to_dtype(setup.dtype)?.unsqueeze(1)?)
}

/// Uniform factors `[n, 1]` in [1 − jitter, 1 + jitter]: trajectories of one fixed length resonate (Mackenzie, Biometrika
/// 76, 1989).
pub fn jitters(setup: &Setup, seed: u64, n: usize, jitter: f64) -> Result<Tensor> {
    let uniforms = column(setup, Kind::Uniforms, Noise::Jitter.seed(seed), n)?;
    let factors = uniforms.affine(2.0, -1.0)?.affine(jitter, 1.0)?;
    Ok(factors.to_dtype(setup.dtype)?.unsqueeze(1)?)
}

/// [`normals`] on slices: those of rows `first..` in `dim` dimensions.
pub fn normals_rows<T: Element>(seed: u64, first: usize, dim: usize, out: &mut [T]) {
    noise::normals(Noise::Momentum.seed(seed), first * dim, out);
}

/// [`signs`] on slices: those of rows `first..`.
pub fn signs_rows<T: Element>(seed: u64, first: usize, out: &mut [T]) {
    noise::signs(Noise::Direction.seed(seed), first, out);
}

/// [`jitters`] on slices: those of rows `first..`.
pub fn jitters_rows<T: Element>(seed: u64, first: usize, jitter: f64, out: &mut [T]) {
    noise::uniforms(Noise::Jitter.seed(seed), first, out);
    let jitter = T::of(jitter);
    out.iter_mut().for_each(|u| *u = T::ONE + jitter * (*u + *u - T::ONE));
}

/// H(x, p) = ½ pᵀp − log γ(x) of momenta `[n, d]` in units of their masses: `[n]`.
pub fn hamiltonian(log_density: &Tensor, momentum: &Tensor) -> Result<Tensor> {
    Ok(((momentum.sqr()?.sum(1)? * 0.5)? - log_density)?)
}

/// min(1, eʳ) of log ratios `[n]`, differentiable; 0 where r is not a number.
pub fn acceptance(log_ratio: &Tensor) -> Result<Tensor> {
    let zero = log_ratio.zeros_like()?;
    let number = log_ratio.eq(log_ratio)?;
    // What is not a number is cut out before the exponential, so that it has no gradient either. −∞ is left alone: e^−∞ is
    // 0, and so is its slope.
    let tame = number.where_cond(log_ratio, &zero)?;
    Ok((tame.minimum(&zero)?.exp()? * number.to_dtype(log_ratio.dtype())?)?)
}

/// [`acceptance`] on slices, in place of the log ratios.
pub fn acceptance_rows<T: Element>(log_ratios: &mut [T]) {
    #[inline(always)]
    fn kernel<L: Level, T: Real>(ratios: &mut [T]) {
        for ratio in ratios {
            let probability = T::ZERO.min(*ratio).exp::<L>();
            #[allow(clippy::eq_op, reason = "what is not a number is not itself")]
            let number = *ratio == *ratio;
            *ratio = if number { probability } else { T::ZERO };
        }
    }
    dispatch!(L => kernel::<L, T>(log_ratios));
}

/// Accepts each proposal with its probability. `proposed` is where they lead, with the target's word on it.
pub fn choose(setup: &Setup, seed: u64, from: &Point, proposed: Point, accept: Tensor) -> Result<Transition> {
    let uniforms = column(setup, Kind::Uniforms, Noise::Acceptance.seed(seed), from.x.dim(0)?)?;
    // Compared in f64: in f32 a probability below its spacing could never be drawn.
    let goes = uniforms.lt(&accept.detach().to_dtype(DType::F64)?)?;
    let rows = |there: &Tensor, here: &Tensor| -> Result<Tensor> {
        let mask = if there.rank() == 2 { goes.unsqueeze(1)?.broadcast_as(there.shape())? } else { goes.clone() };
        Ok(mask.where_cond(&there.detach(), &here.detach())?)
    };
    let next = Point {
        x: rows(&proposed.x, &from.x)?,
        log_density: rows(&proposed.log_density, &from.log_density)?,
        grad: proposed.grad.as_ref().zip(from.grad.as_ref()).map(|(there, here)| rows(there, here)).transpose()?,
    };
    Ok(Transition { next, proposal: proposed.x, accept })
}

/// [`choose`] on slices, for rows `first..`: from their proposals and acceptance in `to`, where `value` and `grad` are the
/// target's word on the proposals, to where they are next. `uniforms` is memory to work in.
pub fn choose_rows<T: Element>(
    (seed, first): (u64, usize),
    from: PointRows<'_, T>,
    (value, grad): (&[T], &[T]),
    to: &mut TransitionRows<'_, T>,
    uniforms: &mut Vec<f64>,
) {
    let dim = from.x.len() / from.log_density.len().max(1);
    uniforms.resize(to.accept.len(), 0.0);
    uniforms_of(seed, first, uniforms);
    for (row, (&accept, &uniform)) in to.accept.iter().zip(&*uniforms).enumerate() {
        let cells = row * dim..(row + 1) * dim;
        // Compared in f64, as above.
        let goes = uniform < accept.wide();
        let (there, slope, value) =
            if goes { (&*to.proposal, grad, value[row]) } else { (from.x, from.grad, from.log_density[row]) };
        to.x[cells.clone()].copy_from_slice(&there[cells.clone()]);
        to.grad[cells.clone()].copy_from_slice(&slope[cells]);
        to.log_density[row] = value;
    }
}

/// The uniforms that accept rows `first..`.
fn uniforms_of(seed: u64, first: usize, out: &mut [f64]) {
    noise::uniforms(Noise::Acceptance.seed(seed), first, out);
}

/// Uniforms or signs `[n]` in f64, made on the setup's device.
fn column(setup: &Setup, kind: Kind, seed: u64, n: usize) -> Result<Tensor> {
    if setup.device.is_cuda() {
        return Ok(flow_cuda::noise::fill(&setup.device, kind, seed, 0, n, DType::F64)?);
    }
    let mut values = vec![0.0; n];
    match kind {
        Kind::Signs => noise::signs(seed, 0, &mut values),
        _ => noise::uniforms(seed, 0, &mut values),
    }
    Ok(Tensor::from_vec(values, n, &setup.device)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Target;
    use candle_core::{Device, Var};

    /// The slope is eʳ below zero, nothing above it and nothing where there is no number.
    #[test]
    fn acceptance_is_a_probability_with_a_finite_slope() -> Result<()> {
        let log_ratio = Var::new(&[-1.0f64, 3.0, f64::NAN, f64::NEG_INFINITY, f64::INFINITY], &Device::Cpu)?;
        let accept = acceptance(log_ratio.as_tensor())?;
        assert_eq!(accept.to_vec1::<f64>()?, [(-1.0f64).exp(), 1.0, 0.0, 0.0, 1.0]);
        let grads = accept.sum_all()?.backward()?;
        let slopes: Vec<f64> = grads.get(log_ratio.as_tensor()).expect("reached").to_vec1()?;
        assert_eq!(slopes, [(-1.0f64).exp(), 0.0, 0.0, 0.0, 0.0]);
        Ok(())
    }

    /// Over 20,000 chains the share that goes is its probability, to five standard errors; a refused proposal that is not
    /// finite leaves nothing behind.
    #[test]
    fn chains_go_with_their_probability() -> Result<()> {
        let n = 20_000;
        let setup = Setup { dim: 1, dtype: DType::F32, device: Device::Cpu, target: Target::absent() };
        let at = |value: f32| -> Result<Point> {
            let x = Tensor::full(value, (n, 1), &Device::Cpu)?;
            Ok(Point { log_density: x.squeeze(1)?, grad: Some(x.clone()), x })
        };
        for p in [0.0f32, 0.3, 1.0] {
            let proposed = if p == 0.0 { at(f32::NAN)? } else { at(1.0)? };
            let step = choose(&setup, 5, &at(0.0)?, proposed, Tensor::full(p, n, &Device::Cpu)?)?;
            let gone: Vec<f32> = step.next.x.flatten_all()?.to_vec1()?;
            assert_eq!(gone, step.next.log_density.to_vec1::<f32>()?);
            assert_eq!(gone, step.next.grad.expect("given").flatten_all()?.to_vec1::<f32>()?);
            let share = gone.iter().sum::<f32>() / n as f32;
            assert!((share - p).abs() <= 5.0 * (p * (1.0 - p) / n as f32).sqrt(), "{share} but {p}");
        }
        Ok(())
    }
}
