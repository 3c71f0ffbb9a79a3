//! Laws of the integrators: what the table of schemes says of each, measured.

use std::cell::Cell;
use std::convert::Infallible;

use flow_kernels::integrator::{Method, SCHEMES, Scheme, Stability, System, integrate, integrate_back};
use flow_kernels::real::Real;
use nalgebra::DMatrix;

/// A separable system over (q, p) in one vector, which counts its evaluations of ∇U.
struct Toy<T> {
    grad_u: fn(&[T]) -> Vec<T>,
    grad_k: fn(&[T]) -> Vec<T>,
    rounding: f64,
    gradients: Cell<u32>,
}

impl<T: Real> System for Toy<T> {
    type State = Vec<T>;
    type Field = Vec<T>;
    type Error = Infallible;

    fn kick(&self, state: &mut Vec<T>, h: f64) -> Result<(), Infallible> {
        self.gradients.update(|n| n + 1);
        let half = state.len() / 2;
        let (q, p) = state.split_at_mut(half);
        p.iter_mut().zip((self.grad_u)(q)).for_each(|(p, force)| *p -= T::of(h) * force);
        Ok(())
    }

    fn drift(&self, state: &mut Vec<T>, h: f64) -> Result<(), Infallible> {
        let half = state.len() / 2;
        let (q, p) = state.split_at_mut(half);
        q.iter_mut().zip((self.grad_k)(p)).for_each(|(q, velocity)| *q += T::of(h) * velocity);
        Ok(())
    }

    fn field(&self, state: &Vec<T>) -> Result<Vec<T>, Infallible> {
        self.gradients.update(|n| n + 1);
        let (q, p) = state.split_at(state.len() / 2);
        Ok((self.grad_k)(p).into_iter().chain((self.grad_u)(q).into_iter().map(|force| -force)).collect())
    }

    fn advance(&self, state: &mut Vec<T>, h: f64, field: &Vec<T>) -> Result<(), Infallible> {
        state.iter_mut().zip(field).for_each(|(x, &rate)| *x += T::of(h) * rate);
        Ok(())
    }

    fn settled(&self, before: &Vec<T>, after: &Vec<T>) -> Result<bool, Infallible> {
        let scale = after.iter().fold(1.0, |scale: f64, x| scale.max(x.wide().abs()));
        let gap = gap(before, after);
        Ok(gap <= 2.0 * self.rounding * scale || !gap.is_finite())
    }
}

/// H = (q² + p²)/2.
fn oscillator() -> Toy<f64> {
    Toy { grad_u: <[f64]>::to_vec, grad_k: <[f64]>::to_vec, rounding: f64::EPSILON, gradients: Cell::new(0) }
}

/// H = p²/2 − cos q.
fn pendulum() -> Toy<f64> {
    Toy { grad_u: |q| vec![q[0].sin()], ..oscillator() }
}

/// Two coupled dimensions, neither part quadratic: U = (q₁² + 2q₂²)/2 + q₁⁴/4 + q₁²q₂/2,
/// K = |p|²/2 + |p|⁴/8 + 3p₁p₂/10.
fn anharmonic<T: Real>(rounding: f64) -> Toy<T> {
    let grad_u = |q: &[T]| {
        let (x, y) = (q[0], q[1]);
        vec![x + x * x * x + x * y, T::of(2.0) * y + T::of(0.5) * x * x]
    };
    let grad_k = |p: &[T]| {
        let scale = T::ONE + T::of(0.5) * (p[0] * p[0] + p[1] * p[1]);
        vec![scale * p[0] + T::of(0.3) * p[1], scale * p[1] + T::of(0.3) * p[0]]
    };
    Toy { grad_u, grad_k, rounding, gradients: Cell::new(0) }
}

/// Where the laws on the anharmonic system begin.
const START: [f64; 4] = [0.6, -0.4, 0.3, 0.5];

#[test]
fn order_is_the_stated_one() {
    // Neither end is at q = 0: there symplectic Euler, which is leapfrog between a half kick and its inverse, is of
    // order 2.
    let (time, [start, exact]) = (4.0, [1.0, 5.0].map(|time| swing(0.8, time)));
    for scheme in &SCHEMES {
        let error = |n: usize| gap(&go(scheme, &pendulum(), &start, time / n as f64, n), &exact);
        let orders = [20, 40].map(|n| (error(n) / error(2 * n)).log2());
        println!("{}: orders {orders:.3?}, error at 80 {:.2e}", scheme.name, error(80));
        // The finer pair: at the coarser one Ruth's next term still shows, by 0.19. A missed order condition costs a
        // whole order; rounding, 1e-14, is far below the smallest error at 80 steps, 1e-8.
        assert!((orders[1] - f64::from(scheme.order)).abs() < 0.15, "{}: {orders:?}", scheme.name);
    }
}

