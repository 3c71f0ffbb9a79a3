//! The target inside a graph: its value and gradient at a point, differentiable in the point.
//!
//! With y = (log γ(x), ∇ log γ(x)) and cotangents (a, v), the reverse pass is a·∇ log γ(x) + H(x)·v with the Hessian H: one
//! Hessian-vector product of the target a row. So a trajectory through the target is trained through its forces.

use candle_core::{CpuStorage, CustomOp1, Layout, Result as TensorResult, Shape, Storage, Tensor, bail};

use crate::{Result, Target};

impl Target {
    /// [`Target::log_density_and_grad`] as one operation of the graph that `x` belongs to, if it belongs to one.
    pub fn in_graph(&self, x: &Tensor) -> Result<(Tensor, Tensor)> {
        let (log_density, grad) = self.log_density_and_grad(&x.detach())?;
        if !x.track_op() {
            return Ok((log_density, grad));
        }
        let values = Tensor::cat(&[log_density.unsqueeze(1)?, grad], 1)?.contiguous()?;
        let dim = x.dim(1)?;
        let both = x.apply_op1(Attached { target: self.clone(), values })?;
        Ok((both.narrow(1, 0, 1)?.squeeze(1)?, both.narrow(1, 1, dim)?))
    }
}

/// Values `[n, 1 + d]` that were computed outside of the graph.
struct Attached {
    target: Target,
    values: Tensor,
}

impl CustomOp1 for Attached {
    fn name(&self) -> &'static str {
        "target"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> TensorResult<(CpuStorage, Shape)> {
        let (storage, _) = self.values.storage_and_layout();
        match &*storage {
            Storage::Cpu(values) => Ok((values.clone(), self.values.shape().clone())),
            _ => bail!("the target's values are on another device"),
        }
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(&self, _: &candle_core::CudaStorage, _: &Layout) -> TensorResult<(candle_core::CudaStorage, Shape)> {
        use candle_core::backend::BackendStorage;
        let (storage, layout) = self.values.storage_and_layout();
        match &*storage {
            Storage::Cuda(values) => Ok((values.try_clone(layout)?, self.values.shape().clone())),
            _ => bail!("the target's values are on another device"),
        }
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, cotangent: &Tensor) -> TensorResult<Option<Tensor>> {
        let dim = x.dim(1)?;
        let along_value = cotangent.narrow(1, 0, 1)?.broadcast_mul(&self.values.narrow(1, 1, dim)?)?;
        let v = cotangent.narrow(1, 1, dim)?.contiguous()?;
        let along_grad = self.target.hvp(&x.detach(), &v).map_err(candle_core::Error::wrap)?;
        (along_value + along_grad).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Oracle;
    use candle_core::{Device, Var};

    /// log γ = Σ sin(x₁ x₂) a row.
    struct Sine;

    impl Oracle for Sine {
        fn log_density_and_grad(&self, x: &Tensor) -> Result<(Tensor, Tensor)> {
            let (a, b) = (x.narrow(1, 0, 1)?, x.narrow(1, 1, 1)?);
            let product = (&a * &b)?;
            let cos = product.cos()?;
            Ok((product.sin()?.squeeze(1)?, Tensor::cat(&[(&b * &cos)?, (&a * &cos)?], 1)?))
        }

        fn hvp(&self, x: &Tensor, v: &Tensor) -> Result<Tensor> {
            let h = 1e-5;
            let (up, down) = ((x + (v * h)?)?, (x - (v * h)?)?);
            Ok(((self.log_density_and_grad(&up)?.1 - self.log_density_and_grad(&down)?.1)? / (2.0 * h))?)
        }
    }

    /// Against central differences of a scalar of both outputs: 1e-8 for values of order one and h = 1e-5, twice.
    #[test]
    fn reverse_pass_is_the_derivative() -> Result<()> {
        let target = Target::own(Sine);
        let start = [0.3f64, -1.2, 0.8, 2.0];
        let weights =
            (Tensor::new(&[1.5f64, -0.5], &Device::Cpu)?, Tensor::new(&[[0.7f64, -2.0], [1.1, 0.4]], &Device::Cpu)?);
        let scalar = |x: &Tensor| -> Result<Tensor> {
            let (value, grad) = target.in_graph(x)?;
            Ok(((value * &weights.0)?.sum_all()? + (grad * &weights.1)?.sum_all()?)?)
        };
        let x = Var::from_slice(&start, (2, 2), &Device::Cpu)?;
        let grads = scalar(x.as_tensor())?.backward()?;
        let grads: Vec<f64> = grads.get(x.as_tensor()).expect("reached").flatten_all()?.to_vec1()?;
        for (index, grad) in grads.iter().enumerate() {
            let moved = |by: f64| -> Result<f64> {
                let mut moved = start;
                moved[index] += by;
                Ok(scalar(&Tensor::from_slice(&moved, (2, 2), &Device::Cpu)?)?.to_scalar()?)
            };
            let difference = (moved(1e-5)? - moved(-1e-5)?) / 2e-5;
            assert!((grad - difference).abs() < 1e-7, "{index}: {grad} but {difference}");
        }
        Ok(())
    }
}
