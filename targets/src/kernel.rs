//! A target on slices, on the processor: its density and derivatives by loops that vectorise.
//!
//! The formula stands beside the definition in tensor operations, and a law holds the two equal. Nothing is allocated.
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

/// The Hessian H of log γ on slices, in both element types: `out` becomes H(x)·v, row by row. All are `[n, d]`; a row's
/// result depends on that row alone, bit for bit.
pub trait Curvature: Send + Sync {
    /// In single precision.
    fn hvp_f32(&self, x: &[f32], v: &[f32], out: &mut [f32]);

    /// In double precision.
    fn hvp_f64(&self, x: &[f64], v: &[f64], out: &mut [f64]);
}

/// f32 or f64, each with its half of a [`Kernel`] and of a [`Curvature`].
pub trait Float: Real {
    /// Evaluates the half of this type.
    fn evaluate(kernel: &dyn Kernel, x: &[Self], out: Out<'_, Self>);

    /// Hessian-vector products by the half of this type.
    fn hvp(curvature: &dyn Curvature, x: &[Self], v: &[Self], out: &mut [Self]);
}

impl Float for f32 {
    fn evaluate(kernel: &dyn Kernel, x: &[f32], out: Out<'_, f32>) {
        kernel.evaluate_f32(x, out);
    }

    fn hvp(curvature: &dyn Curvature, x: &[f32], v: &[f32], out: &mut [f32]) {
        curvature.hvp_f32(x, v, out);
    }
}

impl Float for f64 {
    fn evaluate(kernel: &dyn Kernel, x: &[f64], out: Out<'_, f64>) {
        kernel.evaluate_f64(x, out);
    }

    fn hvp(curvature: &dyn Curvature, x: &[f64], v: &[f64], out: &mut [f64]) {
        curvature.hvp_f64(x, v, out);
    }
}

/// What a target writes: one formula for both types and every level of vector instructions, `#[inline(always)]`.
pub(crate) trait Formula: Send + Sync {
    /// Values and gradients that are asked for.
    fn evaluate<L: Level, T: Real>(&self, x: &[T], out: Out<'_, T>);
}

/// The second derivative to a [`Formula`], written in the same way.
pub(crate) trait Bend: Send + Sync {
    /// H(x)·v, row by row.
    fn bend<L: Level, T: Real>(&self, x: &[T], v: &[T], out: &mut [T]);
}

impl<F: Formula> Kernel for F {
    fn evaluate_f32(&self, x: &[f32], out: Out<'_, f32>) {
        dispatch!(L => self.evaluate::<L, f32>(x, out));
    }

    fn evaluate_f64(&self, x: &[f64], out: Out<'_, f64>) {
        dispatch!(L => self.evaluate::<L, f64>(x, out));
    }
}

impl<B: Bend> Curvature for B {
    fn hvp_f32(&self, x: &[f32], v: &[f32], out: &mut [f32]) {
        dispatch!(L => self.bend::<L, f32>(x, v, out));
    }

    fn hvp_f64(&self, x: &[f64], v: &[f64], out: &mut [f64]) {
        dispatch!(L => self.bend::<L, f64>(x, v, out));
    }
}

/// Makes the functions `evaluate` and `bend` of a room of kernels those of a target: `formula!(Diagonal: separable)`.
macro_rules! formula {
    ($target:ty: $room:ident) => {
        impl $crate::kernel::Formula for $target {
            #[inline(always)]
            fn evaluate<L: Level, T: Real>(&self, x: &[T], out: $crate::Out<'_, T>) {
                $crate::$room::evaluate::<L, T, Self>(self, x, out);
            }
        }

        impl $crate::kernel::Bend for $target {
            #[inline(always)]
            fn bend<L: Level, T: Real>(&self, x: &[T], v: &[T], out: &mut [T]) {
                $crate::$room::bend::<L, T, Self>(self, x, v, out);
            }
        }
    };
}

pub(crate) use formula;
