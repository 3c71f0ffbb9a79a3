//! Laws of one transition: it keeps the target's law, is a function of its seed, asks the target as often as it says.

mod densities;

use std::cell::Cell;
use std::convert::Infallible;

use nuts_rs::rand::SeedableRng;
use nuts_rs::rand::rngs::ChaCha8Rng;

use crate::tree::*;
use densities::{CELLS, Gaussian, Law, Mixture};

const STARTS: u64 = 20_000;
const TRANSITIONS: u64 = 5;
/// The 0.9999 quantile of χ² with 19 degrees of freedom.
const CHI_SQUARE_LIMIT: f64 = 50.8;
/// Standard errors that a mean may be off: 1 in 150,000 for each.
const SE_LIMIT: f64 = 4.5;

/// The state at `x`, where the target has been.
fn state(law: &dyn Law, x: Vec<f64>) -> Drawn {
    let mut grad = vec![0.0; x.len()];
    let log_density = law.log_density(&x, &mut grad);
    Drawn { x, log_density, grad, accept: 1.0, diverging: false, steps: 0 }
}

fn start(state: &Drawn) -> Start<'_> {
    Start { x: &state.x, log_density: state.log_density, grad: &state.grad }
}

fn step(law: &dyn Law, from: &Drawn, settings: Settings<'_>, seed: u64) -> Drawn {
    transition(start(from), settings, seed, |x, grad| Ok::<_, Infallible>(law.log_density(x, grad))).unwrap()
}

/// How far a kernel drives exact draws from their law: χ² over the cells, and the largest mean in standard errors.
fn drift(law: &dyn Law, kernel: impl Fn(&Drawn, u64) -> Drawn) -> (f64, f64) {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let (mut counts, mut sums) = ([0.0; CELLS], Vec::new());
    for index in 0..STARTS {
        let mut at = state(law, law.draw(&mut rng));
        for turn in 0..TRANSITIONS {
            at = kernel(&at, 1_000_000 + TRANSITIONS * index + turn);
        }
        counts[law.cell(&at.x)] += 1.0;
        let values = law.standardised(&at.x);
        sums.resize(values.len(), 0.0);
        sums.iter_mut().zip(values).for_each(|(sum, value): (&mut f64, _)| *sum += value);
    }
    let expected = STARTS as f64 / CELLS as f64;
    let chi_square = counts.iter().map(|count: &f64| (count - expected).powi(2) / expected).sum();
    let largest = sums.iter().fold(0.0, |largest: f64, sum| largest.max(sum.abs() / (STARTS as f64).sqrt()));
    (chi_square, largest)
}