#[test]
fn stability_limit_is_the_stated_one() {
    for scheme in &SCHEMES {
        // A scheme at its limit has a double eigenvalue: 1e-16 in the matrix is 1e-8 in its radius. BCSS 3-stage
        // touches the unit circle once before, to the fourteen digits of its coefficients: 1e-7 in the radius.
        let stable = |h: f64| radius(scheme, h) <= 1.0 + 1e-6;
        // Scanning upwards finds the first loss of stability, where there are islands beyond it.
        let first = (1..=1000).map(|i| f64::from(i) * 0.01).find(|&h| !stable(h));
        match scheme.stability {
            Stability::Never => assert_eq!(first, Some(0.01), "{}", scheme.name),
            // What its iteration makes of a large step is the next law.
            Stability::Unconditional => assert_eq!(scheme.method, Method::ImplicitMidpoint),
            Stability::Limit(stated) => {
                let mut high = first.unwrap();
                let mut low = high - 0.01;
                while high - low > 1e-9 {
                    let middle = 0.5 * (low + high);
                    *if stable(middle) { &mut low } else { &mut high } = middle;
                }
                println!("{}: limit {low:.6}", scheme.name);
                // The table has six digits.
                assert!((low / stated - 1.0).abs() < 1e-5, "{}: {low}, stated {stated}", scheme.name);
            }
        }
    }
}

/// Energy is kept while h·ω < 2. The iteration's error is turned by 90° and scaled by h·ω/2 each time; what is left
/// after the 200 at most scales the energy by 1 + (h·ω/2)⁴⁰² a step. Beyond 2 that is no midpoint step, and the energy
/// shows it.
#[test]
fn implicit_midpoint_keeps_the_energy_while_its_iteration_contracts() {
    let scheme = Scheme::named("implicit-midpoint").unwrap();
    let energy = |h: f64, n_steps: usize| {
        let end = go(scheme, &oscillator(), &[0.0, 1.0], h, n_steps);
        0.5 * (end[0] * end[0] + end[1] * end[1])
    };
    for h in [0.5, 1.0, 1.9f64] {
        let gap = (energy(h, 50) / 0.5 - 1.0).abs();
        println!("implicit-midpoint: energy off by {gap:.1e} at h = {h}");
        // That for 50 steps with a tenth to spare, and some ten roundings a step.
        assert!(gap < 50.0 * (1.1 * (h / 2.0).powi(402) + 2e-15), "h = {h}: {gap:e}");
    }
    assert!(energy(2.1, 1) > 1e3);
}

#[test]
fn going_back_returns_to_the_start() {
    for scheme in &SCHEMES {
        // Some 200 stages round by 1e-16 or 6e-8 each, and the flow stretches errors little in two units of time. The
        // explicit methods have no inverse but the iteration's, which settles at this step.
        let double = there_and_back(scheme, &anharmonic::<f64>(f64::EPSILON), 1e-12);
        let single = there_and_back(scheme, &anharmonic::<f32>(f32::EPSILON.into()), 1e-5);
        println!("{}: back to {double:.1e} in f64, {single:.1e} in f32", scheme.name);
    }
}

fn there_and_back<T: Real>(scheme: &Scheme, system: &Toy<T>, tolerance: f64) -> f64 {
    let start = START.map(T::of);
    let mut state = go(scheme, system, &start, 0.1, 20);
    assert!(gap(&state, &start) > 0.1, "{}: it went nowhere", scheme.name);
    let Ok(()) = integrate_back(scheme, system, &mut state, 0.1, 20);
    let gap = gap(&state, &start);
    assert!(gap < tolerance, "{}: off by {gap:e}", scheme.name);
    gap
}

/// ρΦρΦ is the identity for those marked, and for no other.
#[test]
fn flipping_the_momentum_reverses_those_marked() {
    let flipped = |state: Vec<f64>| vec![state[0], state[1], -state[2], -state[3]];
    for scheme in &SCHEMES {
        let system = anharmonic::<f64>(f64::EPSILON);
        let turned = flipped(go(scheme, &system, &START, 0.1, 20));
        let gap = gap(&flipped(go(scheme, &system, &turned, 0.1, 20)), &START);
        println!("{}: reversed to {gap:.1e}", scheme.name);
        // Rounding as above; what is not symmetric misses by about its error, at the least 5e-6 (RK4).
        assert!(if scheme.reversible { gap < 1e-12 } else { gap > 1e-6 }, "{}: {gap:e}", scheme.name);
    }
}

/// |log |det J|| over three large steps, and JᵀΩJ − Ω.
///
/// Central differences with 1e-5: 1e-10 for the third derivative and 1e-11 for rounding, times what three steps of the
/// flow make of it. The step is large, for RK4 loses volume with h⁶ only.
#[test]
fn volume_and_symplectic_form_are_kept_by_those_marked() {
    let omega = DMatrix::from_fn(4, 4, |i, j| f64::from(i8::from(i + 2 == j) - i8::from(j + 2 == i)));
    for scheme in &SCHEMES {
        let moved = |j: usize, by: f64| {
            let mut start = START;
            start[j] += by;
            go(scheme, &anharmonic::<f64>(f64::EPSILON), &start, 0.4, 3)
        };
        let jacobian = DMatrix::from_fn(4, 4, |i, j| (moved(j, 1e-5)[i] - moved(j, -1e-5)[i]) / 2e-5);
        let log_det = jacobian.determinant().abs().ln().abs();
        let form = (jacobian.transpose() * &omega * &jacobian - &omega).amax();
        println!("{}: |log det| {log_det:.1e}, form {form:.1e}", scheme.name);
        assert!(if scheme.volume_preserving { log_det < 1e-7 } else { log_det > 1e-4 }, "{}: {log_det:e}", scheme.name);
        assert!(if scheme.symplectic { form < 1e-7 } else { form > 1e-4 }, "{}: {form:e}", scheme.name);
    }
}

