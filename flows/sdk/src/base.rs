//! Base distributions: what a flow transforms.
//!
//! The soft uniform of Toth et al. (2019, arXiv 1909.13789) has per dimension
//! log π(x) = log(1 − e^{−βs}) − log s + log σ(β(x + s/2)) + log σ(−β(x − s/2)), width s, softness β.
//! It is the law of Uniform(−s/2, s/2) + Logistic(0, 1/β): the convolution is (σ(a) − σ(b))/s with a, b = β(x ± s/2), and
//! σ(a) − σ(b) = σ(a)σ(−b)(1 − e^{b−a}). So it can be drawn exactly. Deviation: none.

use candle_core::{DType, Device, Tensor};
use flow_cuda::noise::{Noise, fill};
use flow_kernels::real::Real;
use flow_kernels::simd::Level;
use flow_kernels::{dispatch, noise};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::stable::log_sigmoid;
use crate::{Element, Result};

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

    /// `n` draws `[n, dim]`. The same numbers, to their precision, whatever dtype, device and thread count; the first rows do
    /// not depend on `n`.
    pub fn draw(&self, seed: u64, n: usize, dim: usize, dtype: DType, device: &Device) -> Result<Tensor> {
        if device.is_cuda() {
            return self.draw_there(seed, n, dim, dtype, device);
        }
        let draws = match dtype {
            DType::F32 => self.draw_as::<f32>(seed, n, dim)?,
            _ => self.draw_as::<f64>(seed, n, dim)?,
        };
        Ok(draws.to_dtype(dtype)?.to_device(device)?)
    }

    fn draw_there(&self, seed: u64, n: usize, dim: usize, dtype: DType, device: &Device) -> Result<Tensor> {
        let noise = match *self {
            Self::Gaussian => Noise::Normals,
            Self::SoftUniform { width, softness } => Noise::SoftUniforms { width, softness },
        };
        let as_kernels_do = if dtype == DType::F32 { DType::F32 } else { DType::F64 };
        Ok(fill(device, noise, seed, 0, (n, dim), as_kernels_do)?.to_dtype(dtype)?)
    }

    fn draw_as<T: Element>(&self, seed: u64, n: usize, dim: usize) -> Result<Tensor> {
        let mut values = vec![T::ZERO; n * dim];
        self.fill(seed, 0, &mut values);
        Ok(Tensor::from_vec(values, (n, dim), &Device::Cpu)?)
    }

    /// Coordinates `first..` of an endless row of draws: a coordinate depends on the seed and on its number alone.
    pub fn fill<T: Real>(&self, seed: u64, first: usize, out: &mut [T]) {
        match *self {
            Self::Gaussian => noise::normals(seed, first, out),
            Self::SoftUniform { width, softness } => {
                noise::soft_uniforms(seed, width, softness, first, out);
            }
        }
    }

    /// [`Base::log_density`] on slices: z `[m, dim]` → `[m]`.
    pub fn log_density_rows<T: Real>(&self, z: &[T], out: &mut [T]) {
        dispatch!(L => log_density_rows::<L, T>(*self, z, out));
    }

    /// ∂ log π/∂z on slices: `[m, dim]` → `[m, dim]`.
    pub fn score_rows<T: Real>(&self, z: &[T], out: &mut [T]) {
        dispatch!(L => score_rows::<L, T>(*self, z, out));
    }

    /// log π(z): `[n, dim]` → `[n]`.
    pub fn log_density(&self, z: &Tensor) -> Result<Tensor> {
        let log_norm = self.log_norm(z.dim(1)?);
        Ok(match *self {
            Self::Gaussian => z.sqr()?.sum(1)?.affine(-0.5, log_norm)?,
            Self::SoftUniform { width, softness } => {
                let left = log_sigmoid(&z.affine(softness, softness * width / 2.0)?)?;
                let right = log_sigmoid(&z.affine(-softness, softness * width / 2.0)?)?;
                ((left + right)?.sum(1)? + log_norm)?
            }
        })
    }

    /// What log π(z) is in `dim` dimensions less what depends on z.
    pub(crate) fn log_norm(&self, dim: usize) -> f64 {
        let of_one = match *self {
            Self::Gaussian => -0.5 * std::f64::consts::TAU.ln(),
            Self::SoftUniform { width, softness } => (-(-softness * width).exp()).ln_1p() - width.ln(),
        };
        dim as f64 * of_one
    }
}

#[inline(always)]
fn log_density_rows<L: Level, T: Real>(base: Base, z: &[T], out: &mut [T]) {
    let dim = z.len() / out.len().max(1);
    let log_norm = T::of(base.log_norm(dim));
    let rows = out.iter_mut().zip(z.chunks_exact(dim.max(1)));
    match base {
        Base::Gaussian => {
            for (out, row) in rows {
                let square = row.iter().fold(T::ZERO, |sum, &z| z.fma::<L>(z, sum));
                *out = square.fma::<L>(-T::HALF, log_norm);
            }
        }
        Base::SoftUniform { width, softness } => {
            let (beta, edge) = (T::of(softness), T::of(softness * width / 2.0));
            for (out, row) in rows {
                let outside = row.iter().fold(T::ZERO, |sum, &z| {
                    sum + (-(z.fma::<L>(beta, edge))).softplus::<L>() + z.fma::<L>(beta, -edge).softplus::<L>()
                });
                *out = log_norm - outside;
            }
        }
    }
}

#[inline(always)]
fn score_rows<L: Level, T: Real>(base: Base, z: &[T], out: &mut [T]) {
    match base {
        Base::Gaussian => out.iter_mut().zip(z).for_each(|(out, &z)| *out = -z),
        Base::SoftUniform { width, softness } => {
            let (beta, edge) = (T::of(softness), T::of(softness * width / 2.0));
            for (out, &z) in out.iter_mut().zip(z) {
                let (left, right) = (-(z.fma::<L>(beta, edge)), z.fma::<L>(beta, -edge));
                *out = beta * (left.sigmoid::<L>() - right.sigmoid::<L>());
            }
        }
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

    /// Slices say what tensors say: in f64, to a few roundings; and the score is the density's slope, by autograd.
    #[test]
    fn slices_agree_with_tensors() -> Result<()> {
        for base in [Base::Gaussian, Base::SoftUniform { width: 3.0, softness: 8.0 }] {
            let z = candle_core::Var::from_tensor(&base.draw(9, 70, 3, DType::F64, &Device::Cpu)?)?;
            let values: Vec<f64> = z.flatten_all()?.to_vec1()?;
            let (mut density, mut score) = (vec![0.0; 70], vec![0.0; 210]);
            base.log_density_rows(&values, &mut density);
            base.score_rows(&values, &mut score);
            let by_tensors = base.log_density(z.as_tensor())?;
            let slopes = by_tensors.sum_all()?.backward()?;
            let slopes: Vec<f64> = slopes.get(z.as_tensor()).expect("reached").flatten_all()?.to_vec1()?;
            let gap = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(gap(&density, &by_tensors.to_vec1()?) < 1e-12, "{base:?}");
            assert!(gap(&score, &slopes) < 1e-12, "{base:?}");
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
