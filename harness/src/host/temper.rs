//! The target at an inverse temperature: on a path from a Gaussian, or as a power.
//!
//! Bridge: log γ_β(x) = β log γ(x) + (1 − β) log π₀(x), π₀ = N(0, s² I), the geometric path of annealed importance sampling
//! (Neal, Statistics and Computing 11, 2001, section 2). Power: log γ_β = β log γ, the annealing of a training.
//! Shapes: x, gradients, v `[n, d]`; values `[n]`. Deviation: none.

use candle_core::{Result, Tensor};
use flow_kernels::real::Real;

/// Which density the call-backs evaluate.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Tempering {
    /// γ.
    #[default]
    None,
    /// γ^β.
    Power {
        /// β in (0, 1].
        beta: f64,
    },
    /// γ^β π₀^{1−β}.
    Bridge {
        /// β in (0, 1].
        beta: f64,
        /// Standard deviation s of π₀.
        sd: f64,
    },
}

impl Tempering {
    /// β.
    pub fn beta(self) -> f64 {
        match self {
            Self::None => 1.0,
            Self::Power { beta } | Self::Bridge { beta, .. } => beta,
        }
    }

    /// log γ_β from log γ at x.
    pub fn value(self, x: &Tensor, raw: &Tensor) -> Result<Tensor> {
        match self {
            Self::None => Ok(raw.clone()),
            Self::Power { beta } => raw * beta,
            Self::Bridge { beta, sd } => (raw * beta)? + (base_log_density(x, sd)? * (1.0 - beta))?,
        }
    }

    /// ∇ log γ_β from ∇ log γ at x; with v for x, H_β v from H v, since the base is quadratic.
    pub fn slope(self, x: &Tensor, raw: &Tensor) -> Result<Tensor> {
        match self {
            Self::None => Ok(raw.clone()),
            Self::Power { beta } => raw * beta,
            Self::Bridge { beta, sd } => (raw * beta)? - (x * ((1.0 - beta) / (sd * sd)))?,
        }
    }

    /// [`Tempering::value`] on slices, in place: log γ at x `[n, d]` becomes log γ_β.
    pub fn temper_values<T: Real>(self, x: &[T], values: &mut [T]) {
        match self {
            Self::None => {}
            Self::Power { beta } => {
                let beta = T::of(beta);
                values.iter_mut().for_each(|value| *value *= beta);
            }
            Self::Bridge { beta, sd } => {
                let dim = x.len() / values.len().max(1);
                let rest = 1.0 - beta;
                let (half, shift) = (T::of(0.5 * rest / (sd * sd)), T::of(rest * base_log_norm(dim, sd)));
                for (value, row) in values.iter_mut().zip(x.chunks_exact(dim.max(1))) {
                    let square = row.iter().fold(T::ZERO, |sum, &x| sum + x * x);
                    *value = *value * T::of(beta) - half * square - shift;
                }
            }
        }
    }

    /// [`Tempering::slope`] on slices, in place: ∇ log γ at x `[n, d]` becomes ∇ log γ_β.
    pub fn temper_slopes<T: Real>(self, x: &[T], slopes: &mut [T]) {
        match self {
            Self::None => {}
            Self::Power { beta } => {
                let beta = T::of(beta);
                slopes.iter_mut().for_each(|slope| *slope *= beta);
            }
            Self::Bridge { beta, sd } => {
                let (pull, beta) = (T::of((1.0 - beta) / (sd * sd)), T::of(beta));
                slopes.iter_mut().zip(x).for_each(|(slope, &x)| *slope = *slope * beta - pull * x);
            }
        }
    }

    /// log γ from log γ_β.
    pub fn raw_value(self, x: &Tensor, tempered: &Tensor) -> Result<Tensor> {
        match self {
            Self::None => Ok(tempered.clone()),
            Self::Power { beta } => tempered / beta,
            Self::Bridge { beta, sd } => (tempered - (base_log_density(x, sd)? * (1.0 - beta))?)? / beta,
        }
    }

    /// ∇ log γ from ∇ log γ_β.
    pub fn raw_slope(self, x: &Tensor, tempered: &Tensor) -> Result<Tensor> {
        match self {
            Self::None => Ok(tempered.clone()),
            Self::Power { beta } => tempered / beta,
            Self::Bridge { beta, sd } => (tempered + (x * ((1.0 - beta) / (sd * sd)))?)? / beta,
        }
    }
}

