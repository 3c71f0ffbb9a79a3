//! The optimiser on a CUDA device: norms of a gradient, Adam in place.
//!
//! Kingma & Ba, "Adam" (ICLR 2015), algorithm 1; decoupled weight decay: Loshchilov & Hutter (ICLR 2019), algorithm 2. The same
//! order of operations as on the processor. Shapes: θ, g `[P]`, moments `[2, P]`. Deviation: none.

use candle_core::cuda_backend::cudarc::driver::LaunchConfig;
use candle_core::{CudaDevice, DType, Result, Tensor, bail};

use crate::launch::{Module, address, launch, module, uninitialised};

const MODULE: Module = module!("optimiser");
const BLOCK: u32 = 256;

/// One update's numbers.
#[derive(Clone, Copy, Debug)]
pub struct Update {
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Factor on the gradient.
    pub scale: f64,
    /// Learning rate over the bias correction of m.
    pub rate: f64,
    /// Root of the bias correction of v, inverted.
    pub root: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
    /// What is left of a parameter after its decay.
    pub keep: f64,
}

/// Sums of squares, in f64, of the slices of `gradient` between `bounds` `[slices + 1]`, u32 on the same device.
///
/// Waits for the device: the sums are on the processor.
pub fn sums_of_squares(gradient: &Tensor, bounds: &Tensor) -> Result<Vec<f64>> {
    let slices = bounds.dim(0)? - 1;
    let device = gradient.device().as_cuda_device()?;
    let sums = uninitialised(device, slices, DType::F64)?;
    let config = LaunchConfig { grid_dim: (slices as u32, 1, 1), block_dim: (BLOCK, 1, 1), shared_mem_bytes: 0 };
    let kernel = MODULE.kernel(device, "sums_of_squares", gradient.dtype())?;
    // SAFETY: a block a slice; bounds lie within the gradient, and there is a sum for each.
    unsafe { launch!(kernel, config, address(gradient)?, address(bounds)?, address(&sums)?) }?;
    sums.to_vec1()
}

/// Takes `params` one descent step along `gradient`, with its moments.
pub fn adam(params: &Tensor, moments: &Tensor, gradient: &Tensor, update: Update) -> Result<()> {
    let count = params.elem_count();
    let all = [(moments, 2 * count), (gradient, count)];
    if all.iter().any(|(tensor, elements)| tensor.elem_count() != *elements || tensor.dtype() != params.dtype()) {
        bail!("moments {moments:?} and a gradient {gradient:?} for parameters {params:?}");
    }
    let device = params.device().as_cuda_device()?;
    match params.dtype() {
        DType::F32 => launch_adam::<f32>(device, params, moments, gradient, update, |number| number as f32),
        _ => launch_adam::<f64>(device, params, moments, gradient, update, |number| number),
    }
}

fn launch_adam<T: candle_core::cuda_backend::CudaDType + candle_core::cuda_backend::cudarc::driver::DeviceRepr>(
    device: &CudaDevice,
    params: &Tensor,
    moments: &Tensor,
    gradient: &Tensor,
    update: Update,
    of: impl Fn(f64) -> T,
) -> Result<()> {
    let count = params.elem_count();
    let Update { beta1, beta2, scale, rate, root, eps, keep } = update;
    let blocks = count.div_ceil(BLOCK as usize).max(1) as u32;
    let config = LaunchConfig { grid_dim: (blocks, 1, 1), block_dim: (BLOCK, 1, 1), shared_mem_bytes: 0 };
    let kernel = MODULE.kernel(device, "adam", params.dtype())?;
    // SAFETY: the vectors have `count` elements, the moments twice as many, as the caller has seen.
    unsafe {
        launch!(
            kernel,
            config,
            count,
            address(gradient)?,
            address(moments)?,
            address(params)?,
            of(beta1),
            of(1.0 - beta1),
            of(beta2),
            of(1.0 - beta2),
            of(scale),
            of(rate),
            of(root),
            of(eps),
            of(keep),
        )
    }
}
