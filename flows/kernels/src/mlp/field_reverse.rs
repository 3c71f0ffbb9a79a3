//! The reverse pass of a learnt force, at a tile of points.
//!
//! For a cotangent v it is the gradient of the scalar vᵀ∇E(x), the derivative of E along v: run tangents forward, ȧ_0 = v,
//! ż_l = W_l ȧ_{l−1}, ȧ_l = σ′(z_l) ż_l, vᵀ∇E = wᵀ ȧ_L (Pearlmutter, "Fast exact multiplication by the Hessian", Neural
//! Computation 6, 1994, section 3), then reverse those: the adjoint of ȧ_l is e_l again, the adjoint of z_l is
//! γ_l = σ″(z_l) e_l ż_l + σ′(z_l) W_{l+1}ᵀ γ_{l+1}. Hence ∂/∂W_l = δ_l ȧ_{l−1}ᵀ + γ_l a_{l−1}ᵀ, ∂/∂b_l = γ_l, ∂/∂w = ȧ_L,
//! and the Hessian product Hv = W_1ᵀ γ_1. A factor on all of them enters where they are added up.
//! Shapes: panels of m points, as in [`crate::panel`]. Deviation: none.

use crate::mlp::field::{add, panel, panel_mut};
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
                Some(below) => pair(&mut before[self.tangent_start(below, m)..], chain.rows(l, m))[0],
                None => v,
            };
            let [tangent, gamma] = pair(here, chain.rows(l + 1, m));
            let [_, slope, delta, bend] = self.kept(kept, l, m);
            let last = l + 1 == depth;
            let output_grad = &mut grad[chain.grad_rows()..];
            chain.layer(packed, l).up::<L>(
                gamma,
                below,
                false,
                m,
                #[inline(always)]
                |j, z| {
                    let slope = panel(slope, j, m);
                    if last {
                        let sums = columns_dot(slope, z);
                        let used = (chain.width(depth) - j * PANEL).min(PANEL);
                        for c in 0..used {
                            output_grad[j][c] += scale * sums[c];
                            along += sums[c] * weights[j][c];
                        }
                    } else {
                        multiplied(panel_mut(tangent, j, m), slope, z);
                    }
                    // σ″ e ż.
                    let (z, slope) = (z.as_flattened_mut(), slope.as_flattened());
                    if self.activation == Activation::Softplus {
                        for ((z, &slope), &delta) in z.iter_mut().zip(slope).zip(panel(delta, j, m).as_flattened()) {
                            *z *= delta * (T::ONE - slope);
                        }
                    } else {
                        for (z, &bend) in z.iter_mut().zip(panel(bend, j, m).as_flattened()) {
                            *z *= bend;
                        }
                    }
                },
            );
        }
        let (product, scratch) = scratch.split_at_mut(m);
        for l in (0..depth).rev() {
            let (before, here) = scratch.split_at_mut(self.tangent_start(l, m) - m);
            let gamma = &*pair(here, chain.rows(l + 1, m))[1];
            let delta = self.kept(kept, l, m)[2];
            let mut grad = chain.grad(grad, l);
            grad.bias(gamma, scale, m);
            let layer = chain.layer(packed, l);
            if l == 0 {
                grad.weights::<L, 2>([(v, delta), (&kept[..chain.rows(0, m)], gamma)], scale, m);
                layer.down::<L>(
                    product,
                    gamma,
                    m,
                    #[inline(always)]
                    |j, product| add(panel_mut(into, j, m), product, scale),
                );
            } else {
                let start = self.tangent_start(l - 1, m) - m;
                let [tangent, below] = pair(&mut before[start..], chain.rows(l, m));
                let [value, slope, ..] = self.kept(kept, l - 1, m);
                grad.weights::<L, 2>([(tangent, delta), (value, gamma)], scale, m);
                layer.down::<L>(
                    product,
                    gamma,
                    m,
                    #[inline(always)]
                    |j, product| {
                        let (slope, below) = (panel(slope, j, m).as_flattened(), panel_mut(below, j, m));
                        let streams = below.as_flattened_mut().iter_mut().zip(slope).zip(product.as_flattened());
                        for ((below, &slope), &product) in streams {
                            *below += slope * product;
                        }
                    },
                );
            }
        }
        along
    }
}

/// ȧ and γ of the layer that begins at `rest`, of so many rows each.
#[inline(always)]
fn pair<T>(rest: &mut [Row<T>], rows: usize) -> [&mut [Row<T>]; 2] {
    let (first, rest) = rest.split_at_mut(rows);
    [first, &mut rest[..rows]]
}

/// out = a ⊙ b.
#[inline(always)]
fn multiplied<T: Real>(out: &mut [Row<T>], a: &[Row<T>], b: &[Row<T>]) {
    for ((out, &a), &b) in out.as_flattened_mut().iter_mut().zip(a.as_flattened()).zip(b.as_flattened()) {
        *out = a * b;
    }
}

/// Sums over points of a ⊙ b.
#[inline(always)]
fn columns_dot<T: Real>(a: &[Row<T>], b: &[Row<T>]) -> Row<T> {
    let mut sums = [T::ZERO; PANEL];
    for (a, b) in a.iter().zip(b) {
        for c in 0..PANEL {
            sums[c] += a[c] * b[c];
        }
    }
    sums
}
