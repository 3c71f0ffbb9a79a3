//! The launches of a trajectory's passes.

use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::driver::LaunchConfig;
use candle_core::cuda_backend::cudarc::driver::sys::CUdevice_attribute as Ask;
use candle_core::{CudaDevice, DType, Result, Tensor};

use super::plan::Plan;
use super::planned::Planned;
use crate::launch::{Kernel, Module, address, launch, module, uninitialised};

const SINGLE: Module = module!("trajectory_f32");
const DOUBLE: Module = module!("trajectory_f64");
const THREADS: usize = 256;
/// Points of a tile, for which there are kernels.
const TILES: [usize; 3] = [64, 32, 16];
/// What a tile costs beside its points, in points: weights that stream in, gradients that are added, waits.
const TILE_COST: usize = 12;

/// Which of the two passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pass {
    Forward,
    Reverse,
}

/// How a pass is cut into blocks.
#[derive(Clone, Copy, Debug)]
struct Cut {
    points: usize,
    blocks: usize,
    bytes: usize,
}

/// Rows of the records of n points: whole tiles of any size.
pub(super) fn record_rows(n: usize) -> usize {
    n.next_multiple_of(TILES[0])
}

/// Whether this device has room for both passes.
pub(super) fn fits(plan: &Plan, device: &CudaDevice, dtype: DType) -> Result<bool> {
    let room = ask(device, Ask::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)?;
    Ok(shared_bytes(plan, Pass::Reverse, TILES[2], dtype) <= room)
}

/// Packed parameters.
pub(super) fn pack(planned: &Planned, device: &CudaDevice, dtype: DType, params: u64) -> Result<Tensor> {
    let plan = &planned.plan;
    let packed = uninitialised(device, plan.packed, dtype)?;
    let blocks = (plan.packed / plan.pieces[0].max(1)).div_ceil(THREADS).clamp(1, 64);
    let config = LaunchConfig {
        grid_dim: (blocks as u32, (plan.pieces[0] + plan.pieces[1]) as u32, 1),
        block_dim: (THREADS as u32, 1, 1),
        shared_mem_bytes: 0,
    };
    let kernel = entry(device, "trajectory_pack", dtype)?;
    // SAFETY: the plan's offsets are within `plan.packed`, and its sources within the parameters that it was made for.
    unsafe { launch!(kernel, config, address(&planned.tables)?, params, address(&packed)?)? };
    Ok(packed)
}

/// From `start` to `end`, n rows each, with records where there is room for them.
#[allow(clippy::too_many_arguments, reason = "a kernel's operands")]
pub(super) fn forward(
    planned: &Planned,
    device: &CudaDevice,
    packed: &Tensor,
    steps: u64,
    start: u64,
    end: u64,
    kept: Option<&Tensor>,
    n: usize,
) -> Result<()> {
    let (plan, dtype) = (&planned.plan, packed.dtype());
    let cut = cut(plan, device, Pass::Forward, n, dtype)?;
    let scratch = uninitialised(device, (cut.blocks * cut.points * plan.scratch[0]).max(1), dtype)?;
    let kernel = kernel(device, "forward", cut, dtype)?;
    let kept = kept.map_or(Ok(0), address)?;
    let (tables, packed, scratch) = (address(&planned.tables)?, address(packed)?, address(&scratch)?);
    let (count, rows) = (n as u64, record_rows(n) as u64);
    // SAFETY: states have n rows, records `record_rows(n)` of `plan.columns`, the scratch one record a block.
    unsafe { launch!(kernel, cut.config(), tables, packed, steps, start, end, kept, scratch, count, rows) }
}

