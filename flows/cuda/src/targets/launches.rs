//! The launches: one for value and gradient, one for Hessian-vector products.

use candle_core::cuda_backend::cudarc::driver::LaunchConfig;
use candle_core::{CudaDevice, Device, Result, Tensor, bail};

use super::{Density, Family};
use crate::aligned::aligned;
use crate::launch::{Kernel, Module, address, launch, module, uninitialised};

const ROWS: Module = module!("targets_rows");
const PLANE: Module = module!("targets_plane");
const MIXTURE: Module = module!("targets_mixture");

/// Threads of a block.
const BLOCK: usize = 256;
/// Those of a mixture's, whose rows keep the weights of all components in shared memory: of forty in double precision, 40 KiB.
const MIXTURE_BLOCK: usize = 128;
/// Likewise where products are kept beside the weights.
const MIXTURE_BEND_BLOCK: usize = 64;
/// Most components of a mixture: their weights fill what shared memory every device gives a block.
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
    let Rows { device, x, n, d } = &Rows::of(density, x)?;
    let output = |wanted: bool, shape: &[usize]| wanted.then(|| uninitialised(device, shape, x.dtype())).transpose();
    let (value, grad) = (output(value, &[*n])?, output(grad, &[*n, *d])?);
    let to = |output: &Option<Tensor>| output.as_ref().map_or(Ok(0), address);
    let (value_at, grad_at, x_at, table_at) = (to(&value)?, to(&grad)?, address(x)?, table.map_or(Ok(0), address)?);
    let (function, rows, columns) = (kernel(density, device, "", x)?, *n as u64, *d as i32);
    // SAFETY: here and below, the kernel takes these arguments, and n, d and the table's rows are the tensors' own.
    match density.family() {
        Family::Plane => {
            unsafe { launch!(function, grid(*n, 1, BLOCK, 0), x_at, value_at, grad_at, rows, numbers[0], numbers[1]) }?
        }
        Family::Rows => {
            let lanes = lanes(*d);
            let config = grid(*n, lanes, BLOCK, 0);
            unsafe {
                launch!(
                    function,
                    config,
                    x_at,
                    table_at,
                    value_at,
                    grad_at,
                    rows,
                    columns,
                    lanes as i32,
                    numbers[0],
                    numbers[1]
                )
            }?;
        }
        Family::Mixture => {
            let (lanes, count) = (lanes(d.div_ceil(KEPT)), components(table)?);
            let bytes = MIXTURE_BLOCK / lanes * count * x.dtype().size_in_bytes();
            let config = grid(*n, lanes, MIXTURE_BLOCK, bytes);
            unsafe {
                launch!(
                    function,
                    config,
                    x_at,
                    table_at,
                    value_at,
                    grad_at,
                    rows,
                    columns,
                    count as i32,
                    lanes as i32,
                    numbers[0],
                    numbers[1]
                )
            }?;
        }
    }
    Ok((value, grad))
}

/// Product of the Hessian of log γ at x with v: both `[n, d]` → `[n, d]`.
///
/// # Errors
/// As [`evaluate`].
pub fn hvp(density: Density, numbers: [f64; 2], table: Option<&Tensor>, x: &Tensor, v: &Tensor) -> Result<Tensor> {
    let Rows { device, x, n, d } = &Rows::of(density, x)?;
    let v = &in_pairs(v)?;
    if v.shape() != x.shape() || v.dtype() != x.dtype() {
        bail!("a direction of {:?} {:?} at points of {:?} {:?}", v.shape(), v.dtype(), x.shape(), x.dtype());
    }
    let out = uninitialised(device, (*n, *d), x.dtype())?;
    let (x_at, v_at, out_at, table_at) = (address(x)?, address(v)?, address(&out)?, table.map_or(Ok(0), address)?);
    let (function, rows, columns) = (kernel(density, device, "_hvp", x)?, *n as u64, *d as i32);
    // SAFETY: as above.
    match density.family() {
        Family::Plane => {
            unsafe { launch!(function, grid(*n, 1, BLOCK, 0), x_at, v_at, out_at, rows, numbers[0], numbers[1]) }?
        }
        Family::Rows => {
            let lanes = lanes(*d);
            let config = grid(*n, lanes, BLOCK, 0);
            unsafe {
                launch!(function, config, x_at, v_at, table_at, out_at, rows, columns, lanes as i32, numbers[1])
            }?;
        }
        Family::Mixture => {
            let (lanes, count) = (lanes(d.div_ceil(KEPT)), components(table)?);
            let bytes = MIXTURE_BEND_BLOCK / lanes * 2 * count * x.dtype().size_in_bytes();
            let config = grid(*n, lanes, MIXTURE_BEND_BLOCK, bytes);
            unsafe {
                launch!(
                    function,
                    config,
                    x_at,
                    v_at,
                    table_at,
                    out_at,
                    rows,
                    columns,
                    count as i32,
                    lanes as i32,
                    numbers[1]
                )
            }?;
        }
    }
    Ok(out)
}

/// Points on a device.
struct Rows {
    device: CudaDevice,
    x: Tensor,
    n: usize,
    d: usize,
}

impl Rows {
    fn of(density: Density, x: &Tensor) -> Result<Self> {
        let Device::Cuda(device) = x.device() else { bail!("a kernel of a density for points on {:?}", x.device()) };
        let (n, d) = x.dims2()?;
        if n == 0 || (density.family() == Family::Plane && d != 2) {
            bail!("{density:?} at points of shape {:?}", x.shape());
        }
        Ok(Self { device: device.clone(), x: in_pairs(x)?, n, d })
    }
}

/// The tensor where a kernel may read it two numbers at a time.
fn in_pairs(x: &Tensor) -> Result<Tensor> {
    aligned(x, 2 * x.dtype().size_in_bytes())
}

fn kernel(density: Density, device: &CudaDevice, what: &str, x: &Tensor) -> Result<Kernel> {
    let module = match density.family() {
        Family::Rows => ROWS,
        Family::Plane => PLANE,
        Family::Mixture => MIXTURE,
    };
    module.kernel(device, &format!("target_{}{what}", density.name()), x.dtype())
}

/// Threads for a row of `width` parts: a power of two within a warp.
fn lanes(width: usize) -> usize {
    width.next_power_of_two().min(32)
}

fn components(table: Option<&Tensor>) -> Result<usize> {
    let Some(table) = table else { bail!("a mixture without means") };
    match table.dim(0)? {
        count if count > MOST => bail!("a mixture of {count} components: the kernel takes up to {MOST}"),
        count => Ok(count),
    }
}

/// As many blocks as n rows of some lanes fill.
fn grid(n: usize, lanes: usize, block: usize, shared: usize) -> LaunchConfig {
    let blocks = n.div_ceil(block / lanes);
    LaunchConfig { grid_dim: (blocks as u32, 1, 1), block_dim: (block as u32, 1, 1), shared_mem_bytes: shared as u32 }
}
