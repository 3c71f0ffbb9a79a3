//! TEMPORARY.
use crate::philox::Stream;
use crate::real::Real;
/// n
pub fn normals<T: Real>(seed: u64, first: usize, out: &mut [T]) {
    let mut s = Stream::new(seed);
    for _ in 0..first {
        s.normal();
    }
    for o in out {
        *o = T::of(s.normal());
    }
}
/// s
pub fn soft_uniforms<T: Real>(seed: u64, width: T, softness: T, first: usize, out: &mut [T]) {
    let mut s = Stream::new(seed);
    for _ in 0..first {
        s.uniform();
        s.logistic();
    }
    for o in out {
        *o = width * T::of(s.uniform() - 0.5) + T::of(s.logistic()) / softness;
    }
}
