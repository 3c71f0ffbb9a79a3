//! One scalar quantity of several chains, read where it lies.

/// The draws of one scalar quantity: N chains of T draws each, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct Draws<'a> {
    trace: &'a [f64],
    chains: usize,
    dim: usize,
    /// Which of the `dim` quantities.
    index: usize,
}

impl<'a> Draws<'a> {
    /// A quantity alone, shape `[T, N]`: chain n at draw t is `values[t * chains + n]`.
    ///
    /// # Panics
    /// If the values do not divide into `chains`.
    pub fn new(values: &'a [f64], chains: usize) -> Self {
        Self::of_trace(values, chains, 1, 0)
    }

    /// Dimension `index` of a trace of shape `[T, N, dim]`: chain n at draw t is `trace[(t * chains + n) * dim +
    /// index]`.
    ///
    /// # Panics
    /// If the trace does not divide into `chains` points of `dim` dimensions, or has no dimension `index`.
    pub fn of_trace(trace: &'a [f64], chains: usize, dim: usize, index: usize) -> Self {
        assert!(index < dim, "dimension {index} of {dim}");
        assert!(chains > 0 && trace.len().is_multiple_of(chains * dim), "{} values, {chains} chains", trace.len());
        Self { trace, chains, dim, index }
    }

    /// N, the number of chains.
    pub fn chains(&self) -> usize {
        self.chains
    }

    /// T, the number of draws of each chain.
    pub fn draws(&self) -> usize {
        self.trace.len() / (self.chains * self.dim)
    }

    /// All values, draw by draw.
    pub fn iter(self) -> impl Iterator<Item = f64> + 'a {
        self.trace.iter().skip(self.index).step_by(self.dim).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::Draws;

    #[test]
    fn a_dimension_of_a_trace_is_the_quantity_alone() {
        let (t, n, d) = (3, 2, 4);
        let trace: Vec<f64> = (0..t * n * d).map(|i| i as f64).collect();
        for j in 0..d {
            let draws = Draws::of_trace(&trace, n, d, j);
            let gathered: Vec<f64> = draws.iter().collect();
            let alone = Draws::new(&gathered, n);
            assert_eq!((draws.chains(), draws.draws()), (n, t));
            assert_eq!((alone.chains(), alone.draws()), (n, t));
            for (at, value) in alone.iter().enumerate() {
                assert_eq!(value, trace[at * d + j]);
            }
        }
    }
}
