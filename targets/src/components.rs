//! Kernels of equal mixtures whose components are one density, shifted, with independent coordinates.
//!
//! With uₖ = x − μₖ: aₖ = Σᵢ ℓ(uₖᵢ), pₖ = softmaxₖ(a), log γ = log Σₖ exp aₖ + c. With sₖᵢ = ℓ'(uₖᵢ) and s̄ = Σₖ pₖ sₖ: ∇ = s̄ and
//! Hv = Σₖ pₖ [ℓ''(uₖ) ⊙ v + (sₖ − s̄)(tₖ − Σₗ pₗ tₗ)], tₖ = sₖ·v: differences, since far out the sₖ are large and nearly equal.
//! Shapes: x, v `[n, d]`, μ `[K, d]`. Points vectorise, [`LANES`] at once; components and coordinates are outer loops.

use std::ops::Range;

use flow_kernels::chain::{LANES, Lanes, gather, scatter};
use flow_kernels::real::Real;
use flow_kernels::simd::Level;

use crate::columns::{GROUP, Group, groups};
use crate::constant::Constant;
use crate::kernel::Out;

/// Most components of a mixture.
const MOST: usize = 40;

/// One component, a number at a time: straight-line arithmetic, `#[inline(always)]`.
pub(crate) trait Components: Send + Sync {
    /// μ, of at most [`MOST`] rows.
    fn means(&self) -> &Constant;

    /// c.
    fn constant(&self) -> f64;

    /// ℓ.
    fn log<L: Level, T: Real>(&self, u: T) -> T;

    /// ℓ'.
    fn slope<L: Level, T: Real>(&self, u: T) -> T;

    /// ℓ''.
    fn second<L: Level, T: Real>(&self, u: T) -> T;
}

/// A block of points with the weights of all components there.
struct Block<'a, T, C> {
    target: &'a C,
    /// K and d.
    size: [usize; 2],
    /// A group of coordinates.
    x: Group<T>,
    /// p.
    weights: [Lanes<T>; MOST],
}

/// Values and gradients that are asked for.
#[inline(always)]
pub(crate) fn evaluate<L: Level, T: Real, C: Components>(target: &C, x: &[T], mut out: Out<'_, T>) {
    let mut block = Block::new(target);
    let d = block.size[1];
    for (index, rows) in x.chunks(d * LANES).enumerate() {
        let values = block.weigh::<L>(rows);
        let first = index * LANES;
        if let Some(value) = &mut out.value {
            let m = rows.len() / d;
            value[first..first + m].copy_from_slice(&values[..m]);
        }
        if let Some(grad) = &mut out.grad {
            block.slopes::<L>(rows, &mut grad[first * d..first * d + rows.len()]);
        }
    }
}

/// H(x)·v, row by row.
#[inline(always)]
pub(crate) fn bend<L: Level, T: Real, C: Components>(target: &C, x: &[T], v: &[T], out: &mut [T]) {
    let mut block = Block::new(target);
    let mut along = [[T::ZERO; LANES]; MOST];
    let d = block.size[1];
    for ((rows, v), out) in x.chunks(d * LANES).zip(v.chunks(d * LANES)).zip(out.chunks_mut(d * LANES)) {
        block.weigh::<L>(rows);
        block.products::<L>(rows, v, &mut along, out);
    }
}

impl<'a, T: Real, C: Components> Block<'a, T, C> {
    #[inline(always)]
    fn new(target: &'a C) -> Self {
        let size = [target.means().rows().len(), target.means().row(0).len()];
        assert!(size[0] <= MOST, "a mixture of at most {MOST} components");
        Self { target, size, x: [[T::ZERO; LANES]; GROUP], weights: [[T::ZERO; LANES]; MOST] }
    }

    /// Coordinate i of μₖ.
    #[inline(always)]
    fn mean(&self, k: usize, i: usize) -> T {
        T::of(self.target.means().row(k)[i])
    }

    /// Gathers a group, unless it is the only one and already here.
    #[inline(always)]
    fn load(&mut self, rows: &[T], columns: &Range<usize>) {
        if self.size[1] > GROUP {
            gather(rows, self.size[1], columns.clone(), &mut self.x);
        }
    }

