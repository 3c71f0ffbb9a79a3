//! Densities of given points: from x and the encoder's p back through the trajectory to the prior.
//!
//! Of the K importance samples of a point (Burda et al. 2016, arXiv 1509.00519, equations 8 and 13),
//! log q(x) = log 1/K Σ w_k, and the cotangent of log w_k is that of log q times w_k / Σ w. Deviation: none.

use std::ops::Range;

use flow_sdk::kernels::trajectory::TILE;
use flow_sdk::{Base, Element, Pull, Result, Rows};

use super::{Kernel, Work, transpose};

/// Points whose densities are asked for: rows `first..` of a batch, x `[m, d]`.
#[derive(Clone, Copy)]
struct Points<'a, T> {
    x: &'a [T],
    seed: u64,
    first: usize,
}

impl Kernel {
    /// As [`FusedDensity::density_rows`](flow_sdk::FusedDensity::density_rows).
    pub fn density_rows<T: Element>(&self, params: &[T], x: &[T], seed: u64, first: usize, log_q: &mut [T]) {
        let points = Points { x, seed, first };
        self.scratch.with(|work: &mut Work<T>| {
            self.prepare(params, work);
            for group in self.groups(log_q.len()) {
                for tile in self.tiles(&group) {
                    self.weigh(work, points, tile, false);
                }
                average(&work.log_w, self.importance_samples, &mut log_q[group]);
                work.log_w.clear();
            }
        });
    }

    /// As [`FusedDensity::density_gradient`](flow_sdk::FusedDensity::density_gradient).
    pub fn density_gradient<T: Element>(
        &self,
        params: &[T],
        x: &[T],
        seed: u64,
        first: usize,
        pull: &mut Pull<'_, T>,
        grad: &mut [T],
    ) -> Result<()> {
        let (dim, points) = (self.trajectory.dim, Points { x, seed, first });
        self.scratch.with(|work: &mut Work<T>| {
            self.start(params, work);
            // Of the group's rows; what is in `work` is of a tile's.
            let (mut log_q, mut grad_log_q) = (Vec::new(), Vec::new());
            for group in self.groups(x.len() / dim) {
                log_q.resize(group.len(), T::ZERO);
                grad_log_q.resize(group.len(), T::ZERO);
                let whole = self.tiles(&group).count() == 1;
                for tile in self.tiles(&group) {
                    self.weigh(work, points, tile, whole && self.keep);
                }
                average(&work.log_w, self.importance_samples, &mut log_q);
                let x = &x[group.start * dim..group.end * dim];
                pull(Rows { x, log_q: &log_q, grad_x: &mut [], grad_log_q: &mut grad_log_q })?;
                let mut of_weights = std::mem::take(&mut work.log_w);
                share(&mut of_weights, self.importance_samples, &log_q, &grad_log_q);
                for tile in self.tiles(&group) {
                    if !whole {
                        self.weigh(work, points, tile.clone(), self.keep);
                    }
                    let start = group.start * self.importance_samples;
                    self.reverse_weights(work, &of_weights[tile.start - start..tile.end - start]);
                }
                work.log_w = of_weights;
                work.log_w.clear();
            }
            self.finish(work, grad);
            Ok(())
        })
    }

    /// Rows whose samples make a tile; one row, if it has more of them.
    fn groups(&self, n: usize) -> impl Iterator<Item = Range<usize>> + use<> {
        let most = (TILE / self.importance_samples).max(1);
        (0..n).step_by(most).map(move |start| start..n.min(start + most))
    }

    /// The samples of a group, a tile at a time: sample k of row i is number iK + k.
    fn tiles(&self, group: &Range<usize>) -> impl Iterator<Item = Range<usize>> + use<> {
        let (start, end) = (group.start * self.importance_samples, group.end * self.importance_samples);
        (start..end).step_by(TILE).map(move |first| first..end.min(first + TILE))
    }

