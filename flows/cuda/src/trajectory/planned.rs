//! Plans with their tables on a device, made once.

use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{CudaDevice, DType, Device, Result, Tensor};
use flow_kernels::trajectory::Trajectory;

use super::plan::Plan;

/// So many are remembered: a process has a flow or two, each with its way back.
const REMEMBERED: usize = 32;

/// A plan whose tables the kernels can read.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) plan: Plan,
    pub(super) tables: Tensor,
    trajectory: Trajectory,
    steps: usize,
    dtype: DType,
}

static PLANNED: Mutex<Vec<Arc<Planned>>> = Mutex::new(Vec::new());

/// The plan for `steps` step sizes, as [`Plan::new`] makes it.
pub(super) fn planned(
    trajectory: &Trajectory,
    steps: usize,
    dtype: DType,
    device: &CudaDevice,
) -> Result<Option<Arc<Planned>>> {
    let device = Device::Cuda(device.clone());
    let mut remembered = PLANNED.lock().unwrap_or_else(PoisonError::into_inner);
    let same = |one: &&Arc<Planned>| {
        one.steps == steps
            && one.dtype == dtype
            && one.trajectory == *trajectory
            && one.tables.device().same_device(&device)
    };
    if let Some(one) = remembered.iter().find(same) {
        return Ok(Some(one.clone()));
    }
    let Some(plan) = Plan::new(trajectory, steps, dtype.size_in_bytes()) else { return Ok(None) };
    let tables = Tensor::new(plan.words.as_slice(), &device)?;
    let one = Arc::new(Planned { plan, tables, trajectory: trajectory.clone(), steps, dtype });
    if remembered.len() == REMEMBERED {
        remembered.remove(0);
    }
    remembered.push(one.clone());
    Ok(Some(one))
}
