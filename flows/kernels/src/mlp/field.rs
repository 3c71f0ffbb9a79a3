//! The force of a learnt energy: ∇E at a tile of points.
//!
//! With the notation of [`Mlp`], one sweep back: δ_l = σ′(z_l) ⊙ e_l, e_L = w, e_{l−1} = W_lᵀ δ_l, ∇E = W_1ᵀ δ_1.
//! Activations follow each panel of a product while it is in the first-level cache.
//! Shapes: panels of m points, as in [`crate::panel`]. Deviation: none.

use crate::mlp::Mlp;
use crate::panel::{Row, Shape};
use crate::real::Real;

impl Mlp {
    /// into += scale·∇E(x), both panels of m points; `kept` and `scratch` of so many rows as [`Mlp::kept_rows`] and
    /// [`Mlp::scratch_rows`] say.
    #[allow(clippy::too_many_arguments, reason = "a kernel's operands")]
    pub fn add_gradient<T: Real>(
        &self,
        packed: &[Row<T>],
        x: &[Row<T>],
        m: usize,
        scale: T,
        kept: &mut [Row<T>],
        scratch: &mut [Row<T>],
        into: &mut [Row<T>],
    ) {
        crate::dispatch!(L => self.add_gradient_at::<L, T>(packed, x, m, scale, kept, scratch, into));
    }

    #[allow(clippy::too_many_arguments, reason = "a kernel's operands")]
    #[inline(always)]
    fn add_gradient_at<L: Shape, T: Real>(
        &self,
        packed: &[Row<T>],
        x: &[Row<T>],
        m: usize,
        scale: T,
        kept: &mut [Row<T>],
        scratch: &mut [Row<T>],
        into: &mut [Row<T>],
    ) {
        let (chain, depth) = (&self.chain, self.chain.depth());
        // δ of the layer above and of the layer below, and ∇E.
        let widest = (0..=depth).map(|l| chain.rows(l, m)).max().unwrap_or(0);
        let (mut delta, rest) = scratch.split_at_mut(widest);
        let (mut spare, gradient) = rest.split_at_mut(widest);
        kept[..chain.rows(0, m)].copy_from_slice(x);
        for l in 0..depth {
            let factor = if l == 0 { scale } else { T::ONE };
            let (before, here) = kept.split_at_mut(self.kept_start(l, m));
            let below = if l == 0 { x } else { self.kept(before, l - 1, m)[0] };
            let [value, slope, _, curvature] = self.kept_mut(here, l, m);
            let last = l + 1 == depth;
            let (out, other) = if last { (slope, value) } else { (value, slope) };
            let output = &packed[chain.packed_rows()..];
            chain.layer(packed, l).up::<L>(
                out,
                below,
                true,
                m,
                #[inline(always)]
                |j, z| {
                    let curvature = panel_mut(curvature, j, m).as_flattened_mut();
                    if last {
                        self.activation.last::<L, T>(z.as_flattened_mut(), curvature);
                        let delta = panel_mut(delta, j, m);
                        fill(delta, &output[j], factor);
                        for (delta, &slope) in delta.as_flattened_mut().iter_mut().zip(z.as_flattened()) {
                            *delta = *delta * slope;
                        }
                    } else {
                        let slope = panel_mut(other, j, m).as_flattened_mut();
                        self.activation.hidden::<L, T>(z.as_flattened_mut(), slope, curvature);
                    }
                },
            );
        }
        for l in (0..depth - 1).rev() {
            let factor = if l == 0 { scale } else { T::ONE };
            let start = self.kept_start(l, m);
            let [_, slope, adjoint, _] = self.kept_mut(&mut kept[start..], l, m);
            chain.layer(packed, l + 1).down::<L>(
                adjoint,
                delta,
                m,
                #[inline(always)]
                |j, e| {
                    let slope = panel_mut(slope, j, m).as_flattened();
                    let delta = panel_mut(spare, j, m).as_flattened_mut();
                    for ((delta, &e), &slope) in delta.iter_mut().zip(e.as_flattened()).zip(slope) {
                        *delta = factor * e * slope;
                    }
                },
            );
            (delta, spare) = (spare, delta);
        }
        chain.layer(packed, 0).down::<L>(
            &mut gradient[..chain.rows(0, m)],
            delta,
            m,
            #[inline(always)]
            |j, gradient| {
                add(panel_mut(into, j, m), gradient);
            },
        );
    }
}

/// Every row of `rows` factor·row.
#[inline(always)]
pub(super) fn fill<T: Real>(rows: &mut [Row<T>], row: &Row<T>, factor: T) {
    let mut scaled = *row;
    for x in &mut scaled {
        *x = factor * *x;
    }
    rows.fill(scaled);
}

/// into += x.
#[inline(always)]
pub(super) fn add<T: Real>(into: &mut [Row<T>], x: &[Row<T>]) {
    for (into, &x) in into.as_flattened_mut().iter_mut().zip(x.as_flattened()) {
        *into += x;
    }
}

/// Panel j, or nothing of nothing.
#[inline(always)]
pub(super) fn panel_mut<T>(rows: &mut [Row<T>], j: usize, m: usize) -> &mut [Row<T>] {
    if rows.is_empty() { rows } else { &mut rows[j * m..][..m] }
}

/// Panel j, or nothing of nothing.
#[inline(always)]
pub(super) fn panel<T>(rows: &[Row<T>], j: usize, m: usize) -> &[Row<T>] {
    if rows.is_empty() { rows } else { &rows[j * m..][..m] }
}
