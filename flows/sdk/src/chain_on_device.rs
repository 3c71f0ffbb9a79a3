//! Chains of layers on CUDA devices: one launch a pass, a tape that keeps what the reverse pass needs.

use candle_core::{Device, Tensor};
use flow_cuda::chain as cuda;
use flow_kernels::chain::Kind;

use crate::{Base, Chain, DeviceKernels, Draws, Result, Tape};

/// The kernels of a chain of such layers, where the device is one that has them.
pub(crate) fn kernels(chain: &Chain, kind: Kind, device: &Device) -> Option<Box<dyn DeviceKernels>> {
    let base = match chain.base {
        Base::Gaussian => cuda::Base::Normal,
        Base::SoftUniform { width, softness } => cuda::Base::SoftUniform { width, softness },
    };
    let log_norm = chain.base.log_norm(chain.dim);
    let there = cuda::Chain { base, log_norm, kind, layers: chain.layers, dim: chain.dim };
    device.is_cuda().then(|| Box::new(there) as Box<dyn DeviceKernels>)
}

impl DeviceKernels for cuda::Chain {
    fn sample(&self, flat: &Tensor, seed: u64, n: usize, taped: bool) -> Result<(Draws, Option<Box<dyn Tape>>)> {
        let passed = cuda::Chain::sample(self, flat, seed, n, taped)?;
        let draws = Draws { x: passed.points.clone(), log_q: passed.log_q.clone() };
        Ok((draws, taped.then(|| ChainTape::of(self, Way::Forward, flat, passed))))
    }

    fn density(&self, flat: &Tensor, x: &Tensor, _: u64, taped: bool) -> Result<(Tensor, Option<Box<dyn Tape>>)> {
        let passed = cuda::Chain::density(self, flat, x, taped)?;
        Ok((passed.log_q.clone(), taped.then(|| ChainTape::of(self, Way::Inverse, flat, passed))))
    }
}

enum Way {
    Forward,
    Inverse,
}

/// A pass, with what it started from.
struct ChainTape {
    chain: cuda::Chain,
    way: Way,
    flat: Tensor,
    passed: cuda::Passed,
}

impl ChainTape {
    fn of(chain: &cuda::Chain, way: Way, flat: &Tensor, passed: cuda::Passed) -> Box<dyn Tape> {
        Box::new(Self { chain: *chain, way, flat: flat.clone(), passed })
    }
}

impl Tape for ChainTape {
    fn backward(&self, grad_points: Option<&Tensor>, grad_numbers: &Tensor) -> Result<Tensor> {
        Ok(match self.way {
            Way::Forward => self.chain.sample_backward(&self.flat, &self.passed, grad_points, grad_numbers)?,
            // The points of a density were given.
            Way::Inverse => self.chain.density_backward(&self.flat, &self.passed, grad_numbers)?,
        })
    }
}
