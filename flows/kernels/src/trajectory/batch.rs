//! Any number of points through a trajectory, tile by tile, on one thread.
//!
//! Shapes: states are `[n, 2d]` row-major, q before p.

use crate::real::Real;
use crate::trajectory::{Accumulator, KeptTile, Prepared, TILE, Tile, Trajectory, Workspace};

/// What a forward pass kept, tile by tile.
#[derive(Debug)]
pub struct Kept<T> {
    tiles: Vec<KeptTile<T>>,
}

/// Gradients of a scalar in everything that a trajectory depends on.
#[derive(Clone, Debug, PartialEq)]
pub struct Gradients<T> {
    /// In the flat parameters.
    pub params: Vec<T>,
    /// In the step sizes.
    pub steps: Vec<T>,
    /// In the start, `[n, 2d]`.
    pub start: Vec<T>,
}

impl Trajectory {
    /// The end `[n, 2d]` of the trajectory from `start` `[n, 2d]`; `keep` keeps what [`Trajectory::reverse`] needs.
    pub fn run<T: Real>(&self, params: &[T], steps: &[T], start: &[T], keep: bool) -> (Vec<T>, Option<Kept<T>>) {
        let mut prepared = Prepared::default();
        self.prepare(params, &mut prepared);
        let mut end = vec![T::ZERO; start.len()];
        let (mut tile, mut workspace, mut tiles) = (Tile::new(self.dim, 1), Workspace::default(), Vec::new());
        for (from, to) in start.chunks(self.stride()).zip(end.chunks_mut(self.stride())) {
            tile.read(from);
            let mut kept = keep.then(KeptTile::default);
            self.forward_tile(&prepared, steps, &mut tile, kept.as_mut(), &mut workspace);
            tile.write(to);
            tiles.extend(kept);
        }
        (end, keep.then_some(Kept { tiles }))
    }

    /// Gradients of Σ end·cotangent, both `[n, 2d]`. Without `kept` the states are rebuilt from the end.
    pub fn reverse<T: Real>(
        &self,
        params: &[T],
        steps: &[T],
        end: &[T],
        kept: Option<&Kept<T>>,
        cotangent: &[T],
    ) -> Gradients<T> {
        let (mut prepared, mut grad) = (Prepared::default(), Accumulator::default());
        self.prepare(params, &mut prepared);
        grad.reset(self, steps.len());
        let (mut state, mut adjoint) = (Tile::new(self.dim, 1), Tile::new(self.dim, 1));
        let mut workspace = Workspace::default();
        let mut start = vec![T::ZERO; end.len()];
        let tiles = end.chunks(self.stride()).zip(cotangent.chunks(self.stride()));
        for (index, ((end, cotangent), start)) in tiles.zip(start.chunks_mut(self.stride())).enumerate() {
            state.read(end);
            adjoint.read(cotangent);
            let kept = kept.map(|kept| &kept.tiles[index]);
            self.reverse_tile(&prepared, steps, &state, kept, &mut adjoint, &mut grad, &mut workspace);
            adjoint.write(start);
        }
        let mut flat = vec![T::ZERO; params.len()];
        grad.fold_into(self, &mut flat);
        Gradients { params: flat, steps: grad.steps().iter().map(|&step| T::of(step)).collect(), start }
    }

    fn stride(&self) -> usize {
        TILE * 2 * self.dim
    }
}