    /// Appends the log-weights log π(φ⁻¹(x, p)) − log f(p|x) of a tile of samples.
    fn weigh<T: Element>(&self, work: &mut Work<T>, points: Points<'_, T>, samples: Range<usize>, keep: bool) {
        let (dim, m, copies) = (self.trajectory.dim, samples.len(), self.importance_samples);
        for vector in [&mut work.log_q, &mut work.log_f] {
            vector.resize(m, T::ZERO);
        }
        for vector in [&mut work.x, &mut work.noise, &mut work.unused] {
            vector.resize(m * dim, T::ZERO);
        }
        work.start.resize(2 * m * dim, T::ZERO);
        work.tile.resize(m);
        // The K samples of a row stand together, so that a row's noise does not depend on how many follow it.
        Base::Gaussian.fill(points.seed, (points.first * copies + samples.start) * dim, &mut work.x);
        transpose(&work.x, dim, &mut work.noise);
        let (q, p) = work.tile.parts_mut();
        for (j, sample) in samples.enumerate() {
            let row = &points.x[sample / copies * dim..][..dim];
            row.iter().enumerate().for_each(|(i, &x)| q[i * m + j] = x);
        }
        self.encoder.0.draw(q, &work.noise, m, &mut work.encoder, p, &mut work.log_f);
        let kept = keep.then_some(&mut work.kept);
        self.inverse.forward_tile(&work.prepared, &work.steps, &mut work.tile, kept, &mut work.workspace);
        if let Some((momentum, _)) = &self.momentum {
            let (q, p) = work.tile.parts();
            transpose(q, m, &mut work.x);
            self.base.log_density_rows(&work.x, &mut work.log_q);
            work.log_q.iter_mut().zip(&work.log_f).for_each(|(log_w, &log_f)| *log_w -= log_f);
            momentum.density(q, p, m, &mut work.momentum, &mut work.log_f);
            work.log_q.iter_mut().zip(&work.log_f).for_each(|(log_w, &log_p)| *log_w += log_p);
        } else {
            work.tile.write(&mut work.start);
            self.base.log_density_rows(&work.start, &mut work.log_q);
            work.log_q.iter_mut().zip(&work.log_f).for_each(|(log_w, &log_f)| *log_w -= log_f);
        }
        work.log_w.extend_from_slice(&work.log_q);
    }

    /// Takes the cotangents of the log-weights of the last tile back to the parameters.
    fn reverse_weights<T: Element>(&self, work: &mut Work<T>, of_weights: &[T]) {
        let (dim, m) = (self.trajectory.dim, of_weights.len());
        work.cotangent.resize(m);
        if let Some((momentum, _)) = &self.momentum {
            work.grad_x.resize(m * dim, T::ZERO);
            self.base.score_rows(&work.x, &mut work.grad_x);
            scale(&mut work.grad_x, of_weights);
            let (q_bar, p_bar) = work.cotangent.parts_mut();
            transpose(&work.grad_x, dim, q_bar);
            p_bar.fill(T::ZERO);
            momentum.reverse_density(of_weights, m, &mut work.momentum, q_bar, p_bar);
        } else {
            work.grad_x.resize(2 * m * dim, T::ZERO);
            self.base.score_rows(&work.start, &mut work.grad_x);
            scale(&mut work.grad_x, of_weights);
            work.cotangent.read(&work.grad_x);
        }
        self.reverse_tile(&self.inverse, work);
        // The weight has the encoder's density with a minus.
        work.log_f.iter_mut().zip(of_weights).for_each(|(of_f, &of_weight)| *of_f = -of_weight);
        let (_, p_bar) = work.cotangent.parts();
        self.encoder.0.reverse_draw(p_bar, &work.log_f, m, &mut work.encoder, &mut work.unused);
    }
}

/// log 1/K Σ exp log w_k, a row at a time.
fn average<T: Element>(log_w: &[T], copies: usize, log_q: &mut [T]) {
    if copies == 1 {
        log_q.copy_from_slice(log_w);
        return;
    }
    for (log_q, log_w) in log_q.iter_mut().zip(log_w.chunks_exact(copies)) {
        // What is not a number is not the most, but makes the sum so.
        let most = log_w.iter().map(|log_w| log_w.wide()).fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = log_w.iter().map(|log_w| (log_w.wide() - most).exp()).sum();
        *log_q = T::of(most + (sum / copies as f64).ln());
    }
}

/// Log-weights become the cotangents that their row's has for them: grad · w_k / Σ w.
fn share<T: Element>(log_w: &mut [T], copies: usize, log_q: &[T], grad_log_q: &[T]) {
    if copies == 1 {
        log_w.copy_from_slice(grad_log_q);
        return;
    }
    for (log_w, (log_q, grad)) in log_w.chunks_exact_mut(copies).zip(log_q.iter().zip(grad_log_q)) {
        for log_w in log_w {
            *log_w = T::of(grad.wide() * (log_w.wide() - log_q.wide()).exp() / copies as f64);
        }
    }
}

/// Every row times its weight.
fn scale<T: Element>(rows: &mut [T], weights: &[T]) {
    for (row, &weight) in rows.chunks_exact_mut(rows.len() / weights.len()).zip(weights) {
        row.iter_mut().for_each(|value| *value *= weight);
    }
}
