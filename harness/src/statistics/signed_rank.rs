//! The middle of differences of which some are wild: Hodges and Lehmann's, with the interval of Wilcoxon's signed-rank test.
//!
//! The median of the Walsh averages (xᵢ + xⱼ)/2, i ≤ j; the interval between the c-th smallest and the c-th largest of them misses the
//! centre of symmetry with probability 2·P(W⁺ < c), W⁺ the signed-rank statistic (Hollander & Wolfe, "Nonparametric statistical methods",
//! 2nd edition, 1999, sections 3.1–3.3). Exact for symmetric differences whatever their tails. Deviation: none.

/// A middle with its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Middle {
    /// Hodges and Lehmann's estimate.
    pub mid: f64,
    /// Its interval.
    pub interval: (f64, f64),
}

/// The middle of `differences`; none where there are too few of them for an interval that misses with probability `alpha`.
pub fn middle_difference(differences: &[f64], alpha: f64) -> Option<Middle> {
    let n = differences.len();
    let c = order(n, alpha / 2.0)?;
    let pairs = (0..n).flat_map(|i| (i..n).map(move |j| (i, j)));
    let mut walsh: Vec<f64> = pairs.map(|(i, j)| (differences[i] + differences[j]) / 2.0).collect();
    walsh.sort_by(f64::total_cmp);
    let m = walsh.len();
    let mid = (walsh[(m - 1) / 2] + walsh[m / 2]) / 2.0;
    Some(Middle { mid, interval: (walsh[c - 1], walsh[m - c]) })
}

/// The largest c with P(W⁺ < c) ≤ `tail`; none where that is 0.
fn order(n: usize, tail: f64) -> Option<usize> {
    // Subsets of 1..n by their sum, as shares of all.
    let mut shares = vec![0.0; n * (n + 1) / 2 + 1];
    shares[0] = 1.0;
    for rank in 1..=n {
        for sum in (0..shares.len()).rev() {
            let with = sum.checked_sub(rank).map_or(0.0, |rest| shares[rest]);
            shares[sum] = (shares[sum] + with) / 2.0;
        }
    }
    let below = shares.iter().scan(0.0, |total, share| {
        *total += share;
        Some(*total)
    });
    // In exact arithmetic a tail may be met to the digit.
    let c = below.take_while(|total| *total <= tail * (1.0 + 1e-9)).count();
    (c > 0).then_some(c)
}

#[cfg(test)]
mod tests {
    use flow_kernels::philox::Stream;

    use super::*;

    /// Table A.4 of Hollander & Wolfe, or any table of Wilcoxon's test: two-sided critical values at 5 % and 1 %.
    #[test]
    fn critical_values_as_tabled() {
        for (n, five, one) in
            [(6, Some(0), None), (8, Some(3), Some(0)), (10, Some(8), Some(3)), (20, Some(52), Some(37))]
        {
            assert_eq!(order(n, 0.025).map(|c| c - 1), five, "n = {n}");
            assert_eq!(order(n, 0.005).map(|c| c - 1), one, "n = {n}");
        }
        assert_eq!(order(5, 0.025), None);
        assert_eq!(middle_difference(&[1.0; 5], 0.05), None);
        assert_eq!(middle_difference(&[1.0; 6], 0.05).unwrap().interval, (1.0, 1.0));
    }

    /// Of normal and of Cauchy differences alike: bounds are five standard errors of 4,000 trials.
    #[test]
    fn intervals_miss_as_often_as_they_say() {
        let (mut stream, trials, n) = (Stream::new(31), 4000, 16);
        let expected = 0.0443; // 2·P(W⁺ ≤ 29) for n = 16
        for wild in [false, true] {
            let mut draw = || match wild {
                true => (std::f64::consts::PI * (stream.uniform() - 0.5)).tan(),
                false => stream.normal(),
            };
            let missed = (0..trials)
                .filter(|_| {
                    let differences: Vec<f64> = (0..n).map(|_| 0.3 + draw()).collect();
                    let (low, high) = middle_difference(&differences, 0.05).unwrap().interval;
                    !(low..=high).contains(&0.3)
                })
                .count();
            let share = missed as f64 / f64::from(trials);
            let slack = 5.0 * (expected * (1.0 - expected) / f64::from(trials)).sqrt();
            assert!((share - expected).abs() < slack, "{share}");
        }
    }
}
