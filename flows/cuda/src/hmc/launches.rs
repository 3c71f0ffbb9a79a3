//! The launches of a trajectory.

use candle_core::cuda_backend::cudarc::driver::LaunchConfig;
use candle_core::{CudaDevice, DType, Device, Result, Tensor, bail};

use super::{End, Known, Motion};
use crate::aligned::aligned;
use crate::launch::{Module, address, launch, module, uninitialised};

const HMC: Module = module!("hmc");

/// Threads of a block.
const BLOCK: usize = 256;

/// n chains on their way: where they are, their momenta, their step sizes, H at their start.
#[derive(Debug)]
pub struct Trajectory {
    device: CudaDevice,
    shape: [usize; 2],
    dtype: DType,
    sd: Tensor,
    q: Tensor,
    p: Tensor,
    factors: Tensor,
    before: Tensor,
    acceptance: u64,
}

impl Trajectory {
    /// Draws momenta, then kicks and drifts with these fractions of the step; a fraction of zero is no move.
    ///
    /// # Errors
    /// Something is not on a CUDA device, or shapes do not fit.
    pub fn start(from: Known<'_>, motion: Motion<'_>, kick: f64, drift: f64) -> Result<Self> {
        let Device::Cuda(device) = from.x.device() else { bail!("a trajectory from {:?}", from.x.device()) };
        let ((n, d), dtype) = (from.x.dims2()?, from.x.dtype());
        let make = |shape: &[usize]| uninitialised(device, shape, dtype);
        let this = Self {
            device: device.clone(),
            shape: [n, d],
            dtype,
            sd: motion.sd.contiguous()?,
            q: make(&[n, d])?,
            p: make(&[n, d])?,
            factors: make(&[n])?,
            before: make(&[n])?,
            acceptance: motion.streams.acceptance,
        };
        let [x, grad, log_density] = this.known(from)?;
        let log_step = motion.log_step.contiguous()?;
        if this.sd.dims() != [d]
            || log_step.elem_count() != 1
            || [&this.sd, &log_step].iter().any(|t| t.dtype() != dtype)
        {
            bail!("scales {:?} and log ε {:?} for chains {:?}", this.sd, log_step, from.x);
        }
        let (step_size, log_step_size) = motion.untuned;
        let function = HMC.kernel(device, "hmc_start", dtype)?;
        let (config, lanes) = this.grid();
        // SAFETY: here and below, the kernel takes these arguments, and all shapes were held against n and d.
        unsafe {
            launch!(
                function,
                config,
                address(&x)?,
                address(&grad)?,
                address(&log_density)?,
                address(&this.sd)?,
                address(&log_step)?,
                address(&this.q)?,
                address(&this.p)?,
                address(&this.factors)?,
                address(&this.before)?,
                n as u64,
                d as i32,
                lanes,
                motion.streams.momentum,
                motion.streams.jitter,
                step_size,
                log_step_size,
                motion.jitter,
                kick,
                drift
            )
        }?;
        Ok(this)
    }

    /// Where the chains are, `[n, d]`. The next move overwrites it.
    pub fn q(&self) -> &Tensor {
        &self.q
    }

    /// Kicks by ∇ log γ(q), then drifts, with these fractions of the step.
    ///
    /// # Errors
    /// As [`Trajectory::start`].
    pub fn kick_and_drift(&mut self, grad: &Tensor, kick: f64, drift: f64) -> Result<()> {
        let grad = self.fitting(grad, &self.shape)?;
        let function = HMC.kernel(&self.device, "hmc_kick_and_drift", self.dtype)?;
        let (config, lanes) = self.grid();
        // SAFETY: as above.
        unsafe {
            launch!(
                function,
                config,
                address(&grad)?,
                address(&self.sd)?,
                address(&self.factors)?,
                address(&self.q)?,
                address(&self.p)?,
                self.shape[0] as u64,
                self.shape[1] as i32,
                lanes,
                kick,
                drift
            )
        }
    }

    /// Kicks by ∇ log γ(q) with that fraction of the step, zero being no kick, and decides between q and where the chains began.
    ///
    /// # Errors
    /// As [`Trajectory::start`].
    pub fn end(self, from: Known<'_>, log_density: &Tensor, grad: &Tensor, kick: f64) -> Result<End> {
        let ([n, d], dtype) = (self.shape, self.dtype);
        let [x, x_grad, x_log] = self.known(from)?;
        let [_, q_grad, q_log] = self.known(Known { x: &self.q, log_density, grad })?;
        let make = |shape: &[usize]| uninitialised(&self.device, shape, dtype);
        let (next, next_grad, next_log, accept) = (make(&[n, d])?, make(&[n, d])?, make(&[n])?, make(&[n])?);
        let function = HMC.kernel(&self.device, "hmc_end", dtype)?;
        let (config, lanes) = self.grid();
        // SAFETY: as above.
        unsafe {
            launch!(
                function,
                config,
                address(&x)?,
                address(&x_grad)?,
                address(&x_log)?,
                address(&self.q)?,
                address(&self.p)?,
                address(&q_grad)?,
                address(&q_log)?,
                address(&self.sd)?,
                address(&self.factors)?,
                address(&self.before)?,
                address(&next)?,
                address(&next_grad)?,
                address(&next_log)?,
                address(&accept)?,
                n as u64,
                d as i32,
                lanes,
                self.acceptance,
                kick
            )
        }?;
        Ok(End { x: next, log_density: next_log, grad: next_grad, proposal: self.q, accept })
    }

    /// x, ∇ and log γ as kernels take them.
    fn known(&self, known: Known<'_>) -> Result<[Tensor; 3]> {
        let of = |tensor: &Tensor, shape: &[usize]| self.fitting(tensor, shape);
        Ok([of(known.x, &self.shape)?, of(known.grad, &self.shape)?, of(known.log_density, &self.shape[..1])?])
    }

    /// The tensor where a kernel may read it sixteen bytes at a time.
    fn fitting(&self, tensor: &Tensor, shape: &[usize]) -> Result<Tensor> {
        if tensor.dims() != shape || tensor.dtype() != self.dtype {
            bail!("{:?} {:?} where {shape:?} {:?} fit", tensor.dims(), tensor.dtype(), self.dtype);
        }
        aligned(tensor, 16)
    }

    /// The launch of all chains, and lanes of each: as many as its blocks of four numbers, which it may share with neighbours.
    fn grid(&self) -> (LaunchConfig, i32) {
        let [n, d] = self.shape;
        let blocks = if d.is_multiple_of(4) || 4usize.is_multiple_of(d) { d.div_ceil(4) } else { (d + 6) / 4 };
        let lanes = blocks.next_power_of_two().min(32);
        let grid = n.div_ceil(BLOCK / lanes) as u32;
        let config = LaunchConfig { grid_dim: (grid, 1, 1), block_dim: (BLOCK as u32, 1, 1), shared_mem_bytes: 0 };
        (config, lanes as i32)
    }
}