    /// Finds the weights, and returns log γ.
    #[inline(always)]
    fn weigh<L: Level>(&mut self, rows: &[T]) -> Lanes<T> {
        let [count, d] = self.size;
        self.weights[..count].fill([T::ZERO; LANES]);
        for columns in groups(d) {
            gather(rows, d, columns.clone(), &mut self.x);
            for k in 0..count {
                let mut sum = self.weights[k];
                for (x, i) in self.x.iter().zip(columns.clone()) {
                    let mean = self.mean(k, i);
                    for j in 0..LANES {
                        sum[j] += self.target.log::<L, T>(x[j] - mean);
                    }
                }
                self.weights[k] = sum;
            }
        }
        let mut top = self.weights[0];
        for log in &self.weights[1..count] {
            for j in 0..LANES {
                top[j] = log[j].max(top[j]);
            }
        }
        let mut sum = [T::ZERO; LANES];
        for weight in &mut self.weights[..count] {
            for j in 0..LANES {
                weight[j] = (weight[j] - top[j]).exp::<L>();
                sum[j] += weight[j];
            }
        }
        let constant = T::of(self.target.constant());
        let mut values = [T::ZERO; LANES];
        for j in 0..LANES {
            values[j] = (sum[j].ln::<L>() + top[j]) + constant;
            sum[j] = sum[j].recip();
        }
        for weight in &mut self.weights[..count] {
            for j in 0..LANES {
                weight[j] *= sum[j];
            }
        }
        values
    }

    /// s̄ of one coordinate.
    #[inline(always)]
    fn mean_slope<L: Level>(&self, x: &Lanes<T>, i: usize) -> Lanes<T> {
        let mut sum = [T::ZERO; LANES];
        for (k, weight) in self.weights[..self.size[0]].iter().enumerate() {
            let mean = self.mean(k, i);
            for j in 0..LANES {
                sum[j] = weight[j].fma::<L>(self.target.slope::<L, T>(x[j] - mean), sum[j]);
            }
        }
        sum
    }

    /// ∇.
    #[inline(always)]
    fn slopes<L: Level>(&mut self, rows: &[T], grad: &mut [T]) {
        let d = self.size[1];
        let mut slopes = [[T::ZERO; LANES]; GROUP];
        for columns in groups(d) {
            self.load(rows, &columns);
            for ((x, slope), i) in self.x.iter().zip(&mut slopes).zip(columns.clone()) {
                *slope = self.mean_slope::<L>(x, i);
            }
            scatter(&slopes, d, columns, grad);
        }
    }

    /// Hv; `along` is room for t.
    #[inline(always)]
    fn products<L: Level>(&mut self, rows: &[T], v: &[T], along: &mut [Lanes<T>; MOST], out: &mut [T]) {
        let [count, d] = self.size;
        let (mut v_group, mut products) = ([[T::ZERO; LANES]; GROUP], [[T::ZERO; LANES]; GROUP]);
        along[..count].fill([T::ZERO; LANES]);
        for columns in groups(d) {
            self.load(rows, &columns);
            gather(v, d, columns.clone(), &mut v_group);
            for (k, along) in along[..count].iter_mut().enumerate() {
                for ((x, v), i) in self.x.iter().zip(&v_group).zip(columns.clone()) {
                    let mean = self.mean(k, i);
                    for j in 0..LANES {
                        along[j] = self.target.slope::<L, T>(x[j] - mean).fma::<L>(v[j], along[j]);
                    }
                }
            }
        }
        let mut average = [T::ZERO; LANES];
        for (along, weight) in along[..count].iter().zip(&self.weights) {
            for j in 0..LANES {
                average[j] = weight[j].fma::<L>(along[j], average[j]);
            }
        }
        for along in &mut along[..count] {
            for j in 0..LANES {
                along[j] -= average[j];
            }
        }
        for columns in groups(d) {
            self.load(rows, &columns);
            gather(v, d, columns.clone(), &mut v_group);
            for (((x, v), product), i) in self.x.iter().zip(&v_group).zip(&mut products).zip(columns.clone()) {
                let slope = self.mean_slope::<L>(x, i);
                let mut sum = [T::ZERO; LANES];
                for k in 0..count {
                    let mean = self.mean(k, i);
                    for j in 0..LANES {
                        let u = x[j] - mean;
                        let turn = (self.target.slope::<L, T>(u) - slope[j]) * along[k][j];
                        let bend = self.target.second::<L, T>(u).fma::<L>(v[j], turn);
                        sum[j] = self.weights[k][j].fma::<L>(bend, sum[j]);
                    }
                }
                *product = sum;
            }
            scatter(&products, d, columns, out);
        }
    }
}
