//! A base pushed through a kernel's chain of layers: samples, densities and their gradients, block by block.
//!
//! log q(x) = log π(z) − log |det ∂x/∂z|, x = f(z). Rows go in groups that fit the first-level cache with all that their
//! reverse pass needs: a group is pushed through, its cotangents are asked for, and it is pulled back. Deviation: none.

use std::ops::Range;

use flow_kernels::chain::{Block, FOLDED, LANES, Lanes, Layers, Way, pull, push};
use flow_kernels::dispatch;
use flow_kernels::scratch::Scratch;

use crate::fused::{Fused, FusedDensity, Pull, Rows};
use crate::{Base, Bijection, Element, Inverse, Result};

/// Bytes of kept numbers in a group.
const GROUP_BYTES: usize = 32 << 10;
/// Blocks in a group, at most: more crossings cost nothing that matters.
const MOST_BLOCKS: usize = 8;

/// A chain of K layers in d dimensions over a base.
#[derive(Debug)]
pub struct Chain {
    /// What is pushed through.
    pub base: Base,
    /// K.
    pub layers: usize,
    /// d.
    pub dim: usize,
    /// Memory to work in.
    pub scratch: Scratch,
}

/// A bijection whose kernels are a chain of layers over its base: it is [`Fused`], and [`FusedDensity`] where it has an
/// inverse.
pub trait Chained: Bijection + Sync {
    /// Its layers on slices.
    type Layers<T: Element>: Layers<T> + Send + 'static;

    /// How many of them, over what.
    fn chain(&self) -> &Chain;
}

impl<B: Chained> Fused for B {
    #[cfg(feature = "cuda")]
    fn on_device(&self) -> Option<Box<dyn crate::DeviceKernels>> {
        let kind = <B::Layers<f32> as Layers<f32>>::KIND?;
        crate::chain_on_device::kernels(self.chain(), kind, &B::setup(self).device)
    }

    fn sample_rows<T: Element>(
        &self,
        params: &[T],
        seed: u64,
        first: usize,
        x: &mut [T],
        log_q: &mut [T],
    ) -> Result<()> {
        self.chain().sample_rows::<T, B::Layers<T>>(params, seed, first, x, log_q);
        Ok(())
    }

    fn sample_gradient<T: Element>(
        &self,
        params: &[T],
        seed: u64,
        rows: Range<usize>,
        pull: &mut Pull<'_, T>,
        grad: &mut [T],
    ) -> Result<()> {
        self.chain().sample_gradient::<T, B::Layers<T>>(params, seed, rows, pull, grad)
    }
}

impl<B: Chained + Inverse> FusedDensity for B {
    fn density_rows<T: Element>(&self, params: &[T], x: &[T], _: u64, _: usize, log_q: &mut [T]) -> Result<()> {
        self.chain().density_rows::<T, B::Layers<T>>(params, x, log_q);
        Ok(())
    }

    fn density_gradient<T: Element>(
        &self,
        params: &[T],
        x: &[T],
        _: u64,
        _: usize,
        pull: &mut Pull<'_, T>,
        grad: &mut [T],
    ) -> Result<()> {
        self.chain().density_gradient::<T, B::Layers<T>>(params, x, pull, grad)
    }
}

/// What a call works in.
struct Work<T, C> {
    blocks: Vec<Block<T>>,
    cotangents: Vec<Lanes<T>>,
    sums: Vec<[T; FOLDED]>,
    rows: Vec<T>,
    grad_rows: Vec<T>,
    log_q: Vec<T>,
    grad_log_q: Vec<T>,
    log_det: Vec<T>,
    chain: C,
}

impl<T, C: Default> Default for Work<T, C> {
    fn default() -> Self {
        Self {
            blocks: Vec::new(),
            cotangents: Vec::new(),
            sums: Vec::new(),
            rows: Vec::new(),
            grad_rows: Vec::new(),
            log_q: Vec::new(),
            grad_log_q: Vec::new(),
            log_det: Vec::new(),
            chain: C::default(),
        }
    }
}

