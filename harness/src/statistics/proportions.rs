//! Two proportions of the same cells: how much more often something happens to the second.
//!
//! Newcombe 1998, "Improved confidence intervals for the difference between binomial proportions based on paired data"
//! (Statistics in Medicine 17, 2635–2650), method 10: Wilson's intervals of either proportion, joined by the square-and-add rule
//! with the correlation φ, its numerator corrected for continuity. Deviation: none.

use statrs::distribution::{ContinuousCDF, Normal};

/// The difference of two paired proportions, second less first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Proportions {
    /// The difference.
    pub difference: f64,
    /// Its interval.
    pub interval: (f64, f64),
}

/// Of `n` pairs something happened to both in `both`, to the first or second alone in `first` and `second`; the interval misses
/// with probability `alpha`. None of no pairs.
pub fn paired_proportions(both: usize, first: usize, second: usize, n: usize, alpha: f64) -> Option<Proportions> {
    let neither = n.checked_sub(both + first + second).filter(|_| n > 0)?;
    let z = Normal::standard().inverse_cdf(1.0 - alpha / 2.0);
    let (a, b) = (wilson(both + second, n, z), wilson(both + first, n, z));
    let phi = phi(both as f64, second as f64, first as f64, neither as f64);
    let joined = |x: f64, y: f64| (x * x - 2.0 * phi * x * y + y * y).max(0.0).sqrt();
    let difference = (second as f64 - first as f64) / n as f64;
    let low = difference - joined(a.share - a.low, b.high - b.share);
    let high = difference + joined(a.high - a.share, b.share - b.low);
    Some(Proportions { difference, interval: (low, high) })
}

struct Share {
    share: f64,
    low: f64,
    high: f64,
}

/// Wilson 1927's score interval.
fn wilson(k: usize, n: usize, z: f64) -> Share {
    let (n, share) = (n as f64, k as f64 / n as f64);
    let middle = share + z * z / (2.0 * n);
    let half = z * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z * z / n;
    Share { share, low: ((middle - half) / scale).max(0.0), high: ((middle + half) / scale).min(1.0) }
}

/// Correlation of the table e, f / g, h.
fn phi(e: f64, f: f64, g: f64, h: f64) -> f64 {
    let margins = (e + f) * (g + h) * (e + g) * (f + h);
    if margins == 0.0 {
        return 0.0;
    }
    let product = e * h - f * g;
    let corrected = if product > 0.0 { (product - (e + f + g + h) / 2.0).max(0.0) } else { product };
    corrected / margins.sqrt()
}

#[cfg(test)]
mod tests {
    use flow_kernels::philox::Stream;

    use super::*;

    /// 81 of 263 and 15 of 148: table I of Newcombe 1998, "Two-sided confidence intervals for the single proportion", method 3.
    #[test]
    fn wilson_as_published() {
        for (k, n, low, high) in [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)] {
            let share = wilson(k, n, 1.959_964);
            assert!((share.low - low).abs() < 6e-5 && (share.high - high).abs() < 6e-5, "{} {}", share.low, share.high);
        }
    }

    /// Correlated coins: the interval misses the true difference about as often as it says. Newcombe's own simulation has a
    /// mean coverage of 0.95 and a lowest of 0.92 over all tables; bounds as wide as that, and five standard errors.
    #[test]
    fn intervals_cover() {
        let (mut stream, trials) = (Stream::new(11), 4000);
        for (n, common, first, second) in [(20, 0.1, 0.1, 0.3), (60, 0.0, 0.05, 0.05), (40, 0.3, 0.0, 0.1)] {
            let missed = (0..trials)
                .filter(|_| {
                    let mut counts = [0; 4];
                    for _ in 0..n {
                        let u = stream.uniform();
                        let edges = [common, common + first, common + first + second];
                        counts[edges.iter().filter(|edge| u >= **edge).count()] += 1;
                    }
                    let found = paired_proportions(counts[0], counts[1], counts[2], n, 0.05).unwrap();
                    !(found.interval.0..=found.interval.1).contains(&(second - first))
                })
                .count();
            let slack = 5.0 * (0.05f64 * 0.95 / f64::from(trials)).sqrt();
            assert!((missed as f64 / f64::from(trials)) < 0.08 + slack, "{missed} of {trials}");
        }
    }

    #[test]
    fn swapping_the_sides_turns_the_interval_round() {
        let (there, back) =
            (paired_proportions(3, 1, 6, 20, 0.05).unwrap(), paired_proportions(3, 6, 1, 20, 0.05).unwrap());
        assert!((there.interval.0 + back.interval.1).abs() < 1e-12);
        assert!((there.difference + back.difference).abs() < 1e-12);
        assert_eq!(paired_proportions(0, 0, 0, 0, 0.05), None);
    }
}
