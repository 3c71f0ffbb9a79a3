//! Annealed importance sampling with a sampler's transitions: weights that bound log Z from both sides.
//!
//! Neal, "Annealed importance sampling" (Statistics and Computing 11, 2001), equations 7–10: x₁ ~ π₀; for k = 1 … K,
//! log w += (βₖ − βₖ₋₁)(log γ(xₖ) − log π₀(xₖ)), then, but for the last, xₖ₊₁ by one transition that leaves
//! γ^βₖ π₀^{1−βₖ} invariant. E w = Z for every such transition, so E log w ≤ log Z by Jensen's inequality. Run from exact
//! draws of the target down to the base, log w has a mean of at least log Z (Grosse, Ghahramani & Adams 2015, arXiv
//! 1511.02543, section 3): the transitions are then those of the reversed chain, which leave the same densities invariant.
//! βₖ = (k/K)^p. Shapes: x `[n, d]`, log w `[n]`. Deviation: none.

use candle_core::{DType, Tensor};
use flow_kernels::philox::derive_seed;
use flow_sdk::{Base, Point};

use super::Chains;
use crate::host::{Tempering, base_log_density};

/// The path from the base to the target.
pub struct Annealing<'a> {
    chains: &'a Chains<'a>,
    params: &'a Tensor,
    seed: u64,
}

/// What the target says at x, untempered.
struct Raw {
    x: Tensor,
    value: Tensor,
    slope: Option<Tensor>,
}

impl<'a> Annealing<'a> {
    /// With the parameters that training and warm-up have left.
    pub fn new(chains: &'a Chains<'a>, params: &'a Tensor, seed: u64) -> Self {
        Self { chains, params, seed }
    }

    /// log w of n draws that go from the base to the target; `each` is called before every temperature, and ends it by
    /// saying false. Target evaluations are counted.
    pub fn upwards(
        &self,
        n: usize,
        mut each: impl FnMut() -> anyhow::Result<bool>,
    ) -> anyhow::Result<Option<Vec<f64>>> {
        let (dim, sampler) = (self.chains.target.uncounted().dim(), self.chains.sampler);
        let z = Base::Gaussian.draw(derive_seed(self.seed, 1, 0), n, dim, sampler.dtype(), sampler.device())?;
        let mut at = self.look(&(z * self.base_sd())?)?;
        let mut log_w = vec![0.0; n];
        let last = self.chains.sampling.temperatures;
        for k in 1..=last {
            if !each()? {
                return Ok(None);
            }
            self.weigh(&at, k, &mut log_w)?;
            if k < last {
                at = self.step(&at, k, derive_seed(self.seed, 2, k))?;
            }
        }
        Ok(Some(log_w))
    }

    /// log w of draws `[n, d]` of the target that go down to the base.
    pub fn downwards(
        &self,
        exact: &Tensor,
        mut each: impl FnMut() -> anyhow::Result<bool>,
    ) -> anyhow::Result<Option<Vec<f64>>> {
        let mut at = self.look(exact)?;
        let mut log_w = vec![0.0; exact.dim(0)?];
        for k in (1..=self.chains.sampling.temperatures).rev() {
            if !each()? {
                return Ok(None);
            }
            self.weigh(&at, k, &mut log_w)?;
            if k > 1 {
                at = self.step(&at, k - 1, derive_seed(self.seed, 3, k))?;
            }
        }
        Ok(Some(log_w))
    }

    fn look(&self, x: &Tensor) -> anyhow::Result<Raw> {
        let Point { x, log_density, grad } = self.chains.sampler.place(x, Tempering::None)?;
        Ok(Raw { x, value: log_density, slope: grad })
    }

    fn weigh(&self, at: &Raw, k: u64, log_w: &mut [f64]) -> anyhow::Result<()> {
        let rise = self.beta(k) - self.beta(k - 1);
        let excess = (&at.value - base_log_density(&at.x, self.base_sd())?)?;
        for (log_w, excess) in log_w.iter_mut().zip(excess.to_dtype(DType::F64)?.to_vec1::<f64>()?) {
            *log_w += rise * excess;
        }
        Ok(())
    }

    /// One transition at βₖ. What the target said is tempered by arithmetic, not asked again.
    fn step(&self, at: &Raw, k: u64, seed: u64) -> anyhow::Result<Raw> {
        let tempering = Tempering::Bridge { beta: self.beta(k), sd: self.base_sd() };
        let from = Point {
            x: at.x.clone(),
            log_density: tempering.value(&at.x, &at.value)?,
            grad: at.slope.as_ref().map(|slope| tempering.slope(&at.x, slope)).transpose()?,
        };
        let next = self.chains.sampler.transition(self.params, &from, seed, tempering)?.next;
        // A chain that stayed keeps what is known of its place: there and back through a small β costs digits.
        let stayed = next.x.eq(&at.x)?.min(1)?;
        let wide = stayed.unsqueeze(1)?.broadcast_as(at.x.shape())?;
        let value = stayed.where_cond(&at.value, &tempering.raw_value(&next.x, &next.log_density)?)?;
        let slope = match (&at.slope, &next.grad) {
            (Some(before), Some(grad)) => Some(wide.where_cond(before, &tempering.raw_slope(&next.x, grad)?)?),
            _ => None,
        };
        Ok(Raw { x: next.x, value, slope })
    }

    fn beta(&self, k: u64) -> f64 {
        (k as f64 / self.chains.sampling.temperatures as f64).powf(self.chains.sampling.temperature_power)
    }

    fn base_sd(&self) -> f64 {
        self.chains.sampling.base_sd
    }
}
