//! Vector instructions: which the machine has, and loops compiled for each.
//!
//! A kernel is written once, as an `#[inline(always)]` function generic over its [`Level`], in plain loops that the compiler
//! vectorises. [`dispatch!`](crate::dispatch) compiles it for every level and calls the widest that the machine has. The one
//! thing that a kernel must know of its level is whether a fused multiply-add is an instruction: [`Level::FMA`].
//! Results of two levels differ by rounding; on one machine they are the same bits.

use std::cell::Cell;
use std::sync::OnceLock;

/// A set of vector instructions, as a type.
pub trait Level: Copy + Send + Sync + 'static {
    /// Whether a·b + c is one instruction; where it is not, the library's function for it is a hundred times slower.
    const FMA: bool;
}

/// What every machine of the architecture has.
#[derive(Clone, Copy, Debug)]
pub struct Portable;

/// AVX2 with fused multiply-add: x86-64-v3.
#[derive(Clone, Copy, Debug)]
pub struct Avx2;

/// AVX-512: x86-64-v4.
#[derive(Clone, Copy, Debug)]
pub struct Avx512;

impl Level for Portable {
    const FMA: bool = cfg!(any(target_feature = "fma", target_arch = "aarch64"));
}

impl Level for Avx2 {
    const FMA: bool = true;
}

impl Level for Avx512 {
    const FMA: bool = true;
}

/// A level, as a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Width {
    /// [`Portable`].
    Portable,
    /// [`Avx2`].
    Avx2,
    /// [`Avx512`].
    Avx512,
}

/// Every level that this machine has, narrowest first.
pub fn available() -> &'static [Width] {
    static AVAILABLE: OnceLock<Vec<Width>> = OnceLock::new();
    AVAILABLE.get_or_init(|| {
        let mut widths = vec![Width::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            widths.extend(pulp::x86::V3::try_new().map(|_| Width::Avx2));
            widths.extend(pulp::x86::V4::try_new().map(|_| Width::Avx512));
        }
        widths
    })
}

thread_local! {
    static FORCED: Cell<Option<Width>> = const { Cell::new(None) };
}

/// Runs `f` with kernels on this thread at `width`, one of [`available`]: so that laws can take every path.
pub fn at<R>(width: Width, f: impl FnOnce() -> R) -> R {
    assert!(available().contains(&width), "this machine has no {width:?}");
    let before = FORCED.replace(Some(width));
    let result = f();
    FORCED.set(before);
    result
}

/// The level that kernels on this thread run at.
#[inline]
pub fn width() -> Width {
    FORCED.get().unwrap_or_else(|| available()[available().len() - 1])
}

/// Runs `f` compiled for [`Avx2`]; for [`dispatch!`](crate::dispatch).
#[doc(hidden)]
#[inline(always)]
pub fn avx2<R>(f: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    return pulp::x86::V3::try_new().expect("`width` is one of `available`").vectorize(f);
    #[cfg(not(target_arch = "x86_64"))]
    f()
}

/// Runs `f` compiled for [`Avx512`]; for [`dispatch!`](crate::dispatch).
#[doc(hidden)]
#[inline(always)]
pub fn avx512<R>(f: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    return pulp::x86::V4::try_new().expect("`width` is one of `available`").vectorize(f);
    #[cfg(not(target_arch = "x86_64"))]
    f()
}

/// Calls a kernel at the widest level of the machine: `dispatch!(L => kernel::<L, T>(x, y))`. The kernel, and all that it calls
/// in its loops, must be `#[inline(always)]`: what is not inlined is compiled for no level.
#[macro_export]
macro_rules! dispatch {
    ($level:ident => $call:expr) => {
        match $crate::simd::width() {
            $crate::simd::Width::Avx512 => $crate::simd::avx512(
                #[inline(always)]
                || {
                    type $level = $crate::simd::Avx512;
                    $call
                },
            ),
            $crate::simd::Width::Avx2 => $crate::simd::avx2(
                #[inline(always)]
                || {
                    type $level = $crate::simd::Avx2;
                    $call
                },
            ),
            $crate::simd::Width::Portable => {
                type $level = $crate::simd::Portable;
                $call
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[inline(always)]
    fn fused<L: Level>(values: &[f32]) -> (bool, f32) {
        (L::FMA, values.iter().sum())
    }

    #[test]
    fn the_forced_level_runs() {
        for &width in available() {
            let (fma, sum) = at(width, || crate::dispatch!(L => fused::<L>(&[1.0, 2.0])));
            assert_eq!((fma, sum), (width > Width::Portable || Portable::FMA, 3.0), "{width:?}");
        }
        assert_eq!(width(), available()[available().len() - 1]);
    }
}
