//! Matrix products of small row-major matrices, on one thread.

use gemm::{Parallelism, gemm};

use crate::real::Real;

/// A row-major matrix, or the transpose of one.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a, T> {
    values: &'a [T],
    rows: usize,
    columns: usize,
    transposed: bool,
}

impl<'a, T: Real> Matrix<'a, T> {
    /// `values` as `[rows, columns]`.
    pub fn new(values: &'a [T], rows: usize, columns: usize) -> Self {
        assert_eq!(values.len(), rows * columns, "{rows} × {columns}");
        Self { values, rows, columns, transposed: false }
    }

    /// Its transpose.
    pub fn t(self) -> Self {
        Self { rows: self.columns, columns: self.rows, transposed: !self.transposed, ..self }
    }

    /// Strides of rows and columns.
    fn strides(&self) -> (isize, isize) {
        if self.transposed { (1, self.rows as isize) } else { (self.columns as isize, 1) }
    }
}

/// out ← keep·out + scale·a·b, `out` row-major `[a.rows, b.columns]`. With `keep` = 0, `out` is not read.
pub fn product<T: Real>(out: &mut [T], keep: T, scale: T, a: Matrix<'_, T>, b: Matrix<'_, T>) {
    assert_eq!(a.columns, b.rows, "inner dimensions");
    assert_eq!(out.len(), a.rows * b.columns, "result");
    let ((a_rs, a_cs), (b_rs, b_cs)) = (a.strides(), b.strides());
    // SAFETY: shapes and strides describe exactly the slices, as the assertions here and in `Matrix::new` say; `out` is
    // borrowed mutably, so it overlaps neither factor; `Real` is f32 or f64, which the library has kernels for.
    unsafe {
        gemm(
            a.rows,
            b.columns,
            a.columns,
            out.as_mut_ptr(),
            1,
            b.columns as isize,
            keep != T::ZERO,
            a.values.as_ptr(),
            a_cs,
            a_rs,
            b.values.as_ptr(),
            b_cs,
            b_rs,
            keep,
            scale,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transposes_and_accumulates() {
        let a = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]; // [2, 3]
        let b = [1.0, 0.5, -1.0, 2.0, 0.25, 3.0]; // [2, 3]
        let mut out = [10.0; 4];
        product(&mut out, 1.0, 2.0, Matrix::new(&a, 2, 3), Matrix::new(&b, 2, 3).t());
        assert_eq!(out, [10.0 - 2.0, 10.0 + 23.0, 10.0 + 1.0, 10.0 + 54.5]);
        let mut out = [f64::NAN; 9];
        product(&mut out, 0.0, 1.0, Matrix::new(&a, 2, 3).t(), Matrix::new(&b, 2, 3));
        assert_eq!(out, [9.0, 1.5, 11.0, 12.0, 2.25, 13.0, 15.0, 3.0, 15.0]);
    }
}
