//! How the kernels of a chain are launched: where its points are, its parameters, its partial sums.

use candle_core::cuda_backend::cudarc::driver::LaunchConfig;
use candle_core::{CudaDevice, DType, Device, Result, Tensor, bail};
use flow_kernels::chain::Kind;

use super::{Chain, Passed};
use crate::launch::{Kernel, Module, address, launch, module, uninitialised};

/// A module a precision: it is compiled whole when it is loaded.
const PLANAR: [Module; 2] = [module!("planar_f32"), module!("planar_f64")];
const RADIAL: [Module; 2] = [module!("radial_f32"), module!("radial_f64")];

/// Threads of a block, with a point each; four warps.
const THREADS: usize = 128;
const WARP: usize = 32;
/// Coordinates that a thread may have in registers.
const CAPACITIES: [usize; 4] = [2, 4, 8, 16];
/// Shared memory of a block on any device, in bytes.
const SHARED: usize = 48 << 10;
/// Blocks at most: more take their turns, so that they do not constrain the parameters for a few points each.
const MOST_BLOCKS: usize = 2048;
/// Slots of partial sums at most, and elements in all of them together.
const MOST_SLOTS: usize = 1024;
const MOST_PARTIAL_SUMS: usize = 1 << 24;
const FEWEST_SLOTS: usize = 32;
/// Threads of a block that adds up slots.
const FINISHERS: usize = 256;

/// One call for a chain's kernels.
pub(super) struct Call<'a> {
    chain: &'a Chain,
    device: &'a CudaDevice,
    dtype: DType,
    /// Coordinates of a thread; none where a warp shares a point.
    capacity: Option<usize>,
    /// `[P]`.
    pub(super) params: Tensor,
    /// The layers, constrained, where they are not in shared memory.
    pub(super) table: Option<Tensor>,
}

/// Sums of each block of a reverse pass.
pub(super) struct Partial {
    /// Blocks.
    pub(super) count: usize,
    /// `[count, K, sums]`.
    pub(super) slots: Tensor,
    /// Points and cotangents of warps, `[count, 2, d]`.
    pub(super) scratch: Option<Tensor>,
}

impl<'a> Call<'a> {
    pub(super) fn new(chain: &'a Chain, params: &'a Tensor) -> Result<Self> {
        let Device::Cuda(device) = params.device() else {
            bail!("CUDA kernels for parameters on {:?}", params.device())
        };
        let dtype = params.dtype();
        let capacity = CAPACITIES
            .into_iter()
            .find(|&capacity| capacity >= chain.dim)
            .filter(|&capacity| shared_elements(chain, capacity, true) * dtype.size_in_bytes() <= SHARED);
        let count = chain.layers * per_layer(chain.kind, chain.dim);
        let mut call = Self { chain, device, dtype, capacity, params: params.clone(), table: None };
        call.params = call.input(params, &[count])?;
        if capacity.is_none() {
            call.table = Some(call.constrain()?);
        }
        Ok(call)
    }

    /// The kernel of a pass.
    pub(super) fn kernel(&self, pass: &str) -> Result<Kernel> {
        match self.capacity {
            Some(capacity) => self.named(&format!("{pass}_{capacity}")),
            None => self.named(&format!("{pass}_wide")),
        }
    }

    /// Blocks of a pass over n points that leaves no sums.
    pub(super) fn blocks(&self, n: usize) -> usize {
        self.tiles(n).clamp(1, MOST_BLOCKS)
    }

    /// A launch of that many blocks, with or without sums.
    pub(super) fn config(&self, blocks: usize, sums: bool) -> LaunchConfig {
        let shared = self.capacity.map_or(0, |capacity| shared_elements(self.chain, capacity, sums));
        LaunchConfig {
            grid_dim: (blocks as u32, 1, 1),
            block_dim: (if self.capacity.is_some() { THREADS } else { WARP } as u32, 1, 1),
            shared_mem_bytes: (shared * self.dtype.size_in_bytes()) as u32,
        }
    }

    /// A tensor of that shape as a kernel takes it.
    pub(super) fn input(&self, tensor: &Tensor, shape: &[usize]) -> Result<Tensor> {
        if tensor.dims() != shape || tensor.dtype() != self.dtype || !tensor.device().same_device(self.params.device())
        {
            let (dims, dtype) = (tensor.dims(), tensor.dtype());
            bail!("{dims:?} {dtype:?} on {:?} where a chain needs {shape:?} {:?}", tensor.device(), self.dtype);
        }
        tensor.contiguous()
    }

