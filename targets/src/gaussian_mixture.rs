//! Equal mixture of Gaussians that share one isotropic covariance.
//!
//! aₖ = −½‖x − μₖ‖²/σ², pₖ = softmaxₖ(a):
//! log γ(x) = log Σₖ exp aₖ − log K − (d/2) log(2πσ²), ∇ log γ = Σₖ pₖ (μₖ − x)/σ².
//! Mean μ̄ and variance σ² + mean of μₖ² − μ̄², coordinate by coordinate.
//! Source: textbook. Shapes: x `[n, d]`, μ `[K, d]`, log γ `[n]`, ∇ `[n, d]`.
//! Deviation: none. ‖x − μ‖² is not expanded: far from the origin that would cancel.

use crate::components::Components;
use crate::constant::Constant;
use crate::draws::rows;
use crate::kernel::formula;
use crate::log_sum_exp::{log_sum_exp, softmax};
use crate::mode_shares::CountedShares;
use crate::{Curvature, DeviceKernel, ExactDraws, Kernel, Known, Modes, Result, Target};
use candle_core::Tensor;
use flow_cuda::targets::Density;
use flow_kernels::real::Real;
use flow_kernels::simd::Level;
use std::f64::consts::TAU;

pub(crate) struct GaussianMixture {
    dim: usize,
    count: usize,
    /// `[count, dim]`.
    means: Constant,
    sd: f64,
    shares: CountedShares,
}

impl GaussianMixture {
    /// `means` is row-major `[K, dim]`.
    pub(crate) fn new(means: Vec<f64>, dim: usize, sd: f64) -> Self {
        let count = means.len() / dim;
        Self { dim, count, means: Constant::new(means, &[count, dim]), sd, shares: CountedShares::default() }
    }

    /// a: `[n, K]`.
    fn logs(&self, x: &Tensor) -> Result<Tensor> {
        let mut sum = Tensor::zeros((x.dim(0)?, self.count), x.dtype(), x.device())?;
        for offset in self.means.offsets(x)? {
            sum = (sum + offset?.sqr()?)?;
        }
        Ok((sum * (-0.5 / self.sd.powi(2)))?)
    }
}

impl Target for GaussianMixture {
    fn dim(&self) -> usize {
        self.dim
    }

    fn log_density(&self, x: &Tensor) -> Result<Tensor> {
        Ok((log_sum_exp(&self.logs(x)?)? + self.constant())?)
    }

    fn grad(&self, x: &Tensor) -> Result<Tensor> {
        let towards = softmax(&self.logs(x)?)?.matmul(&self.means.like(x)?)?;
        Ok(((towards - x)? * self.sd.powi(-2))?)
    }

    fn kernel(&self) -> Option<&dyn Kernel> {
        Some(self)
    }

    fn curvature(&self) -> Option<&dyn Curvature> {
        Some(self)
    }

    fn device_kernel(&self) -> Option<DeviceKernel<'_>> {
        Some(DeviceKernel::with_table(Density::Normals, [self.constant(), self.sd.powi(-2)], &self.means))
    }

    fn known(&self) -> Known {
        let average = |f: &dyn Fn(f64) -> f64, j: usize| {
            self.means.rows().map(|mean| f(mean[j])).sum::<f64>() / self.count as f64
        };
        let mean: Vec<f64> = (0..self.dim).map(|j| average(&|m| m, j)).collect();
        let spread = |j: usize| average(&|m| (m - mean[j]).powi(2), j);
        let sd = (0..self.dim).map(|j| (self.sd.powi(2) + spread(j)).sqrt()).collect();
        Known { log_z: Some(0.0), mean: Some(mean), sd: Some(sd), source: "closed form" }
    }

    fn exact_draws(&self) -> Option<&dyn ExactDraws> {
        Some(self)
    }

    fn modes(&self) -> Option<&dyn Modes> {
        (self.count > 1).then_some(self)
    }
}

impl Components for GaussianMixture {
    fn means(&self) -> &Constant {
        &self.means
    }

    fn constant(&self) -> f64 {
        -((self.count as f64).ln() + self.dim as f64 / 2.0 * (TAU * self.sd.powi(2)).ln())
    }

    #[inline(always)]
    fn log<L: Level, T: Real>(&self, u: T) -> T {
        (u * u) * T::of(-0.5 * self.sd.powi(-2))
    }

    #[inline(always)]
    fn slope<L: Level, T: Real>(&self, u: T) -> T {
        u * T::of(-self.sd.powi(-2))
    }

    #[inline(always)]
    fn second<L: Level, T: Real>(&self, _: T) -> T {
        T::of(-self.sd.powi(-2))
    }
}

formula!(GaussianMixture: components);

impl ExactDraws for GaussianMixture {
    fn draw(&self, seed: u64, n: usize) -> Vec<f64> {
        rows(seed, n, self.dim, |stream, row| {
            let component = self.means.row(stream.below(self.count));
            for (x, mean) in row.iter_mut().zip(component) {
                *x = mean + self.sd * stream.normal();
            }
        })
    }
}

/// The component with the nearest mean, which is the most probable one.
impl Modes for GaussianMixture {
    fn count(&self) -> usize {
        self.count
    }

    fn assign(&self, x: &[f64]) -> usize {
        let (mut nearest, mut least) = (0, f64::INFINITY);
        for (k, mean) in self.means.rows().enumerate() {
            let distance = square_distance(x, mean);
            if distance < least {
                (nearest, least) = (k, distance);
            }
        }
        nearest
    }

    /// 1/K where all means lie so far apart that draws hardly leave their component's region: beyond half the distance
    /// lies less than Φ(−4.5) = 3e-6 towards each neighbour, and neighbours gain from one another what they lose.
    fn weights(&self) -> Vec<f64> {
        let means: Vec<&[f64]> = self.means.rows().collect();
        let apart = |i: usize, j: usize| square_distance(means[i], means[j]) > (9.0 * self.sd).powi(2);
        if (0..self.count).all(|i| (0..i).all(|j| apart(i, j))) {
            vec![1.0 / self.count as f64; self.count]
        } else {
            self.shares.of(self, self.dim)
        }
    }
}

fn square_distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum()
}
