//! The element types that cross the edge.

use candle_core::WithDType;
use flow_kernels::real::Real;

/// f32 or f64, for tensors and for kernels alike.
pub trait Element: Real + WithDType {}

impl Element for f32 {}
impl Element for f64 {}
