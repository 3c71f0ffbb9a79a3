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
        let output = &packed[chain.packed_rows()..];
        let scratch = &mut scratch[..m];
        kept[..chain.rows(0, m)].copy_from_slice(x);
        for l in 0..depth {
            let (before, here) = kept.split_at_mut(self.kept_start(l, m));
            let below = if l == 0 { x } else { self.kept(before, l - 1, m)[0] };
            let [value, slope, delta, bend] = self.kept_mut(here, l, m);
            let last = l + 1 == depth;
            let (out, slope) = if last { (slope, value) } else { (value, slope) };
            chain.layer(packed, l).up::<L>(
                out,
                below,
                true,
                m,
                #[inline(always)]
                |j, z| {
                    let bend = panel_mut(bend, j, m);
                    if last {
                        self.activation.last::<L, T>(z.as_flattened_mut(), bend.as_flattened_mut());
                        let delta = panel_mut(delta, j, m);
                        delta.fill(output[j]);
                        adjoint(delta, z, bend);
                    } else {
                        let slope = panel_mut(slope, j, m).as_flattened_mut();
                        self.activation.hidden::<L, T>(z.as_flattened_mut(), slope, bend.as_flattened_mut());
                    }
                },
            );
        }
        for l in (0..depth - 1).rev() {
            let (here, above) = kept.split_at_mut(self.kept_start(l + 1, m));
            let [_, _, above, _] = self.kept_mut(above, l + 1, m);
            let start = self.kept_start(l, m);
            let [_, slope, delta, bend] = self.kept_mut(&mut here[start..], l, m);
            chain.layer(packed, l + 1).down::<L>(
                scratch,
                above,
                m,
                #[inline(always)]
                |j, e| {
                    let delta = panel_mut(delta, j, m);
                    delta.copy_from_slice(e);
                    adjoint(delta, panel_mut(slope, j, m), panel_mut(bend, j, m));
                },
            );
        }
        let delta = self.kept(kept, 0, m)[2];
        chain.layer(packed, 0).down::<L>(
            scratch,
            delta,
            m,
            #[inline(always)]
            |j, gradient| add(panel_mut(into, j, m), gradient, scale),
        );
    }
}

/// δ = e ⊙ σ′ where e stood, and σ″ ⊙ e where σ″ stood, if it is kept.
#[inline(always)]
fn adjoint<T: Real>(e: &mut [Row<T>], slope: &[Row<T>], curvature: &mut [Row<T>]) {
    let e = e.as_flattened_mut();
    for (&mut e, curvature) in e.iter_mut().zip(curvature.as_flattened_mut()) {
        *curvature *= e;
    }
    for (e, &slope) in e.iter_mut().zip(slope.as_flattened()) {
        *e *= slope;
    }
}

/// into += scale·x.
#[inline(always)]
pub(super) fn add<T: Real>(into: &mut [Row<T>], x: &[Row<T>], scale: T) {
    for (into, &x) in into.as_flattened_mut().iter_mut().zip(x.as_flattened()) {
        *into += scale * x;
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
