//! The network that bends a trajectory, on a block of 64 chains: formulas and weights are those of the sampler's networks.
//!
//! Its parameters are one piece of the flat vector: three matrices, each with its bias as a last row, then two vectors of
//! logarithms. Shapes: a feature a row.

use flow_sdk::kernels::chain::{LANES, Lanes, map, map2};
use flow_sdk::kernels::dispatch;
use flow_sdk::kernels::panel::{Spread, total};
use flow_sdk::kernels::real::Real;
use flow_sdk::kernels::simd::Portable;

use super::dense::Dense;

/// A network, prepared.
#[derive(Debug, Default)]
pub(super) struct Net<T> {
    layers: [Dense<T>; 3],
    /// e^c of S and of Q, `[d]`.
    pub scale_s: Vec<T>,
    pub scale_q: Vec<T>,
    dim: usize,
    hidden: usize,
}

/// What its reverse passes add up.
#[derive(Debug)]
pub(super) struct Sums<T> {
    layers: [Vec<Spread<T>>; 3],
    /// Of c of S and of Q, `[d]`, and of log ε.
    pub log_scale_s: Vec<Lanes<T>>,
    pub log_scale_q: Vec<Lanes<T>>,
    pub log_step: Lanes<T>,
}

impl<T: Real> Default for Sums<T> {
    fn default() -> Self {
        let (layers, scales) = (Default::default(), Vec::new);
        Self { layers, log_scale_s: scales(), log_scale_q: scales(), log_step: [T::ZERO; LANES] }
    }
}

/// What a pass keeps.
pub(super) struct Kept<'a, T> {
    /// First and second input `[2d]`, cosine and sine of the time, one.
    pub inputs: &'a mut [Lanes<T>],
    /// `[h]`, and one.
    embedded: &'a mut [Lanes<T>],
    /// Likewise.
    inner: &'a mut [Lanes<T>],
    /// S, T, Q before scales, `[3d]`; whoever takes the tanh of S and Q puts it here.
    pub heads: &'a mut [Lanes<T>],
}

impl<T: Real> Net<T> {
    /// Takes the network's piece of the parameters.
    pub fn read(&mut self, params: &[T], dim: usize, hidden: usize) {
        (self.dim, self.hidden) = (dim, hidden);
        let [embed, inner, heads, log_s, log_q] = split(params, self.sizes());
        let shapes = [(embed, hidden, 2 * dim), (inner, hidden, hidden), (heads, 3 * dim, hidden)];
        for (layer, (weights, outputs, carried)) in self.layers.iter_mut().zip(shapes) {
            layer.read(weights, outputs, carried);
        }
        for (scale, log) in [(&mut self.scale_s, log_s), (&mut self.scale_q, log_q)] {
            scale.clear();
            scale.extend(log.iter().map(|log| log.exp::<Portable>()));
        }
    }

    /// Rows that a pass keeps.
    pub fn kept_rows(dim: usize, hidden: usize) -> usize {
        Self::rows(dim, hidden).iter().sum()
    }

