//! A whole trajectory of kicks and drifts through learnt energies, with its reverse pass, a block of points at a time.
//!
//! State (q, p) ∈ ℝ²ᵈ. One move is p ← p − c·h·∇U(q) or q ← q + c·h·∇K(p); which energy, which step size h and which
//! coefficient c comes from a list, so one loop serves every splitting scheme, any number of Hamiltonians, and inverses.
//!
//! Reverse pass of p′ = p + s·∇U(q) with s = −c·h, for cotangents (q̄, p̄): q̄ += s·Hess U(q)·p̄, ∂θ += s·∂(p̄ᵀ∇U(q))/∂θ,
//! ∂h += −c·p̄ᵀ∇U(q); drifts alike with the roles exchanged. It needs the point at which the force was taken and the
//! network's activations there: either kept by the forward pass, or rebuilt from the end by undoing each move, which
//! costs the force once more and constant memory (Gomez et al. 2017, arXiv 1707.04585, section 3.2; for Hamiltonian flows
//! Toth et al. 2019, arXiv 1909.13789). Rebuilding is exact up to rounding: p + s∇U − s∇U.
//!
//! Shapes: states are `[n, 2d]` row-major, q before p. Deviation: none.

use crate::mlp::{Memo, Mlp};
use crate::real::Real;

/// Points that go through all moves together: their activations stay in cache.
const BLOCK: usize = 64;

/// An energy of one half of the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Energy {
    /// A learnt network.
    Network(Mlp),
    /// ½ Σ xᵢ² e^{−λᵢ}: the kinetic energy of masses e^λ; parameters λ `[d]`.
    Quadratic,
    /// ½ Σ xᵢ²: of unit masses, without parameters.
    Unit,
}

/// One kick or drift.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Move {
    /// Index of the energy whose gradient is taken.
    pub energy: usize,
    /// A kick takes it at q and changes p; a drift the other way round.
    pub kick: bool,
    /// Index of the step size.
    pub step: usize,
    /// Fraction of the step, negative for going back.
    pub coefficient: f64,
}

/// Energies, where their parameters are, and the moves through them.
#[derive(Clone, Debug, PartialEq)]
pub struct Trajectory {
    /// Dimension d of q and of p.
    pub dim: usize,
    /// Each energy with the offset of its parameters.
    pub energies: Vec<(Energy, usize)>,
    /// In the order in which they are made.
    pub moves: Vec<Move>,
}

/// What a forward pass kept, block by block.
#[derive(Debug)]
pub struct Kept<T> {
    blocks: Vec<Vec<Force<T>>>,
}

/// Gradients of a scalar in everything that a trajectory depends on.
#[derive(Clone, Debug, PartialEq)]
pub struct Gradients<T> {
    /// In the flat parameters.
    pub params: Vec<T>,
    /// In the step sizes.
    pub steps: Vec<T>,
    /// In the start, `[n, 2d]`.
    pub start: Vec<T>,
}

/// A force at a block of points, with what its reverse pass needs.
#[derive(Debug)]
enum Force<T> {
    Network(Memo<T>),
    Quadratic { x: Vec<T>, rates: Vec<T> },
    Unit { x: Vec<T> },
}

impl Trajectory {
    /// The end `[n, 2d]` of the trajectory from `start` `[n, 2d]`; `keep` keeps what [`Trajectory::reverse`] needs.
    pub fn run<T: Real>(&self, params: &[T], steps: &[T], start: &[T], keep: bool) -> (Vec<T>, Option<Kept<T>>) {
        let mut end = vec![T::ZERO; start.len()];
        let mut blocks = Vec::new();
        for (from, to) in start.chunks(self.block()).zip(end.chunks_mut(self.block())) {
            let mut state = State::read(from, self.dim);
            let mut forces = Vec::with_capacity(if keep { self.moves.len() } else { 0 });
            for step in &self.moves {
                let (force, gradient) = self.force(params, step, &state);
                state.add(step.kick, step.signed::<T>() * steps[step.step], &gradient);
                if keep {
                    forces.push(force);
                }
            }
            state.write(to);
            if keep {
                blocks.push(forces);
            }
        }
        (end, keep.then_some(Kept { blocks }))
    }

