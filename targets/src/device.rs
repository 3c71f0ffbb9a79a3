//! A target where its points are: by its kernel on a CUDA device, by its definition elsewhere.

use candle_core::Tensor;
use flow_cuda::targets::Density;

use crate::constant::Constant;
use crate::{Result, Target};

/// What the kernels on CUDA devices need to know of a target: its density, with the constants that this one takes.
#[derive(Clone, Copy)]
#[cfg_attr(not(feature = "cuda"), allow(dead_code, reason = "nothing is launched"))]
pub struct DeviceKernel<'a> {
    density: Density,
    numbers: [f64; 2],
    table: Option<&'a Constant>,
}

impl<'a> DeviceKernel<'a> {
    /// A density of few numbers; those that it does not take are zero.
    pub(crate) fn new(density: Density, numbers: [f64; 2]) -> Self {
        Self { density, numbers, table: None }
    }

    /// A density with a matrix of constants.
    pub(crate) fn with_table(density: Density, numbers: [f64; 2], table: &'a Constant) -> Self {
        Self { density, numbers, table: Some(table) }
    }
}

/// log γ(x) `[n]` and ∇ log γ(x) `[n, d]` at x `[n, d]`, each exactly if it is asked for: one launch where x is on a CUDA device
/// and the target has a kernel there, else the definition.
///
/// # Errors
/// A tensor operation fails.
pub fn evaluate(target: &dyn Target, x: &Tensor, value: bool, grad: bool) -> Result<(Option<Tensor>, Option<Tensor>)> {
    #[cfg(feature = "cuda")]
    if let Some(kernel) = on_device(target, x) {
        let table = kernel.table.map(|table| table.like(x)).transpose()?;
        return Ok(flow_cuda::targets::evaluate(kernel.density, kernel.numbers, table.as_ref(), x, (value, grad))?);
    }
    let value = value.then(|| target.log_density(x)).transpose()?;
    Ok((value, grad.then(|| target.grad(x)).transpose()?))
}

/// log γ(x) alone.
///
/// # Errors
/// As [`evaluate`].
pub fn log_density(target: &dyn Target, x: &Tensor) -> Result<Tensor> {
    evaluate(target, x, true, false).map(|(value, _)| value.expect("it was asked for"))
}

/// ∇ log γ(x) alone.
///
/// # Errors
/// As [`evaluate`].
pub fn grad(target: &dyn Target, x: &Tensor) -> Result<Tensor> {
    evaluate(target, x, false, true).map(|(_, grad)| grad.expect("it was asked for"))
}

/// Product of the Hessian of log γ at x with v, both `[n, d]`, in the same way.
///
/// # Errors
/// As [`evaluate`].
pub fn hvp(target: &dyn Target, x: &Tensor, v: &Tensor) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    if let Some(kernel) = on_device(target, x) {
        let table = kernel.table.map(|table| table.like(x)).transpose()?;
        return Ok(flow_cuda::targets::hvp(kernel.density, kernel.numbers, table.as_ref(), x, v)?);
    }
    target.hvp(x, v)
}

#[cfg(feature = "cuda")]
fn on_device<'a>(target: &'a dyn Target, x: &Tensor) -> Option<DeviceKernel<'a>> {
    x.device().is_cuda().then(|| target.device_kernel()).flatten()
}
