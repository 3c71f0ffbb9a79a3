//! Laws of exact draws: each is fixed by its seed, all together follow the density.

use crate::{along, matrix, numbers, table};

#[test]
fn a_draw_depends_on_seed_and_index_alone() {
    for row in table() {
        let Some(exact) = row.exact() else { continue };
        let (few, many) = (exact.draw(13, 10), exact.draw(13, 100));
        assert_eq!(few.len(), 10 * row.dim(), "{}", row.label);
        assert_eq!(few[..], many[..few.len()], "{}", row.label);
        assert_ne!(few, exact.draw(14, 10), "{}", row.label);
    }
}

#[test]
fn draws_have_the_known_moments() {
    for row in table() {
        let (Some(exact), known, dim) = (row.exact(), row.target.known(), row.dim()) else {
            continue;
        };
        let draws = exact.draw(5, 100_000);
        for j in 0..dim {
            let column = || draws.iter().skip(j).step_by(dim).copied();
            let Some(centre) = known.mean.as_ref().map(|mean| mean[j]) else {
                println!("{} coordinate {j}: skipped: mean unknown", row.label);
                continue;
            };
            let Some(sd) = known.sd.as_ref().map(|sd| sd[j]) else {
                println!("{} coordinate {j}: skipped: variance infinite, no standard error", row.label);
                continue;
            };
            let (mean, se) = mean_and_se(column());
            assert!((mean - centre).abs() < 5.0 * se, "{} mean {j}: {centre}, draws {mean} ± {se}", row.label);
            let squares = || column().map(|x| ((x - centre) / sd).powi(2));
            let (fourth, _) = mean_and_se(squares().map(|s| s * s));
            if fourth > 50.0 {
                println!("{} sd {j}: skipped: fourth moment too heavy for a standard error", row.label);
                continue;
            }
            let (square, se) = mean_and_se(squares());
            assert!((square - 1.0).abs() < 5.0 * se, "{} sd {j}: (draws/known)² {square} ± {se}", row.label);
        }
    }
}

/// Stein: E[f'(xᵢ) + f(xᵢ) ∂ᵢ log γ] = 0 for every bounded smooth f; here f = tanh((xᵢ − c)/s), in every dimension.
#[test]
fn draws_have_zero_mean_stein_score() {
    for row in table() {
        let (Some(exact), dim) = (row.exact(), row.dim()) else {
            continue;
        };
        let draws = exact.draw(7, 50_000);
        let grad = row.grad(&matrix(&draws, dim));
        for j in 0..dim {
            let (centre, spread) = middle(&draws, dim, j);
            let pairs = draws.iter().zip(&grad).skip(j).step_by(dim);
            let (mean, se) = mean_and_se(pairs.map(|(x, g)| {
                let t = ((x - centre) / spread).tanh();
                (1.0 - t * t) / spread + t * g
            }));
            assert!(mean.abs() < 5.0 * se, "{} coordinate {j}: {mean} ± {se}", row.label);
        }
    }
}

/// Bartlett's identity: E[∂ᵢ∂ⱼ log γ + ∂ᵢ log γ ∂ⱼ log γ] = 0, which sees the width of a density in every direction.
#[test]
fn draws_satisfy_the_information_identity() {
    for row in table() {
        let (Some(exact), dim) = (row.exact(), row.dim()) else { continue };
        let draws = matrix(&exact.draw(8, 40_000), dim);
        let grad = row.grad(&draws);
        for j in 0..dim {
            let column = numbers(&row.target.hvp(&draws, &along(j, &draws)).unwrap());
            for i in 0..=j {
                let rows = column.chunks(dim).zip(grad.chunks(dim));
                let values: Vec<f64> = rows.map(|(h, g)| h[i] + g[i] * g[j]).collect();
                let (mean, se) = mean_and_se(values.iter().copied());
                let power = |p: i32| values.iter().map(|v| v.powi(p)).sum::<f64>() / values.len() as f64;
                if power(4) > 100.0 * power(2).powi(2) {
                    println!("{} ({i}, {j}): skipped: tails too heavy for a standard error", row.label);
                    continue;
                }
                assert!(mean.abs() <= 5.0 * se, "{} ({i}, {j}): {mean} ± {se}", row.label);
            }
        }
    }
}

