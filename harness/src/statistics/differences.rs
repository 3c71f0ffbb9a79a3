//! The mean of paired differences with an interval that holds for few pairs.
//!
//! If differences are independent and symmetric about their mean, the 2ⁿ − 1 means of their non-empty subsets cut the line into
//! 2ⁿ pieces which are equally likely to hold it (Hartigan 1969, "Using subsample values as typical values", JASA 64, theorem 1);
//! the interval between the k-th smallest and the k-th largest is the set of means that the exact two-sided sign-flip test with
//! 2k of 2ⁿ flips in its tails does not reject. Where there are too few pairs for the level, or so many that it does not matter,
//! it is Student's t. Deviation: none.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// With more pairs Student's t is as good, and subsets too many.
const MOST: usize = 16;

/// Where an interval is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Subset means: exact for symmetric differences.
    SignFlip,
    /// Student's t: exact for normal ones.
    StudentT,
}

/// A mean difference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// The mean.
    pub mean: f64,
    /// Its interval; none of a single pair.
    pub interval: Option<(f64, f64)>,
    /// Pairs.
    pub n: usize,
    /// Where the interval is from.
    pub method: Method,
    /// The smallest mean that would lie outside of such an interval about 0 in 80 of 100 experiments like this one.
    pub smallest: Option<f64>,
}

/// The mean of `differences` with its interval, which misses with probability `alpha`; none of none.
///
/// The smallest visible mean is (t at 1 − α/2 plus t at 0.8) s/√n (Cohen, "Statistical power analysis for the behavioral sciences",
/// 1988, chapter 2, in its usual approximation).
pub fn mean_difference(differences: &[f64], alpha: f64) -> Option<Difference> {
    let found = student(differences, alpha)?;
    let tail = match found.n {
        n @ 2..=MOST => (alpha / 2.0 * (n as f64).exp2()).floor() as usize,
        _ => 0,
    };
    Some(match tail {
        0 => found,
        k => Difference { interval: Some(subset_means(differences, k)), method: Method::SignFlip, ..found },
    })
}

/// [`mean_difference`] by Student's t, however few there are.
pub(super) fn student(differences: &[f64], alpha: f64) -> Option<Difference> {
    let n = differences.len();
    if n == 0 {
        return None;
    }
    let (mean, method) = (differences.iter().sum::<f64>() / n as f64, Method::StudentT);
    let Ok(t) = StudentsT::new(0.0, 1.0, n as f64 - 1.0) else {
        return Some(Difference { mean, interval: None, n, method, smallest: None });
    };
    let square: f64 = differences.iter().map(|difference| (difference - mean).powi(2)).sum();
    let se = (square / (n as f64 - 1.0) / n as f64).sqrt();
    let half = t.inverse_cdf(1.0 - alpha / 2.0) * se;
    let (interval, smallest) = (Some((mean - half, mean + half)), Some(half + t.inverse_cdf(0.8) * se));
    Some(Difference { mean, interval, n, method, smallest })
}

/// The k-th smallest and the k-th largest mean of a non-empty subset.
fn subset_means(differences: &[f64], k: usize) -> (f64, f64) {
    let mean = |subset: usize| {
        let chosen = differences.iter().enumerate().filter(|(i, _)| subset >> i & 1 == 1);
        chosen.map(|(_, difference)| difference).sum::<f64>() / f64::from(subset.count_ones())
    };
    let mut means: Vec<f64> = (1..1usize << differences.len()).map(mean).collect();
    means.sort_by(f64::total_cmp);
    (means[k - 1], means[means.len() - k])
}

#[cfg(test)]
mod tests {
    use flow_kernels::philox::Stream;

    use super::*;

    /// How many of `trials` intervals miss a true mean of 0.3.
    fn missed(n: usize, alpha: f64, trials: usize, mut draw: impl FnMut() -> f64) -> usize {
        (0..trials)
            .filter(|_| {
                let differences: Vec<f64> = (0..n).map(|_| 0.3 + draw()).collect();
                let (low, high) = mean_difference(&differences, alpha).unwrap().interval.unwrap();
                !(low..=high).contains(&0.3)
            })
            .count()
    }

    /// Exactly 2k of 2ⁿ; bounds are five standard errors of 4,000 trials.
    #[test]
    fn intervals_miss_as_often_as_they_say() {
        let (trials, mut stream) = (4000, Stream::new(3));
        for (n, alpha) in [(6, 0.05), (8, 0.05), (10, 0.01), (5, 0.05), (20, 0.05)] {
            let tail = (alpha / 2.0 * f64::from(n).exp2()).floor() / f64::from(n).exp2() * 2.0;
            let expected = if tail > 0.0 && n <= 16 { tail } else { alpha };
            let slack = 5.0 * (expected * (1.0 - expected) / trials as f64).sqrt();
            let share = missed(n as usize, alpha, trials, || stream.normal()) as f64 / trials as f64;
            assert!((share - expected).abs() < slack, "n = {n}: {share}, expected {expected}");
        }
    }

    /// Cauchy differences have no mean that Student's t could find; the sign flip holds its level about their centre.
    #[test]
    fn the_sign_flip_needs_symmetry_alone() {
        let (trials, mut stream) = (4000, Stream::new(4));
        let cauchy = || (std::f64::consts::PI * (stream.uniform() - 0.5)).tan();
        let share = missed(8, 0.05, trials, cauchy) as f64 / trials as f64;
        let expected = 12.0 / 256.0;
        assert!((share - expected).abs() < 5.0 * (expected / trials as f64).sqrt(), "{share}");
    }

    /// Three values by hand: the seven subset means of 1, 2, 6 are 1, 1.5, 2, 3, 3.5, 4, 6.
    #[test]
    fn subsets_by_hand() {
        assert_eq!(subset_means(&[1.0, 2.0, 6.0], 1), (1.0, 6.0));
        assert_eq!(subset_means(&[1.0, 2.0, 6.0], 2), (1.5, 4.0));
        assert_eq!(mean_difference(&[], 0.05), None);
        assert_eq!(mean_difference(&[0.5], 0.05).unwrap().interval, None);
        assert_eq!(mean_difference(&[0.5; 3], 0.05).unwrap().interval, Some((0.5, 0.5)));
    }

    /// An effect as large as the smallest visible one is seen in four of five experiments.
    #[test]
    fn the_smallest_visible_effect_is_seen_in_four_of_five() {
        let (mut stream, n, trials) = (Stream::new(8), 20, 1000);
        let t = StudentsT::new(0.0, 1.0, f64::from(n) - 1.0).unwrap();
        let effect = (t.inverse_cdf(0.975) + t.inverse_cdf(0.8)) / f64::from(n).sqrt();
        let seen = (0..trials)
            .filter(|_| {
                let differences: Vec<f64> = (0..n).map(|_| effect + stream.normal()).collect();
                mean_difference(&differences, 0.05).unwrap().interval.unwrap().0 > 0.0
            })
            .count();
        assert!((730..=860).contains(&seen), "{seen} of {trials}");
    }
}
