//! The memory of a trajectory: parameters shared by threads, and what each thread reuses from tile to tile.

use crate::panel::{Buffer, Row, panels};
use crate::real::Real;
use crate::trajectory::Trajectory;

/// Most points in a tile.
pub const TILE: usize = 64;

/// Parameters as products read them: made once a step, read by all threads.
#[derive(Debug)]
pub struct Prepared<T> {
    pub(super) rows: Buffer<T>,
    /// Where each energy's rows begin.
    pub(super) starts: Vec<usize>,
    made_for: Option<Trajectory>,
}

/// Points of phase space, a point a column: q and p, each `[d][m]` one coordinate after the other, m ≤ [`TILE`].
#[derive(Clone, Debug, PartialEq)]
pub struct Tile<T> {
    values: Vec<T>,
    dim: usize,
    m: usize,
}

/// What the forward pass of one tile kept.
#[derive(Debug)]
pub struct KeptTile<T> {
    pub(super) rows: Buffer<T>,
    pub(super) m: usize,
}

/// Scratch of one thread.
#[derive(Debug)]
pub struct Workspace<T> {
    /// q, p and their cotangents, a quarter each.
    pub(super) states: Buffer<T>,
    pub(super) scratch: Buffer<T>,
    pub(super) rebuilt: Buffer<T>,
}

/// Gradients of one thread, summed over its tiles.
#[derive(Debug)]
pub struct Accumulator<T> {
    pub(super) rows: Buffer<T>,
    pub(super) starts: Vec<usize>,
    pub(super) steps: Vec<f64>,
}

impl<T> Default for Prepared<T> {
    fn default() -> Self {
        Self { rows: Buffer::default(), starts: Vec::new(), made_for: None }
    }
}

impl<T> Default for KeptTile<T> {
    fn default() -> Self {
        Self { rows: Buffer::default(), m: 0 }
    }
}

impl<T> Default for Workspace<T> {
    fn default() -> Self {
        Self { states: Buffer::default(), scratch: Buffer::default(), rebuilt: Buffer::default() }
    }
}

impl<T> Default for Accumulator<T> {
    fn default() -> Self {
        Self { rows: Buffer::default(), starts: Vec::new(), steps: Vec::new() }
    }
}

impl<T: Real> Tile<T> {
    /// m points at zero in d dimensions.
    pub fn new(dim: usize, m: usize) -> Self {
        let mut tile = Self { values: Vec::new(), dim, m };
        tile.resize(m);
        tile
    }

    /// Makes it one of m points, whose values are whatever was there.
    pub fn resize(&mut self, m: usize) {
        assert!((1..=TILE).contains(&m), "a tile of {m} points: 1 to {TILE}");
        self.values.resize(2 * self.dim * m, T::ZERO);
        self.m = m;
    }

    /// Number of points m.
    pub fn len(&self) -> usize {
        self.m
    }

    /// Whether there is none; there always is one.
    pub fn is_empty(&self) -> bool {
        self.m == 0
    }

    /// q and p.
    pub fn parts(&self) -> (&[T], &[T]) {
        self.values.split_at(self.dim * self.m)
    }

    /// q and p, to be written.
    pub fn parts_mut(&mut self) -> (&mut [T], &mut [T]) {
        self.values.split_at_mut(self.dim * self.m)
    }

    /// From rows `[m, 2d]`, q before p.
    pub fn read(&mut self, rows: &[T]) {
        let (m, stride) = (rows.len() / (2 * self.dim), 2 * self.dim);
        self.resize(m);
        for (i, column) in self.values.chunks_exact_mut(m).enumerate() {
            column.iter_mut().enumerate().for_each(|(p, x)| *x = rows[p * stride + i]);
        }
    }

    /// Into rows `[m, 2d]`, q before p.
    pub fn write(&self, rows: &mut [T]) {
        let stride = 2 * self.dim;
        for (i, column) in self.values.chunks_exact(self.m).enumerate() {
            column.iter().enumerate().for_each(|(p, &x)| rows[p * stride + i] = x);
        }
    }
}

impl<T: Real> Workspace<T> {
    /// Makes room for tiles of m points.
    pub(super) fn resize(&mut self, trajectory: &Trajectory, m: usize) {
        self.states.resize(4 * panels(trajectory.dim) * m);
        self.scratch.resize(trajectory.most(|energy| energy.scratch_rows(trajectory.dim, m)));
        self.rebuilt.resize(trajectory.most(|energy| energy.kept_rows(trajectory.dim, m)));
    }

    /// q, p, q̄, p̄.
    pub(super) fn quarters(states: &mut Buffer<T>) -> [&mut [Row<T>]; 4] {
        let mut rest = states.rows_mut();
        let quarter = rest.len() / 4;
        [(); 4].map(|()| rest.split_off_mut(..quarter).expect("four quarters"))
    }
}

impl Trajectory {
    /// Packs the flat parameters, in memory that is reused.
    pub fn prepare<T: Real>(&self, params: &[T], into: &mut Prepared<T>) {
        if into.made_for.as_ref() != Some(self) {
            let runs = self.runs(|energy| energy.packed_rows(self.dim));
            into.starts = runs.map(|(_, _, start)| start).collect();
            into.rows.resize(self.energies.iter().map(|(energy, _)| energy.packed_rows(self.dim)).sum());
            into.rows.clear();
            into.made_for = Some(self.clone());
        }
        let rows = into.rows.rows_mut();
        for (energy, offset, start) in self.runs(|energy| energy.packed_rows(self.dim)) {
            energy.pack(&params[offset..], self.dim, &mut rows[start..]);
        }
    }
}

impl<T: Real> Accumulator<T> {
    /// Zero gradients of a trajectory with `n_steps` step sizes.
    pub fn reset(&mut self, trajectory: &Trajectory, n_steps: usize) {
        let count = |energy: &crate::trajectory::Energy| energy.grad_rows(trajectory.dim);
        self.starts.clear();
        self.starts.extend(trajectory.runs(count).map(|(_, _, start)| start));
        self.rows.resize(trajectory.energies.iter().map(|(energy, _)| count(energy)).sum());
        self.rows.clear();
        self.steps.clear();
        self.steps.resize(n_steps, 0.0);
    }

    /// Adds the gradients in the parameters to flat ones.
    pub fn fold_into(&self, trajectory: &Trajectory, params: &mut [T]) {
        for ((energy, offset), &start) in trajectory.energies.iter().zip(&self.starts) {
            energy.fold(&self.rows.rows()[start..], trajectory.dim, &mut params[*offset..]);
        }
    }

    /// Gradients in the step sizes.
    pub fn steps(&self) -> &[f64] {
        &self.steps
    }
}
