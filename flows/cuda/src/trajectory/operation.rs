//! The trajectory as an operation of candle's graph.

use std::sync::{Arc, Mutex, PoisonError};

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CudaStorage, CustomOp3, DType, Device, Layout, Result, Shape, Tensor, bail};
use flow_kernels::trajectory::Trajectory;

use super::passes::{self, record_rows};
use super::planned::{Planned, planned};
use crate::launch::{address_in, allocated, uninitialised};

/// (parameters `[P]`, step sizes `[s]`, states `[n, 2d]`) → states `[n, 2d]`.
struct Operation {
    planned: Arc<Planned>,
    keep: bool,
    saved: Mutex<Option<Saved>>,
}

/// What the reverse pass needs of the forward one.
struct Saved {
    packed: Tensor,
    kept: Option<Tensor>,
}

/// As [`super::trajectory`].
pub(super) fn apply(
    trajectory: &Trajectory,
    keep: bool,
    params: &Tensor,
    steps: &Tensor,
    state: &Tensor,
) -> Result<Option<Tensor>> {
    let (Device::Cuda(device), DType::F32 | DType::F64) = (state.device(), state.dtype()) else { return Ok(None) };
    if state.elem_count() == 0 {
        return Ok(None);
    }
    let needed = trajectory.energies.iter().map(|(energy, from)| from + energy.n_params(trajectory.dim)).max();
    if params.elem_count() < needed.unwrap_or(0) || state.dims() != [state.dim(0)?, 2 * trajectory.dim] {
        bail!("a trajectory in {} dimensions of {:?} with parameters {:?}", trajectory.dim, state, params);
    }
    let Some(planned) = planned(trajectory, steps.elem_count(), state.dtype(), device)? else { return Ok(None) };
    if !passes::fits(&planned.plan, device, state.dtype())? {
        return Ok(None);
    }
    // Without a graph there is no reverse pass to keep anything for.
    let keep = keep && (params.track_op() || steps.track_op() || state.track_op());
    let operation = Operation { planned, keep, saved: Mutex::new(None) };
    params.contiguous()?.apply_op3(&steps.contiguous()?, &state.contiguous()?, operation).map(Some)
}

impl CustomOp3 for Operation {
    fn name(&self) -> &'static str {
        "hamiltonian-trajectory"
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        bail!("a trajectory of CUDA tensors on the processor")
    }

    fn cuda_fwd(
        &self,
        params: &CudaStorage,
        params_layout: &Layout,
        steps: &CudaStorage,
        steps_layout: &Layout,
        state: &CudaStorage,
        state_layout: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let (device, dtype, plan) = (state.device(), state.dtype(), &self.planned.plan);
        let n = state_layout.shape().dims2()?.0;
        let packed = passes::pack(&self.planned, device, dtype, address_in(params, params_layout)?)?;
        let kept = match self.keep {
            true => Some(uninitialised(device, (plan.columns, record_rows(n)), dtype)?),
            false => None,
        };
        let end = allocated(device, state_layout.shape().elem_count(), dtype)?;
        let addresses = [
            address_in(steps, steps_layout)?,
            address_in(state, state_layout)?,
            address_in(&end, &Layout::contiguous(state_layout.shape()))?,
        ];
        let [steps, start, to] = addresses;
        passes::forward(&self.planned, device, &packed, steps, start, to, kept.as_ref(), n)?;
        *self.saved.lock().unwrap_or_else(PoisonError::into_inner) = Some(Saved { packed, kept });
        Ok((end, state_layout.shape().clone()))
    }

    fn bwd(
        &self,
        params: &Tensor,
        steps: &Tensor,
        _start: &Tensor,
        end: &Tensor,
        cotangent: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let Device::Cuda(device) = end.device() else { bail!("a trajectory's end on {:?}", end.device()) };
        let saved = self.saved.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Saved { packed, kept }) = &*saved else { bail!("a reverse pass without its forward pass") };
        let of_params = Tensor::zeros(params.shape(), params.dtype(), params.device())?;
        let of_steps = uninitialised(device, steps.shape(), steps.dtype())?;
        let of_start = uninitialised(device, end.shape(), end.dtype())?;
        let grads = [&of_params, &of_steps, &of_start];
        let cotangent = cotangent.contiguous()?;
        passes::reverse(&self.planned, device, packed, steps, end, kept.as_ref(), &cotangent, grads)?;
        Ok((Some(of_params), Some(of_steps), Some(of_start)))
    }
}
