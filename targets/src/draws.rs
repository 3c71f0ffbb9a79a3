//! Exact draws, each from a random substream of its own.

use flow_kernels::philox::Stream;

/// Row-major `[n, dim]`; `fill` writes row i from substream i of `seed`, so row i depends on nothing else.
pub(crate) fn rows(seed: u64, n: usize, dim: usize, fill: impl Fn(&mut Stream, &mut [f64])) -> Vec<f64> {
    let mut draws = vec![0.0; n * dim];
    for (i, row) in draws.chunks_exact_mut(dim).enumerate() {
        fill(&mut Stream::substream(seed, i as u64), row);
    }
    draws
}
