//! Kernels of densities whose coordinates are independent: log γ(x) = c + Σᵢ f(xᵢ; aᵢ), with coefficients aᵢ ∈ ℝ².
//!
//! Shapes: x, ∇ and Hessian-vector products `[n, d]`, log γ `[n]`, a `[2, d]`.
//!
//! Derivatives are element by element, so they vectorise over coordinates, across rows: coefficients are laid out again and
//! again, for as many rows as a long loop has. Sums over a row of at least [`WIDE`] coordinates are
//! taken in [`WIDE`] parts; shorter rows are summed in order, [`LANES`] points at once. So the order depends on d alone.

use std::any::Any;

use flow_kernels::chain::{LANES, gather};
use flow_kernels::real::Real;
use flow_kernels::simd::Level;

use crate::columns::GROUP;
use crate::constant::Constant;
use crate::kernel::Out;

/// Parts of a sum: one AVX-512 register of f32.
const WIDE: usize = GROUP;
/// Elements in a loop over rows: what is beyond whole vectors is little of it, and it fits the first cache.
const LONG: usize = 1024;

/// A density with independent coordinates, a number at a time: straight-line arithmetic, `#[inline(always)]`.
pub(crate) trait Separable: Send + Sync {
    /// a.
    fn coefficients(&self) -> &Coefficients;

    /// c.
    fn constant(&self) -> f64;

    /// f.
    fn value<L: Level, T: Real>(&self, x: T, a: [T; 2]) -> T;

    /// f'.
    fn slope<L: Level, T: Real>(&self, x: T, a: [T; 2]) -> T;

    /// f''.
    fn second<L: Level, T: Real>(&self, x: T, a: [T; 2]) -> T;
}

/// a of every coordinate in both element types.
pub(crate) struct Coefficients {
    dim: usize,
    single: [Vec<f32>; 2],
    double: [Vec<f64>; 2],
    /// `[2, d]`.
    table: Constant,
}

impl Coefficients {
    /// Two numbers a coordinate, each `[d]`.
    pub(crate) fn new(a: [&[f64]; 2]) -> Self {
        let dim = a[0].len();
        assert_eq!(dim, a[1].len(), "two coefficients a coordinate");
        let table = Constant::new(a.concat(), &[2, dim]);
        let times = (LONG / dim).max(1);
        let double = a.map(|a| a.repeat(times));
        Self { dim, single: [0, 1].map(|i| double[i].iter().map(|&a| a as f32).collect()), double, table }
    }

    /// a as tensors have it.
    pub(crate) fn table(&self) -> &Constant {
        &self.table
    }

    /// Those of type T.
    #[inline(always)]
    fn of<T: Real>(&self) -> [&[T]; 2] {
        [0, 1].map(|i| {
            let single = (&self.single[i] as &dyn Any).downcast_ref::<Vec<T>>();
            let double = (&self.double[i] as &dyn Any).downcast_ref::<Vec<T>>();
            single.or(double).expect("an element type is f32 or f64").as_slice()
        })
    }
}

/// Values and gradients that are asked for.
#[inline(always)]
pub(crate) fn evaluate<L: Level, T: Real, S: Separable>(target: &S, x: &[T], out: Out<'_, T>) {
    let d = target.coefficients().dim;
    if let Some(value) = out.value {
        if d < WIDE {
            by_points::<L, T, S>(target, x, value);
        } else {
            by_rows::<L, T, S>(target, x, value);
        }
    }
    let Some(grad) = out.grad else { return };
    let [a, b] = target.coefficients().of::<T>();
    for (x, grad) in x.chunks(a.len()).zip(grad.chunks_mut(a.len())) {
        // Equal lengths, so that the loop needs no checks.
        let n = x.len();
        let (grad, a, b) = (&mut grad[..n], &a[..n], &b[..n]);
        for i in 0..n {
            grad[i] = target.slope::<L, T>(x[i], [a[i], b[i]]);
        }
    }
}

/// H(x)·v, row by row.
#[inline(always)]
pub(crate) fn bend<L: Level, T: Real, S: Separable>(target: &S, x: &[T], v: &[T], out: &mut [T]) {
    let [a, b] = target.coefficients().of::<T>();
    for ((x, v), out) in x.chunks(a.len()).zip(v.chunks(a.len())).zip(out.chunks_mut(a.len())) {
        let n = x.len();
        let (v, out, a, b) = (&v[..n], &mut out[..n], &a[..n], &b[..n]);
        for i in 0..n {
            out[i] = target.second::<L, T>(x[i], [a[i], b[i]]) * v[i];
        }
    }
}

/// Values of short rows: a block of points, one coordinate after another.
#[inline(always)]
fn by_points<L: Level, T: Real, S: Separable>(target: &S, x: &[T], value: &mut [T]) {
    let d = target.coefficients().dim;
    let [a, b] = target.coefficients().of::<T>();
    let mut block = [[T::ZERO; LANES]; GROUP];
    for (rows, value) in x.chunks(d * LANES).zip(value.chunks_mut(LANES)) {
        gather(rows, d, 0..d, &mut block);
        let mut sums = [T::of(target.constant()); LANES];
        for ((x, &a), &b) in block[..d].iter().zip(a).zip(b) {
            for j in 0..LANES {
                sums[j] += target.value::<L, T>(x[j], [a, b]);
            }
        }
        value.copy_from_slice(&sums[..value.len()]);
    }
}

/// Values of long rows, each by itself. The last [`WIDE`] coordinates overlap those before, which count once.
#[inline(always)]
fn by_rows<L: Level, T: Real, S: Separable>(target: &S, x: &[T], value: &mut [T]) {
    let d = target.coefficients().dim;
    let [a, b] = target.coefficients().of::<T>().map(|a| &a[..d]);
    let counted = if d.is_multiple_of(WIDE) { WIDE } else { WIDE - d % WIDE };
    let mut fresh = [T::ZERO; WIDE];
    fresh[counted..].fill(T::ONE);
    let constant = T::of(target.constant());
    for (row, value) in x.chunks_exact(d).zip(value) {
        let mut sums = [T::ZERO; WIDE];
        let coefficients = a.as_chunks::<WIDE>().0.iter().zip(b.as_chunks::<WIDE>().0);
        for (x, (a, b)) in row.as_chunks::<WIDE>().0.iter().zip(coefficients) {
            for j in 0..WIDE {
                sums[j] += target.value::<L, T>(x[j], [a[j], b[j]]);
            }
        }
        if let (true, Some(x), Some(a), Some(b)) = (counted < WIDE, row.last_chunk(), a.last_chunk(), b.last_chunk()) {
            let (x, a, b): (&[T; WIDE], &[T; WIDE], &[T; WIDE]) = (x, a, b);
            for j in 0..WIDE {
                let term = target.value::<L, T>(x[j], [a[j], b[j]]);
                sums[j] += if fresh[j] > T::ZERO { term } else { T::ZERO };
            }
        }
        *value = constant + folded(&sums);
    }
}

/// The sum of all parts, halves together.
#[inline(always)]
fn folded<T: Real>(sums: &[T; WIDE]) -> T {
    let eight: [T; 8] = std::array::from_fn(|j| sums[j] + sums[j + 8]);
    let four: [T; 4] = std::array::from_fn(|j| eight[j] + eight[j + 4]);
    (four[0] + four[2]) + (four[1] + four[3])
}
