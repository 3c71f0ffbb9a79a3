//! The network of a coupling layer: from the half that stays, the log-scale and the shift of the half that moves.
//!
//! Dinh, Sohl-Dickstein & Bengio 2017 (arXiv 1605.08803), section 4.1, with a plain network:
//!
//! ```text
//! (r, t) = W_L σ(… σ(W₁ a + b₁) …) + b_L        s = c ⊙ tanh(r)
//! ```
//!
//! c is learnt. W_L and b_L start at zero: s = t = 0, and the layer is the identity. Where nothing stays (d = 1) there is
//! nothing to look at, and r and t are the biases b_L alone.
//! Shapes: a `[n, from]`; r, t, s `[n, to]`; c `[to]`. Deviation: see the crate.

use flow_sdk::candle_core::Tensor;
use flow_sdk::{Init, Layout, Params, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A coupling layer's network, with the prefix of its parameters' names.
#[derive(Debug)]
pub struct Conditioner {
    name: String,
    widths: Vec<usize>,
    to: usize,
    activation: Activation,
}

/// Activation function of the hidden layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// tanh z.
    #[default]
    Tanh,
    /// z/(1 + e^{−z}).
    Silu,
}

impl Conditioner {
    /// From `from` coordinates to a log-scale and a shift for each of `to`.
    pub fn new(name: String, from: usize, hidden: &[usize], to: usize, activation: Activation) -> Self {
        let hidden = if from == 0 { &[] } else { hidden };
        let widths = [&[from], hidden, &[2 * to]].concat();
        Self { name, widths, to, activation }
    }

    /// Appends its parameters to a layout: N(0, 1/fan-in) as LeCun et al. 1998 ("Efficient BackProp", section 4.6) propose,
    /// the last layer zero.
    pub fn declare(&self, mut layout: Layout) -> Layout {
        let last = self.widths.len() - 2;
        for (l, pair) in self.widths.windows(2).enumerate() {
            let init = if l == last { Init::Zeros } else { Init::Normal { sd: 1.0 / (pair[0] as f64).sqrt() } };
            layout = layout.with(&format!("{}.w{l}", self.name), &[pair[1], pair[0]], init);
            layout = layout.with(&format!("{}.b{l}", self.name), &[pair[1]], Init::Zeros);
        }
        layout.with(&format!("{}.c", self.name), &[self.to], Init::Constant(1.0))
    }

    /// s(a) and t(a).
    pub fn log_scale_and_shift(&self, params: &Params<'_>, a: &Tensor) -> Result<(Tensor, Tensor)> {
        let get = |parameter: &str| params.get(&format!("{}.{parameter}", self.name));
        // Products on CUDA devices take no strides of other rows.
        let mut value = a.contiguous()?;
        for l in 0..self.widths.len() - 1 {
            if l > 0 {
                value = self.activation.apply(&value)?;
            }
            value = value.matmul(&get(&format!("w{l}"))?.t()?)?.broadcast_add(&get(&format!("b{l}"))?)?;
        }
        let s = value.narrow(1, 0, self.to)?.tanh()?.broadcast_mul(&get("c")?)?;
        Ok((s, value.narrow(1, self.to, self.to)?))
    }
}

impl Activation {
    fn apply(self, z: &Tensor) -> Result<Tensor> {
        Ok(match self {
            Self::Tanh => z.tanh()?,
            Self::Silu => z.silu()?,
        })
    }
}
