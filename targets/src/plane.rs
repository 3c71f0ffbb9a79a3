//! Kernels of targets in the plane: a formula of one point, run over many.

use flow_kernels::chain::{LANES, gather, scatter};
use flow_kernels::real::Real;
use flow_kernels::simd::Level;

use crate::kernel::{Bend, Formula, Out};

/// A density in the plane, a point at a time: straight-line arithmetic, `#[inline(always)]`, so that points vectorise.
pub(crate) trait Plane: Send + Sync {
    /// log γ.
    fn value<L: Level, T: Real>(&self, z: [T; 2]) -> T;

    /// ∇ log γ.
    fn slope<L: Level, T: Real>(&self, z: [T; 2]) -> [T; 2];

    /// The Hessian of log γ: [∂₁₁, ∂₁₂, ∂₂₂].
    fn hessian<L: Level, T: Real>(&self, z: [T; 2]) -> [T; 3];
}

impl<P: Plane> Formula for P {
    #[inline(always)]
    fn evaluate<L: Level, T: Real>(&self, x: &[T], out: Out<'_, T>) {
        if let Some(value) = out.value {
            for (rows, value) in x.chunks(2 * LANES).zip(value.chunks_mut(LANES)) {
                let mut z = [[T::ZERO; LANES]; 2];
                gather(rows, 2, 0..2, &mut z);
                let mut values = [T::ZERO; LANES];
                for j in 0..LANES {
                    values[j] = self.value::<L, T>([z[0][j], z[1][j]]);
                }
                value.copy_from_slice(&values[..value.len()]);
            }
        }
        if let Some(grad) = out.grad {
            for (rows, grad) in x.chunks(2 * LANES).zip(grad.chunks_mut(2 * LANES)) {
                let mut z = [[T::ZERO; LANES]; 2];
                gather(rows, 2, 0..2, &mut z);
                let mut slopes = [[T::ZERO; LANES]; 2];
                for j in 0..LANES {
                    [slopes[0][j], slopes[1][j]] = self.slope::<L, T>([z[0][j], z[1][j]]);
                }
                scatter(&slopes, 2, 0..2, grad);
            }
        }
    }
}

impl<P: Plane> Bend for P {
    #[inline(always)]
    fn bend<L: Level, T: Real>(&self, x: &[T], v: &[T], out: &mut [T]) {
        for ((rows, v), out) in x.chunks(2 * LANES).zip(v.chunks(2 * LANES)).zip(out.chunks_mut(2 * LANES)) {
            let (mut z, mut along) = ([[T::ZERO; LANES]; 2], [[T::ZERO; LANES]; 2]);
            gather(rows, 2, 0..2, &mut z);
            gather(v, 2, 0..2, &mut along);
            let mut products = [[T::ZERO; LANES]; 2];
            for j in 0..LANES {
                let [h11, h12, h22] = self.hessian::<L, T>([z[0][j], z[1][j]]);
                products[0][j] = h11.fma::<L>(along[0][j], h12 * along[1][j]);
                products[1][j] = h12.fma::<L>(along[0][j], h22 * along[1][j]);
            }
            scatter(&products, 2, 0..2, out);
        }
    }
}
