//! Agreement with ArviZ on a table of cases, which `scripts/arviz/check.py` regenerates.

use super::{Diagnosis, Draws, diagnose};

const DRAWS: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/arviz/draws.csv"));
const EXPECTED: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/arviz/expected.csv"));

/// Cells of all rows but the heading.
fn rows(table: &str) -> impl Iterator<Item = Vec<&str>> {
    table.lines().skip(1).map(|line| line.split(',').collect())
}

fn diagnosis(case: &str) -> Diagnosis {
    let draws: Vec<Vec<&str>> = rows(DRAWS).filter(|row| row[0] == case).collect();
    let values: Vec<f64> = draws.iter().flat_map(|row| &row[2..]).map(|value| value.parse().unwrap()).collect();
    diagnose(Draws::new(&values, draws[0].len() - 2))
}

#[test]
fn figures_are_those_of_arviz() {
    for row in rows(EXPECTED) {
        let ours = diagnosis(row[0]);
        for (ours, theirs) in [ours.rhat, ours.ess_bulk, ours.ess_tail].into_iter().zip(&row[1..]) {
            let theirs: f64 = theirs.parse().unwrap();
            let error = ours.unwrap() / theirs - 1.0;
            // The same sums with transforms of another size: agreement was 2e-15 when the table was made.
            assert!(error.abs() < 1e-12, "{}: {error:e} off {theirs}", row[0]);
        }
    }
}
