//! The launches: one for value and gradient, one for Hessian-vector products.

use candle_core::cuda_backend::cudarc::driver::LaunchConfig;
use candle_core::{CudaDevice, DType, Device, Result, Tensor, bail};

use super::{Density, Family};
use crate::aligned::aligned;
use crate::launch::{Kernel, Module, address, launch, module, uninitialised};

const ROWS: Module = module!("targets_rows");
const PLANE: Module = module!("targets_plane");
const MIXTURE: Module = module!("targets_mixture");

/// Threads of a block.
const BLOCK: usize = 256;
/// Those of a mixture's, whose rows keep the weights of all components in shared memory; half as many where products stand
/// beside the weights.
const MIXTURE_BLOCK: usize = 128;
/// Most components of a mixture: in double precision those of a block fill 40 of the 48 KiB that every device has.
const MOST: usize = 40;
/// Coordinates of a lane, in a mixture: `KEPT` in its kernels.
const KEPT: usize = 4;

/// log γ(x) `[n]` and ∇ log γ(x) `[n, d]` at x `[n, d]`, whichever is asked for, in one launch.
///
/// # Errors
/// x is not on a CUDA device, or has another shape than the density.
pub fn evaluate(
    density: Density,
    numbers: [f64; 2],
    table: Option<&Tensor>,
    x: &Tensor,
    (value, grad): (bool, bool),
) -> Result<(Option<Tensor>, Option<Tensor>)> {
    let on = Layout::of(density, table, x, 1)?;
    let x = on.in_pairs(x)?;
    let output = |wanted: bool, shape: &[usize]| wanted.then(|| uninitialised(&on.device, shape, on.dtype)).transpose();
    let (value, grad) = (output(value, &[on.n])?, output(grad, &[on.n, on.d])?);
    let to = |output: &Option<Tensor>| output.as_ref().map_or(Ok(0), address);
    // SAFETY: the kernel takes these arguments; n and d are those of x and the outputs, and the table's shape was held against d.
    unsafe {
        launch!(
            on.kernel(density, "")?,
            on.config,
            address(&x)?,
            on.table,
            to(&value)?,
            to(&grad)?,
            on.n as u64,
            on.d as i32,
            on.count as i32,
            on.lanes as i32,
            numbers[0],
            numbers[1]
        )?;
    }
    Ok((value, grad))
}

/// Product of the Hessian of log γ at x with v: both `[n, d]` → `[n, d]`.
///
/// # Errors
/// As [`evaluate`].
pub fn hvp(density: Density, numbers: [f64; 2], table: Option<&Tensor>, x: &Tensor, v: &Tensor) -> Result<Tensor> {
    let on = Layout::of(density, table, x, 2)?;
    if v.shape() != x.shape() || v.dtype() != x.dtype() {
        bail!("a direction of {:?} {:?} at points of {:?} {:?}", v.shape(), v.dtype(), x.shape(), x.dtype());
    }
    let (x, v) = (on.in_pairs(x)?, on.in_pairs(v)?);
    let out = uninitialised(&on.device, (on.n, on.d), on.dtype)?;
    // SAFETY: as in `evaluate`; v and out have the shape of x.
    unsafe {
        launch!(
            on.kernel(density, "_hvp")?,
            on.config,
            address(&x)?,
            address(&v)?,
            on.table,
            address(&out)?,
            on.n as u64,
            on.d as i32,
            on.count as i32,
            on.lanes as i32,
            numbers[0],
            numbers[1]
        )?;
    }
    Ok(out)
}

/// n points in d dimensions on threads: some lanes a point, some components a mixture.
struct Layout {
    device: CudaDevice,
    dtype: DType,
    n: usize,
    d: usize,
    count: usize,
    lanes: usize,
    /// The constants' address; zero where there are none.
    table: u64,
    config: LaunchConfig,
}

impl Layout {
    /// `kept`: how many numbers of each component a mixture's rows keep in shared memory.
    fn of(density: Density, table: Option<&Tensor>, x: &Tensor, kept: usize) -> Result<Self> {
        let Device::Cuda(device) = x.device() else { bail!("a kernel of a density for points on {:?}", x.device()) };
        let ((n, d), dtype) = (x.dims2()?, x.dtype());
        let family = density.family();
        let count = table.map_or(Ok(0), |table| table.dim(0))?;
        let fits = match (family, table) {
            (Family::Plane, None) => d == 2,
            (Family::Rows, None) => density == Density::Funnel,
            (Family::Rows, Some(table)) => table.dims() == [2, d],
            (Family::Mixture, Some(table)) => table.dims() == [count, d] && count <= MOST,
            _ => false,
        };
        if n == 0 || !fits || table.is_some_and(|table| table.dtype() != dtype) {
            bail!("{density:?} with constants {table:?} at points of {:?} {dtype:?}", x.shape());
        }
        let (lanes, block) = match family {
            Family::Plane => (1, BLOCK),
            Family::Rows => (lanes(d), BLOCK),
            Family::Mixture => (lanes(d.div_ceil(KEPT)), MIXTURE_BLOCK / kept),
        };
        let shared = if family == Family::Mixture { block / lanes * kept * count * dtype.size_in_bytes() } else { 0 };
        let config = LaunchConfig {
            grid_dim: (n.div_ceil(block / lanes) as u32, 1, 1),
            block_dim: (block as u32, 1, 1),
            shared_mem_bytes: shared as u32,
        };
        Ok(Self { device: device.clone(), dtype, n, d, count, lanes, table: table.map_or(Ok(0), address)?, config })
    }

    fn kernel(&self, density: Density, what: &str) -> Result<Kernel> {
        let module = match density.family() {
            Family::Rows => ROWS,
            Family::Plane => PLANE,
            Family::Mixture => MIXTURE,
        };
        module.kernel(&self.device, &format!("target_{}{what}", density.name()), self.dtype)
    }

    /// The points where a kernel may read them two numbers at a time.
    fn in_pairs(&self, x: &Tensor) -> Result<Tensor> {
        aligned(x, 2 * self.dtype.size_in_bytes())
    }
}

/// Threads for a row of `width` parts: a power of two within a warp.
fn lanes(width: usize) -> usize {
    width.next_power_of_two().min(32)
}
