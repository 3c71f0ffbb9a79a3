//! Law of mass: log Z, where it is known, is the logarithm of what γ integrates to.

use crate::{Row, matrix, table};

/// ∫ γ by the trapezoidal rule, over both coordinates or one at a time.
///
/// On smooth integrands its error falls faster than any power of the step; the ends cut off less than 3e-7 of the mass
/// (the bent tail of the banana; 20 000 draws reach 4 standard deviations, the widened range 5 to 9).
#[test]
fn log_z_is_what_quadrature_gives() {
    for row in table() {
        let (dim, known) = (row.dim(), row.target.known());
        let (Some(log_z), Some(exact)) = (known.log_z, row.exact()) else {
            println!("{}: skipped: log Z is unknown", row.label);
            continue;
        };
        let draws = exact.draw(3, 20_000);
        let sum = if FACTORISED.contains(&row.name) {
            let at_zero = row.log_density(&matrix(&vec![0.0; dim], dim))[0];
            let one = |j: usize| {
                let nodes = axis(&row, &draws, j);
                let mut x = vec![0.0; nodes.len() * dim];
                nodes.iter().enumerate().for_each(|(i, node)| x[i * dim + j] = node.0);
                let values = row.log_density(&matrix(&x, dim));
                values.iter().zip(&nodes).map(|(v, node)| node.1 * (v - at_zero).exp()).sum::<f64>().ln()
            };
            at_zero + (0..dim).map(one).sum::<f64>()
        } else if dim <= 2 {
            let across = if dim == 2 { axis(&row, &draws, 1) } else { vec![(0.0, 1.0)] };
            let one = |&(x0, step): &(f64, f64)| {
                let x: Vec<f64> = across.iter().flat_map(|node| [x0, node.0].into_iter().take(dim)).collect();
                let values = row.log_density(&matrix(&x, dim));
                values.iter().zip(&across).map(|(v, node)| step * node.1 * v.exp()).sum::<f64>()
            };
            axis(&row, &draws, 0).iter().map(one).sum::<f64>().ln()
        } else {
            println!("{}: skipped: {dim} dependent coordinates", row.label);
            continue;
        };
        assert!((sum - log_z).abs() < 1e-6 * dim as f64, "{}: log Z {log_z}, quadrature {sum}", row.label);
    }
}

/// Targets whose coordinates are independent: one axis at a time will do.
const FACTORISED: [&str; 4] = ["gaussian", "icg", "rough-well", "many-well"];

/// Nodes along coordinate `j`, each with its step: 1600 over the range of 20 000 draws widened by .6 of it at both
/// ends, at equal steps; or, under heavy tails, at equal steps of t in x = s sinh t up to 10⁹ s.
fn axis(row: &Row, draws: &[f64], j: usize) -> Vec<(f64, f64)> {
    const NODES: usize = 1600;
    let heavy = match row.name {
        "funnel" if j > 0 => Some(1e-3),
        "student-t-mixture" => Some(1.0),
        _ => None,
    };
    let (low, high) = match heavy {
        Some(_) => (-(1e9f64.asinh()), 1e9f64.asinh()),
        None => {
            let column = || draws.iter().skip(j).step_by(row.dim());
            let low = column().fold(f64::INFINITY, |m, &x| m.min(x));
            let high = column().fold(f64::NEG_INFINITY, |m, &x| m.max(x));
            (low - 0.6 * (high - low), high + 0.6 * (high - low))
        }
    };
    let step = (high - low) / (NODES - 1) as f64;
    let nodes = (0..NODES).map(|i| low + i as f64 * step);
    match heavy {
        Some(s) => nodes.map(|t| (s * t.sinh(), s * t.cosh() * step)).collect(),
        None => nodes.map(|t| (t, step)).collect(),
    }
}
