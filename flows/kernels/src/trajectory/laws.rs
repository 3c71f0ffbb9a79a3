//! Laws of trajectories, at every level of vector instructions.

use super::*;
use crate::mlp::{Activation, Mlp};
use crate::philox::Stream;
use crate::real::Real;
use crate::simd::{at, available};

fn normals(seed: u64, count: usize) -> Vec<f64> {
    let mut stream = Stream::new(seed);
    (0..count).map(|_| 0.5 * stream.normal()).collect()
}

/// Two networks, two quadratic energies, two step sizes, moves of either sign.
fn example(dim: usize, first: &[usize], second: &[usize]) -> (Trajectory, Vec<f64>) {
    let (first, second) = (Mlp::new(dim, first, Activation::Softplus), Mlp::new(dim, second, Activation::Tanh));
    let (a, b) = (first.n_params(), second.n_params());
    let energies =
        vec![(Energy::Network(first), 0), (Energy::Network(second), a), (Energy::Quadratic, a + b), (Energy::Unit, 0)];
    let go = |energy, kick, step, coefficient| Move { energy, kick, step, coefficient };
    let moves = vec![
        go(0, true, 0, 0.5),
        go(1, false, 0, 1.0),
        go(0, true, 0, -0.25),
        go(2, false, 1, 0.7),
        go(1, true, 1, 0.3),
        go(3, false, 0, 0.6),
    ];
    (Trajectory { dim, energies, moves }, normals(1, a + b + dim))
}

/// The reverse pass is the derivative in parameters, step sizes and start, kept or rebuilt; tiles do not matter.
/// Central differences with h = 1e-5 for values of order one.
#[test]
fn reverse_pass_is_the_derivative() {
    let (trajectory, params) = example(2, &[4, 3], &[5]);
    let n = TILE + 3;
    let (steps, start, cotangent) = (vec![0.3, 0.7], normals(2, n * 4), normals(3, n * 4));
    let scalar = |params: &[f64], steps: &[f64], start: &[f64]| {
        let (end, _) = trajectory.run(params, steps, start, false);
        end.iter().zip(&cotangent).map(|(a, b)| a * b).sum::<f64>()
    };
    for &width in available() {
        let [stored, rebuilt] = at(width, || {
            let (end, kept) = trajectory.run(&params, &steps, &start, true);
            [kept.as_ref(), None].map(|kept| trajectory.reverse(&params, &steps, &end, kept, &cotangent))
        });
        let check =
            |name: &str, values: &[f64], grad: &dyn Fn(&Gradients<f64>) -> Vec<f64>, f: &dyn Fn(&[f64]) -> f64| {
                for index in 0..values.len() {
                    let moved = |by: f64| {
                        let mut moved = values.to_vec();
                        moved[index] += by;
                        f(&moved)
                    };
                    let difference = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                    for (how, result) in [("kept", &stored), ("rebuilt", &rebuilt)] {
                        let got = grad(result)[index];
                        let close = (got - difference).abs() < 1e-7 * (1.0 + difference.abs());
                        assert!(close, "{width:?} {how} {name} {index}: {got} but {difference}");
                    }
                }
            };
        check("parameter", &params, &|g| g.params.clone(), &|params| scalar(params, &steps, &start));
        check("step", &steps, &|g| g.steps.clone(), &|steps| scalar(&params, steps, &start));
        check("start", &start, &|g| g.start.clone(), &|start| scalar(&params, &steps, start));
    }
}

/// Reversed moves with negated coefficients undo a trajectory, to rounding.
#[test]
fn reversed_moves_undo() {
    let (trajectory, params) = example(2, &[4, 3], &[5]);
    let (steps, start) = (vec![0.3, 0.7], normals(4, 40));
    let (end, _) = trajectory.run(&params, &steps, &start, false);
    let undo = |step: &Move| Move { coefficient: -step.coefficient, ..*step };
    let back = Trajectory { moves: trajectory.moves.iter().rev().map(undo).collect(), ..trajectory };
    let (again, _) = back.run(&params, &steps, &end, false);
    assert!(start.iter().zip(&again).all(|(a, b)| (a - b).abs() < 1e-13));
}

