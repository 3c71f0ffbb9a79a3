//! What a chain of layers is, and a batch pushed through it and pulled back.
//!
//! With x = f_K ∘ … ∘ f_1 (z) and log |det| the sum over the layers, the reverse pass of the forward map takes cotangents of
//! x and of log |det| to the parameters. That of the inverse map z(x), whose log |det| is the forward map's at z, follows from
//! the same derivatives: with J the Jacobian of a layer at z, dz = J⁻¹ (dx − ∂f/∂θ dθ). Shapes: blocks of points, a coordinate
//! after another; of each layer one number a point is kept, from which the reverse pass rebuilds the rest.

use super::block::{FOLDED, LANES, Lanes, gather, scatter};
use crate::real::Real;
use crate::simd::Level;

/// Layers that other devices have kernels for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// [`Planar`](super::Planar).
    Planar,
    /// [`Radial`](super::Radial).
    Radial,
}

/// A chain of invertible layers with their parameters, constrained.
pub trait Layers<T: Real>: Default {
    /// What other devices know them as.
    const KIND: Option<Kind> = None;

    /// Takes the parameters of `layers` layers in `dim` dimensions, in the flow's layout.
    fn constrain(&mut self, params: &[T], layers: usize, dim: usize);

    /// Number of layers.
    fn depth(&self) -> usize;

    /// Sums over points that the reverse pass needs for each layer.
    fn sums(&self) -> usize;

    /// Moves a block through all layers; keeps a number a layer; adds log |det| to `log_det`.
    fn forward<L: Level>(&self, x: &mut [Lanes<T>], kept: &mut [Lanes<T>], log_det: &mut Lanes<T>);

    /// Moves a block back through all layers; adds log |det| of the forward map.
    fn inverse<L: Level>(&self, x: &mut [Lanes<T>], kept: &mut [Lanes<T>], log_det: &mut Lanes<T>);

    /// Reverse pass of [`Layers::forward`]: takes the block back to where it came from, its cotangents with it, those of
    /// log |det| being `grad_log_det`; adds to the sums.
    fn pull_forward<L: Level>(
        &self,
        x: &mut [Lanes<T>],
        kept: &[Lanes<T>],
        grad: &mut [Lanes<T>],
        grad_log_det: &Lanes<T>,
        sums: &mut [[T; FOLDED]],
    );

    /// Reverse pass of [`Layers::inverse`], likewise.
    fn pull_inverse<L: Level>(
        &self,
        x: &mut [Lanes<T>],
        kept: &[Lanes<T>],
        grad: &mut [Lanes<T>],
        grad_log_det: &Lanes<T>,
        sums: &mut [[T; FOLDED]],
    );

    /// Adds the gradient in the unconstrained parameters to `grad`.
    fn finish(&self, params: &[T], sums: &[[T; FOLDED]], grad: &mut [T]);
}

/// Layers whose dets are multiplied before their logarithm is taken.
const TOGETHER: usize = 4;

/// Whether the logarithm of the dets so far is due after layer number `done` on the way through `layers`.
#[inline(always)]
pub(super) fn logarithm_is_due(done: usize, layers: usize) -> bool {
    done % TOGETHER == TOGETHER - 1 || done + 1 == layers
}

/// A block of points on its way, with what its reverse pass needs.
#[derive(Clone, Debug, Default)]
pub struct Block<T> {
    x: Vec<Lanes<T>>,
    kept: Vec<Lanes<T>>,
}

/// Which way a block goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the base.
    Forward,
    /// To the base.
    Inverse,
}

/// Takes at most [`LANES`] rows `[m, d]` through a chain, in place; writes log |det| of the forward map, `[m]`.
#[inline(always)]
pub fn push<L: Level, T: Real, C: Layers<T>>(
    chain: &C,
    way: Way,
    rows: &mut [T],
    log_det: &mut [T],
    block: &mut Block<T>,
) {
    let d = rows.len() / log_det.len();
    block.x.resize(d, [T::ZERO; LANES]);
    block.kept.resize(chain.depth(), [T::ZERO; LANES]);
    gather(rows, d, 0..d, &mut block.x);
    let mut det = [T::ZERO; LANES];
    match way {
        Way::Forward => chain.forward::<L>(&mut block.x, &mut block.kept, &mut det),
        Way::Inverse => chain.inverse::<L>(&mut block.x, &mut block.kept, &mut det),
    }
    scatter(&block.x, d, 0..d, rows);
    log_det.copy_from_slice(&det[..log_det.len()]);
}

/// Pulls the cotangents of a block that was pushed back into the sums: `grad` `[m, d]` of where it went, `grad_log_det` `[m]`.
#[inline(always)]
pub fn pull<L: Level, T: Real, C: Layers<T>>(
    chain: &C,
    way: Way,
    block: &mut Block<T>,
    grad: &[T],
    grad_log_det: &[T],
    cotangents: &mut Vec<Lanes<T>>,
    sums: &mut [[T; FOLDED]],
) {
    let (d, m) = (block.x.len(), grad_log_det.len());
    cotangents.resize(d, [T::ZERO; LANES]);
    gather(grad, d, 0..d, cotangents);
    let mut det = [T::ZERO; LANES];
    det[..m].copy_from_slice(grad_log_det);
    // Lanes without a row weigh nothing.
    cotangents.iter_mut().for_each(|lanes| lanes[m..].fill(T::ZERO));
    match way {
        Way::Forward => chain.pull_forward::<L>(&mut block.x, &block.kept, cotangents, &det, sums),
        Way::Inverse => chain.pull_inverse::<L>(&mut block.x, &block.kept, cotangents, &det, sums),
    }
}
