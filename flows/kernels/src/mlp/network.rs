//! A plain network ℝⁱ → ℝᵒ with rectified hidden layers, and its reverse pass, at a tile of points.
//!
//! a_l = max(z_l, 0), z_l = W_l a_{l−1} + b_l, the last layer linear. Reverse, for a cotangent γ_L of z_L:
//! ∂/∂W_l = γ_l a_{l−1}ᵀ, ∂/∂b_l = γ_l, γ_{l−1} = [a_{l−1} > 0] ⊙ W_lᵀ γ_l, and W_1ᵀ γ_1 for the input. The slope at 0 is 0.
//! Parameters, flat: W_1 `[h_1, i]`, b_1 `[h_1]`, …, W_L `[o, h_{L−1}]`, b_L `[o]`. Shapes: panels of m points, as in
//! [`crate::panel`]. Deviation: none.

use crate::mlp::chain::Chain;
use crate::mlp::field::{add, panel};
use crate::panel::{Row, Shape};
use crate::real::Real;

/// A network of rectified linear units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    chain: Chain,
}

impl Network {
    /// From the inputs through the hidden widths to the outputs.
    pub fn new(inputs: usize, hidden: &[usize], outputs: usize) -> Self {
        let ends = (std::iter::once(inputs), std::iter::once(outputs));
        Self { chain: Chain::new(ends.0.chain(hidden.iter().copied()).chain(ends.1).collect()) }
    }

    /// Its layers: how parameters are packed and gradients folded.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Rows that the forward pass at m points leaves for the reverse one: x, then a of every hidden layer.
    pub fn kept_rows(&self, m: usize) -> usize {
        (0..self.chain.depth()).map(|l| self.chain.rows(l, m)).sum()
    }

    /// Rows of scratch that the reverse pass needs at m points.
    pub fn scratch_rows(&self, m: usize) -> usize {
        2 * self.widest(m)
    }

    /// The outputs, into `out`, at m points; `kept` of [`Network::kept_rows`].
    pub fn forward<T: Real>(&self, packed: &[Row<T>], x: &[Row<T>], m: usize, kept: &mut [Row<T>], out: &mut [Row<T>]) {
        crate::dispatch!(L => self.forward_at::<L, T>(packed, x, m, kept, out));
    }

    #[inline(always)]
    fn forward_at<L: Shape, T: Real>(
        &self,
        packed: &[Row<T>],
        x: &[Row<T>],
        m: usize,
        kept: &mut [Row<T>],
        out: &mut [Row<T>],
    ) {
        let (chain, depth) = (&self.chain, self.chain.depth());
        let (mut below, mut rest) = kept.split_at_mut(chain.rows(0, m));
        below.copy_from_slice(x);
        for l in 0..depth {
            let last = l + 1 == depth;
            let (here, after) = rest.split_at_mut(if last { 0 } else { chain.rows(l + 1, m) });
            let to = if last { &mut *out } else { &mut *here };
            chain.layer(packed, l).up::<L>(
                to,
                below,
                true,
                m,
                #[inline(always)]
                |_, z| {
                    if !last {
                        for z in z.as_flattened_mut() {
                            *z = if *z < T::ZERO { T::ZERO } else { *z };
                        }
                    }
                },
            );
            (below, rest) = (here, after);
        }
    }

    /// The reverse pass for the `cotangent` of the outputs, given what [`Network::forward`] kept at m points.
    ///
    /// Adds the gradients in the parameters to `grad`, the cotangent of the inputs to `into`.
    #[allow(clippy::too_many_arguments, reason = "a kernel's operands")]
    pub fn reverse<T: Real>(
        &self,
        packed: &[Row<T>],
        kept: &[Row<T>],
        cotangent: &[Row<T>],
        m: usize,
        scratch: &mut [Row<T>],
        grad: &mut [Row<T>],
        into: &mut [Row<T>],
    ) {
        crate::dispatch!(L => self.reverse_at::<L, T>(packed, kept, cotangent, m, scratch, grad, into));
    }

    #[allow(clippy::too_many_arguments, reason = "a kernel's operands")]
    #[inline(always)]
    fn reverse_at<L: Shape, T: Real>(
        &self,
        packed: &[Row<T>],
        kept: &[Row<T>],
        cotangent: &[Row<T>],
        m: usize,
        scratch: &mut [Row<T>],
        grad: &mut [Row<T>],
        into: &mut [Row<T>],
    ) {
        let (chain, depth) = (&self.chain, self.chain.depth());
        let (mut gamma, mut below) = scratch.split_at_mut(self.widest(m));
        gamma[..chain.rows(depth, m)].copy_from_slice(cotangent);
        let mut end = kept.len();
        for l in (0..depth).rev() {
            let start = end - chain.rows(l, m);
            let value = &kept[start..end];
            end = start;
            let y = &gamma[..chain.rows(l + 1, m)];
            let mut grad = chain.grad(grad, l);
            grad.bias(y, T::ONE, m);
            grad.weights::<L, 1>([(value, y)], T::ONE, m);
            chain.layer(packed, l).down::<L>(
                &mut below[..chain.rows(l, m)],
                y,
                m,
                #[inline(always)]
                |j, below| {
                    if l > 0 {
                        let value = panel(value, j, m).as_flattened();
                        for (below, &value) in below.as_flattened_mut().iter_mut().zip(value) {
                            *below = if value > T::ZERO { *below } else { T::ZERO };
                        }
                    }
                },
            );
            (gamma, below) = (below, gamma);
        }
        add(into, &gamma[..chain.rows(0, m)], T::ONE);
    }

    fn widest(&self, m: usize) -> usize {
        (0..=self.chain.depth()).map(|l| self.chain.rows(l, m)).max().unwrap_or(0)
    }
}
