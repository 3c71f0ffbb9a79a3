//! Smooth activation functions with the two derivatives that a learnt force and its reverse pass need.
//!
//! With σ(z) = 1/(1 + e^{−z}), t = tanh z:
//! softplus: a = log(1 + eᶻ), a′ = σ, a″ = σ(1 − σ); tanh: a′ = 1 − t², a″ = −2t a′;
//! silu: a = zσ, a′ = σ(1 + z(1 − σ)), a″ = σ(1 − σ)(2 + z(1 − 2σ)). All from e^{−|z|}, which cannot overflow.

use crate::real::Real;
use crate::simd::Level;

/// An activation function, twice differentiable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// log(1 + eᶻ).
    Softplus,
    /// tanh z.
    Tanh,
    /// z/(1 + e^{−z}).
    Silu,
}

impl Activation {
    /// Replaces z in `value` by a(z) and writes a′(z), a″(z): three slices of one length.
    pub fn apply<T: Real>(self, value: &mut [T], slope: &mut [T], curvature: &mut [T]) {
        crate::dispatch!(L => self.hidden::<L, T>(value, slope, curvature));
        if self == Self::Softplus {
            curvature.iter_mut().zip(slope).for_each(|(curvature, &mut slope)| *curvature = logistic_curvature(slope));
        }
    }

    /// Replaces z in `value` by a(z) and writes a′(z), and a″(z) unless it follows from a′ ([`logistic_curvature`]).
    ///
    /// Flat loops, as are all here: nested ones are not vectorised.
    #[inline(always)]
    pub(super) fn hidden<L: Level, T: Real>(self, value: &mut [T], slope: &mut [T], curvature: &mut [T]) {
        match self {
            Self::Softplus => {
                for (z, s) in value.iter_mut().zip(slope) {
                    (*z, *s) = softplus::<L, T>(*z);
                }
            }
            Self::Tanh => {
                for ((z, s), c) in value.iter_mut().zip(slope).zip(curvature) {
                    (*z, *s, *c) = tanh::<L, T>(*z);
                }
            }
            Self::Silu => {
                for ((z, s), c) in value.iter_mut().zip(slope).zip(curvature) {
                    (*z, *s, *c) = silu::<L, T>(*z);
                }
            }
        }
    }

    /// Replaces z in `slope` by a′(z), with a″(z) as in [`Activation::hidden`].
    #[inline(always)]
    pub(super) fn last<L: Level, T: Real>(self, slope: &mut [T], curvature: &mut [T]) {
        match self {
            Self::Softplus => {
                for z in slope {
                    *z = logistic::<L, T>(*z).1;
                }
            }
            Self::Tanh => {
                for (z, c) in slope.iter_mut().zip(curvature) {
                    (_, *z, *c) = tanh::<L, T>(*z);
                }
            }
            Self::Silu => {
                for (z, c) in slope.iter_mut().zip(curvature) {
                    (_, *z, *c) = silu::<L, T>(*z);
                }
            }
        }
    }
}

/// σ″ of softplus from its slope.
#[inline(always)]
pub fn logistic_curvature<T: Real>(slope: T) -> T {
    slope * (T::ONE - slope)
}

/// e^{−y} for y ≥ 0, and 0 where its square would be denormal.
///
/// Processors multiply denormals a hundred times as slowly, and a saturated network is full of them.
#[inline(always)]
fn fading<L: Level, T: Real>(y: T) -> T {
    let e = (-y).exp::<L>();
    if e < T::MIN_POSITIVE.sqrt() { T::ZERO } else { e }
}

/// (e^{−|z|}, σ(z)).
#[inline(always)]
fn logistic<L: Level, T: Real>(z: T) -> (T, T) {
    let e = fading::<L, T>(z.magnitude());
    let right = (T::ONE + e).recip();
    (e, if z < T::ZERO { e * right } else { right })
}

#[inline(always)]
fn softplus<L: Level, T: Real>(z: T) -> (T, T) {
    let (e, sigma) = logistic::<L, T>(z);
    (T::ZERO.max(z) + e.ln_1p_unit::<L>(), sigma)
}

#[inline(always)]
fn tanh<L: Level, T: Real>(z: T) -> (T, T, T) {
    let e = fading::<L, T>(z.magnitude() + z.magnitude());
    let t = ((T::ONE - e) / (T::ONE + e)).copysign(z);
    let slope = T::ONE - t * t;
    (t, slope, -(t + t) * slope)
}

#[inline(always)]
fn silu<L: Level, T: Real>(z: T) -> (T, T, T) {
    let (_, sigma) = logistic::<L, T>(z);
    let rest = T::ONE - sigma;
    let slope = sigma * (T::ONE + z * rest);
    (z * sigma, slope, sigma * rest * (T::ONE + T::ONE + z * (rest - sigma)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each derivative against central differences of the one before: h = 1e-5 leaves 1e-10 of truncation and cancellation.
    #[test]
    fn derivatives_are_those_of_the_value() {
        for activation in [Activation::Softplus, Activation::Tanh, Activation::Silu] {
            let at = |z: f64| {
                let (mut value, mut slope, mut curvature) = ([z], [0.0], [0.0]);
                activation.apply(&mut value, &mut slope, &mut curvature);
                [value[0], slope[0], curvature[0]]
            };
            for z in (-40..=40).map(|i| f64::from(i) / 4.0 + 0.01) {
                let h = 1e-5;
                let (before, here, after) = (at(z - h), at(z), at(z + h));
                for order in 0..2 {
                    let difference = (after[order] - before[order]) / (2.0 * h);
                    assert!((difference - here[order + 1]).abs() < 1e-8, "{activation:?} at {z}, order {order}");
                }
            }
        }
    }

    #[test]
    fn values_are_the_standard_librarys() {
        for z in (-300..=300).map(|i| f64::from(i) / 3.0) {
            let value = |activation: Activation| {
                let mut value = [z];
                activation.apply(&mut value, &mut [0.0], &mut [0.0]);
                value[0]
            };
            assert!((value(Activation::Tanh) - z.tanh()).abs() < 1e-15);
            let softplus = z.max(0.0) + (-z.abs()).exp().ln_1p();
            assert!((value(Activation::Softplus) - softplus).abs() < 1e-14 * softplus.max(1.0));
            assert!((value(Activation::Silu) - z / (1.0 + (-z).exp())).abs() < 1e-14 * z.abs().max(1.0));
        }
    }

    /// A state that has blown up must stay visible.
    #[test]
    fn not_a_number_stays() {
        for activation in [Activation::Softplus, Activation::Tanh, Activation::Silu] {
            let (mut value, mut slope, mut curvature) = ([f32::NAN], [0.0], [0.0]);
            activation.apply(&mut value, &mut slope, &mut curvature);
            assert!(value[0].is_nan() && slope[0].is_nan() && curvature[0].is_nan(), "{activation:?}");
        }
    }
}