    /// Those rows by name.
    pub fn kept<'a>(&self, rows: &'a mut [Lanes<T>]) -> Kept<'a, T> {
        let [inputs, embedded, inner, heads] = split_mut(rows, Self::rows(self.dim, self.hidden));
        Kept { inputs, embedded, inner, heads }
    }

    /// From the first 2d + 2 inputs to the heads before their tanh.
    pub fn forward(&self, kept: &mut Kept<'_, T>) {
        let (d, h) = (self.dim, self.hidden);
        let [embed, inner, heads] = &self.layers;
        kept.inputs[2 * d + 2] = [T::ONE; LANES];
        kept.embedded[h] = [T::ONE; LANES];
        kept.inner[h] = [T::ONE; LANES];
        embed.forward(kept.inputs, &mut kept.embedded[..h]);
        dispatch!(_L => rectify(&mut kept.embedded[..h]));
        inner.forward(kept.embedded, &mut kept.inner[..h]);
        dispatch!(_L => rectify(&mut kept.inner[..h]));
        heads.forward(kept.inner, kept.heads);
    }

    /// From the cotangents of the heads before their tanh `[3d]` to those of both inputs `[2d]`, in `work`.
    pub fn backward<'a>(
        &self,
        kept: &Kept<'_, T>,
        heads_bar: &[Lanes<T>],
        sums: &mut Sums<T>,
        work: &'a mut [Lanes<T>],
    ) -> &'a [Lanes<T>] {
        let h = self.hidden;
        let [embed, inner, heads] = &self.layers;
        let [sums_embed, sums_inner, sums_heads] = &mut sums.layers;
        let [inner_bar, embedded_bar, inputs_bar] = split_mut(work, [h, h, 2 * self.dim]);
        heads.backward(kept.inner, heads_bar, sums_heads, inner_bar);
        dispatch!(_L => mask(inner_bar, kept.inner));
        inner.backward(kept.embedded, inner_bar, sums_inner, embedded_bar);
        dispatch!(_L => mask(embedded_bar, kept.embedded));
        embed.backward(kept.inputs, embedded_bar, sums_embed, inputs_bar);
        inputs_bar
    }

    /// Rows that the reverse pass works in.
    pub fn work_rows(&self) -> usize {
        2 * (self.hidden + self.dim)
    }

    /// Sums of nothing.
    pub fn clear(&self, sums: &mut Sums<T>) {
        for (sums, layer) in sums.layers.iter_mut().zip(&self.layers) {
            sums.clear();
            sums.resize(layer.sums(), [T::ZERO; _]);
        }
        for sums in [&mut sums.log_scale_s, &mut sums.log_scale_q] {
            sums.clear();
            sums.resize(self.dim, [T::ZERO; _]);
        }
        sums.log_step = [T::ZERO; LANES];
    }

    /// Adds the sums to the network's piece of the gradient; returns that of log ε.
    pub fn fold_into(&self, sums: &Sums<T>, grad: &mut [T]) -> f64 {
        let [embed, inner, heads, log_s, log_q] = split_mut(grad, self.sizes());
        for ((layer, sums), grad) in self.layers.iter().zip(&sums.layers).zip([embed, inner, heads]) {
            layer.fold_into(sums, grad);
        }
        // Both are factors of ε, too.
        let mut step = total(&sums.log_step);
        for (sums, grad) in [(&sums.log_scale_s, log_s), (&sums.log_scale_q, log_q)] {
            for (sum, grad) in sums.iter().zip(grad) {
                let sum = total(sum);
                *grad += T::of(sum);
                step += sum;
            }
        }
        step
    }

    fn rows(dim: usize, hidden: usize) -> [usize; 4] {
        [2 * dim + 3, hidden + 1, hidden + 1, 3 * dim]
    }

    fn sizes(&self) -> [usize; 5] {
        let (d, h) = (self.dim, self.hidden);
        [(2 * d + 3) * h, (h + 1) * h, (h + 1) * 3 * d, d, d]
    }
}

/// Consecutive pieces of those sizes.
fn split<T, const N: usize>(mut rest: &[T], sizes: [usize; N]) -> [&[T]; N] {
    sizes.map(|size| {
        let (now, later) = rest.split_at(size);
        rest = later;
        now
    })
}

/// Likewise, to be written.
#[inline(always)]
pub(super) fn split_mut<T, const N: usize>(mut rest: &mut [T], sizes: [usize; N]) -> [&mut [T]; N] {
    let mut pieces: [&mut [T]; N] = std::array::from_fn(|_| Default::default());
    for (piece, size) in pieces.iter_mut().zip(sizes) {
        let (now, later) = std::mem::take(&mut rest).split_at_mut(size);
        (*piece, rest) = (now, later);
    }
    pieces
}

/// ReLU. What is not a number stays none.
#[inline(always)]
fn rectify<T: Real>(rows: &mut [Lanes<T>]) {
    for row in rows {
        *row = map(row, |x| if x < T::ZERO { T::ZERO } else { x });
    }
}

/// Its reverse pass, by its results.
#[inline(always)]
fn mask<T: Real>(grad: &mut [Lanes<T>], results: &[Lanes<T>]) {
    for (grad, result) in grad.iter_mut().zip(results) {
        *grad = map2(grad, result, |grad, result| if result > T::ZERO { grad } else { T::ZERO });
    }
}
