//! What the tensors of an instance are made of, and where they are.

use candle_core::{DType, Device};

/// Element type and device of parameters, draws and gradients.
#[derive(Clone, Debug)]
pub struct TensorOptions {
    /// Element type.
    pub dtype: DType,
    /// Device.
    pub device: Device,
}

/// On the processor.
impl From<DType> for TensorOptions {
    fn from(dtype: DType) -> Self {
        Self { dtype, device: Device::Cpu }
    }
}
