//! Laws of the functions: within 2 units in the last place of the exact value at every level, and right at the ends.
//!
//! f32: every 977th bit pattern against the standard library in double precision. f64: pseudo-random arguments over the same
//! ranges and those next to zeros of sine and cosine, against double-double arithmetic. `cargo test -- --nocapture` prints
//! the largest errors.

use super::Real;
use super::double::{Double, double};
use crate::philox::Stream;
use crate::simd::{Level, at, available};

struct Law {
    name: &'static str,
    /// Arguments from here to there, by (f32, f64).
    range: [(f64, f64); 2],
    /// For f32.
    standard: fn(f64) -> f64,
    /// For f64.
    exact: fn(f64) -> Double,
}

const NORMAL: (f64, f64) = (f32::MIN_POSITIVE as f64, f32::MAX as f64);
const ALL: (f64, f64) = (f32::MIN as f64, f32::MAX as f64);
const TURNS: (f64, f64) = (-1048576.0, 1048576.0);
const RADIANS: (f64, f64) = (-1e5, 1e5);

const LAWS: [Law; 11] = [
    Law {
        name: "exp",
        range: [(-87.336, 88.72283), (-708.39, 709.78)],
        standard: f64::exp,
        exact: |x| double(x).exp(),
    },
    Law { name: "ln", range: [NORMAL, (f64::MIN_POSITIVE, f64::MAX)], standard: f64::ln, exact: |x| double(x).ln() },
    Law {
        name: "ln_1p",
        range: [(-0.99999994, f32::MAX as f64), (-1.0 + f64::EPSILON / 2.0, 1e300)],
        standard: f64::ln_1p,
        exact: |x| double(x).ln_1p(),
    },
    Law { name: "ln_1p_unit", range: [(0.0, 1.0); 2], standard: f64::ln_1p, exact: |x| double(x).ln_1p() },
    Law { name: "tanh", range: [ALL, (-1e300, 1e300)], standard: f64::tanh, exact: |x| double(x).tanh() },
    Law {
        name: "sigmoid",
        range: [(-87.336, f32::MAX as f64), (-708.39, 1e300)],
        standard: |x| {
            let e = (-x.abs()).exp();
            if x < 0.0 { e / (1.0 + e) } else { 1.0 / (1.0 + e) }
        },
        exact: |x| double(x).sigmoid(),
    },
    Law {
        name: "softplus",
        range: [(-87.336, f32::MAX as f64), (-708.39, 1e300)],
        standard: |x| x.max(0.0) + (-x.abs()).exp().ln_1p(),
        exact: |x| double(x).softplus(),
    },
    Law {
        name: "sin 2π", range: [TURNS; 2], standard: |t| sin_cos_turns(t).0, exact: |t| double(t).sin_cos_turns().0
    },
    Law {
        name: "cos 2π", range: [TURNS; 2], standard: |t| sin_cos_turns(t).1, exact: |t| double(t).sin_cos_turns().1
    },
    Law { name: "sin", range: [RADIANS; 2], standard: f64::sin, exact: |x| double(x).sin_cos().0 },
    Law { name: "cos", range: [RADIANS; 2], standard: f64::cos, exact: |x| double(x).sin_cos().1 },
];

/// In double precision: the standard library's of less than a quarter turn.
fn sin_cos_turns(t: f64) -> (f64, f64) {
    let n = (4.0 * t).round();
    let (sin, cos) = ((t - n / 4.0) * std::f64::consts::TAU).sin_cos();
    match n.rem_euclid(4.0) as u8 {
        0 => (sin, cos),
        1 => (cos, -sin),
        2 => (-sin, -cos),
        _ => (-cos, sin),
    }
}

#[inline(always)]
fn each<L: Level, T: Real>(name: &str, x: &[T], out: &mut [T]) {
    // One loop each: through a pointer the function would be compiled for no level.
    macro_rules! each {
        ($f:expr) => {
            for (out, &x) in out.iter_mut().zip(x) {
                *out = $f(x);
            }
        };
    }
    match name {
        "exp" => each!(T::exp::<L>),
        "ln" => each!(T::ln::<L>),
        "ln_1p" => each!(T::ln_1p::<L>),
        "ln_1p_unit" => each!(T::ln_1p_unit::<L>),
        "tanh" => each!(T::tanh::<L>),
        "sigmoid" => each!(T::sigmoid::<L>),
        "softplus" => each!(T::softplus::<L>),
        "sin 2π" => each!(|x: T| x.sin_cos_turns::<L>().0),
        "cos 2π" => each!(|x: T| x.sin_cos_turns::<L>().1),
        "sin" => each!(|x: T| x.sin_cos::<L>().0),
        "cos" => each!(|x: T| x.sin_cos::<L>().1),
        other => unreachable!("{other}"),
    }
}

fn apply<T: Real>(name: &str, x: &[T]) -> Vec<T> {
    let mut out = vec![T::NAN; x.len()];
    crate::dispatch!(L => each::<L, T>(name, x, &mut out));
    out
}