/// From the `cotangent` of the end to gradients of the start, and those in parameters `[P]` (zero so far) and step sizes.
#[allow(clippy::too_many_arguments, reason = "a kernel's operands")]
pub(super) fn reverse(
    planned: &Planned,
    device: &CudaDevice,
    packed: &Tensor,
    steps: &Tensor,
    end: &Tensor,
    kept: Option<&Tensor>,
    cotangent: &Tensor,
    grads: [&Tensor; 3],
) -> Result<()> {
    let (plan, dtype, n) = (&planned.plan, packed.dtype(), end.dim(0)?);
    let cut = cut(plan, device, Pass::Reverse, n, dtype)?;
    let scratch = cut.blocks * cut.points * (plan.scratch[0] + plan.scratch[1]);
    let scratch = uninitialised(device, scratch.max(1), dtype)?;
    let gradients = uninitialised(device, cut.blocks * plan.gradients, dtype)?;
    let kernel = kernel(device, "reverse", cut, dtype)?;
    let [of_params, of_steps, of_start] = [address(grads[0])?, address(grads[1])?, address(grads[2])?];
    let (tables, sums) = (address(&planned.tables)?, address(&gradients)?);
    let (packed, steps, end, cotangent) = (address(packed)?, address(steps)?, address(end)?, address(cotangent)?);
    let (kept, scratch) = (kept.map_or(Ok(0), address)?, address(&scratch)?);
    let (count, rows, blocks) = (n as u64, record_rows(n) as u64, cut.blocks as u64);
    // SAFETY: as in `forward`; the scratch has bends beside a record, and each block a row of gradients of its own.
    unsafe {
        launch!(
            kernel,
            cut.config(),
            tables,
            packed,
            steps,
            end,
            kept,
            scratch,
            cotangent,
            of_start,
            sums,
            count,
            rows
        )?;
    }
    let kernel = entry(device, "trajectory_fold", dtype)?;
    let config = LaunchConfig {
        grid_dim: (plan.largest.div_ceil(THREADS).max(1) as u32, plan.pieces[1] as u32 + 1, 1),
        block_dim: (THREADS as u32, 1, 1),
        shared_mem_bytes: 0,
    };
    // SAFETY: every block wrote its row; the plan's sources are within the parameters.
    unsafe { launch!(kernel, config, tables, sums, blocks, of_params, of_steps) }
}

impl Cut {
    fn config(&self) -> LaunchConfig {
        LaunchConfig {
            grid_dim: (self.blocks as u32, 1, 1),
            block_dim: (THREADS as u32, 1, 1),
            shared_mem_bytes: self.bytes as u32,
        }
    }
}

/// The tile that has everything done first, if a multiprocessor takes one block after the other: small ones spread a small
/// batch, large ones multiply better. Blocks take several tiles once every multiprocessor has as many as it can hold.
fn cut(plan: &Plan, device: &CudaDevice, pass: Pass, n: usize, dtype: DType) -> Result<Cut> {
    let room = ask(device, Ask::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)?;
    let processors = ask(device, Ask::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?.max(1);
    let possible = TILES.into_iter().filter(|&points| shared_bytes(plan, pass, points, dtype) <= room);
    let cost = |points: &usize| n.div_ceil(*points).div_ceil(processors) * (points + TILE_COST);
    let points = possible.min_by_key(cost).unwrap_or(TILES[2]);
    let bytes = shared_bytes(plan, pass, points, dtype);
    // Two blocks, if there is room: while one waits, the other multiplies.
    let resident = if 2 * (bytes + 1024) <= room { 2 } else { 1 };
    Ok(Cut { points, blocks: n.div_ceil(points).min(resident * processors), bytes })
}

/// Shared memory of a block, in the order of `block_of` in the kernels: panels, sums, arrays, states, numbers of each warp and
/// of each step size.
fn shared_bytes(plan: &Plan, pass: Pass, points: usize, dtype: DType) -> usize {
    let reverse = pass == Pass::Reverse;
    let rows = plan.arrays[usize::from(reverse)] * plan.strides[0] + if reverse { 4 } else { 2 } * plan.strides[1];
    let doubles = if reverse { THREADS / 32 + plan.words[4] as usize } else { 0 };
    2 * 16 * 512 + 2 * 4 * 512 + points * rows * dtype.size_in_bytes() + 8 * doubles
}

fn kernel(device: &CudaDevice, pass: &str, cut: Cut, dtype: DType) -> Result<Kernel> {
    let kernel = entry(device, &format!("trajectory_{pass}_{}", cut.points), dtype)?;
    kernel.allow_shared(cut.bytes)?;
    Ok(kernel)
}

fn entry(device: &CudaDevice, name: &str, dtype: DType) -> Result<Kernel> {
    let module = if dtype == DType::F64 { DOUBLE } else { SINGLE };
    module.kernel(device, name, dtype)
}

fn ask(device: &CudaDevice, what: Ask) -> Result<usize> {
    Ok(usize::try_from(device.cuda_stream().context().attribute(what).w()?).unwrap_or(0))
}
