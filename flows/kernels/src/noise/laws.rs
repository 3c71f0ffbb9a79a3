//! Laws of base noise: addresses, agreement of precisions, distributions.

use super::blocks::{BLOCKS, blocks};
use super::{normals, signs, soft_uniforms, uniforms};
use crate::philox::{Stream, philox4x32, split};
use crate::real::Real;
use crate::simd::{Width, at, available};
use statrs::distribution::{ContinuousCDF, Normal};

const WIDTH: f64 = 3.0;
const SOFTNESS: f64 = 8.0;

#[derive(Clone, Copy, Debug)]
enum Kind {
    Normal,
    Uniform,
    SoftUniform,
}

const KINDS: [Kind; 3] = [Kind::Normal, Kind::Uniform, Kind::SoftUniform];

fn draw<T: Real>(kind: Kind, seed: u64, first: usize, n: usize) -> Vec<T> {
    let mut out = vec![T::NAN; n];
    match kind {
        Kind::Normal => normals(seed, first, &mut out),
        Kind::Uniform => uniforms(seed, first, &mut out),
        Kind::SoftUniform => soft_uniforms(seed, WIDTH, SOFTNESS, first, &mut out),
    }
    out
}

/// The distribution function.
fn below(kind: Kind, x: f64) -> f64 {
    match kind {
        Kind::Normal => Normal::standard().cdf(x),
        Kind::Uniform => x,
        // Mean of the logistic's σ over the width: (softplus(b) − softplus(a))/(b − a).
        Kind::SoftUniform => {
            let [a, b] = [x - WIDTH / 2.0, x + WIDTH / 2.0].map(|x| SOFTNESS * x);
            let softplus = |z: f64| z.max(0.0) + (-z.abs()).exp().ln_1p();
            (softplus(b) - softplus(a)) / (b - a)
        }
    }
}

fn everywhere(law: impl Fn(Width, Kind)) {
    for &width in available() {
        for kind in KINDS {
            at(width, || law(width, kind));
        }
    }
}

#[test]
fn blocks_are_philox_bit_for_bit() {
    #[inline(always)]
    fn words(first: u64, last: u32) -> [[u32; BLOCKS]; 4] {
        let mut words = [[0; BLOCKS]; 4];
        blocks(0x0123_4567_89ab_cdef, first, last, &mut words);
        words
    }
    for &width in available() {
        // The second range carries into the upper half of the counter, the third ends at its top.
        for (first, last) in [(0, 0), ((1 << 32) - 7, 1), (u64::MAX - BLOCKS as u64 + 1, 0)] {
            let words = at(width, || crate::dispatch!(_L => words(first, last)));
            for i in 0..BLOCKS {
                let [low, high] = split(first + i as u64);
                let block = philox4x32([low, high, 0, last], split(0x0123_4567_89ab_cdef));
                assert_eq!(words.map(|row| row[i]), block, "{width:?}, {first} + {i}");
            }
        }
    }
}

#[test]
fn any_part_has_the_same_bits() {
    fn law<T: Real>(width: Width, kind: Kind) {
        // Beyond 2³² elements, so that the block's number carries.
        for start in [0, 3, (1 << 34) - 301] {
            let whole: Vec<T> = draw(kind, 9, start, 900);
            for (from, n) in [(0, 0), (0, 1), (1, 2), (5, 3), (127, 2), (255, 258), (256, 256), (301, 599), (899, 1)] {
                assert_eq!(draw::<T>(kind, 9, start + from, n), whole[from..from + n], "{width:?} {kind:?} {from}+{n}");
            }
        }
    }
    everywhere(law::<f32>);
    everywhere(law::<f64>);
}

#[test]
fn seeds_give_unrelated_rows() {
    for kind in KINDS {
        let (a, b) = (draw::<f64>(kind, 1, 0, 10_000), draw::<f64>(kind, 1 << 32 | 1, 0, 10_000));
        let scale = 1.0 / a.iter().map(|a| a * a).sum::<f64>().max(1.0);
        let mean = if let Kind::Uniform = kind { 0.5 } else { 0.0 };
        let correlation = scale * a.iter().zip(&b).map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>();
        assert!(correlation.abs() < 0.05, "{kind:?}: {correlation}");
    }
}

/// Rounding, and what the lower words add where a word alone is coarse: next to u = 0 and u = 1.
#[test]
fn precisions_draw_the_same_points() {
    let n = 1 << 19;
    everywhere(|width, kind| {
        let (single, double) = (draw::<f32>(kind, 4, 0, n), draw::<f64>(kind, 4, 0, n));
        let close = |(single, double): (&f32, &f64)| (single.wide() - double).abs() <= 1e-5 * (1.0 + double.abs());
        let far = n - single.iter().zip(&double).filter(|&pair| close(pair)).count();
        // One in 10⁶ is allowed: of 2¹⁹, seldom any, hardly two.
        assert!(far < 2, "{width:?} {kind:?}: {far} of {n}");
    });
}