/// Holds every level to 2 units in the last place; prints the worst.
fn hold<T: Real>(law: &Law, x: &[T], exact: &[Double]) {
    let kind = std::any::type_name::<T>();
    for &width in available() {
        let out = at(width, || apply(law.name, x));
        let (mut worst, mut at_x) = (0.0, T::ZERO);
        for ((&x, &got), exact) in x.iter().zip(&out).zip(exact) {
            let size = exact.high.abs();
            assert!(got.wide().is_finite(), "{kind} {} {width:?}: {got:?} at {x:?}", law.name);
            // Exponent of the value's own precision.
            let unit = T::EPSILON.wide() * f64::from_bits(size.to_bits() >> 52 << 52);
            let error = ((got.wide() - exact.high) - exact.low).abs();
            let error = if size < T::MIN_POSITIVE.wide() { error / T::MIN_POSITIVE.wide() } else { error / unit };
            if error > worst {
                (worst, at_x) = (error, x);
            }
        }
        println!("{kind} {:8} {width:?}: {worst:.3} units at {at_x:?}", law.name);
        assert!(worst <= 2.0, "{kind} {} {width:?}: {worst} units at {at_x:?}", law.name);
    }
}

#[test]
fn single_precision_is_within_two_units() {
    for law in &LAWS {
        let (low, high) = law.range[0];
        let x: Vec<f32> = (0..=u32::MAX / 977)
            .map(|i| f32::from_bits(i * 977))
            .filter(|&x| (low..=high).contains(&x.wide()) && (x == 0.0 || x.is_normal()))
            .collect();
        let exact: Vec<Double> = x.iter().map(|&x| double((law.standard)(x.wide()))).collect();
        hold(law, &x, &exact);
    }
}

#[test]
fn double_precision_is_within_two_units() {
    let mut stream = Stream::new(1);
    for law in &LAWS {
        let (low, high) = law.range[1];
        // Half of them uniform over where functions bend, half over exponents.
        let (left, right) = (low.max(-50.0), high.min(50.0));
        let even = |u: f64| left + (right - left) * u;
        let mut x: Vec<f64> = (0..10_000).map(|_| even(stream.uniform())).collect();
        while x.len() < 40_000 {
            let wild = f64::from_bits(stream.next_u32() as u64 | u64::from(stream.next_u32()) << 32);
            // Exponents beyond ±60 are rare enough for their interest.
            let tame = f64::from_bits(wild.to_bits() & !(0x7ff << 52) | ((963 + stream.below(121)) as u64) << 52);
            x.extend([wild, tame].iter().filter(|x| (low..=high).contains(*x) && x.is_normal()));
        }
        if law.name == "sin" || law.name == "cos" {
            x.extend((1..=63_661).step_by(5).map(|n| f64::from(n) * std::f64::consts::FRAC_PI_2));
        }
        let exact: Vec<Double> = x.iter().map(|&x| (law.exact)(x)).collect();
        hold(law, &x, &exact);
    }
}

fn ends<T: Real>() {
    let [zero, one, infinity, nan] = [T::ZERO, T::ONE, T::INFINITY, T::NAN];
    let tiny = T::MIN_POSITIVE * T::EPSILON;
    // name, argument, value
    let rows = [
        ("exp", zero, one),
        ("exp", infinity, infinity),
        ("exp", -infinity, zero),
        ("exp", T::of(800.0), infinity),
        ("exp", T::of(-800.0), zero),
        ("exp", T::LARGEST + T::of(1e-4), infinity),
        ("exp", T::SMALLEST - T::of(1e-4), zero),
        ("ln", one, zero),
        ("ln", zero, -infinity),
        ("ln", tiny, -infinity),
        ("ln", infinity, infinity),
        ("ln", -one, nan),
        ("ln", -infinity, nan),
        ("ln_1p", zero, zero),
        ("ln_1p", T::MIN_POSITIVE, T::MIN_POSITIVE),
        ("ln_1p", -one, -infinity),
        ("ln_1p", infinity, infinity),
        ("ln_1p", -T::TWO, nan),
        ("tanh", zero, zero),
        ("tanh", infinity, one),
        ("tanh", -infinity, -one),
        ("sigmoid", zero, T::HALF),
        ("sigmoid", infinity, one),
        ("sigmoid", -infinity, zero),
        ("softplus", infinity, infinity),
        ("softplus", -infinity, zero),
        ("sin 2π", T::of(0.25), one),
        ("sin 2π", T::of(-0.25), -one),
        ("sin 2π", T::of(1048576.0), zero),
        ("cos 2π", T::of(0.5), -one),
        ("sin", zero, zero),
        ("sin", T::of(1e30), zero),
        ("cos", T::of(-1e30), one),
        ("sin", infinity, nan),
        ("cos", -infinity, nan),
    ];
    for &width in available() {
        at(width, || {
            for &(name, x, value) in &rows {
                let got = apply(name, &[x])[0].wide();
                assert!(
                    got == value.wide() || got.is_nan() && value.wide().is_nan(),
                    "{width:?}: {name} {x:?} is {got:?}"
                );
            }
            for law in &LAWS {
                assert!(apply(law.name, &[nan])[0].wide().is_nan(), "{width:?}: {} of NaN", law.name);
            }
        });
    }
}

#[test]
fn the_ends_of_the_range() {
    ends::<f32>();
    ends::<f64>();
}

/// Beyond its range the angle in radians loses figures slowly.
#[test]
fn large_angles_keep_three_figures() {
    for &width in available() {
        for x in (0..2000).map(|i| 1e5 * 1.008f64.powi(i)).filter(|&x| x < 1e12) {
            let (double, single) = (at(width, || apply("sin", &[x])[0]), at(width, || apply("cos", &[x as f32])[0]));
            assert!((double - x.sin()).abs() < 1e-3, "{width:?} {x}");
            assert!((single.wide() - (x as f32).wide().cos()).abs() < 1e-3, "{width:?} {x}");
        }
    }
}