impl Chain {
    fn sample_rows<T: Element, C: Layers<T> + Send + 'static>(
        &self,
        params: &[T],
        seed: u64,
        first: usize,
        x: &mut [T],
        log_q: &mut [T],
    ) {
        self.scratch.with(|work: &mut Work<T, C>| {
            work.chain.constrain(params, self.layers, self.dim);
            self.base.fill(seed, first * self.dim, x);
            self.base.log_density_rows(x, log_q);
            work.through(Way::Forward, x, log_q);
        });
    }

    fn density_rows<T: Element, C: Layers<T> + Send + 'static>(&self, params: &[T], x: &[T], log_q: &mut [T]) {
        self.scratch.with(|work: &mut Work<T, C>| {
            work.chain.constrain(params, self.layers, self.dim);
            let mut rows = std::mem::take(&mut work.rows);
            rows.clear();
            rows.extend_from_slice(x);
            log_q.fill(T::ZERO);
            work.through(Way::Inverse, &mut rows, log_q);
            // log q has −log |det| so far: the base joins it at z.
            work.log_q.resize(log_q.len(), T::ZERO);
            self.base.log_density_rows(&rows, &mut work.log_q);
            log_q.iter_mut().zip(&work.log_q).for_each(|(log_q, &base)| *log_q += base);
            work.rows = rows;
        });
    }

    fn sample_gradient<T: Element, C: Layers<T> + Send + 'static>(
        &self,
        params: &[T],
        seed: u64,
        rows: Range<usize>,
        pull: &mut Pull<'_, T>,
        grad: &mut [T],
    ) -> Result<()> {
        self.scratch.with(|work: &mut Work<T, C>| {
            work.start(params, self);
            for (first, m) in self.groups::<T>(rows) {
                work.resize(m, self.dim);
                self.base.fill(seed, first * self.dim, &mut work.rows);
                self.base.log_density_rows(&work.rows, &mut work.log_q);
                work.push_group(Way::Forward);
                pull(Rows {
                    x: &work.rows,
                    log_q: &work.log_q,
                    grad_x: &mut work.grad_rows,
                    grad_log_q: &mut work.grad_log_q,
                })?;
                work.pull_group(Way::Forward);
            }
            work.chain.finish(params, &work.sums, grad);
            Ok(())
        })
    }

    fn density_gradient<T: Element, C: Layers<T> + Send + 'static>(
        &self,
        params: &[T],
        x: &[T],
        pull: &mut Pull<'_, T>,
        grad: &mut [T],
    ) -> Result<()> {
        self.scratch.with(|work: &mut Work<T, C>| {
            work.start(params, self);
            for (first, m) in self.groups::<T>(0..x.len() / self.dim) {
                work.resize(m, self.dim);
                let x = &x[first * self.dim..(first + m) * self.dim];
                work.rows.copy_from_slice(x);
                work.log_q.fill(T::ZERO);
                work.push_group(Way::Inverse);
                self.base.log_density_rows(&work.rows, &mut work.log_det);
                work.log_q.iter_mut().zip(&work.log_det).for_each(|(log_q, &base)| *log_q += base);
                let grad_log_q = &mut work.grad_log_q;
                pull(Rows { x, log_q: &work.log_q, grad_x: &mut [], grad_log_q })?;
                // ∂ log π/∂z, weighed.
                self.base.score_rows(&work.rows, &mut work.grad_rows);
                for (row, &weight) in work.grad_rows.chunks_exact_mut(self.dim).zip(&work.grad_log_q) {
                    row.iter_mut().for_each(|slope| *slope *= weight);
                }
                work.pull_group(Way::Inverse);
            }
            work.chain.finish(params, &work.sums, grad);
            Ok(())
        })
    }

    /// Groups of rows: the first of each, and how many.
    fn groups<T>(&self, rows: Range<usize>) -> impl Iterator<Item = (usize, usize)> {
        let blocks = GROUP_BYTES / (self.layers.max(1) * LANES * size_of::<T>());
        let group = blocks.clamp(1, MOST_BLOCKS) * LANES;
        let end = rows.end;
        rows.step_by(group).map(move |first| (first, group.min(end - first)))
    }
}

impl<T: Element, C: Layers<T>> Work<T, C> {
    fn start(&mut self, params: &[T], chain: &Chain) {
        self.chain.constrain(params, chain.layers, chain.dim);
        self.sums.clear();
        self.sums.resize(chain.layers * self.chain.sums(), [T::ZERO; FOLDED]);
    }

    fn resize(&mut self, m: usize, dim: usize) {
        for vector in [&mut self.rows, &mut self.grad_rows] {
            vector.resize(m * dim, T::ZERO);
        }
        for vector in [&mut self.log_q, &mut self.grad_log_q, &mut self.log_det] {
            vector.resize(m, T::ZERO);
        }
        if self.blocks.len() < m.div_ceil(LANES) {
            self.blocks.resize_with(m.div_ceil(LANES), Block::default);
        }
    }

    /// Moves rows in place and subtracts their log |det|; keeps nothing.
    fn through(&mut self, way: Way, rows: &mut [T], log_q: &mut [T]) {
        let dim = rows.len() / log_q.len().max(1);
        self.log_det.resize(LANES, T::ZERO);
        self.blocks.resize_with(self.blocks.len().max(1), Block::default);
        for (rows, log_q) in rows.chunks_mut(LANES * dim).zip(log_q.chunks_mut(LANES)) {
            push_block(&self.chain, way, rows, log_q, &mut self.blocks[0], &mut self.log_det);
        }
    }

    /// Moves the group's rows and subtracts their log |det|.
    fn push_group(&mut self, way: Way) {
        let dim = self.rows.len() / self.log_q.len();
        let rows = self.rows.chunks_mut(LANES * dim).zip(self.log_q.chunks_mut(LANES));
        for ((rows, log_q), block) in rows.zip(&mut self.blocks) {
            push_block(&self.chain, way, rows, log_q, block, &mut self.log_det);
        }
    }

    /// Pulls the group's cotangents into the sums.
    fn pull_group(&mut self, way: Way) {
        let dim = self.rows.len() / self.log_q.len();
        // Of log |det|, which log q has with a minus.
        for (of_det, &grad) in self.log_det.iter_mut().zip(&self.grad_log_q) {
            *of_det = -grad;
        }
        let grads = self.grad_rows.chunks(LANES * dim).zip(self.log_det.chunks(LANES));
        for ((grad, of_det), block) in grads.zip(&mut self.blocks) {
            let (chain, cotangents, sums) = (&self.chain, &mut self.cotangents, &mut self.sums);
            dispatch!(L => pull::<L, T, C>(chain, way, block, grad, of_det, cotangents, sums));
        }
    }
}

/// Moves a block's rows in place and subtracts their log |det|.
fn push_block<T: Element, C: Layers<T>>(
    chain: &C,
    way: Way,
    rows: &mut [T],
    log_q: &mut [T],
    block: &mut Block<T>,
    log_det: &mut [T],
) {
    let log_det = &mut log_det[..log_q.len()];
    dispatch!(L => push::<L, T, C>(chain, way, rows, log_det, block));
    log_q.iter_mut().zip(log_det).for_each(|(log_q, log_det)| *log_q -= *log_det);
}
