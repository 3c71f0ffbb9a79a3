//! A learnt conditional Gaussian f(y|x) = N(μ(x), diag σ(x)²) at a tile of points, with its reverse passes.
//!
//! μ and s are networks of their own, log σ = b tanh(s/b) with a bound b, or s itself. With e = (y − μ)/σ:
//! log f = −½ Σ [e² + 2 log σ + log 2π]; ∂y = −e/σ, ∂μ = e/σ, ∂ log σ = e² − 1. A draw is y = μ + σe with e given: there
//! ∂μ = ȳ, ∂ log σ = σe ȳ, and log f changes with −log σ only. ∂s = (1 − tanh²(s/b)) ∂ log σ.
//! Shapes: x, y, e and cotangents are columns `[d][m]`; log f and its cotangents `[m]`. Parameters, flat: those of μ, then
//! those of s. Deviation: none.

use crate::dispatch;
use crate::mlp::Network;
use crate::panel::{Buffer, from_columns, panels, to_columns};
use crate::real::Real;
use crate::simd::Level;

/// The two networks.
#[derive(Clone, Debug, PartialEq)]
pub struct Conditional {
    dim: usize,
    mean: Network,
    log_sd: Network,
    bound: Option<f64>,
}

/// Memory of one thread, reused from tile to tile: packed parameters, their gradients, what a forward pass left.
#[derive(Debug)]
pub struct ConditionalWork<T> {
    packed: [Buffer<T>; 2],
    grads: [Buffer<T>; 2],
    kept: [Buffer<T>; 2],
    rows: Buffer<T>,
    out: Buffer<T>,
    into: Buffer<T>,
    scratch: Buffer<T>,
    /// μ, log σ, ∂s/∂ log σ, e: columns.
    columns: [Vec<T>; 4],
    /// Cotangents of μ and of s.
    of: [Vec<T>; 2],
}

impl<T> Default for ConditionalWork<T> {
    fn default() -> Self {
        let pair = || [Buffer::default(), Buffer::default()];
        Self {
            packed: pair(),
            grads: pair(),
            kept: pair(),
            rows: Buffer::default(),
            out: Buffer::default(),
            into: Buffer::default(),
            scratch: Buffer::default(),
            columns: [const { Vec::new() }; 4],
            of: [const { Vec::new() }; 2],
        }
    }
}

impl Conditional {
    /// In d dimensions, with the hidden widths of either network, and a bound on |log σ| if there is one.
    pub fn new(dim: usize, hidden: &[usize], bound: Option<f64>) -> Self {
        let network = || Network::new(dim, hidden, dim);
        Self { dim, mean: network(), log_sd: network(), bound }
    }

    /// Number of parameters.
    pub fn n_params(&self) -> usize {
        2 * self.mean.chain().n_params()
    }

    /// Takes parameters.
    pub fn prepare<T: Real>(&self, params: &[T], work: &mut ConditionalWork<T>) {
        let chain = self.mean.chain();
        let parts = params[..self.n_params()].chunks_exact(chain.n_params());
        for (packed, params) in work.packed.iter_mut().zip(parts) {
            packed.resize(chain.packed_rows());
            packed.clear();
            chain.pack(params, packed.rows_mut());
        }
    }

    /// Starts gradients at zero.
    pub fn reset<T: Real>(&self, work: &mut ConditionalWork<T>) {
        for grads in &mut work.grads {
            grads.resize(self.mean.chain().grad_rows());
            grads.clear();
        }
    }

    /// Adds the gradients since [`Conditional::reset`] to flat ones.
    pub fn fold_into<T: Real>(&self, work: &ConditionalWork<T>, grad: &mut [T]) {
        let chain = self.mean.chain();
        for (grads, grad) in work.grads.iter().zip(grad[..self.n_params()].chunks_exact_mut(chain.n_params())) {
            chain.fold(grads.rows(), grad);
        }
    }

    /// log f(y|x), into `out`.
    pub fn density<T: Real>(&self, x: &[T], y: &[T], m: usize, work: &mut ConditionalWork<T>, out: &mut [T]) {
        self.moments(x, m, work);
        let [mean, log_sd, _, e] = &mut work.columns;
        e.resize(x.len(), T::ZERO);
        dispatch!(L => standardise::<L, T>(y, mean, log_sd, e));
        dispatch!(L => log_density::<L, T>(e, log_sd, m, out));
    }

