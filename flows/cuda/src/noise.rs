//! Base noise on a device: the numbers of `flow_kernels::noise`, bit for bit as its levels with fused multiply-add have them.

use candle_core::{DType, Device, Result, Shape, Tensor};

/// What each number is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Noise {
    /// Standard normal.
    Normals,
    /// Uniform on the open interval (0, 1).
    Uniforms,
    /// 1 or −1, fairly.
    Signs,
    /// Uniform about zero plus a logistic.
    SoftUniforms {
        /// Width of the uniform.
        width: f64,
        /// Scale of the logistic, inverted.
        softness: f64,
    },
}

/// Numbers `first`, `first + 1`, … under `seed`, in f32 or f64.
///
/// # Errors
/// The device is no CUDA device or refuses, or this is a build without CUDA.
pub fn fill(
    device: &Device,
    noise: Noise,
    seed: u64,
    first: u64,
    shape: impl Into<Shape>,
    dtype: DType,
) -> Result<Tensor> {
    launches::fill(device, noise, seed, first, shape.into(), dtype)
}

#[cfg(not(feature = "cuda"))]
mod launches {
    use candle_core::{DType, Device, Result, Shape, Tensor, bail};

    use super::Noise;

    pub(super) fn fill(_: &Device, _: Noise, _: u64, _: u64, _: Shape, _: DType) -> Result<Tensor> {
        bail!("this build has no CUDA (cargo's feature `cuda`)")
    }
}

#[cfg(feature = "cuda")]
mod launches {
    use candle_core::cuda_backend::cudarc::driver::LaunchConfig;
    use candle_core::{DType, Device, Result, Shape, Tensor, bail};

    use super::Noise;
    use crate::launch::{Module, address, launch, module, uninitialised};

    const NOISE: Module = module!("noise");
    /// Threads of a block, each with a block of Philox.
    const THREADS: usize = 128;

    pub(super) fn fill(
        device: &Device,
        noise: Noise,
        seed: u64,
        first: u64,
        shape: Shape,
        dtype: DType,
    ) -> Result<Tensor> {
        let Device::Cuda(device) = device else { bail!("noise by CUDA kernels on {device:?}") };
        let count = shape.elem_count() as u64;
        if count == 0 {
            return Tensor::zeros(shape, dtype, &Device::Cuda(device.clone()));
        }
        let out = uninitialised(device, shape, dtype)?;
        let (name, per_block) = match noise {
            Noise::Normals => ("normals", 4),
            Noise::Uniforms => ("uniforms", 4),
            Noise::Signs => ("signs", 4),
            Noise::SoftUniforms { .. } => ("soft_uniforms", 2),
        };
        let kernel = NOISE.kernel(device, name, dtype)?;
        let blocks = (first + count - 1) / per_block - first / per_block + 1;
        let config = LaunchConfig {
            grid_dim: (blocks.div_ceil(THREADS as u64) as u32, 1, 1),
            block_dim: (THREADS as u32, 1, 1),
            shared_mem_bytes: 0,
        };
        match noise {
            // SAFETY: these are the kernel's arguments, and it writes `count` elements, which there are.
            Noise::SoftUniforms { width, softness } => unsafe {
                launch!(kernel, config, address(&out)?, seed, first, count, width, softness)?;
            },
            // SAFETY: as above.
            _ => unsafe { launch!(kernel, config, address(&out)?, seed, first, count)? },
        }
        Ok(out)
    }
}
