//! Base distributions: what a flow transforms.
//!
//! The soft uniform of Toth et al. (2019, arXiv 1909.13789) has per dimension
//! log π(x) = log(1 − e^{−βs}) − log s + log σ(β(x + s/2)) + log σ(−β(x − s/2)), width s, softness β.
//! It is the law of Uniform(−s/2, s/2) + Logistic(0, 1/β): the convolution is (σ(a) − σ(b))/s with a, b = β(x ± s/2), and
//! σ(a) − σ(b) = σ(a)σ(−b)(1 − e^{b−a}). So it can be drawn exactly. Deviation: none.

use candle_core::{DType, Device, Tensor};
use flow_kernels::philox::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::stable::log_sigmoid;

/// A distribution on ℝᵈ with independent coordinates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Base {
    /// Standard normal.
    Gaussian,
    /// Soft uniform about zero.
    SoftUniform {
        /// Width s.
        width: f64,
        /// Softness β.
        softness: f64,
    },
}

/// Name of a base distribution, for config structs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BaseKind {
    /// Standard normal.
    #[default]
    Gaussian,
    /// Uniform with soft edges.
    SoftUniform,
}

impl Base {
    /// The named base; width and softness matter to the soft uniform only.
    pub fn new(kind: BaseKind, width: f64, softness: f64) -> Self {
        match kind {
            BaseKind::Gaussian => Self::Gaussian,
            BaseKind::SoftUniform => Self::SoftUniform { width, softness },
        }
    }

    /// `n` draws `[n, dim]`. The same numbers whatever dtype, device and thread count; the first rows do not depend on `n`.
    pub fn draw(&self, seed: u64, n: usize, dim: usize, dtype: DType, device: &Device) -> Result<Tensor> {
        let mut stream = Stream::new(seed);
        let values: Vec<f64> = (0..n * dim)
            .map(|_| match self {
                Self::Gaussian => stream.normal(),
                Self::SoftUniform { width, softness } => {
                    width * (stream.uniform() - 0.5) + stream.logistic() / softness
                }
            })
            .collect();
        Ok(Tensor::from_vec(values, (n, dim), &Device::Cpu)?.to_dtype(dtype)?.to_device(device)?)
    }

    /// log π(z): `[n, dim]` → `[n]`.
    pub fn log_density(&self, z: &Tensor) -> Result<Tensor> {
        let dim = z.dim(1)? as f64;
        Ok(match *self {
            Self::Gaussian => {
                let log_norm = -0.5 * dim * std::f64::consts::TAU.ln();
                z.sqr()?.sum(1)?.affine(-0.5, log_norm)?
            }
            Self::SoftUniform { width, softness } => {
                let log_norm = dim * ((-(-softness * width).exp()).ln_1p() - width.ln());
                let left = log_sigmoid(&z.affine(softness, softness * width / 2.0)?)?;
                let right = log_sigmoid(&z.affine(-softness, softness * width / 2.0)?)?;
                ((left + right)?.sum(1)? + log_norm)?
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// E[e^{g − log π}] over draws from π is ∫ e^g = 1 for a narrower normal density e^g: draws and density belong together.
    #[test]
    fn draws_match_the_density() -> Result<()> {
        let n = 200_000;
        for base in [Base::Gaussian, Base::SoftUniform { width: 3.0, softness: 8.0 }] {
            let z = base.draw(3, n, 1, DType::F64, &Device::Cpu)?;
            let (mean, sd) = (0.7f64, 0.4f64);
            let log_g = ((&z - mean)? / sd)?.sqr()?.sum(1)?.affine(-0.5, -(sd * std::f64::consts::TAU.sqrt()).ln())?;
            let weights: Vec<f64> = (log_g - base.log_density(&z)?)?.exp()?.to_vec1()?;
            let mean = weights.iter().sum::<f64>() / n as f64;
            let variance = weights.iter().map(|w| (w - mean).powi(2)).sum::<f64>() / n as f64;
            let se = (variance / n as f64).sqrt();
            assert!((mean - 1.0).abs() < 5.0 * se, "{base:?}: {mean} ± {se}");
        }
        Ok(())
    }

    #[test]
    fn the_first_rows_do_not_depend_on_the_number_of_rows() -> Result<()> {
        for base in [Base::Gaussian, Base::SoftUniform { width: 3.0, softness: 8.0 }] {
            let few: Vec<Vec<f32>> = base.draw(5, 7, 3, DType::F32, &Device::Cpu)?.to_vec2()?;
            let many: Vec<Vec<f32>> = base.draw(5, 20, 3, DType::F32, &Device::Cpu)?.to_vec2()?;
            assert_eq!(few, many[..7]);
        }
        Ok(())
    }
}