    /// Reverse pass of [`Conditional::density`] for the cotangent of log f: adds to the gradients, to x̄ and to ȳ.
    pub fn reverse_density<T: Real>(
        &self,
        cotangent: &[T],
        m: usize,
        work: &mut ConditionalWork<T>,
        x_bar: &mut [T],
        y_bar: &mut [T],
    ) {
        let [_, log_sd, slope, e] = &work.columns;
        let [of_mean, of_s] = &mut work.of;
        of_mean.resize(e.len(), T::ZERO);
        of_s.resize(e.len(), T::ZERO);
        dispatch!(L => pull_density::<L, T>(cotangent, [log_sd, slope, e], m, of_mean, of_s));
        y_bar.iter_mut().zip(&*of_mean).for_each(|(y_bar, &of_mean)| *y_bar -= of_mean);
        self.reverse_networks(m, work, x_bar);
    }

    /// y = μ(x) + σ(x) e, into `y`, and log f(y|x), into `out`.
    pub fn draw<T: Real>(
        &self,
        x: &[T],
        noise: &[T],
        m: usize,
        work: &mut ConditionalWork<T>,
        y: &mut [T],
        out: &mut [T],
    ) {
        self.moments(x, m, work);
        let [mean, log_sd, _, e] = &mut work.columns;
        e.clear();
        e.extend_from_slice(noise);
        dispatch!(L => scale::<L, T>(mean, log_sd, e, y));
        dispatch!(L => log_density::<L, T>(e, log_sd, m, out));
    }

    /// Reverse pass of [`Conditional::draw`] for cotangents of y and of log f: adds to the gradients and to x̄.
    pub fn reverse_draw<T: Real>(
        &self,
        y_bar: &[T],
        cotangent: &[T],
        m: usize,
        work: &mut ConditionalWork<T>,
        x_bar: &mut [T],
    ) {
        let [_, log_sd, slope, e] = &work.columns;
        let [of_mean, of_s] = &mut work.of;
        of_mean.clear();
        of_mean.extend_from_slice(y_bar);
        of_s.resize(e.len(), T::ZERO);
        dispatch!(L => pull_draw::<L, T>(y_bar, cotangent, [log_sd, slope, e], m, of_s));
        self.reverse_networks(m, work, x_bar);
    }

    /// μ, log σ and its slope in s at x.
    fn moments<T: Real>(&self, x: &[T], m: usize, work: &mut ConditionalWork<T>) {
        let rows = panels(self.dim) * m;
        work.rows.resize(rows);
        work.out.resize(rows);
        from_columns(x, m, work.rows.rows_mut());
        for ((network, column), (packed, kept)) in
            [&self.mean, &self.log_sd].into_iter().zip(&mut work.columns).zip(work.packed.iter().zip(&mut work.kept))
        {
            kept.resize(network.kept_rows(m));
            network.forward(packed.rows(), work.rows.rows(), m, kept.rows_mut(), work.out.rows_mut());
            column.resize(x.len(), T::ZERO);
            to_columns(work.out.rows(), m, column);
        }
        let [_, log_sd, slope, _] = &mut work.columns;
        slope.clear();
        slope.resize(x.len(), T::ONE);
        if let Some(bound) = self.bound {
            dispatch!(L => soften::<L, T>(T::of(bound), log_sd, slope));
        }
    }

    /// Takes the cotangents of μ and s through their networks.
    fn reverse_networks<T: Real>(&self, m: usize, work: &mut ConditionalWork<T>, x_bar: &mut [T]) {
        let rows = panels(self.dim) * m;
        work.into.resize(rows);
        work.into.clear();
        let networks = [&self.mean, &self.log_sd].into_iter().zip(&work.of);
        for ((network, of), ((packed, kept), grads)) in
            networks.zip(work.packed.iter().zip(&work.kept).zip(&mut work.grads))
        {
            from_columns(of, m, work.out.rows_mut());
            work.scratch.resize(network.scratch_rows(m));
            let (scratch, into) = (work.scratch.rows_mut(), work.into.rows_mut());
            network.reverse(packed.rows(), kept.rows(), work.out.rows(), m, scratch, grads.rows_mut(), into);
        }
        work.of[0].resize(x_bar.len(), T::ZERO);
        to_columns(work.into.rows(), m, &mut work.of[0]);
        x_bar.iter_mut().zip(&work.of[0]).for_each(|(x_bar, &of)| *x_bar += of);
    }
}

