//! Draws: from the prior through the trajectory to q and its bound.

use std::ops::Range;

use flow_sdk::kernels::philox::derive_seed;
use flow_sdk::kernels::trajectory::TILE;
use flow_sdk::{Base, Element, Pull, Result, Rows};

use super::{Kernel, Work, transpose};

impl Kernel {
    /// As [`Fused::sample_rows`](flow_sdk::Fused::sample_rows).
    pub fn sample_rows<T: Element>(&self, params: &[T], seed: u64, first: usize, x: &mut [T], log_q: &mut [T]) {
        let dim = self.trajectory.dim;
        self.scratch.with(|work: &mut Work<T>| {
            self.prepare(params, work);
            for (tile, (x, log_q)) in x.chunks_mut(TILE * dim).zip(log_q.chunks_mut(TILE)).enumerate() {
                self.forward(work, seed, first + tile * TILE, log_q.len(), false);
                x.copy_from_slice(&work.x);
                log_q.copy_from_slice(&work.log_q);
            }
        });
    }

    /// As [`Fused::sample_gradient`](flow_sdk::Fused::sample_gradient).
    pub fn sample_gradient<T: Element>(
        &self,
        params: &[T],
        seed: u64,
        rows: Range<usize>,
        pull: &mut Pull<'_, T>,
        grad: &mut [T],
    ) -> Result<()> {
        self.scratch.with(|work: &mut Work<T>| {
            self.start(params, work);
            for first in rows.clone().step_by(TILE) {
                self.forward(work, seed, first, TILE.min(rows.end - first), self.keep);
                pull(Rows {
                    x: &work.x,
                    log_q: &work.log_q,
                    grad_x: &mut work.grad_x,
                    grad_log_q: &mut work.grad_log_q,
                })?;
                self.reverse(work);
            }
            self.finish(work, grad);
            Ok(())
        })
    }

    /// Draws m rows from `first` on, their x and log q.
    fn forward<T: Element>(&self, work: &mut Work<T>, seed: u64, first: usize, m: usize, keep: bool) {
        let dim = self.trajectory.dim;
        for vector in [&mut work.log_q, &mut work.grad_log_q, &mut work.log_f] {
            vector.resize(m, T::ZERO);
        }
        for vector in [&mut work.x, &mut work.grad_x, &mut work.noise, &mut work.unused] {
            vector.resize(m * dim, T::ZERO);
        }
        work.tile.resize(m);
        if let Some((momentum, _)) = &self.momentum {
            self.base.fill(seed, first * dim, &mut work.x);
            self.base.log_density_rows(&work.x, &mut work.log_q);
            Base::Gaussian.fill(derive_seed(seed, 1, 0), first * dim, &mut work.grad_x);
            let (q, p) = work.tile.parts_mut();
            transpose(&work.x, dim, q);
            transpose(&work.grad_x, dim, &mut work.noise);
            momentum.draw(q, &work.noise, m, &mut work.momentum, p, &mut work.log_f);
            work.log_q.iter_mut().zip(&work.log_f).for_each(|(log_q, &log_f)| *log_q += log_f);
        } else {
            work.start.resize(2 * m * dim, T::ZERO);
            self.base.fill(seed, first * 2 * dim, &mut work.start);
            self.base.log_density_rows(&work.start, &mut work.log_q);
            work.tile.read(&work.start);
        }
        let kept = keep.then_some(&mut work.kept);
        self.trajectory.forward_tile(&work.prepared, &work.steps, &mut work.tile, kept, &mut work.workspace);
        let (q, p) = work.tile.parts();
        self.encoder.0.density(q, p, m, &mut work.encoder, &mut work.log_f);
        work.log_q.iter_mut().zip(&work.log_f).for_each(|(log_q, &log_f)| *log_q -= log_f);
        transpose(q, m, &mut work.x);
    }

    /// Takes the cotangents of the rows that were drawn last back to the parameters.
    fn reverse<T: Element>(&self, work: &mut Work<T>) {
        let (dim, m) = (self.trajectory.dim, work.tile.len());
        work.cotangent.resize(m);
        let (q_bar, p_bar) = work.cotangent.parts_mut();
        transpose(&work.grad_x, dim, q_bar);
        p_bar.fill(T::ZERO);
        // log q has the encoder's density with a minus.
        work.log_f.iter_mut().zip(&work.grad_log_q).for_each(|(of_f, &grad)| *of_f = -grad);
        self.encoder.0.reverse_density(&work.log_f, m, &mut work.encoder, q_bar, p_bar);
        self.reverse_tile(&self.trajectory, work);
        if let Some((momentum, _)) = &self.momentum {
            let (_, p_bar) = work.cotangent.parts();
            momentum.reverse_draw(p_bar, &work.grad_log_q, m, &mut work.momentum, &mut work.unused);
        }
    }
}