#[test]
fn levels_differ_by_rounding() {
    for kind in KINDS {
        let reference: Vec<f64> = at(Width::Portable, || draw(kind, 6, 1000, 5000));
        for &width in available() {
            for (a, b) in at(width, || draw::<f64>(kind, 6, 1000, 5000)).iter().zip(&reference) {
                assert!((a - b).abs() <= 1e-14 * (1.0 + b.abs()), "{width:?} {kind:?}: {a} {b}");
            }
        }
    }
}

/// Kolmogorov (1933): √n·sup|F_n − F| exceeds 1.95 with probability 10⁻³. Moments within five standard errors.
#[test]
fn the_distribution_is_the_named_one() {
    fn law<T: Real>(width: Width, kind: Kind) {
        let n = 1 << 16;
        let mut x: Vec<f64> = draw::<T>(kind, 2, 12346, n).iter().map(|x| x.wide()).collect();
        let logistic = std::f64::consts::PI / SOFTNESS;
        // mean, variance, fourth central moment (cumulants of a sum add: κ₄ = μ₄ − 3σ⁴)
        let (mean, variance, fourth) = match kind {
            Kind::Normal => (0.0, 1.0, 3.0),
            Kind::Uniform => (0.5, 1.0 / 12.0, 1.0 / 80.0),
            Kind::SoftUniform => {
                let variance = WIDTH.powi(2) / 12.0 + logistic.powi(2) / 3.0;
                (0.0, variance, 3.0 * variance.powi(2) - WIDTH.powi(4) / 120.0 + 2.0 * logistic.powi(4) / 15.0)
            }
        };
        let average = |f: &dyn Fn(f64) -> f64| x.iter().map(|&x| f(x - mean)).sum::<f64>() / n as f64;
        let within = |value: f64, variance: f64| value.abs() < 5.0 * (variance / n as f64).sqrt();
        assert!(within(average(&|x| x), variance), "{width:?} {kind:?}: mean");
        assert!(within(average(&|x| x * x - variance), fourth - variance.powi(2)), "{width:?} {kind:?}: variance");
        // Normals 2j, 2j + 1 come of one radius and one angle; the first of these is even.
        let pairs = x.chunks_exact(2).map(|x| (x[0] - mean) * (x[1] - mean)).sum::<f64>() / n as f64;
        assert!(within(pairs, variance.powi(2)), "{width:?} {kind:?}: covariance of a pair");

        x.sort_by(f64::total_cmp);
        let distance = |(i, &x): (usize, &f64)| {
            let f = below(kind, x);
            (f - i as f64 / n as f64).max((i + 1) as f64 / n as f64 - f)
        };
        let distance = x.iter().enumerate().map(distance).fold(0.0, f64::max) * (n as f64).sqrt();
        assert!(distance < 1.95, "{width:?} {kind:?}: Kolmogorov's distance {distance}");
    }
    everywhere(law::<f32>);
    everywhere(law::<f64>);
}

/// All words at both ends of their range, as no test by draws would meet them.
#[test]
fn uniforms_keep_away_from_both_ends() {
    fn law<T: Real>(smallest: f64) {
        for (word, half) in [(0, true), (u32::MAX, false)] {
            let low = if half { 0 } else { u32::MAX };
            assert_eq!(T::nearer_end(word, low).wide(), smallest, "{word}");
        }
        assert!(T::BELOW_ONE < T::ONE && T::BELOW_ONE.wide() >= 1.0 - T::EPSILON.wide());
        // The words beside the middle, where the nearer end changes.
        for word in [0x7fff_ffff, 0x8000_0000] {
            let end = T::nearer_end(word, 0).wide();
            assert!((0.49999..=0.5).contains(&end), "{word}: {end}");
        }
    }
    law::<f32>(0.5f64.powi(33));
    law::<f64>(0.5f64.powi(53));
}

/// Signs are the lowest bits of a stream's words, from wherever one starts.
#[test]
fn signs_are_the_lowest_bits() {
    let mut stream = Stream::new(11);
    let expected: Vec<f32> = (0..1000).map(|_| if stream.next_u32() & 1 == 0 { 1.0 } else { -1.0 }).collect();
    for &width in available() {
        for first in [0, 1, 6, 257] {
            let mut out = vec![0.0f32; 1000 - first];
            at(width, || signs(11, first, &mut out));
            assert_eq!(out, expected[first..], "{width:?} from {first}");
        }
    }
}
