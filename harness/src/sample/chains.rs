//! The chains of a cell: started, warmed up, run.

use std::rc::Rc;

use candle_core::{DType, Device, Tensor};
use flow_sdk::{Base, Point};

use crate::cell::{Sampling, Start};
use crate::host::{CountedTarget, HostSampler, Tempering};
use crate::streams::{Purpose, seed_for};

/// Chains of a sampler against a target.
pub struct Chains<'a> {
    /// The sampler.
    pub sampler: &'a HostSampler,
    /// Its target.
    pub target: &'a Rc<CountedTarget>,
    /// How they are run.
    pub sampling: &'a Sampling,
    /// Seed of the cell.
    pub seed: u64,
}

/// What T transitions of N chains left, and what they cost.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// `[T, N, d]`.
    pub x: Vec<f64>,
    /// log γ at x, `[T, N]`.
    pub log_density: Vec<f64>,
    /// Probability with which each proposal was accepted, `[T, N]`.
    pub accept: Vec<f64>,
    /// Σ ‖x′ − x‖² of proposals times their acceptance.
    pub jumps: f64,
    /// N.
    pub chains: usize,
    /// Chains that never moved.
    pub frozen_chains: usize,
    /// Target evaluations.
    pub evaluations: u64,
}

impl Trace {
    /// T.
    pub fn transitions(&self) -> usize {
        self.accept.len() / self.chains.max(1)
    }

    /// At most n rows of x, evenly spaced along one chain after the other: every chain has its share.
    ///
    /// Evenly spaced along the rows as they lie, they would be those of a few chains where the spacing divides N.
    pub fn thinned(&self, n: usize) -> Vec<f64> {
        let (total, transitions) = (self.accept.len(), self.transitions());
        let (n, dim) = (n.min(total), self.x.len() / total.max(1));
        let row = |at: usize| at % transitions * self.chains + at / transitions;
        (0..n).flat_map(|i| &self.x[row(i * total / n) * dim..][..dim]).copied().collect()
    }
}

impl Chains<'_> {
    /// Where n chains start, `[n, d]`.
    pub fn start(&self, n: usize, round: u64) -> anyhow::Result<Tensor> {
        let (seed, dim, dtype) = (seed_for(self.seed, Purpose::Start, round), self.dim(), self.sampler.dtype());
        match (self.sampling.start, self.target.uncounted().exact_draws()) {
            (Start::Exact, Some(exact)) => {
                Ok(Tensor::from_vec(exact.draw(seed, n), (n, dim), &Device::Cpu)?.to_dtype(dtype)?)
            }
            (Start::Exact, None) => Err(anyhow::anyhow!("`start: exact` needs a target with exact draws")),
            (Start::Base, _) => {
                Ok((Base::Gaussian.draw(seed, n, dim, dtype, self.sampler.device())? * self.sampling.base_sd)?)
            }
        }
    }

    /// Tunes `params` over the warm-up's transitions; `each` is called before every one, and ends it by saying false.
    ///
    /// Returns the parameters, and where the chains are: again at exact draws, where that is how they start, since those
    /// are from the target and what a sampler in tuning made of them is not.
    pub fn warm_up(
        &self,
        params: &Tensor,
        mut each: impl FnMut(u64) -> anyhow::Result<bool>,
    ) -> anyhow::Result<Option<(Tensor, Point)>> {
        let (mut params, steps) = (params.clone(), self.sampling.warm_up);
        let mut at = self.sampler.place(&self.start(self.sampling.chains, 0)?, Tempering::None)?;
        for step in 0..steps {
            if !each(step)? {
                return Ok(None);
            }
            let seed = seed_for(self.seed, Purpose::WarmUp, step);
            let moved = self.sampler.transition(&params, &at, seed, Tempering::None)?;
            params = self.sampler.adapt(&params, &moved, step, steps)?;
            at = moved.next;
        }
        if self.sampling.start == Start::Exact && steps > 0 {
            at = self.sampler.place(&self.start(self.sampling.chains, 1)?, Tempering::None)?;
        }
        Ok(Some((params, at)))
    }

    /// Runs the transitions that are measured, until there are enough or the budget is spent; `each` as in the warm-up.
    pub fn run(
        &self,
        params: &Tensor,
        start: Point,
        mut each: impl FnMut(u64) -> anyhow::Result<bool>,
    ) -> anyhow::Result<Option<Trace>> {
        let n = start.x.dim(0)?;
        let before = self.target.evaluations();
        let spent = || (self.target.evaluations() - before) / n as u64;
        let mut trace = Trace { chains: n, ..Trace::default() };
        let mut moved_once = vec![false; n];
        let mut at = start;
        let mut here = wide(&at.x)?;
        for step in 0..self.sampling.transitions {
            if self.sampling.budget.is_some_and(|budget| spent() >= budget) {
                break;
            }
            if !each(step)? {
                return Ok(None);
            }
            let seed = seed_for(self.seed, Purpose::Chain, step);
            let moved = self.sampler.transition(params, &at, seed, Tempering::None)?;
            let (there, asked, accept) = (wide(&moved.next.x)?, wide(&moved.proposal)?, wide(&moved.accept)?);
            let dim = self.dim();
            for (chain, once) in moved_once.iter_mut().enumerate() {
                let row = chain * dim..(chain + 1) * dim;
                *once |= there[row.clone()] != here[row.clone()];
                let square: f64 = asked[row.clone()].iter().zip(&here[row]).map(|(a, b)| (a - b).powi(2)).sum();
                if accept[chain] > 0.0 {
                    trace.jumps += square * accept[chain];
                }
            }
            trace.log_density.extend(wide(&moved.next.log_density)?);
            trace.accept.extend(accept);
            trace.x.extend_from_slice(&there);
            here = there;
            at = moved.next;
        }
        trace.frozen_chains = moved_once.iter().filter(|once| !**once).count();
        trace.evaluations = self.target.evaluations() - before;
        Ok(Some(trace))
    }

    fn dim(&self) -> usize {
        self.target.uncounted().dim()
    }
}

fn wide(tensor: &Tensor) -> candle_core::Result<Vec<f64>> {
    tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1()
}

#[cfg(test)]
mod tests {
    use super::Trace;
    use proptest::prelude::*;

    proptest! {
        /// Of draws that say which they are, every chain has its share, and none is taken twice.
        #[test]
        fn thinning_leaves_every_chain_its_share(chains in 1usize..25, transitions in 0usize..50, n in 0usize..1500) {
            let total = chains * transitions;
            let x = (0..total).flat_map(|at| [(at % chains) as f64, (at / chains) as f64]).collect();
            let trace = Trace { x, accept: vec![1.0; total], chains, ..Trace::default() };
            let mut rows: Vec<(usize, usize)> =
                trace.thinned(n).chunks(2).map(|row| (row[0] as usize, row[1] as usize)).collect();
            prop_assert_eq!(rows.len(), n.min(total));
            let share = rows.len() / chains;
            for chain in 0..chains {
                let of_chain = rows.iter().filter(|row| row.0 == chain).count();
                prop_assert!(of_chain == share || of_chain == share + 1, "{} of chain {}, {}", of_chain, chain, share);
            }
            rows.sort_unstable();
            rows.dedup();
            prop_assert_eq!(rows.len(), n.min(total));
        }
    }
}