fn laws() -> [(&'static str, Box<dyn Law>); 2] {
    [("gaussian", Box::new(Gaussian)), ("mixture", Box::new(Mixture::new()))]
}

#[test]
fn exact_draws_stay_exact() {
    // Step sizes from fine to so coarse that a quarter of the points is rejected; trees cut short or not.
    let cases = [
        (0.2, [1.0, 1.0], 10),
        (0.6, [1.0, 1.0], 10),
        (0.9, [0.7, 2.0], 10),
        (1.1, [1.0, 3.0], 2),
        (1.6, [1.0, 1.0], 10),
    ];
    for (name, law) in laws() {
        for (step_size, sd, max_depth) in cases {
            let d = law.draw(&mut ChaCha8Rng::seed_from_u64(0)).len();
            let settings = Settings { step_size, sd: &sd[..d], max_depth };
            let accept = Cell::new(0.0);
            let (chi_square, largest) = drift(&*law, |from, seed| {
                let to = step(&*law, from, settings, seed);
                accept.set(accept.get() + to.accept / (STARTS * TRANSITIONS) as f64);
                to
            });
            println!(
                "{name} {settings:?}: χ² {chi_square:.1}, largest mean {largest:.2} SE, acceptance {:.3}",
                accept.get()
            );
            assert!(
                chi_square < CHI_SQUARE_LIMIT && largest < SE_LIMIT,
                "{name}, {settings:?}: {chi_square}, {largest}"
            );
        }
    }
}

#[test]
fn the_law_sees_a_metric_taken_from_the_start() {
    for (name, law) in laws() {
        let (chi_square, largest) = drift(&*law, |from, seed| {
            // What `nuts-rs` does by default on a new chain: the inverse mass is 1/|gradient|.
            let sd: Vec<f64> = from.grad.iter().map(|grad| grad.abs().clamp(1e-20, 1e20).recip().sqrt()).collect();
            step(&*law, from, Settings { step_size: 0.6, sd: &sd, max_depth: 10 }, seed)
        });
        println!("{name}: χ² {chi_square:.0}, largest mean {largest:.1} SE");
        assert!(chi_square > 2.0 * CHI_SQUARE_LIMIT, "{name}: {chi_square}");
    }
}

#[test]
fn same_seed_same_bits() {
    let settings = Settings { step_size: 0.3, sd: &[1.0, 2.0], max_depth: 10 };
    let from = state(&Gaussian, vec![0.1, 0.2]);
    let walk = || {
        (0..50).fold((from.clone(), Vec::new()), |(at, mut bits), seed| {
            let to = step(&Gaussian, &at, settings, seed);
            bits.extend(to.x.iter().chain(&to.grad).chain([&to.log_density, &to.accept]).map(|value| value.to_bits()));
            (to, bits)
        })
    };
    let (_, first) = walk();
    let other = std::thread::spawn(move || {
        step(
            &Gaussian,
            &state(&Gaussian, vec![5.0, 5.0]),
            Settings { step_size: 0.1, sd: &[1.0, 1.0], max_depth: 3 },
            9,
        )
    });
    let (_, second) = walk();
    other.join().unwrap();
    assert_eq!(first, second);
    assert_ne!(step(&Gaussian, &from, settings, 1).x, step(&Gaussian, &from, settings, 2).x);
}

#[test]
fn the_target_is_asked_once_a_leapfrog_step() {
    for max_depth in [1, 2, 10] {
        let settings = Settings { step_size: 0.3, sd: &[0.7, 2.0], max_depth };
        let mut at = state(&Gaussian, vec![0.1, 0.2]);
        for seed in 0..200 {
            let mut asked = Vec::new();
            let to = transition(start(&at), settings, seed, |x, grad| {
                asked.push(x.to_vec());
                Ok::<_, Infallible>(Gaussian.log_density(x, grad))
            })
            .unwrap();
            assert_eq!(asked.len() as u64, to.steps);
            assert!(to.steps >= 1 && to.steps < 1 << max_depth);
            assert!(!asked.contains(&at.x), "asked at the start");
            assert!(asked.contains(&to.x) || to.x == at.x);
            let again = state(&Gaussian, to.x.clone());
            assert_eq!((again.log_density, &again.grad), (to.log_density, &to.grad));
            assert!(to.accept > 0.0 && to.accept <= 1.0);
            at = to;
        }
    }
}

#[test]
fn acceptance_is_that_of_the_trees_points() {
    // Under a constant force the leapfrog scheme is exact; a start whose log density is overstated by 1 then makes
    // every other point acceptable at e⁻¹.
    let from = Start { x: &[0.0], log_density: 1.0, grad: &[2.0] };
    let settings = Settings { step_size: 0.1, sd: &[1.5], max_depth: 4 };
    let drawn = transition(from, settings, 3, |x, grad| {
        grad[0] = 2.0;
        Ok::<_, Infallible>(2.0 * x[0])
    })
    .unwrap();
    assert!((drawn.accept - (-1f64).exp()).abs() < 1e-12, "{}", drawn.accept);
}

#[test]
fn a_wild_step_size_stays_with_a_divergence() {
    for step_size in [1e3, 1e150, f64::MAX] {
        let from = state(&Gaussian, vec![0.1, 0.2]);
        let settings = Settings { step_size, sd: &[1.0, 1.0], max_depth: 10 };
        let to = transition(start(&from), settings, 1, |x, grad| {
            assert!(x.iter().all(|x| x.is_finite()), "asked at {x:?}");
            Ok::<_, Infallible>(Gaussian.log_density(x, grad))
        })
        .unwrap();
        assert_eq!(to, Drawn { accept: 0.0, diverging: true, steps: 1, ..from });
    }
}

#[test]
fn what_is_not_finite_is_a_divergence() {
    let bad = [(f64::NAN, 0.0), (f64::INFINITY, 0.0), (f64::NEG_INFINITY, 0.0), (0.0, f64::NAN), (0.0, f64::INFINITY)];
    for (log_density, slope) in bad {
        let from = Start { x: &[0.5], log_density: 0.0, grad: &[-0.5] };
        let drawn = transition(from, Settings { step_size: 0.1, sd: &[1.0], max_depth: 5 }, 1, |_, grad| {
            grad[0] = slope;
            Ok::<_, Infallible>(log_density)
        });
        let drawn = drawn.unwrap();
        assert!(drawn.diverging && drawn.x == [0.5] && drawn.log_density == 0.0 && drawn.grad == [-0.5], "{drawn:?}");
    }
}

#[test]
fn a_target_error_comes_back_as_it_is() {
    #[derive(Debug, PartialEq)]
    struct Broken(u8);
    for good in [0, 1, 5] {
        let mut calls = 0;
        let from = Start { x: &[0.0], log_density: 0.0, grad: &[0.0] };
        let outcome = transition(from, Settings { step_size: 0.01, sd: &[1.0], max_depth: 10 }, 1, |x, grad| {
            calls += 1;
            grad[0] = -x[0];
            if calls > good { Err(Broken(7)) } else { Ok(-0.5 * x[0] * x[0]) }
        });
        assert_eq!((outcome, calls), (Err(Error::Target(Broken(7))), good + 1));
    }
}

#[test]
fn a_vanishing_gradient_is_no_obstacle() {
    // The mode of a Gaussian in x₀, and x₁ flat.
    let from = Start { x: &[0.0, 3.0], log_density: 0.0, grad: &[0.0, 0.0] };
    let drawn = transition(from, Settings { step_size: 0.3, sd: &[1.0, 1.0], max_depth: 4 }, 1, |x, grad| {
        grad.copy_from_slice(&[-x[0], 0.0]);
        Ok::<_, Infallible>(-0.5 * x[0] * x[0])
    });
    let drawn = drawn.unwrap();
    assert!(!drawn.diverging && drawn.x[0] != 0.0 && drawn.x[1] != 3.0, "{drawn:?}");
}

#[test]
fn what_cannot_be_used_is_refused() {
    let start = Start { x: &[0.5], log_density: 0.0, grad: &[-0.5] };
    let settings = Settings { step_size: 0.1, sd: &[1.0], max_depth: 5 };
    let cases = [
        (Start { x: &[], grad: &[], ..start }, Settings { sd: &[], ..settings }),
        (Start { grad: &[1.0, 2.0], ..start }, settings),
        (start, Settings { sd: &[1.0, 1.0], ..settings }),
        (Start { x: &[f64::NAN], ..start }, settings),
        (Start { log_density: f64::NEG_INFINITY, ..start }, settings),
        (Start { grad: &[f64::INFINITY], ..start }, settings),
        (start, Settings { step_size: 0.0, ..settings }),
        (start, Settings { step_size: f64::NAN, ..settings }),
        (start, Settings { sd: &[-1.0], ..settings }),
        (Start { x: &[1e10], ..start }, Settings { sd: &[1e-300], ..settings }),
        (start, Settings { max_depth: 0, ..settings }),
    ];
    for (start, settings) in cases {
        let outcome = transition(start, settings, 1, |_, _| Ok::<_, Infallible>(0.0));
        assert!(matches!(outcome, Err(Error::Refused(_))), "{start:?}, {settings:?}: {outcome:?}");
    }
}
