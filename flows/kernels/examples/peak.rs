use flow_kernels::panel::*;
use flow_kernels::{dispatch, real::Real, simd::*};
use std::hint::black_box;
use std::time::Instant;

#[inline(always)]
fn peak<L: Level, T: Real>(x: &[T; 32], n: usize) -> T {
    let (mut a, mut b, mut c, mut d, mut e, mut f) = ([T::ONE; 32], [T::ONE; 32], [T::ONE; 32],[T::ONE; 32],[T::ONE; 32],[T::ONE; 32]);
    for _ in 0..n {
        for i in 0..32 { a[i] = x[i].fma::<L>(x[i], a[i]); }
        for i in 0..32 { b[i] = x[i].fma::<L>(x[i], b[i]); }
        for i in 0..32 { c[i] = x[i].fma::<L>(x[i], c[i]); }
        for i in 0..32 { d[i] = x[i].fma::<L>(x[i], d[i]); }
        for i in 0..32 { e[i] = x[i].fma::<L>(x[i], e[i]); }
        for i in 0..32 { f[i] = x[i].fma::<L>(x[i], f[i]); }
    }
    (0..32).fold(T::ZERO, |s, i| s + a[i] + b[i] + c[i] + d[i] + e[i] + f[i])
}
fn best(reps: usize, mut f: impl FnMut()) -> f64 {
    (0..reps).map(|_| { let t = Instant::now(); f(); t.elapsed().as_secs_f64() }).fold(f64::MAX, f64::min)
}
#[inline(never)]
fn prod<T: Real>(out: &mut [Row<T>], l: &[Row<T>], r: &[Row<T>], k: usize, m: usize) {
    dispatch!(L => product::<L, T>(out, &[], l, r, k, m, |_, _| ()));
}
#[inline(never)]
fn acc<T: Real>(out: &mut [Row<T>], l: &[Row<T>], r: &[Row<T>], k: usize, m: usize) {
    dispatch!(L => accumulate::<L, T>(out, &[(l, r), (l, r)], k, m));
}
#[inline(never)]
fn nar<T: Real>(out: &mut [Row<T>], l: &[Row<T>], r: &[Row<T>], k: usize, m: usize) {
    dispatch!(L => narrow::<L, T>(&mut out[..m], &[], l, r, [l.len() / m * 32, k]));
}
fn go<T: Real>(name: &str) {
    let x = black_box([T::of(1e-6); 32]);
    let n = 100_000;
    let t = best(20, || { black_box(dispatch!(L => peak::<L, T>(&x, n))); });
    let p = 2.0 * 192.0 * n as f64 / t / 1e9;
    println!("{name} {:?} peak {p:.1}", width());
    for h in [128, 64, 32] { for m in [32, 64] {
        let (mut out, mut l, mut r, mut g) = (Buffer::default(), Buffer::default(), Buffer::default(), Buffer::default());
        out.resize(h / 32 * m); l.resize(h / 32 * m); r.resize(h / 32 * h); g.resize(h/32*h);
        let reps = 30_000_000 / (h * h * m);
        let t = best(30, || for _ in 0..reps { prod::<T>(out.rows_mut(), l.rows(), r.rows(), h, m) }) / reps as f64;
        let f = 2.0 * (h * h * m) as f64 / 1e9;
        let ta = best(30, || for _ in 0..reps { acc::<T>(g.rows_mut(), l.rows(), out.rows(), h, m) }) / reps as f64;
        let tn = best(30, || for _ in 0..reps { nar::<T>(out.rows_mut(), l.rows(), r.rows(), 2, m) }) / reps as f64;
        println!("  h {h} m {m}: product {:.3}  accumulate {:.3} narrow {:.0} ns = {:.3} of a product", f / t / p, 2.0 * f / ta / p, tn * 1e9, tn / (f / p));
    }}
}
fn main() {
    for &w in available().iter().rev() { at(w, || { go::<f32>("f32"); go::<f64>("f64"); }) }
}
