//! The kernel's trajectory as one operation of candle's graph.

use std::sync::Mutex;

use flow_sdk::candle_core::{
    self as candle, CpuStorage, CustomOp3, DType, Device, Layout, Shape, Tensor, WithDType, bail,
};
use flow_sdk::kernels::real::Real;
use flow_sdk::kernels::trajectory::{Kept, Trajectory};

/// (parameters `[P]`, step sizes `[s]`, states `[n, 2d]`) → states `[n, 2d]`.
pub struct Fused {
    trajectory: Trajectory,
    keep: bool,
    kept: Mutex<AnyKept>,
}

/// Activations of the forward pass, in its element type.
enum AnyKept {
    None,
    Single(Kept<f32>),
    Double(Kept<f64>),
}

impl Fused {
    /// Runs the trajectory; with `keep`, activations are kept for the reverse pass, otherwise it rebuilds the states.
    pub fn apply(
        trajectory: Trajectory,
        keep: bool,
        params: &Tensor,
        steps: &Tensor,
        state: &Tensor,
    ) -> candle::Result<Tensor> {
        // Without a graph there is no reverse pass to keep anything for.
        let keep = keep && (params.track_op() || steps.track_op() || state.track_op());
        let op = Self { trajectory, keep, kept: Mutex::new(AnyKept::None) };
        params.contiguous()?.apply_op3(&steps.contiguous()?, &state.contiguous()?, op)
    }

    fn store(&self, kept: AnyKept) -> candle::Result<()> {
        *self.kept.lock().map_err(|_| candle::Error::msg("a reverse pass panicked"))? = kept;
        Ok(())
    }

    fn reverse<T: Real + WithDType>(
        &self,
        [params, steps, end, cotangent]: [&Tensor; 4],
        kept: Option<&Kept<T>>,
    ) -> candle::Result<[Option<Tensor>; 3]> {
        let values = |tensor: &Tensor| tensor.flatten_all()?.to_vec1::<T>();
        let (params_, steps_) = (values(params)?, values(steps)?);
        let grads = self.trajectory.reverse(&params_, &steps_, &values(end)?, kept, &values(cotangent)?);
        let tensor = |values: Vec<T>, like: &Tensor| Tensor::from_vec(values, like.shape(), &Device::Cpu).map(Some);
        Ok([tensor(grads.params, params)?, tensor(grads.steps, steps)?, tensor(grads.start, end)?])
    }
}

impl CustomOp3 for Fused {
    fn name(&self) -> &'static str {
        "hamiltonian-trajectory"
    }

    fn cpu_fwd(
        &self,
        params: &CpuStorage,
        params_layout: &Layout,
        steps: &CpuStorage,
        steps_layout: &Layout,
        state: &CpuStorage,
        state_layout: &Layout,
    ) -> candle::Result<(CpuStorage, Shape)> {
        let layouts = [params_layout, steps_layout, state_layout];
        let end = match (params, steps, state) {
            (CpuStorage::F32(a), CpuStorage::F32(b), CpuStorage::F32(c)) => {
                let [a, b, c] = slices([a, b, c], layouts)?;
                let (end, kept) = self.trajectory.run(a, b, c, self.keep);
                self.store(kept.map_or(AnyKept::None, AnyKept::Single))?;
                CpuStorage::F32(end)
            }
            (CpuStorage::F64(a), CpuStorage::F64(b), CpuStorage::F64(c)) => {
                let [a, b, c] = slices([a, b, c], layouts)?;
                let (end, kept) = self.trajectory.run(a, b, c, self.keep);
                self.store(kept.map_or(AnyKept::None, AnyKept::Double))?;
                CpuStorage::F64(end)
            }
            _ => bail!("a trajectory needs f32 or f64 throughout"),
        };
        Ok((end, state_layout.shape().clone()))
    }

    fn bwd(
        &self,
        params: &Tensor,
        steps: &Tensor,
        _start: &Tensor,
        end: &Tensor,
        cotangent: &Tensor,
    ) -> candle::Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let kept = self.kept.lock().map_err(|_| candle::Error::msg("a reverse pass panicked"))?;
        let tensors = [params, steps, end, cotangent];
        let [params, steps, start] = match (&*kept, end.dtype()) {
            (AnyKept::Single(kept), _) => self.reverse::<f32>(tensors, Some(kept))?,
            (AnyKept::Double(kept), _) => self.reverse::<f64>(tensors, Some(kept))?,
            (AnyKept::None, DType::F64) => self.reverse::<f64>(tensors, None)?,
            (AnyKept::None, _) => self.reverse::<f32>(tensors, None)?,
        };
        Ok((params, steps, start))
    }
}

fn slices<'a, T>(values: [&'a Vec<T>; 3], layouts: [&Layout; 3]) -> candle::Result<[&'a [T]; 3]> {
    let mut slices = [&[][..]; 3];
    for ((slice, values), layout) in slices.iter_mut().zip(values).zip(layouts) {
        let Some((from, to)) = layout.contiguous_offsets() else { bail!("a trajectory needs contiguous tensors") };
        *slice = &values[from..to];
    }
    Ok(slices)
}