#[test]
fn gradients_are_as_many_as_stated() {
    for scheme in &SCHEMES {
        let count = |n_steps| {
            let system = pendulum();
            go(scheme, &system, &[0.5, 1.0], 0.1, n_steps);
            system.gradients.get()
        };
        match scheme.gradients {
            Some(stated) => assert_eq!(count(30) - count(10), 20 * stated, "{}", scheme.name),
            None => {
                assert_eq!(scheme.method, Method::ImplicitMidpoint, "{}: only an iteration has no number", scheme.name)
            }
        }
    }
}

/// The oscillator from (0, 1), 20 steps and 20 back: leapfrog with −h retraces its path; symplectic Euler with −h does
/// not, since its inverse drifts before it kicks; with that inverse it does.
#[test]
fn leapfrog_retraces_its_path_and_symplectic_euler_needs_its_inverse() {
    type Back = fn(&Scheme, &Toy<f64>, &mut Vec<f64>, f64, usize) -> Result<(), Infallible>;
    let negated: Back = |scheme, system, state, h, n| integrate(scheme, system, state, -h, n);
    let rows: [(&str, Back, bool); 3] =
        [("leapfrog", negated, true), ("symplectic-euler", negated, false), ("symplectic-euler", integrate_back, true)];
    for ((name, back, retraces), h) in rows.into_iter().flat_map(|row| [0.3, 0.8, 1.5].map(|h| (row, h))) {
        let (scheme, system) = (Scheme::named(name).unwrap(), oscillator());
        let mut path = vec![vec![0.0, 1.0]];
        for i in 0..20 {
            path.push(go(scheme, &system, &path[i], h, 1));
        }
        let mut state = path[20].clone();
        let mut widest: f64 = 0.0;
        for there in path[..20].iter().rev() {
            let Ok(()) = back(scheme, &system, &mut state, h, 1);
            widest = widest.max(gap(&state, there));
        }
        println!("{name} at {h}: {widest:.1e} off its path");
        // 40 steps' rounding on a path of size one to three; the two paths of symplectic Euler differ by the order of
        // h.
        assert!(if retraces { widest < 1e-13 } else { widest > 0.1 }, "{name} at {h}: {widest:e}");
    }
}

fn go<T: Real>(scheme: &Scheme, system: &Toy<T>, start: &[T], h: f64, n_steps: usize) -> Vec<T> {
    let mut state = start.to_vec();
    let Ok(()) = integrate(scheme, system, &mut state, h, n_steps);
    state
}

/// Largest difference; not a number where one is.
fn gap<T: Real>(a: &[T], b: &[T]) -> f64 {
    let gaps = a.iter().zip(b).map(|(a, b)| (a.wide() - b.wide()).abs());
    gaps.fold(0.0, |widest, gap| if gap > widest || gap.is_nan() { gap } else { widest })
}

/// Spectral radius of the step matrix on the oscillator, whose columns are the images of the basis.
fn radius(scheme: &Scheme, h: f64) -> f64 {
    let [left, right] = [[1.0, 0.0], [0.0, 1.0]].map(|basis| go(scheme, &oscillator(), &basis, h, 1));
    let (half_trace, det) = (0.5 * (left[0] + right[1]), left[0] * right[1] - left[1] * right[0]);
    let discriminant = half_trace * half_trace - det;
    if discriminant < 0.0 { det.sqrt() } else { half_trace.abs() + discriminant.sqrt() }
}

/// The pendulum from (0, 2k) at `time`: q = 2 arcsin(k sn t), p = 2k cn t, with sn and cn by the descending
/// arithmetic-geometric mean (Abramowitz & Stegun 16.4), which shares nothing with the schemes.
fn swing(k: f64, time: f64) -> [f64; 2] {
    let mut rows = vec![(1.0, (1.0 - k * k).sqrt(), k)];
    for i in 0..8 {
        let (a, b, _): (f64, f64, f64) = rows[i];
        rows.push((0.5 * (a + b), (a * b).sqrt(), 0.5 * (a - b)));
    }
    let mut phi = 256.0 * rows[8].0 * time; // 2⁸ aₙ t
    for (a, _, c) in rows[1..].iter().rev() {
        phi = 0.5 * (phi + (c / a * phi.sin()).asin());
    }
    [2.0 * (k * phi.sin()).asin(), 2.0 * k * phi.cos()]
}
