//! What a trajectory is: energies and the moves through them.

use crate::real::Real;
use crate::trajectory::Energy;

/// One kick or drift.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Move {
    /// Index of the energy whose gradient is taken.
    pub energy: usize,
    /// A kick takes it at q and changes p; a drift the other way round.
    pub kick: bool,
    /// Index of the step size.
    pub step: usize,
    /// Fraction of the step, negative for going back.
    pub coefficient: f64,
}

/// Energies, where their parameters are, and the moves through them.
#[derive(Clone, Debug, PartialEq)]
pub struct Trajectory {
    /// Dimension d of q and of p.
    pub dim: usize,
    /// Each energy with the offset of its parameters.
    pub energies: Vec<(Energy, usize)>,
    /// In the order in which they are made.
    pub moves: Vec<Move>,
}

impl Move {
    /// Coefficient of h·∇E: kicks subtract.
    pub(super) fn signed<T: Real>(&self) -> T {
        T::of(if self.kick { -self.coefficient } else { self.coefficient })
    }
}

impl Trajectory {
    /// Rows that all moves at m points keep.
    pub(super) fn kept_rows(&self, m: usize) -> usize {
        self.moves.iter().map(|step| self.energies[step.energy].0.kept_rows(self.dim, m)).sum()
    }

    /// Most rows of one move that `count` says of its energy.
    pub(super) fn most(&self, count: impl Fn(&Energy) -> usize) -> usize {
        self.energies.iter().map(|(energy, _)| count(energy)).max().unwrap_or(0)
    }

    /// Each energy with where its rows are, `count` rows an energy.
    pub(super) fn runs(&self, count: impl Fn(&Energy) -> usize) -> impl Iterator<Item = (&Energy, usize, usize)> {
        self.energies.iter().scan(0, move |start, (energy, offset)| {
            let here = *start;
            *start += count(energy);
            Some((energy, *offset, here))
        })
    }
}