/// E_π[h/γ] Z = ∫ h = 1 for every normalised h on part of the space: draws, density and log Z agree there.
///
/// Here h is uniform on a box about a draw, so narrow that γ changes little within it: no few draws carry the mean.
#[test]
fn draws_density_and_log_z_agree() {
    for row in table() {
        let (Some(exact), Some(log_z), dim) = (row.exact(), row.target.known().log_z, row.dim()) else {
            continue;
        };
        if dim > 5 {
            println!("{}: skipped: a box in {dim} dimensions holds too few draws", row.label);
            continue;
        }
        let n = 200_000;
        let draws = exact.draw(9, n);
        let log_density = row.log_density(&matrix(&draws, dim));
        let spread: Vec<f64> = (0..dim).map(|j| middle(&draws, dim, j).1).collect();
        let mut boxes = 0;
        for centre in exact.draw(10, 8).chunks(dim) {
            let x = matrix(centre, dim);
            let slope = row.grad(&x);
            let half: Vec<f64> = (0..dim)
                .map(|j| {
                    let curvature = numbers(&row.target.hvp(&x, &along(j, &x)).unwrap())[j].abs();
                    curvature.sqrt().max(slope[j].abs()).recip().min(spread[j] / 2.0)
                })
                .collect();
            let log_h = -half.iter().map(|b| (2.0 * b).ln()).sum::<f64>();
            let inside = |x: &[f64]| x.iter().zip(centre).zip(&half).all(|((x, c), b)| (x - c).abs() < *b);
            let ratio = |(x, log_density): (&[f64], &f64)| {
                if inside(x) { (log_h - log_density + log_z).exp() } else { 0.0 }
            };
            let (mean, se) = mean_and_se(draws.chunks(dim).zip(&log_density).map(ratio));
            // With fewer draws in the box the standard error itself is uncertain.
            if draws.chunks(dim).filter(|x| inside(x)).count() >= 100 {
                boxes += 1;
                assert!((mean - 1.0).abs() < 5.0 * se, "{}: {mean} ± {se} at {centre:?}", row.label);
            }
        }
        assert!(boxes >= 3, "{}: only {boxes} of 8 boxes hold draws enough", row.label);
    }
}

#[test]
fn modes_have_the_share_of_draws_that_their_weight_says() {
    for row in table() {
        let (Some(modes), Some(exact)) = (row.target.modes(), row.exact()) else {
            println!("{}: skipped: no modes", row.label);
            continue;
        };
        let (n, weights) = (100_000, modes.weights());
        assert_eq!(weights.len(), modes.count(), "{}", row.label);
        assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{}", row.label);
        let mut shares = vec![0.0; modes.count()];
        for x in exact.draw(11, n).chunks(row.dim()) {
            shares[modes.assign(x)] += 1.0 / n as f64;
        }
        for (k, (share, weight)) in shares.iter().zip(&weights).enumerate() {
            // Binomial errors of the share, and of weights that were themselves counted on 2¹⁸ draws; where fewer than
            // one draw is expected, five may come.
            let se = (weight * (1.0 - weight) * (1.0 / n as f64 + 1.0 / f64::from(1 << 18))).sqrt();
            assert!((share - weight).abs() < 5.0 * se + 5.0 / n as f64, "{} {k}: {weight} {share}", row.label);
        }
    }
}

/// Mean of `values` and its standard error.
fn mean_and_se(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let n = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / n;
    (mean, (values.map(|v| (v - mean).powi(2)).sum::<f64>() / (n * (n - 1.0))).sqrt())
}

/// Centre and spread (interquartile range over that of a standard normal) of a coordinate.
fn middle(draws: &[f64], dim: usize, j: usize) -> (f64, f64) {
    let mut column: Vec<f64> = draws.iter().skip(j).step_by(dim).copied().collect();
    column.sort_by(f64::total_cmp);
    let quantile = |q: usize| column[column.len() * q / 4];
    (quantile(2), (quantile(3) - quantile(1)) / 1.349)
}