    /// What a pass over n points writes.
    pub(super) fn passed(&self, n: usize, taped: bool) -> Result<Passed> {
        let Chain { layers, dim, .. } = *self.chain;
        Ok(Passed {
            points: uninitialised(self.device, (n, dim), self.dtype)?,
            log_q: uninitialised(self.device, n, self.dtype)?,
            kept: taped.then(|| uninitialised(self.device, (layers, n), self.dtype)).transpose()?,
        })
    }

    /// What a pass kept.
    pub(super) fn kept(&self, passed: &Passed) -> Result<Tensor> {
        let Some(kept) = &passed.kept else { bail!("the reverse of a pass that was not taped") };
        self.input(kept, &[self.chain.layers, passed.log_q.dim(0)?])
    }

    /// Where a reverse pass over n points leaves its sums. Their number depends on n and the chain alone, and so do the bits.
    pub(super) fn partial(&self, n: usize) -> Result<Partial> {
        let sums = self.chain.layers * per_layer_sums(self.chain.kind, self.stride());
        let count = self.tiles(n).min(MOST_SLOTS).min((MOST_PARTIAL_SUMS / sums).max(FEWEST_SLOTS));
        let scratch = || uninitialised(self.device, (count, 2, self.chain.dim), self.dtype);
        Ok(Partial {
            count,
            slots: uninitialised(self.device, (count, sums), self.dtype)?,
            scratch: self.capacity.is_none().then(scratch).transpose()?,
        })
    }

    /// The gradient `[P]` from the sums of all blocks.
    pub(super) fn finish(&self, partial: &Partial) -> Result<Tensor> {
        let grad = uninitialised(self.device, self.params.dims(), self.dtype)?;
        let total = per_layer_sums(self.chain.kind, self.stride());
        let config = LaunchConfig {
            grid_dim: (self.chain.layers as u32, 1, 1),
            block_dim: (FINISHERS as u32, 1, 1),
            shared_mem_bytes: ((total + FINISHERS) * size_of::<f64>()) as u32,
        };
        // SAFETY: these are the kernel's arguments; it reads `count` slots and writes the gradient of every layer.
        unsafe {
            launch!(
                self.named("finish")?,
                config,
                address(&self.params)?,
                address(&partial.slots)?,
                address(&grad)?,
                partial.count as i32,
                self.chain.layers as i32,
                self.chain.dim as i32,
                self.stride() as i32,
            )?;
        }
        Ok(grad)
    }

    /// The layers' table, constrained, in memory.
    fn constrain(&self) -> Result<Tensor> {
        let Chain { kind, layers, dim, .. } = *self.chain;
        let table = uninitialised(self.device, (layers, table(kind, dim)), self.dtype)?;
        let config =
            LaunchConfig { grid_dim: (layers as u32, 1, 1), block_dim: (WARP as u32, 1, 1), shared_mem_bytes: 0 };
        // SAFETY: these are the kernel's arguments; it writes the rows of all layers.
        unsafe {
            launch!(
                self.named("constrain")?,
                config,
                address(&self.params)?,
                address(&table)?,
                layers as i32,
                dim as i32,
            )?;
        }
        Ok(table)
    }

    fn named(&self, name: &str) -> Result<Kernel> {
        let (modules, kind) = match self.chain.kind {
            Kind::Planar => (PLANAR, "planar"),
            Kind::Radial => (RADIAL, "radial"),
        };
        modules[usize::from(self.dtype == DType::F64)].kernel(self.device, &format!("{kind}_{name}"), self.dtype)
    }

    /// Turns that blocks take together.
    fn tiles(&self, n: usize) -> usize {
        if self.capacity.is_some() { n.div_ceil(THREADS) } else { n }
    }

    /// Coordinates of a layer, with those that only fill up.
    fn stride(&self) -> usize {
        self.capacity.unwrap_or(self.chain.dim)
    }
}

/// Parameters of a layer in d dimensions.
fn per_layer(kind: Kind, dim: usize) -> usize {
    match kind {
        Kind::Planar => 2 * dim + 1,
        Kind::Radial => dim + 2,
    }
}

/// Numbers of a constrained layer.
fn table(kind: Kind, stride: usize) -> usize {
    match kind {
        Kind::Planar => 2 * stride + 3,
        Kind::Radial => stride + 3,
    }
}

/// Sums over points of a layer.
fn per_layer_sums(kind: Kind, stride: usize) -> usize {
    match kind {
        Kind::Planar => 2 * stride + 2,
        Kind::Radial => stride + 2,
    }
}

/// Elements of shared memory that a block needs: the layers, and two buffers of each warp's sums.
fn shared_elements(chain: &Chain, stride: usize, sums: bool) -> usize {
    let buffers = if sums { 2 * THREADS / WARP * per_layer_sums(chain.kind, stride) } else { 0 };
    chain.layers * table(chain.kind, stride) + buffers
}
