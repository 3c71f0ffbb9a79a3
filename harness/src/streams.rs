//! Who uses which random stream: every stream is keyed by (seed, purpose, step), so none depends on what ran before.

use flow_kernels::philox::derive_seed;

/// What a random stream is for. The numbers are part of the measurement protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Purpose {
    /// Initial parameters.
    Init = 1,
    /// Draws of a training step.
    Train = 2,
    /// Draws from the flow in an evaluation.
    Evaluate = 3,
    /// Exact draws from the target in an evaluation.
    Exact = 4,
    /// Directions of the sliced Wasserstein distance.
    Directions = 5,
    /// The plugin's stability probe.
    Probe = 6,
    /// A second, independent look at a result that cannot be.
    Confirm = 7,
    /// Draws whose speed is measured.
    Throughput = 8,
    /// Where chains start.
    Start = 9,
    /// Transitions of a warm-up.
    WarmUp = 10,
    /// Transitions that are measured.
    Chain = 11,
    /// Annealed draws of the bound on log Z.
    Anneal = 12,
}

/// The seed for one purpose at one step of a cell. Cells with the same seed share it: common random numbers.
pub fn seed_for(cell_seed: u64, purpose: Purpose, step: u64) -> u64 {
    derive_seed(cell_seed, purpose as u64, step)
}
