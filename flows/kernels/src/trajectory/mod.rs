//! A whole trajectory of kicks and drifts through learnt energies, with its reverse pass, a tile of points at a time.
//!
//! State (q, p) ∈ ℝ²ᵈ. One move is p ← p − c·h·∇U(q) or q ← q + c·h·∇K(p); which energy, which step size h and which
//! coefficient c comes from a list, so one loop serves every splitting scheme, any number of Hamiltonians, and inverses.
//!
//! Reverse pass of p′ = p + s·∇U(q) with s = −c·h, for cotangents (q̄, p̄): q̄ += s·Hess U(q)·p̄, ∂θ += s·∂(p̄ᵀ∇U(q))/∂θ,
//! ∂h += −c·p̄ᵀ∇U(q); drifts alike with the roles exchanged. It needs the point at which the force was taken and the
//! network's activations there: either kept by the forward pass, or rebuilt from the end by undoing each move, which
//! costs the force once more and constant memory (Gomez et al. 2017, arXiv 1707.04585, section 3.2; for Hamiltonian flows
//! Toth et al. 2019, arXiv 1909.13789). Rebuilding is exact up to rounding: p + s∇U − s∇U.
//!
//! A tile goes through all moves, then back through all, so that what is kept stays in cache. Threads share the
//! [`Prepared`] parameters and each have a [`Workspace`], a [`KeptTile`] and an [`Accumulator`]; none allocates after its first
//! use. Deviation: none.

mod batch;
mod energy;
mod memory;
mod moves;
mod pass;

pub use batch::{Gradients, Kept};
pub use energy::Energy;
pub use memory::{Accumulator, KeptTile, Prepared, TILE, Tile, Workspace};
pub use moves::{Move, Trajectory};

#[cfg(test)]
mod laws;
