//! The transition on slices, a tile of chains at a time: momenta, trajectory, acceptance.
//!
//! For splittings that are their own inverse; formulas are those of the sampler. A tile of chains goes through the whole
//! trajectory while it is in cache. Shapes: row-major `[m, d]`, a chain a row. Deviation: kicks at one place are one kick.

use flow_sdk::kernels::dispatch;
use flow_sdk::kernels::integrator::Stage;
use flow_sdk::kernels::panel::Buffer;
use flow_sdk::kernels::real::Real;
use flow_sdk::kernels::scratch::Scratch;
use flow_sdk::kernels::simd::Level;
use flow_sdk::{Element, Layout, PointRows, Result, Target, TransitionRows, WarmUp, metropolis};

/// Numbers of a tile of chains, at most: q, p and ∇ log γ of that many and their scales are 180 KiB of f32, a share of L2. What an
/// eighth of it would gain in L1 it loses in calls of the target, a tenth to a fifth of a transition (`step hmc`).
const TILE: usize = 11_200;

/// Trajectories of fixed stages.
#[derive(Debug)]
pub(crate) struct Kernel {
    pub stages: Vec<Stage>,
    pub jitter: f64,
    pub scratch: Scratch,
}

/// What a thread works in.
#[derive(Default)]
struct Work<T> {
    sd: Vec<T>,
    factors: Vec<T>,
    scales: Buffer<T, 1>,
    q: Buffer<T, 1>,
    p: Buffer<T, 1>,
    grad: Buffer<T, 1>,
    before: Vec<T>,
    value: Vec<T>,
    uniforms: Vec<f64>,
}

impl Kernel {
    /// As [`FusedSampler::transition_rows`](flow_sdk::FusedSampler::transition_rows).
    pub fn transition_rows<T: Element>(
        &self,
        (warm_up, layout, target): (&WarmUp, &Layout, &Target),
        params: &[T],
        from: PointRows<'_, T>,
        seed: u64,
        first: usize,
        mut to: TransitionRows<'_, T>,
    ) -> Result<()> {
        let rows = from.log_density.len();
        if rows == 0 {
            return Ok(());
        }
        let dim = from.x.len() / rows;
        // Tiles of one size, so that none is a remainder.
        let tiles = (rows * dim).div_ceil(TILE).min(rows);
        self.scratch.with(|work: &mut Work<T>| {
            let h = warm_up.read_rows(params, layout, &mut work.sd)?;
            for tile in 0..tiles {
                let at = tile * rows / tiles..(tile + 1) * rows / tiles;
                let first = first + at.start;
                self.tile(work, h, target, from.rows(at.clone(), dim), seed, first, to.rows(at, dim))?;
            }
            Ok(())
        })
    }

