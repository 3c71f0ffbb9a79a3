//! A learnt energy E: ℝᵈ → ℝ: its widths, its parameters, what its passes keep.
//!
//! E(x) = wᵀ a_L, a_l = σ(z_l), z_l = W_l a_{l−1} + b_l, a_0 = x. Parameters, flat: W_1 `[h_1, d]`, b_1 `[h_1]`, …, W_L, b_L,
//! w `[h_L]`. A constant in E moves nothing: there is none. Packed, and as gradients: the hidden layers as in
//! [`Chain`], then w as ⌈h_L/32⌉ rows.

use crate::mlp::Activation;
use crate::mlp::chain::{Chain, spread};
use crate::panel::{Row, panels};
use crate::real::Real;

/// A network ℝᵈ → ℝ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mlp {
    pub(super) chain: Chain,
    pub(super) activation: Activation,
}

impl Mlp {
    /// From d inputs through the hidden widths, at least one.
    pub fn new(dim: usize, hidden: &[usize], activation: Activation) -> Self {
        assert!(!hidden.is_empty(), "an energy needs a hidden layer");
        let chain = Chain::new(std::iter::once(dim).chain(hidden.iter().copied()).collect());
        Self { chain, activation }
    }

    /// Dimension d.
    pub fn dim(&self) -> usize {
        self.chain.width(0)
    }

    /// d, then the hidden widths.
    pub fn widths(&self) -> impl Iterator<Item = usize> {
        (0..=self.chain.depth()).map(|l| self.chain.width(l))
    }

    /// Its activation function.
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// Number of parameters.
    pub fn n_params(&self) -> usize {
        self.chain.n_params() + self.last()
    }

    /// Rows of packed parameters.
    pub fn packed_rows(&self) -> usize {
        self.chain.packed_rows() + panels(self.last())
    }

    /// Packs flat parameters; `out` was zero at first.
    pub fn pack<T: Real>(&self, params: &[T], out: &mut [Row<T>]) {
        let (layers, output) = params.split_at(self.chain.n_params());
        self.chain.pack(layers, out);
        spread(output, &mut out[self.chain.packed_rows()..]);
    }

    /// Rows of gradients.
    pub fn grad_rows(&self) -> usize {
        self.chain.grad_rows() + panels(self.last())
    }

    /// Adds gradients to flat ones.
    pub fn fold<T: Real>(&self, grad: &[Row<T>], flat: &mut [T]) {
        let (layers, output) = flat.split_at_mut(self.chain.n_params());
        self.chain.fold(grad, layers);
        let rows = grad[self.chain.grad_rows()..].as_flattened();
        output.iter_mut().zip(rows).for_each(|(sum, &w)| *sum += w);
    }

    /// Rows that the force at m points leaves for its reverse pass.
    ///
    /// x; of each hidden layer a (but of the last), σ′, δ; and σ″ ⊙ e where it does not follow from σ′ and δ.
    pub fn kept_rows(&self, m: usize) -> usize {
        let depth = self.chain.depth();
        self.kept_start(depth - 1, m) + (2 + self.bends()) * self.chain.rows(depth, m)
    }

    /// Rows of scratch that either pass needs at m points: a panel, then ȧ and γ of each layer.
    pub fn scratch_rows(&self, m: usize) -> usize {
        self.tangent_start(self.chain.depth(), m)
    }

    /// Where ȧ and γ of layer l begin in the scratch.
    pub(super) fn tangent_start(&self, l: usize, m: usize) -> usize {
        m + (1..=l).map(|l| 2 * self.chain.rows(l, m)).sum::<usize>()
    }

    /// Where layer l begins in what is kept at m points.
    pub(super) fn kept_start(&self, l: usize, m: usize) -> usize {
        self.chain.rows(0, m) + (1..=l).map(|l| (3 + self.bends()) * self.chain.rows(l, m)).sum::<usize>()
    }

    /// a, σ′, δ and σ″ ⊙ e of layer l = 0, …, L − 1 in what is kept; empty where it is not.
    pub(super) fn kept<'a, T>(&self, kept: &'a [Row<T>], l: usize, m: usize) -> [&'a [Row<T>]; 4] {
        let (rows, mut rest) = (self.chain.rows(l + 1, m), &kept[self.kept_start(l, m)..]);
        self.kept_counts(l).map(|count| rest.split_off(..count * rows).expect("as many rows as are kept"))
    }

    /// The same, to be written, of the layer that begins at `rest`.
    pub(super) fn kept_mut<'a, T>(&self, mut rest: &'a mut [Row<T>], l: usize, m: usize) -> [&'a mut [Row<T>]; 4] {
        let rows = self.chain.rows(l + 1, m);
        self.kept_counts(l).map(|count| rest.split_off_mut(..count * rows).expect("as many rows as are kept"))
    }

    /// How many of value, slope, δ and bend layer l keeps.
    fn kept_counts(&self, l: usize) -> [usize; 4] {
        [usize::from(l + 1 < self.chain.depth()), 1, 1, self.bends()]
    }

    fn bends(&self) -> usize {
        usize::from(self.activation != Activation::Softplus)
    }

    fn last(&self) -> usize {
        self.chain.width(self.chain.depth())
    }
}
