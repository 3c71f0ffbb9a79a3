//! Nanoseconds per element of the functions of `Real`, at every level, beside the standard library.
//!
//! One bench iteration takes 4096 elements; criterion's throughput line is in elements per second.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flow_kernels::dispatch;
use flow_kernels::noise::{normals, soft_uniforms, uniforms};
use flow_kernels::real::Real;
use flow_kernels::simd::{Level, at, available};

const N: usize = 4096;

macro_rules! functions {
    ($($name:ident: $f:expr;)*) => {
        $(#[inline(always)]
        fn $name<L: Level, T: Real>(x: &[T], out: &mut [T]) {
            let f = $f;
            for (out, &x) in out.iter_mut().zip(x) {
                *out = f(x);
            }
        })*

        fn levels<T: Real>(c: &mut Criterion) {
            $(levels_of::<T>(c, stringify!($name), |x, out| dispatch!(L => $name::<L, T>(x, out)));)*
        }
    };
}

functions! {
    exp: T::exp::<L>;
    ln: T::ln::<L>;
    ln_1p: T::ln_1p::<L>;
    tanh: T::tanh::<L>;
    sigmoid: T::sigmoid::<L>;
    softplus: T::softplus::<L>;
    sin_cos_turns: |x: T| { let (s, c) = x.sin_cos_turns::<L>(); s + c };
    sin_cos: |x: T| { let (s, c) = x.sin_cos::<L>(); s + c };
}

/// Arguments where each function works: positive, up to 10.
fn arguments<T: Real>() -> Vec<T> {
    (0..N).map(|i| T::of((i as f64 + 0.5) * (10.0 / N as f64))).collect()
}

fn levels_of<T: Real>(c: &mut Criterion, name: &str, f: impl Fn(&[T], &mut [T])) {
    let (x, mut out) = (arguments::<T>(), vec![T::ZERO; N]);
    let mut group = c.benchmark_group(format!("{name}/{}", std::any::type_name::<T>()));
    group.throughput(Throughput::Elements(N as u64));
    for &width in available() {
        group.bench_function(format!("{width:?}"), |b| at(width, || b.iter(|| f(black_box(&x), black_box(&mut out)))));
    }
}

fn noise<T: Real>(c: &mut Criterion) {
    levels_of::<T>(c, "normals", |_, out| normals(1, 0, out));
    levels_of::<T>(c, "uniforms", |_, out| uniforms(1, 0, out));
    levels_of::<T>(c, "soft_uniforms", |_, out| soft_uniforms(1, 2.0, 4.0, 0, out));
}

fn standard(c: &mut Criterion) {
    macro_rules! rows {
        ($($float:ident $name:ident $f:expr;)*) => {
            $({
                let (x, mut out) = (arguments::<$float>(), [0.0; N]);
                let f = $f;
                let mut group = c.benchmark_group(concat!(stringify!($name), "/", stringify!($float)));
                group.throughput(Throughput::Elements(N as u64));
                group.bench_function("standard", |b| b.iter(|| {
                    for (out, &x) in black_box(&mut out).iter_mut().zip(black_box(&x)) {
                        *out = f(x);
                    }
                }));
            })*
        };
    }
    rows! {
        f32 exp f32::exp; f32 ln f32::ln; f32 ln_1p f32::ln_1p; f32 tanh f32::tanh;
        f32 sin_cos |x: f32| { let (s, c) = x.sin_cos(); s + c };
        f64 exp f64::exp; f64 ln f64::ln; f64 ln_1p f64::ln_1p; f64 tanh f64::tanh;
        f64 sin_cos |x: f64| { let (s, c) = x.sin_cos(); s + c };
    }
}

criterion_group!(benches, levels::<f32>, levels::<f64>, noise::<f32>, noise::<f64>, standard);
criterion_main!(benches);