    /// Gradients of Σ end·cotangent, both `[n, 2d]`. Without `kept` the states are rebuilt from the end.
    pub fn reverse<T: Real>(
        &self,
        params: &[T],
        steps: &[T],
        end: &[T],
        kept: Option<&Kept<T>>,
        cotangent: &[T],
    ) -> Gradients<T> {
        let mut result = Gradients {
            params: vec![T::ZERO; params.len()],
            steps: vec![T::ZERO; steps.len()],
            start: vec![T::ZERO; end.len()],
        };
        let blocks = end.chunks(self.block()).zip(cotangent.chunks(self.block()));
        for (index, ((end, cotangent), start)) in blocks.zip(result.start.chunks_mut(self.block())).enumerate() {
            let mut state = State::read(end, self.dim);
            let mut adjoint = State::read(cotangent, self.dim);
            let mut product = vec![T::ZERO; state.half()];
            for (position, step) in self.moves.iter().enumerate().rev() {
                let scale = step.signed::<T>() * steps[step.step];
                let rebuilt;
                let force = match kept {
                    Some(kept) => &kept.blocks[index][position],
                    None => {
                        let (force, gradient) = self.force(params, step, &state);
                        state.add(step.kick, -scale, &gradient);
                        rebuilt = force;
                        &rebuilt
                    }
                };
                let (energy, offset) = &self.energies[step.energy];
                let slots = *offset..offset + energy.n_params(self.dim);
                let v = adjoint.part(!step.kick);
                let along =
                    energy.reverse(&params[slots.clone()], force, v, scale, &mut result.params[slots], &mut product);
                result.steps[step.step] += step.signed::<T>() * along;
                adjoint.add(!step.kick, scale, &product);
            }
            adjoint.write(start);
        }
        result
    }

    /// ∇E where the move takes it.
    fn force<T: Real>(&self, params: &[T], step: &Move, state: &State<T>) -> (Force<T>, Vec<T>) {
        let (energy, offset) = &self.energies[step.energy];
        let x = state.part(step.kick);
        let mut gradient = vec![T::ZERO; x.len()];
        let slots = *offset..offset + energy.n_params(self.dim);
        let force = energy.gradient(&params[slots], x, self.dim, &mut gradient);
        (force, gradient)
    }

    fn block(&self) -> usize {
        BLOCK * 2 * self.dim
    }
}

impl Move {
    /// Coefficient of h·∇E: kicks subtract.
    fn signed<T: Real>(&self) -> T {
        T::of(if self.kick { -self.coefficient } else { self.coefficient })
    }
}

impl Energy {
    /// Number of parameters in d dimensions.
    pub fn n_params(&self, dim: usize) -> usize {
        match self {
            Self::Network(net) => net.n_params(),
            Self::Quadratic => dim,
            Self::Unit => 0,
        }
    }

    fn gradient<T: Real>(&self, params: &[T], x: &[T], dim: usize, out: &mut [T]) -> Force<T> {
        let m = x.len() / dim;
        match self {
            Self::Unit => {
                out.copy_from_slice(x);
                Force::Unit { x: x.to_vec() }
            }
            Self::Network(net) => Force::Network(net.gradient(params, x, m, out)),
            Self::Quadratic => {
                let rates: Vec<T> = params.iter().map(|lambda| T::of((-lambda.wide()).exp())).collect();
                for ((out, x), &rate) in out.chunks_mut(m).zip(x.chunks(m)).zip(&rates) {
                    out.iter_mut().zip(x).for_each(|(out, &x)| *out = rate * x);
                }
                Force::Quadratic { x: x.to_vec(), rates }
            }
        }
    }

    /// Adds to `grad`, writes the Hessian product with `v`, returns Σ vᵀ∇E.
    fn reverse<T: Real>(&self, params: &[T], force: &Force<T>, v: &[T], scale: T, grad: &mut [T], out: &mut [T]) -> T {
        match (self, force) {
            (Self::Network(net), Force::Network(memo)) => net.reverse(params, memo, v, scale, grad, out),
            (Self::Quadratic, Force::Quadratic { x, rates }) => {
                let m = x.len() / rates.len();
                let mut along = T::ZERO;
                let rows = v.chunks(m).zip(x.chunks(m)).zip(out.chunks_mut(m)).zip(rates).zip(grad);
                for ((((v, x), out), &rate), grad) in rows {
                    let mut sum = T::ZERO;
                    for ((out, &v), &x) in out.iter_mut().zip(v).zip(x) {
                        *out = rate * v;
                        sum += rate * v * x;
                    }
                    *grad -= scale * sum;
                    along += sum;
                }
                along
            }
            (Self::Unit, Force::Unit { x }) => {
                out.copy_from_slice(v);
                v.iter().zip(x).fold(T::ZERO, |sum, (&v, &x)| sum + v * x)
            }
            _ => unreachable!("a force is kept for the energy that made it"),
        }
    }
}

