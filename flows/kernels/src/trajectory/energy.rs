//! The energies of one half of the state, each with its force and that force's reverse pass on panels.
//!
//! Quadratic: ∇E = e^{−λ} ⊙ x; for a cotangent v, Hv = e^{−λ} ⊙ v, ∂/∂λᵢ = −Σ e^{−λᵢ} vᵢ xᵢ. Deviation: none.

use crate::mlp::Mlp;
use crate::panel::{PANEL, Row, panels};
use crate::real::Real;

/// An energy of one half of the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Energy {
    /// A learnt network.
    Network(Mlp),
    /// ½ Σ xᵢ² e^{−λᵢ}: the kinetic energy of masses e^λ; parameters λ `[d]`.
    Quadratic,
    /// ½ Σ xᵢ²: of unit masses, without parameters.
    Unit,
}

impl Energy {
    /// Number of parameters in d dimensions.
    pub fn n_params(&self, dim: usize) -> usize {
        match self {
            Self::Network(net) => net.n_params(),
            Self::Quadratic => dim,
            Self::Unit => 0,
        }
    }

    /// Rows of packed parameters: of a quadratic energy e^{−λ}, of unit masses 1.
    pub(super) fn packed_rows(&self, dim: usize) -> usize {
        match self {
            Self::Network(net) => net.packed_rows(),
            Self::Quadratic | Self::Unit => panels(dim),
        }
    }

    /// Packs from where its parameters begin; `out` was zero at first.
    pub(super) fn pack<T: Real>(&self, params: &[T], dim: usize, out: &mut [Row<T>]) {
        let rates = out.as_flattened_mut().iter_mut();
        match self {
            Self::Network(net) => net.pack(&params[..net.n_params()], out),
            Self::Quadratic => rates.zip(&params[..dim]).for_each(|(rate, l)| *rate = T::of((-l.wide()).exp())),
            Self::Unit => rates.take(dim).for_each(|rate| *rate = T::ONE),
        }
    }

    /// Rows of gradients.
    pub(super) fn grad_rows(&self, dim: usize) -> usize {
        match self {
            Self::Network(net) => net.grad_rows(),
            Self::Quadratic | Self::Unit => panels(dim),
        }
    }

    /// Adds gradients to flat ones, from where its parameters begin.
    pub(super) fn fold<T: Real>(&self, grad: &[Row<T>], dim: usize, flat: &mut [T]) {
        match self {
            Self::Network(net) => net.fold(grad, &mut flat[..net.n_params()]),
            Self::Quadratic => flat[..dim].iter_mut().zip(grad.as_flattened()).for_each(|(sum, &grad)| *sum += grad),
            Self::Unit => {}
        }
    }

    /// Rows that a force at m points keeps.
    pub(super) fn kept_rows(&self, dim: usize, m: usize) -> usize {
        match self {
            Self::Network(net) => net.kept_rows(m),
            Self::Quadratic | Self::Unit => panels(dim) * m,
        }
    }

    /// Rows of scratch.
    pub(super) fn scratch_rows(&self, _dim: usize, m: usize) -> usize {
        match self {
            Self::Network(net) => net.scratch_rows(m),
            Self::Quadratic | Self::Unit => 0,
        }
    }

    /// into += scale·∇E(x).
    #[allow(clippy::too_many_arguments, reason = "a kernel's operands")]
    pub(super) fn add_gradient<T: Real>(
        &self,
        packed: &[Row<T>],
        x: &[Row<T>],
        m: usize,
        scale: T,
        kept: &mut [Row<T>],
        scratch: &mut [Row<T>],
        into: &mut [Row<T>],
    ) {
        let Self::Network(net) = self else {
            kept.copy_from_slice(x);
            return add_scaled(packed, x, m, scale, into);
        };
        net.add_gradient(&packed[..net.packed_rows()], x, m, scale, kept, scratch, into);
    }

    /// Adds scale times the gradient of Σ vᵀ∇E in the parameters to `grad`, scale·Hv to `into`, and returns Σ vᵀ∇E.
    #[allow(clippy::too_many_arguments, reason = "a kernel's operands")]
    pub(super) fn reverse<T: Real>(
        &self,
        packed: &[Row<T>],
        kept: &[Row<T>],
        v: &[Row<T>],
        m: usize,
        scale: T,
        scratch: &mut [Row<T>],
        grad: &mut [Row<T>],
        into: &mut [Row<T>],
        dim: usize,
    ) -> T {
        if let Self::Network(net) = self {
            let (packed, grad) = (&packed[..net.packed_rows()], &mut grad[..net.grad_rows()]);
            return net.reverse(packed, kept, v, m, scale, scratch, grad, into);
        }
        let mut along = T::ZERO;
        for i in 0..dim {
            let (panel, c) = (i / PANEL, i % PANEL);
            let points = panel * m..(panel + 1) * m;
            let sum = v[points.clone()].iter().zip(&kept[points]).fold(T::ZERO, |sum, (v, x)| sum + v[c] * x[c]);
            along += packed[panel][c] * sum;
            grad[panel][c] -= scale * packed[panel][c] * sum;
        }
        add_scaled(packed, v, m, scale, into);
        along
    }
}

/// into += scale·rates ⊙ x.
fn add_scaled<T: Real>(rates: &[Row<T>], x: &[Row<T>], m: usize, scale: T, into: &mut [Row<T>]) {
    for ((rates, x), into) in rates.iter().zip(x.chunks_exact(m)).zip(into.chunks_exact_mut(m)) {
        for (x, into) in x.iter().zip(into) {
            for c in 0..PANEL {
                into[c] += scale * (rates[c] * x[c]);
            }
        }
    }
}