/// log π₀(x).
pub fn base_log_density(x: &Tensor, sd: f64) -> Result<Tensor> {
    x.sqr()?.sum(1)?.affine(-0.5 / (sd * sd), -base_log_norm(x.dim(1)?, sd))
}

fn base_log_norm(dim: usize, sd: f64) -> f64 {
    dim as f64 * (0.5 * std::f64::consts::TAU.ln() + sd.ln())
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    /// What was tempered comes back, at every β and on every path: to a few roundings over β.
    #[test]
    fn tempering_can_be_undone() -> Result<()> {
        let x = Tensor::new(&[[0.5f64, -2.0], [3.0, 1.0]], &Device::Cpu)?;
        let (value, slope) = (Tensor::new(&[-3.0f64, 2.0], &Device::Cpu)?, (&x * 1.7)?);
        for beta in [1e-4, 0.3, 1.0] {
            for path in [Tempering::None, Tempering::Power { beta }, Tempering::Bridge { beta, sd: 2.0 }] {
                let value_again = path.raw_value(&x, &path.value(&x, &value)?)?;
                let slope_again = path.raw_slope(&x, &path.slope(&x, &slope)?)?;
                let gap = |a: &Tensor, b: &Tensor| (a - b)?.abs()?.flatten_all()?.max(0)?.to_scalar::<f64>();
                assert!(gap(&value, &value_again)? < 1e-15 / beta && gap(&slope, &slope_again)? < 1e-15 / beta);
            }
        }
        Ok(())
    }

    /// Slices and tensors say the same, to a rounding or two.
    #[test]
    fn slices_are_tempered_as_tensors_are() -> Result<()> {
        let (x, value, slope) = ([0.5f64, -2.0, 3.0, 1.0], [-3.0f64, 2.0], [0.3f64, -1.0, 2.0, 5.0]);
        let tensor = |values: &[f64]| Tensor::from_slice(values, (2, values.len() / 2), &Device::Cpu);
        for path in [Tempering::None, Tempering::Power { beta: 0.3 }, Tempering::Bridge { beta: 0.3, sd: 2.0 }] {
            let (mut values, mut slopes) = (value, slope);
            path.temper_values(&x, &mut values);
            path.temper_slopes(&x, &mut slopes);
            let expected = path.value(&tensor(&x)?, &tensor(&value)?.flatten_all()?)?.to_vec1::<f64>()?;
            let expected_slopes = path.slope(&tensor(&x)?, &tensor(&slope)?)?.flatten_all()?.to_vec1::<f64>()?;
            let close = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-14);
            assert!(close(&values, &expected) && close(&slopes, &expected_slopes), "{path:?}");
        }
        Ok(())
    }

    /// The ends of the bridge, and its slope by central differences.
    #[test]
    fn the_bridge_leads_from_the_base_to_the_target() -> Result<()> {
        let x = Tensor::new(&[[0.5f64, -2.0]], &Device::Cpu)?;
        let raw = Tensor::new(&[-3.0f64], &Device::Cpu)?;
        let at = |beta: f64| Tempering::Bridge { beta, sd: 2.0 };
        assert_eq!(at(1.0).value(&x, &raw)?.to_vec1::<f64>()?, [-3.0]);
        assert_eq!(at(0.0).value(&x, &raw)?.to_vec1::<f64>()?, base_log_density(&x, 2.0)?.to_vec1::<f64>()?);
        let zero = x.zeros_like()?;
        let slope: Vec<f64> = at(0.25).slope(&x, &zero)?.flatten_all()?.to_vec1()?;
        for (index, slope) in slope.iter().enumerate() {
            let moved = |by: f64| -> Result<f64> {
                let mut moved = [0.5f64, -2.0];
                moved[index] += by;
                at(0.25).value(&Tensor::new(&[moved], &Device::Cpu)?, &raw)?.squeeze(0)?.to_scalar()
            };
            let difference = (moved(1e-5)? - moved(-1e-5)?) / 2e-5;
            assert!((slope - difference).abs() < 1e-9);
        }
        Ok(())
    }
}
