//! A learnt conditional Gaussian f(y|x) = N(μ(x), diag σ(x)²), μ and log σ networks of their own.
//!
//! Toth et al. 2019 (arXiv 1909.13789), appendix: two networks d → h → h → d with ReLU. The density has every factor:
//! log f = −½ Σ [((y − μ)/σ)² + 2 log σ + log 2π], a point at a time.
//! Deviation: log σ = 5 tanh(s/5), s the second network's output, which bounds σ to [e⁻⁵, e⁵] so that one wild step cannot
//! overflow it; the last layers start at zero, f = N(0, 1), so that the extended bound starts with no gap to the marginal one.
//! Shapes: x `[n, d]`; y, noise `[n, d]`; log-density `[n]`.

use flow_sdk::candle_core::Tensor;
use flow_sdk::kernels::conditional::Conditional;
use flow_sdk::stable::relu;
use flow_sdk::{Init, Layout, Params, Result};

/// Bound on |log σ|.
const LOG_SD_BOUND: f64 = 5.0;

/// A conditional Gaussian, with the prefix of its parameters' names.
#[derive(Clone, Debug)]
pub struct Encoder {
    name: &'static str,
    widths: Vec<usize>,
    bounded: bool,
}

/// Its two parameters at given points.
#[derive(Clone, Debug)]
pub struct Moments {
    /// μ, `[n, d]`.
    pub mean: Tensor,
    /// log σ, `[n, d]`.
    pub log_sd: Tensor,
}

impl Encoder {
    /// From d through the hidden widths to d.
    pub fn new(name: &'static str, dim: usize, hidden: &[usize]) -> Self {
        let widths = std::iter::once(dim).chain(hidden.iter().copied()).chain(std::iter::once(dim)).collect();
        Self { name, widths, bounded: true }
    }

    /// Without the bound on σ, as the paper has it.
    pub fn unbounded(self) -> Self {
        Self { bounded: false, ..self }
    }

    /// Appends its parameters to a layout: He et al. 2015 (arXiv 1502.01852) for ReLU, the last layers zero.
    pub fn declare(&self, mut layout: Layout) -> Layout {
        for head in ["mean", "log_sd"] {
            for (l, pair) in self.widths.windows(2).enumerate() {
                let last = l == self.widths.len() - 2;
                let init = if last { Init::Zeros } else { Init::Normal { sd: (2.0 / pair[0] as f64).sqrt() } };
                layout = layout.with(&format!("{}.{head}.w{l}", self.name), &[pair[1], pair[0]], init);
                layout = layout.with(&format!("{}.{head}.b{l}", self.name), &[pair[1]], Init::Zeros);
            }
        }
        layout
    }

    /// The same density for the kernels, with where its parameters start in a layout.
    pub fn kernel(&self, layout: &Layout) -> Result<(Conditional, usize)> {
        let (hidden, bound) = (&self.widths[1..self.widths.len() - 1], self.bounded.then_some(LOG_SD_BOUND));
        let first = layout.slice(&format!("{}.mean.w0", self.name))?;
        Ok((Conditional::new(self.widths[0], hidden, bound), first.offset))
    }

    /// y = μ(x) + σ(x)·noise with log f(y|x), differentiable in all.
    pub fn draw(&self, params: &Params<'_>, x: &Tensor, noise: &Tensor) -> Result<(Tensor, Tensor)> {
        let Moments { mean, log_sd } = self.moments(params, x)?;
        Ok(((mean + log_sd.exp()? * noise)?, log_density(noise, &log_sd)?))
    }

    /// log f(y|x).
    pub fn log_density(&self, params: &Params<'_>, x: &Tensor, y: &Tensor) -> Result<Tensor> {
        let Moments { mean, log_sd } = self.moments(params, x)?;
        let standardised = ((y - mean)? * log_sd.neg()?.exp()?)?;
        log_density(&standardised, &log_sd)
    }

    /// μ(x) and log σ(x).
    pub fn moments(&self, params: &Params<'_>, x: &Tensor) -> Result<Moments> {
        let raw = self.network(params, "log_sd", x)?;
        let log_sd = match self.bounded {
            true => (raw / LOG_SD_BOUND)?.tanh()?.affine(LOG_SD_BOUND, 0.0)?,
            false => raw,
        };
        Ok(Moments { mean: self.network(params, "mean", x)?, log_sd })
    }

    fn network(&self, params: &Params<'_>, head: &str, x: &Tensor) -> Result<Tensor> {
        let mut value = x.clone();
        for l in 0..self.widths.len() - 1 {
            if l > 0 {
                value = relu(&value)?;
            }
            let weights = params.get(&format!("{}.{head}.w{l}", self.name))?;
            let bias = params.get(&format!("{}.{head}.b{l}", self.name))?;
            value = value.matmul(&weights.t()?)?.broadcast_add(&bias)?;
        }
        Ok(value)
    }
}

/// −½ Σ [e² + 2 log σ + log 2π] over coordinates, for e = (y − μ)/σ.
fn log_density(standardised: &Tensor, log_sd: &Tensor) -> Result<Tensor> {
    let dim = log_sd.dim(1)? as f64;
    let squares = standardised.sqr()?.sum(1)?;
    Ok((squares.affine(-0.5, -0.5 * dim * std::f64::consts::TAU.ln())? - log_sd.sum(1)?)?)
}
