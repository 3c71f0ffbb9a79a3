//! The network that bends a trajectory: two inputs and the time → scale S, translation T, transformation Q.
//!
//! Levy, Hoffman & Sohl-Dickstein, "Generalizing Hamiltonian Monte Carlo with neural networks" (ICLR 2018, arXiv
//! 1711.09268), appendix C and the authors' code: the three inputs are embedded and added, ReLU, a hidden layer, ReLU, then
//! the heads S = e^{c_S} ⊙ tanh(·), T, Q = e^{c_Q} ⊙ tanh(·), with learnt c. Weights start normal with variance 2f/(number
//! of inputs): f = ⅓ for embeddings (⅔ for the second one of the position's network), 1 inside, 0.001 for heads; all else
//! starts at zero. So at first the sampler is nearly HMC.
//! Shapes: inputs `[n, d]`, time `[n, 2]`, S, T, Q `[n, d]`.
//! Deviation: the normals are not truncated; the three embeddings share one bias, of which there is a sum anyway.

use flow_sdk::candle_core::Tensor;
use flow_sdk::stable::relu;
use flow_sdk::{Init, Layout, Params, Result};

/// One of the two networks of a sampler.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Network {
    name: &'static str,
    dim: usize,
    hidden: usize,
    second: f64,
}

/// Its parameters, laid out for rows of inputs.
pub(crate) struct Weights {
    /// `[2d + 2, h]`.
    embed: Tensor,
    embed_bias: Tensor,
    /// `[h, h]`.
    inner: Tensor,
    inner_bias: Tensor,
    /// `[h, 3d]`.
    heads: Tensor,
    heads_bias: Tensor,
    /// e^c, `[1, 3d]` with ones for T.
    scale_s: Tensor,
    scale_q: Tensor,
    dim: usize,
}

/// S, T and Q.
pub(crate) struct Bend {
    pub scale: Tensor,
    pub translate: Tensor,
    pub transform: Tensor,
}

impl Network {
    /// The one of the velocity, with inputs x and ∇U.
    pub fn of_velocity(dim: usize, hidden: usize) -> Self {
        Self { name: "velocity", dim, hidden, second: 1.0 / 3.0 }
    }

    /// The one of the position, with inputs v and what is left alone of x.
    pub fn of_position(dim: usize, hidden: usize) -> Self {
        Self { name: "position", dim, hidden, second: 2.0 / 3.0 }
    }

    /// The first of its slots, which follow each other: matrices with their biases, then logarithms of scales.
    pub fn first_slot(&self) -> String {
        self.slot("first")
    }

    /// Appends its parameters to a layout.
    pub fn declare(&self, layout: Layout) -> Layout {
        let (d, h) = (self.dim, self.hidden);
        let normal = |factor: f64, inputs: usize| Init::Normal { sd: (2.0 * factor / inputs as f64).sqrt() };
        layout
            .with(&self.slot("first"), &[d, h], normal(1.0 / 3.0, d))
            .with(&self.slot("second"), &[d, h], normal(self.second, d))
            .with(&self.slot("time"), &[2, h], normal(1.0 / 3.0, 2))
            .with(&self.slot("bias"), &[h], Init::Zeros)
            .with(&self.slot("inner"), &[h, h], normal(1.0, h))
            .with(&self.slot("inner_bias"), &[h], Init::Zeros)
            .with(&self.slot("heads"), &[h, 3 * d], normal(0.001, h))
            .with(&self.slot("heads_bias"), &[3 * d], Init::Zeros)
            .with(&self.slot("log_scale_s"), &[d], Init::Zeros)
            .with(&self.slot("log_scale_q"), &[d], Init::Zeros)
    }

    /// Reads them.
    pub fn read(&self, params: &Params<'_>) -> Result<Weights> {
        let get = |slot: &str| params.get(&self.slot(slot));
        Ok(Weights {
            embed: Tensor::cat(&[get("first")?, get("second")?, get("time")?], 0)?,
            embed_bias: get("bias")?,
            inner: get("inner")?,
            inner_bias: get("inner_bias")?,
            heads: get("heads")?,
            heads_bias: get("heads_bias")?,
            scale_s: get("log_scale_s")?.exp()?,
            scale_q: get("log_scale_q")?.exp()?,
            dim: self.dim,
        })
    }

    fn slot(&self, part: &str) -> String {
        format!("{}.{part}", self.name)
    }
}

impl Weights {
    /// S, T, Q.
    pub fn bend(&self, first: &Tensor, second: &Tensor, time: &Tensor) -> Result<Bend> {
        let layer = |x: &Tensor, weights: &Tensor, bias: &Tensor| x.matmul(weights)?.broadcast_add(bias);
        let embedded = layer(&Tensor::cat(&[first, second, time], 1)?, &self.embed, &self.embed_bias)?;
        let embedded = relu(&embedded)?;
        let inner = relu(&layer(&embedded, &self.inner, &self.inner_bias)?)?;
        let heads = layer(&inner, &self.heads, &self.heads_bias)?;
        let head = |index: usize| heads.narrow(1, index * self.dim, self.dim);
        Ok(Bend {
            scale: head(0)?.tanh()?.broadcast_mul(&self.scale_s)?,
            translate: head(1)?,
            transform: head(2)?.tanh()?.broadcast_mul(&self.scale_q)?,
        })
    }
}
