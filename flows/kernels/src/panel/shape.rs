//! The register tile of each level: as many independent sums as its registers hold.

use crate::simd::{Avx2, Avx512, Level, Portable, Width};

/// A level that knows which it is.
pub trait Shape: Level {
    /// Itself, as a value.
    const WIDTH: Width;
}

impl Shape for Portable {
    const WIDTH: Width = Width::Portable;
}

impl Shape for Avx2 {
    const WIDTH: Width = Width::Avx2;
}

impl Shape for Avx512 {
    const WIDTH: Width = Width::Avx512;
}

/// Calls `$f::<L, T, M, N, _>` with M rows and N columns of sums, the width of rows inferred: 16 of 32 registers, 12 of 16, 8 of 16 (multiplying takes one
/// more where it is not fused).
macro_rules! tiled {
    ($level:ident, $real:ident, $f:ident($($argument:expr),* $(,)?)) => {
        match (<$level as $crate::panel::Shape>::WIDTH, size_of::<$real>()) {
            ($crate::simd::Width::Avx512, 4) => $f::<$level, $real, 8, 32, _>($($argument),*),
            ($crate::simd::Width::Avx512, _) => $f::<$level, $real, 8, 16, _>($($argument),*),
            ($crate::simd::Width::Avx2, 4) => $f::<$level, $real, 6, 16, _>($($argument),*),
            ($crate::simd::Width::Avx2, _) => $f::<$level, $real, 6, 8, _>($($argument),*),
            ($crate::simd::Width::Portable, 4) => $f::<$level, $real, 4, 8, _>($($argument),*),
            ($crate::simd::Width::Portable, _) => $f::<$level, $real, 4, 4, _>($($argument),*),
        }
    };
}

/// The same for eight columns.
macro_rules! tiled_narrow {
    ($level:ident, $real:ident, $f:ident($($argument:expr),* $(,)?)) => {
        match (<$level as $crate::panel::Shape>::WIDTH, size_of::<$real>()) {
            ($crate::simd::Width::Avx512, _) | ($crate::simd::Width::Avx2, 4) => {
                $f::<$level, $real, 8, 8, _>($($argument),*)
            }
            ($crate::simd::Width::Avx2, _) => $f::<$level, $real, 6, 8, _>($($argument),*),
            ($crate::simd::Width::Portable, 4) => $f::<$level, $real, 4, 8, _>($($argument),*),
            ($crate::simd::Width::Portable, _) => $f::<$level, $real, 4, 4, _>($($argument),*),
        }
    };
}

/// Covers `$len` rows by blocks of M, then 4, 2 and 1: calls `$f::<L, T, R, N, _>(…, from, …)` for each.
macro_rules! blocks {
    ($level:ident, $real:ident, $rows:ident, $columns:ident, $len:expr, |$from:ident| $f:ident($($argument:expr),* $(,)?)) => {{
        let (len, mut $from) = ($len, 0);
        while $from + $rows <= len {
            $f::<$level, $real, $rows, $columns, _>($($argument),*);
            $from += $rows;
        }
        while $from + 4 <= len {
            $f::<$level, $real, 4, $columns, _>($($argument),*);
            $from += 4;
        }
        while $from + 2 <= len {
            $f::<$level, $real, 2, $columns, _>($($argument),*);
            $from += 2;
        }
        while $from < len {
            $f::<$level, $real, 1, $columns, _>($($argument),*);
            $from += 1;
        }
    }};
}

pub(crate) use {blocks, tiled, tiled_narrow};
