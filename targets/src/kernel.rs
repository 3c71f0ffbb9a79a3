//! A target on slices, on the processor: its density and gradient by loops that vectorise.
//!
//! The formula stands beside the definition in tensor operations, and a law holds the two equal.
//! Shapes: x and ∇ row-major `[n, d]`, log γ `[n]`.

use flow_kernels::dispatch;
use flow_kernels::real::Real;
use flow_kernels::simd::Level;

/// Where the values and the gradients of n rows go; what is not asked for is not computed.
#[derive(Debug)]
pub struct Out<'a, T> {
    /// log γ, `[n]`.
    pub value: Option<&'a mut [T]>,
    /// ∇ log γ, `[n, d]`.
    pub grad: Option<&'a mut [T]>,
}

/// The kernel of a target, in both element types. A row's result depends on that row alone, bit for bit.
pub trait Kernel: Send + Sync {
    /// In single precision.
    fn evaluate_f32(&self, x: &[f32], out: Out<'_, f32>);

    /// In double precision.
    fn evaluate_f64(&self, x: &[f64], out: Out<'_, f64>);
}

/// f32 or f64, each with its half of a [`Kernel`].
pub trait Float: Real {
    /// Evaluates the half of this type.
    fn evaluate(kernel: &dyn Kernel, x: &[Self], out: Out<'_, Self>);
}

impl Float for f32 {
    fn evaluate(kernel: &dyn Kernel, x: &[f32], out: Out<'_, f32>) {
        kernel.evaluate_f32(x, out);
    }
}

impl Float for f64 {
    fn evaluate(kernel: &dyn Kernel, x: &[f64], out: Out<'_, f64>) {
        kernel.evaluate_f64(x, out);
    }
}

/// What a target writes: one formula for both types and every level of vector instructions, `#[inline(always)]`.
pub(crate) trait Formula: Send + Sync {
    /// Values and gradients that are asked for.
    fn evaluate<L: Level, T: Real>(&self, x: &[T], out: Out<'_, T>);
}

impl<F: Formula> Kernel for F {
    fn evaluate_f32(&self, x: &[f32], out: Out<'_, f32>) {
        dispatch!(L => self.evaluate::<L, f32>(x, out));
    }

    fn evaluate_f64(&self, x: &[f64], out: Out<'_, f64>) {
        dispatch!(L => self.evaluate::<L, f64>(x, out));
    }
}