/// A point's end is the same bits whichever points stand beside it, and a point that is not a number spoils no other.
#[test]
fn a_point_knows_nothing_of_its_neighbours() {
    for &width in available() {
        at(width, || {
            for (dim, hidden) in [(1, [3, 7]), (2, [33, 8]), (5, [31, 1]), (100, [8, 128])] {
                let (trajectory, params) = example(dim, &hidden, &hidden);
                let (steps, n) = ([0.3f32, 0.7], 3 * TILE + 31);
                let narrow = |values: Vec<f64>| values.into_iter().map(|x| x as f32).collect::<Vec<f32>>();
                let (params, mut start) = (narrow(params), narrow(normals(2, n * 2 * dim)));
                let bits = |start: &[f32]| {
                    let (end, _) = trajectory.run(&params, &steps, start, false);
                    end.chunks(2 * dim)
                        .map(|point| point.iter().map(|x| x.to_bits()).collect())
                        .collect::<Vec<Vec<_>>>()
                };
                let all = bits(&start);
                for from in [1, 5, 31, 32, 33, TILE, n - 1] {
                    assert_eq!(bits(&start[from * 2 * dim..]), all[from..], "{width:?} {hidden:?} from {from}");
                }
                for x in &mut start[7 * 2 * dim..8 * 2 * dim] {
                    *x = f32::NAN;
                }
                let spoilt = bits(&start);
                assert!((0..n).all(|p| (spoilt[p] == all[p]) == (p != 7)), "{width:?} {hidden:?}");
            }
        });
    }
}

/// One pass after another in the same memory, with other shapes between, changes nothing.
#[test]
fn memory_is_reused() {
    let mut prepared = Prepared::default();
    let (mut kept, mut workspace, mut grad) = (KeptTile::default(), Workspace::default(), Accumulator::default());
    let mut pass = |dim: usize, hidden: &[usize], m: usize| {
        let (trajectory, params) = example(dim, hidden, hidden);
        trajectory.prepare(&params, &mut prepared);
        grad.reset(&trajectory, 2);
        let (mut tile, mut cotangent) = (Tile::new(dim, m), Tile::new(dim, m));
        tile.read(&normals(2, m * 2 * dim));
        cotangent.read(&normals(3, m * 2 * dim));
        trajectory.forward_tile(&prepared, &[0.3, 0.7], &mut tile, Some(&mut kept), &mut workspace);
        let operands = (Some(&kept), &mut cotangent, &mut grad, &mut workspace);
        trajectory.reverse_tile(&prepared, &[0.3, 0.7], &tile, operands.0, operands.1, operands.2, operands.3);
        let mut flat = vec![0.0; params.len()];
        grad.fold_into(&trajectory, &mut flat);
        (tile, cotangent, flat, grad.steps().to_vec())
    };
    let first = pass(2, &[33, 5], 31);
    pass(40, &[3, 40], TILE);
    assert_eq!(pass(2, &[33, 5], 31), first);
}

/// f32 against f64 over a trajectory: some tens of roundings of sums of a hundred terms, values of order one; gradients
/// are sums over 500 points, held against their own size.
#[test]
fn single_precision_is_close_to_double() {
    for &width in available() {
        at(width, || {
            for (dim, hidden) in [(1, [8, 33]), (2, [128, 128]), (100, [31, 7])] {
                let (trajectory, params) = example(dim, &hidden, &hidden);
                // Weights of order 1/√width keep forces of order one.
                let params: Vec<f64> = params.iter().map(|x| x / 4.0).collect();
                let n = 500;
                let (steps, start, cotangent) = ([0.3, 0.7], normals(2, n * 2 * dim), normals(3, n * 2 * dim));
                let narrow = |values: &[f64]| values.iter().map(|&x| x as f32).collect::<Vec<f32>>();
                let (end, kept) = trajectory.run(&params, &steps, &start, true);
                let wide = trajectory.reverse(&params, &steps, &end, kept.as_ref(), &cotangent);
                let (p, s, c) = (narrow(&params), narrow(&steps), narrow(&cotangent));
                let (end32, kept) = trajectory.run(&p, &s, &narrow(&start), true);
                let close = |name: &str, got: &[f32], exact: &[f64], bound: f64| {
                    let size = exact.iter().fold(1.0, |size: f64, x| size.max(x.abs()));
                    let worst = got.iter().zip(exact).map(|(a, b)| (a.wide() - b).abs()).fold(0.0, f64::max);
                    assert!(worst <= bound * size, "{width:?} {dim} {hidden:?} {name}: {worst} of {size}");
                };
                close("end", &end32, &end, 4e-6);
                for kept in [kept.as_ref(), None] {
                    let single = trajectory.reverse(&p, &s, &end32, kept, &c);
                    close("start", &single.start, &wide.start, 2e-5);
                    close("parameters", &single.params, &wide.params, 2e-5);
                    close("steps", &single.steps, &wide.steps, 2e-5);
                }
            }
        });
    }
}
