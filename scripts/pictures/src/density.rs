//! Densities on a square about the origin, cell by cell.
//!
//! An augmented flow tells log q(x) by one importance sample: a lower bound in the mean. Over K independent ones,
//! q̂ = (1/K) Σ e^{log q̂ₖ} is unbiased, so that a picture of q̂ is noisy and not shifted; its logarithm is low by
//! v/2K + O(K⁻²), v the squared relative deviation of one sample (Nowozin 2018, "Debiasing evidence approximations", ICLR,
//! proposition 1; Burda et al. 2016, arXiv 1509.00519, theorem 1 for its sign).

use anyhow::{Result, ensure};
use candle_core::{D, DType, Device, Tensor};
use flow_sdk::Base;

use crate::trained::Trained;

/// Importance samples of an augmented flow's density.
pub const SAMPLES: usize = 256;

/// Draws over which the bias is averaged.
const DRAWS: usize = 2000;

/// A square [−extent, extent]², `side` cells a side.
#[derive(Clone, Copy)]
pub struct Square {
    pub extent: f64,
    pub side: usize,
}

impl Square {
    /// Centres of its cells `[side², 2]`, row by row from the top.
    pub fn points(&self, dtype: DType) -> Result<Tensor> {
        let at = |i: usize| (2.0 * (i as f64 + 0.5) / self.side as f64 - 1.0) * self.extent;
        let rows = (0..self.side).rev();
        let points: Vec<f64> =
            rows.flat_map(|row| (0..self.side).flat_map(move |column| [at(column), at(row)])).collect();
        Ok(Tensor::from_vec(points, (self.side * self.side, 2), &Device::Cpu)?.to_dtype(dtype)?)
    }

    /// The integral of a density given at [`Square::points`], by the midpoint rule.
    pub fn mass(&self, density: &[f64]) -> f64 {
        density.iter().sum::<f64>() * (2.0 * self.extent / self.side as f64).powi(2)
    }
}

/// The normalised density of a target.
pub fn of_target(target: &dyn targets::Target, square: Square) -> Result<Vec<f64>> {
    let log_gamma = target.log_density(&square.points(DType::F64)?)?.to_vec1::<f64>()?;
    let log_z = target.known().log_z.unwrap_or(0.0);
    Ok(log_gamma.into_iter().map(|value| (value - log_z).exp()).collect())
}

/// The density of a base.
pub fn of_base(base: &Base, square: Square) -> Result<Vec<f64>> {
    let log_density = base.log_density(&square.points(DType::F64)?)?.to_vec1::<f64>()?;
    Ok(log_density.into_iter().map(f64::exp).collect())
}

/// The density that a flow has learnt; of augmented flows its unbiased estimate.
pub fn of_flow(trained: &Trained, square: Square) -> Result<Vec<f64>> {
    let points = square.points(trained.params.dtype())?;
    let log_q = mean_of_estimates(&estimates(trained, &points)?)?;
    Ok(log_q.to_vec1::<f64>()?.into_iter().map(f64::exp).collect())
}

/// By how much log q̂ of an augmented flow is low with [`SAMPLES`] of them, in nats, averaged over its own draws.
///
/// K samples are low by b = v/2K, quarters of them by 4b: their difference is 3b.
pub fn log_low_by(trained: &Trained) -> Result<f64> {
    let draws = trained.flow.sample(&trained.params, 1, DRAWS)?;
    let all = estimates(trained, &draws.x)?;
    let quarter = all.dim(0)? / 4;
    let mut parts = mean_of_estimates(&all.narrow(0, 0, quarter)?)?;
    for part in 1..4 {
        parts = (parts + mean_of_estimates(&all.narrow(0, part * quarter, quarter)?)?)?;
    }
    let difference = (mean_of_estimates(&all)? - (parts / 4.0)?)?;
    Ok(difference.mean_all()?.to_scalar::<f64>()? / 3.0)
}

/// log q̂ `[seeds, n]`: one of a flow that knows it, else as many as [`SAMPLES`] samples are by the flow's own number of them.
fn estimates(trained: &Trained, x: &Tensor) -> Result<Tensor> {
    ensure!(trained.flow.has_density(), "{} tells no density", trained.cell.flow.name);
    let seeds = match trained.flow.is_augmented() {
        true => SAMPLES / trained.flow_param::<usize>("importance_samples").unwrap_or(1),
        false => 1,
    };
    let one = |seed| Ok(trained.flow.density(&trained.params, x, seed)?.to_dtype(DType::F64)?);
    Ok(Tensor::stack(&(0..seeds as u64).map(one).collect::<Result<Vec<_>>>()?, 0)?)
}

/// log (1/K) Σ e^{log q̂ₖ}: `[K, n]` → `[n]`.
fn mean_of_estimates(log_q: &Tensor) -> Result<Tensor> {
    let samples = log_q.dim(0)? as f64;
    Ok((log_q.t()?.contiguous()?.log_sum_exp(D::Minus1)? - samples.ln())?)
}