/// q and p of a block, each `[d, m]`: a point a column.
struct State<T> {
    q: Vec<T>,
    p: Vec<T>,
    dim: usize,
}

impl<T: Real> State<T> {
    fn read(rows: &[T], dim: usize) -> Self {
        let gather = |offset: usize| {
            (0..dim).flat_map(|i| rows.chunks_exact(2 * dim).map(move |row| row[offset + i])).collect::<Vec<T>>()
        };
        Self { q: gather(0), p: gather(dim), dim }
    }

    fn write(&self, rows: &mut [T]) {
        let m = self.half() / self.dim;
        for (j, row) in rows.chunks_exact_mut(2 * self.dim).enumerate() {
            for i in 0..self.dim {
                row[i] = self.q[i * m + j];
                row[self.dim + i] = self.p[i * m + j];
            }
        }
    }

    /// q or p.
    fn part(&self, q: bool) -> &[T] {
        if q { &self.q } else { &self.p }
    }

    /// Adds scale·x to p for a kick, else to q.
    fn add(&mut self, kick: bool, scale: T, x: &[T]) {
        let part = if kick { &mut self.p } else { &mut self.q };
        part.iter_mut().zip(x).for_each(|(part, &x)| *part += scale * x);
    }

    fn half(&self) -> usize {
        self.q.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mlp::Activation;
    use crate::philox::Stream;

    fn normals(seed: u64, count: usize) -> Vec<f64> {
        let mut stream = Stream::new(seed);
        (0..count).map(|_| 0.5 * stream.normal()).collect()
    }

    /// Two networks, two quadratic energies, two step sizes, moves of either sign.
    fn example() -> (Trajectory, Vec<f64>) {
        let (first, second) = (Mlp::new(2, &[4, 3], Activation::Softplus), Mlp::new(2, &[5], Activation::Tanh));
        let (a, b) = (first.n_params(), second.n_params());
        let energies = vec![
            (Energy::Network(first), 0),
            (Energy::Network(second), a),
            (Energy::Quadratic, a + b),
            (Energy::Unit, 0),
        ];
        let go = |energy, kick, step, coefficient| Move { energy, kick, step, coefficient };
        let moves = vec![
            go(0, true, 0, 0.5),
            go(1, false, 0, 1.0),
            go(0, true, 0, -0.25),
            go(2, false, 1, 0.7),
            go(1, true, 1, 0.3),
            go(3, false, 0, 0.6),
        ];
        (Trajectory { dim: 2, energies, moves }, normals(1, a + b + 2))
    }

    /// The reverse pass is the derivative in parameters, step sizes and start, kept or rebuilt; blocks do not matter.
    /// Central differences with h = 1e-5 for values of order one.
    #[test]
    fn reverse_pass_is_the_derivative() {
        let (trajectory, params) = example();
        let n = BLOCK + 3;
        let (steps, start, cotangent) = (vec![0.3, 0.7], normals(2, n * 4), normals(3, n * 4));
        let scalar = |params: &[f64], steps: &[f64], start: &[f64]| {
            let (end, _) = trajectory.run(params, steps, start, false);
            end.iter().zip(&cotangent).map(|(a, b)| a * b).sum::<f64>()
        };
        let (end, kept) = trajectory.run(&params, &steps, &start, true);
        let stored = trajectory.reverse(&params, &steps, &end, kept.as_ref(), &cotangent);
        let rebuilt = trajectory.reverse(&params, &steps, &end, None, &cotangent);
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
                        assert!(close, "{how} {name} {index}: {got} but {difference}");
                    }
                }
            };
        check("parameter", &params, &|g| g.params.clone(), &|params| scalar(params, &steps, &start));
        check("step", &steps, &|g| g.steps.clone(), &|steps| scalar(&params, steps, &start));
        check("start", &start, &|g| g.start.clone(), &|start| scalar(&params, &steps, start));
    }

    /// Reversed moves with negated coefficients undo a trajectory, to rounding.
    #[test]
    fn reversed_moves_undo() {
        let (trajectory, params) = example();
        let (steps, start) = (vec![0.3, 0.7], normals(4, 40));
        let (end, _) = trajectory.run(&params, &steps, &start, false);
        let undo = |step: &Move| Move { coefficient: -step.coefficient, ..*step };
        let back = Trajectory { moves: trajectory.moves.iter().rev().map(undo).collect(), ..trajectory };
        let (again, _) = back.run(&params, &steps, &end, false);
        assert!(start.iter().zip(&again).all(|(a, b)| (a - b).abs() < 1e-13));
    }
}
