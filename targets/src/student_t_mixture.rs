//! Mixture of ten Student t distributions with two degrees of freedom.
//!
//! t(u) = (1 + u²/2)^{−3/2} / (2√2). With uₖ = x − μₖ and aₖ = −3/2 Σⱼ log(1 + uₖⱼ²/2), pₖ = softmaxₖ(a):
//! log γ(x) = log Σₖ exp aₖ − log 10 − (d/2) log 8, ∂ⱼ log γ = −3 Σₖ pₖ uₖⱼ/(2 + uₖⱼ²).
//! The mean is the average of the μₖ; the variance is infinite.
//! Source: Blessing, Jia, Esslinger, Vargas and Neumann, "Beyond ELBOs" (2024), appendix: coordinates independent within
//! a component, means uniform on [−10, 10]ᵈ. Shapes: x `[n, d]`, log γ `[n]`, ∇ `[n, d]`.
//! Deviation: equal weights. The means come from this project's random streams, so they are not the paper's.

use crate::components::Components;
use crate::constant::Constant;
use crate::draws::rows;
use crate::kernel::formula;
use crate::log_sum_exp::{log_sum_exp, softmax};
use crate::mode_shares::CountedShares;
use crate::registry::Definition;
use crate::uniform_means::uniform_means;
use crate::{Curvature, DeviceKernel, ExactDraws, Kernel, Known, Modes, Result, Target};
use candle_core::Tensor;
use flow_cuda::targets::Density;
use flow_kernels::real::Real;
use flow_kernels::simd::Level;
use schemars::JsonSchema;
use serde::Deserialize;

const COUNT: usize = 10;
const REACH: f64 = 10.0;

/// Mixture of ten Student t distributions with two degrees of freedom and means uniform on [−10, 10]ᵈ.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct StudentTMixture {
    /// Dimension.
    #[schemars(range(min = 1, max = 512))]
    dim: usize,
    /// Seed of the means.
    seed: u64,
}

impl Default for StudentTMixture {
    fn default() -> Self {
        Self { dim: 2, seed: 0 }
    }
}

impl Definition for StudentTMixture {
    const NAME: &'static str = "student-t-mixture";
    const SUMMARY: &'static str = "ten Student t with two degrees of freedom, means uniform on [−10, 10]ᵈ";
    const REFERENCE: &'static str = "Blessing, Jia, Esslinger, Vargas, Neumann 2024, arXiv 2406.07423";

    fn build(self) -> Box<dyn Target> {
        let means = uniform_means(self.seed, COUNT, self.dim, REACH);
        let means = Constant::new(means, &[COUNT, self.dim]);
        Box::new(Mixture { dim: self.dim, means, shares: CountedShares::default() })
    }
}

struct Mixture {
    dim: usize,
    /// `[10, dim]`.
    means: Constant,
    shares: CountedShares,
}

impl Mixture {
    /// u, one `[n, 10]` for each coordinate.
    fn offsets(&self, x: &Tensor) -> Result<Vec<Tensor>> {
        Ok(self.means.offsets(x)?.collect::<candle_core::Result<_>>()?)
    }
}

/// a: `[n, 10]`, from u.
fn logs(offsets: &[Tensor]) -> Result<Tensor> {
    let mut sum = offsets[0].zeros_like()?;
    for offset in offsets {
        sum = (sum + offset.sqr()?.affine(0.5, 1.0)?.log()?)?;
    }
    Ok((sum * -1.5)?)
}

impl Target for Mixture {
    fn dim(&self) -> usize {
        self.dim
    }

    fn log_density(&self, x: &Tensor) -> Result<Tensor> {
        Ok((log_sum_exp(&logs(&self.offsets(x)?)?)? + self.constant())?)
    }

    fn grad(&self, x: &Tensor) -> Result<Tensor> {
        let offsets = self.offsets(x)?;
        let p = (softmax(&logs(&offsets)?)? * -3.0)?;
        let slope = |u: &Tensor| ((u / (u.sqr()? + 2.0)?)? * &p)?.sum_keepdim(1);
        let slopes = offsets.iter().map(slope).collect::<candle_core::Result<Vec<_>>>()?;
        Ok(Tensor::cat(&slopes, 1)?)
    }

    fn kernel(&self) -> Option<&dyn Kernel> {
        Some(self)
    }

    fn curvature(&self) -> Option<&dyn Curvature> {
        Some(self)
    }

    fn device_kernel(&self) -> Option<DeviceKernel<'_>> {
        Some(DeviceKernel::with_table(Density::Students, [self.constant(), 0.0], &self.means))
    }

    fn known(&self) -> Known {
        let average = |j: usize| self.means.rows().map(|mean| mean[j]).sum::<f64>() / COUNT as f64;
        Known {
            log_z: Some(0.0),
            mean: Some((0..self.dim).map(average).collect()),
            sd: None,
            source: "closed form; the variance is infinite",
        }
    }

    fn exact_draws(&self) -> Option<&dyn ExactDraws> {
        Some(self)
    }

    fn modes(&self) -> Option<&dyn Modes> {
        Some(self)
    }
}

impl Components for Mixture {
    fn means(&self) -> &Constant {
        &self.means
    }

    fn constant(&self) -> f64 {
        -((COUNT as f64).ln() + self.dim as f64 / 2.0 * 8f64.ln())
    }

    #[inline(always)]
    fn log<L: Level, T: Real>(&self, u: T) -> T {
        (T::HALF * u * u).ln_1p::<L>() * T::of(-1.5)
    }

    #[inline(always)]
    fn slope<L: Level, T: Real>(&self, u: T) -> T {
        T::of(-3.0) * u / u.fma::<L>(u, T::TWO)
    }

    /// −3 (2 − u²)/(2 + u²)².
    #[inline(always)]
    fn second<L: Level, T: Real>(&self, u: T) -> T {
        let inverse = u.fma::<L>(u, T::TWO).recip();
        T::of(-3.0) * inverse * (T::of(4.0).fma::<L>(inverse, -T::ONE))
    }
}

formula!(Mixture: components);

impl ExactDraws for Mixture {
    /// t = z/√(χ²₂/2) with z normal, and χ²₂ = −2 log u with u uniform.
    fn draw(&self, seed: u64, n: usize) -> Vec<f64> {
        rows(seed, n, self.dim, |stream, row| {
            let component = self.means.row(stream.below(COUNT));
            for (x, mean) in row.iter_mut().zip(component) {
                *x = mean + stream.normal() / (-stream.uniform().ln()).sqrt();
            }
        })
    }
}

/// The most probable component.
impl Modes for Mixture {
    fn count(&self) -> usize {
        COUNT
    }

    fn assign(&self, x: &[f64]) -> usize {
        let energy = |mean: &[f64]| x.iter().zip(mean).map(|(x, m)| (0.5 * (x - m).powi(2)).ln_1p()).sum::<f64>();
        let (mut best, mut least) = (0, f64::INFINITY);
        for (k, mean) in self.means.rows().enumerate() {
            let energy = energy(mean);
            if energy < least {
                (best, least) = (k, energy);
            }
        }
        best
    }

    /// Tails this heavy reach into the regions of other components, so the shares are not 1/10.
    fn weights(&self) -> Vec<f64> {
        self.shares.of(self, self.dim)
    }
}
