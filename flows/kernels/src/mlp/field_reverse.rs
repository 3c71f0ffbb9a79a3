//! The reverse pass of a learnt force, at a tile of points.
//!
//! For a cotangent v it is the gradient of the scalar vᵀ∇E(x), the derivative of E along v: run tangents forward, ȧ_0 = v,
//! ż_l = W_l ȧ_{l−1}, ȧ_l = σ′(z_l) ż_l, vᵀ∇E = wᵀ ȧ_L (Pearlmutter, "Fast exact multiplication by the Hessian", Neural
//! Computation 6, 1994, section 3), then reverse those: the adjoint of ȧ_l is e_l again, the adjoint of z_l is
//! γ_l = σ″(z_l) e_l ż_l + σ′(z_l) W_{l+1}ᵀ γ_{l+1}. Hence ∂/∂W_l = δ_l ȧ_{l−1}ᵀ + γ_l a_{l−1}ᵀ, ∂/∂b_l = γ_l, ∂/∂w = ȧ_L,
//! and the Hessian product Hv = W_1ᵀ γ_1. A factor on all of them enters where e does.
//! Shapes: panels of m points, as in [`crate::panel`]. Deviation: none.

use crate::mlp::activation::{columns_sum, logistic_curvature};
use crate::mlp::field::{add, fill, panel, panel_mut};
use crate::mlp::{Activation, Mlp};
use crate::panel::{PANEL, Row, Shape};
use crate::real::Real;

impl Mlp {
    /// The reverse pass of ∇E(x) for the cotangent `v`, given what [`Mlp::add_gradient`] kept at m points.
    ///
    /// Adds scale·∂(Σ vᵀ∇E)/∂params to `grad`, scale·Hv to `into`, and returns Σ vᵀ∇E.
    #[allow(clippy::too_many_arguments, reason = "a kernel's operands")]
    pub fn reverse<T: Real>(
        &self,
        packed: &[Row<T>],
        kept: &[Row<T>],
        v: &[Row<T>],
        m: usize,
        scale: T,
        scratch: &mut [Row<T>],
        grad: &mut [Row<T>],
        into: &mut [Row<T>],
    ) -> T {
        crate::dispatch!(L => self.reverse_at::<L, T>(packed, kept, v, m, scale, scratch, grad, into))
    }