    #[allow(clippy::too_many_arguments, reason = "a kernel's operands")]
    fn tile<T: Element>(
        &self,
        work: &mut Work<T>,
        h: f64,
        target: &Target,
        from: PointRows<'_, T>,
        seed: u64,
        first: usize,
        mut to: TransitionRows<'_, T>,
    ) -> Result<()> {
        let m = from.log_density.len();
        let dim = from.x.len() / m;
        for buffer in [&mut work.q, &mut work.p, &mut work.grad, &mut work.scales] {
            buffer.resize(m * dim);
        }
        for vector in [&mut work.factors, &mut work.before, &mut work.value] {
            vector.resize(m, T::ZERO);
        }
        metropolis::jitters_rows(seed, first, self.jitter, &mut work.factors);
        let Work { sd, factors, scales, q, p, grad, before, value, uniforms } = work;
        let [scales, q, p, grad] = [scales, q, p, grad].map(|buffer| buffer.rows_mut().as_flattened_mut());
        metropolis::normals_rows(seed, first, dim, p);
        // A row of coordinates is seldom a whole number of vectors: one flat array of factors is.
        for (scales, &factor) in scales.chunks_exact_mut(dim).zip(&*factors) {
            scales.iter_mut().zip(&*sd).for_each(|(scale, &sd)| *scale = T::of(h) * factor * sd);
        }
        dispatch!(L => hamiltonian::<L, T>(p, from.log_density, before));
        q.copy_from_slice(from.x);
        grad.copy_from_slice(from.grad);
        value.copy_from_slice(from.log_density);
        let mut known = true;
        let mut stages = self.stages.iter().peekable();
        while let Some(stage) = stages.next() {
            if let Stage::Kick(_) = stage {
                // The last word on where the trajectory ends.
                match (known, stages.peek()) {
                    (true, _) => {}
                    (false, None) => target.evaluate_rows(q, value, grad)?,
                    (false, Some(_)) => target.grad_rows(q, dim, grad)?,
                }
                known = true;
            }
            match (stage, stages.peek()) {
                (&Stage::Kick(kick), Some(&&Stage::Drift(drift))) => {
                    stages.next();
                    dispatch!(L => kick_and_drift::<L, T>(q, p, grad, scales, T::of(kick), T::of(drift)));
                    known = false;
                }
                (&Stage::Kick(c), _) => dispatch!(L => advance::<L, T>(p, grad, scales, T::of(c))),
                (&Stage::Drift(c), _) => {
                    dispatch!(L => advance::<L, T>(q, p, scales, T::of(c)));
                    known = false;
                }
            }
        }
        if !known {
            target.evaluate_rows(q, value, grad)?;
        }
        dispatch!(L => hamiltonian::<L, T>(p, value, to.accept));
        to.accept.iter_mut().zip(&*before).for_each(|(ratio, &before)| *ratio = before - *ratio);
        metropolis::acceptance_rows(to.accept);
        to.proposal.copy_from_slice(q);
        metropolis::choose_rows((seed, first), from, (value, grad), &mut to, uniforms);
        Ok(())
    }
}

/// ½ pᵀp − log γ.
#[inline(always)]
fn hamiltonian<L: Level, T: Real>(p: &[T], log_density: &[T], out: &mut [T]) {
    let dim = p.len() / out.len();
    for ((out, p), &log_density) in out.iter_mut().zip(p.chunks_exact(dim)).zip(log_density) {
        *out = square::<L, T>(p).fma::<L>(T::HALF, -log_density);
    }
}

/// pᵀp, in sixteen partial sums: vectorised, and in one order.
#[inline(always)]
fn square<L: Level, T: Real>(p: &[T]) -> T {
    const PARTS: usize = 16;
    let mut sums = [T::ZERO; PARTS];
    let (whole, rest) = p.as_chunks::<PARTS>();
    for p in whole {
        for j in 0..PARTS {
            sums[j] = p[j].fma::<L>(p[j], sums[j]);
        }
    }
    let rest = rest.iter().fold(T::ZERO, |sum, &p| p.fma::<L>(p, sum));
    sums.iter().fold(rest, |sum, &part| sum + part)
}

/// x += c·scale·rate.
#[inline(always)]
fn advance<L: Level, T: Real>(x: &mut [T], rate: &[T], scales: &[T], c: T) {
    for ((x, &rate), &scale) in x.iter_mut().zip(rate).zip(scales) {
        *x = (rate * scale).fma::<L>(c, *x);
    }
}

/// p += kick·scale·grad, then q += drift·scale·p: in one pass, since passes wait for memory.
#[inline(always)]
fn kick_and_drift<L: Level, T: Real>(q: &mut [T], p: &mut [T], grad: &[T], scales: &[T], kick: T, drift: T) {
    for ((q, p), (&grad, &scale)) in q.iter_mut().zip(p).zip(grad.iter().zip(scales)) {
        *p = (grad * scale).fma::<L>(kick, *p);
        *q = (*p * scale).fma::<L>(drift, *q);
    }
}