/// s becomes b tanh(s/b); its slope is 1 − tanh².
#[inline(always)]
fn soften<L: Level, T: Real>(bound: T, log_sd: &mut [T], slope: &mut [T]) {
    let inverse = T::ONE / bound;
    for s in log_sd.iter_mut() {
        *s = (*s * inverse).tanh::<L>();
    }
    for (slope, &t) in slope.iter_mut().zip(&*log_sd) {
        *slope = T::ONE - t * t;
    }
    for s in log_sd.iter_mut() {
        *s *= bound;
    }
}

#[inline(always)]
fn standardise<L: Level, T: Real>(y: &[T], mean: &[T], log_sd: &[T], e: &mut [T]) {
    for (((e, &y), &mean), &log_sd) in e.iter_mut().zip(y).zip(mean).zip(log_sd) {
        *e = (y - mean) * (-log_sd).exp::<L>();
    }
}

#[inline(always)]
fn scale<L: Level, T: Real>(mean: &[T], log_sd: &[T], e: &[T], y: &mut [T]) {
    for (((y, &e), &mean), &log_sd) in y.iter_mut().zip(e).zip(mean).zip(log_sd) {
        *y = log_sd.exp::<L>().fma::<L>(e, mean);
    }
}

#[inline(always)]
fn log_density<L: Level, T: Real>(e: &[T], log_sd: &[T], m: usize, out: &mut [T]) {
    let dim = e.len() / m;
    out.fill(T::of(-0.5 * dim as f64 * std::f64::consts::TAU.ln()));
    for (e, log_sd) in e.chunks_exact(m).zip(log_sd.chunks_exact(m)) {
        for ((out, &e), &log_sd) in out.iter_mut().zip(e).zip(log_sd) {
            *out = (e * e).fma::<L>(-T::HALF, *out - log_sd);
        }
    }
}

#[inline(always)]
fn pull_density<L: Level, T: Real>(
    cotangent: &[T],
    [log_sd, slope, e]: [&[T]; 3],
    m: usize,
    of_mean: &mut [T],
    of_s: &mut [T],
) {
    for (row, (of_mean, of_s)) in of_mean.chunks_exact_mut(m).zip(of_s.chunks_exact_mut(m)).enumerate() {
        let at = row * m..(row + 1) * m;
        let (log_sd, slope, e) = (&log_sd[at.clone()], &slope[at.clone()], &e[at]);
        for (((of_mean, &e), &log_sd), &cotangent) in of_mean.iter_mut().zip(e).zip(log_sd).zip(cotangent) {
            *of_mean = cotangent * e * (-log_sd).exp::<L>();
        }
        for (((of_s, &e), &slope), &cotangent) in of_s.iter_mut().zip(e).zip(slope).zip(cotangent) {
            *of_s = cotangent * slope * e.fma::<L>(e, -T::ONE);
        }
    }
}

#[inline(always)]
fn pull_draw<L: Level, T: Real>(y_bar: &[T], cotangent: &[T], [log_sd, slope, e]: [&[T]; 3], m: usize, of_s: &mut [T]) {
    for (row, (of_s, y_bar)) in of_s.chunks_exact_mut(m).zip(y_bar.chunks_exact(m)).enumerate() {
        let at = row * m..(row + 1) * m;
        let (log_sd, slope, e) = (&log_sd[at.clone()], &slope[at.clone()], &e[at]);
        for ((((of_s, &e), &log_sd), &y_bar), &cotangent) in
            of_s.iter_mut().zip(e).zip(log_sd).zip(y_bar).zip(cotangent)
        {
            *of_s = (log_sd.exp::<L>() * e).fma::<L>(y_bar, -cotangent);
        }
        of_s.iter_mut().zip(slope).for_each(|(of_s, &slope)| *of_s *= slope);
    }
}