    #[allow(clippy::too_many_arguments, reason = "a kernel's operands")]
    #[inline(always)]
    fn reverse_at<L: Shape, T: Real>(
        &self,
        packed: &[Row<T>],
        kept: &[Row<T>],
        v: &[Row<T>],
        m: usize,
        scale: T,
        scratch: &mut [Row<T>],
        grad: &mut [Row<T>],
        into: &mut [Row<T>],
    ) -> T {
        let (chain, depth) = (&self.chain, self.chain.depth());
        let weights = &packed[chain.packed_rows()..];
        let mut along = T::ZERO;
        for l in 0..depth {
            let (before, here) = scratch.split_at_mut(self.tangent_start(l, m));
            let below = match l.checked_sub(1) {
                Some(below) => tangents(&before[self.tangent_start(below, m)..], chain.rows(l, m))[0],
                None => v,
            };
            let [tangent, gamma, delta] = tangents_mut(here, chain.rows(l + 1, m));
            let [_, slope, adjoint, curvature] = self.kept(kept, l, m);
            let last = l + 1 == depth;
            let output_grad = &mut grad[chain.grad_rows()..];
            chain.layer(packed, l).up::<L>(
                gamma,
                below,
                false,
                m,
                #[inline(always)]
                |j, z| {
                    let (tangent, delta) = (panel_mut(tangent, j, m), panel_mut(delta, j, m));
                    let (slope, adjoint, curvature) =
                        (panel(slope, j, m), panel(adjoint, j, m), panel(curvature, j, m));
                    if last {
                        // e is w, the same for all points: it is written to δ, from where the loop below takes it.
                        fill(delta, &weights[j], scale);
                    } else {
                        for (delta, &e) in delta.as_flattened_mut().iter_mut().zip(adjoint.as_flattened()) {
                            *delta = scale * e;
                        }
                    }
                    let (z, slope) = (z.as_flattened_mut(), slope.as_flattened());
                    let (tangent, delta) = (tangent.as_flattened_mut(), delta.as_flattened_mut());
                    let streams = z.iter_mut().zip(tangent.iter_mut()).zip(delta.iter_mut()).zip(slope);
                    if self.activation == Activation::Softplus {
                        for (((z, tangent), delta), &slope) in streams {
                            *tangent = slope * *z;
                            *z = *delta * logistic_curvature(slope) * *z;
                            *delta = *delta * slope;
                        }
                    } else {
                        for ((((z, tangent), delta), &slope), &curvature) in streams.zip(curvature.as_flattened()) {
                            *tangent = slope * *z;
                            *z = *delta * curvature * *z;
                            *delta = *delta * slope;
                        }
                    }
                    if last {
                        let sums = columns_sum(tangent.as_chunks::<PANEL>().0);
                        for c in 0..PANEL {
                            output_grad[j][c] += scale * sums[c];
                        }
                        let used = (chain.width(depth) - j * PANEL).min(PANEL);
                        for c in 0..used {
                            along += sums[c] * weights[j][c];
                        }
                    }
                },
            );
        }
        for l in (0..depth).rev() {
            let (before, here) = scratch.split_at_mut(self.tangent_start(l, m));
            let [_, gamma, delta] = tangents(here, chain.rows(l + 1, m));
            let mut grad = chain.grad(grad, l);
            grad.bias(gamma, m);
            let layer = chain.layer(packed, l);
            if l == 0 {
                let x = &kept[..chain.rows(0, m)];
                grad.weights::<L, 2>([(v, delta), (x, gamma)], m);
            } else {
                let start = self.tangent_start(l - 1, m);
                let [below, gamma_below, _] = tangents_mut(&mut before[start..], chain.rows(l, m));
                let [value, slope, ..] = self.kept(kept, l - 1, m);
                grad.weights::<L, 2>([(below, delta), (value, gamma)], m);
                // ȧ of the layer below has served: its place takes the product.
                layer.down::<L>(
                    below,
                    gamma,
                    m,
                    #[inline(always)]
                    |j, above| {
                        let (slope, gamma) = (panel(slope, j, m).as_flattened(), panel_mut(gamma_below, j, m));
                        let gamma = gamma.as_flattened_mut();
                        for ((gamma, &slope), &above) in gamma.iter_mut().zip(slope).zip(above.as_flattened()) {
                            *gamma += slope * above;
                        }
                    },
                );
            }
        }
        let (product, rest) = scratch.split_at_mut(self.tangent_start(0, m));
        let [_, gamma, _] = tangents(rest, chain.rows(1, m));
        chain.layer(packed, 0).down::<L>(
            product,
            gamma,
            m,
            #[inline(always)]
            |j, product| {
                add(panel_mut(into, j, m), product);
            },
        );
        along
    }

    /// Where ȧ, γ and δ of layer l begin in the scratch; Hv comes before all.
    fn tangent_start(&self, l: usize, m: usize) -> usize {
        self.chain.rows(0, m) + (1..=l).map(|l| 3 * self.chain.rows(l, m)).sum::<usize>()
    }
}

/// ȧ, γ and δ of the layer that begins at `rest`, of so many rows each.
fn tangents<T>(mut rest: &[Row<T>], rows: usize) -> [&[Row<T>]; 3] {
    [(); 3].map(|()| rest.split_off(..rows).expect("as many rows as the scratch has"))
}

/// The same, to be written.
fn tangents_mut<T>(mut rest: &mut [Row<T>], rows: usize) -> [&mut [Row<T>]; 3] {
    [(); 3].map(|()| rest.split_off_mut(..rows).expect("as many rows as the scratch has"))
}
