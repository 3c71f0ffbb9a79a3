//! The flow on slices, a tile of points at a time, with the reverse pass.
//!
//! A tile goes through prior, trajectory and encoder, or the other way round, is handed out, and comes back through all of
//! it, so that the activations of its trajectory stay in cache. Formulas are those of the flow. Shapes: rows `[m, d]`, tiles
//! as columns. Deviation: none.

mod density;
mod sampling;

use std::ops::Range;

use flow_sdk::kernels::conditional::{Conditional, ConditionalWork};
use flow_sdk::kernels::scratch::Scratch;
use flow_sdk::kernels::trajectory::{Accumulator, KeptTile, Prepared, Tile, Trajectory, Workspace};
use flow_sdk::{Base, Element, Layout, Result};
use phase_space::{Dynamics, Encoder, Memory};

/// A Hamiltonian flow whose scheme is a splitting.
#[derive(Debug)]
pub(crate) struct Kernel {
    trajectory: Trajectory,
    inverse: Trajectory,
    keep: bool,
    step_size: f64,
    n_step_sizes: usize,
    learnt_steps: Option<Range<usize>>,
    encoder: (Conditional, usize),
    momentum: Option<(Conditional, usize)>,
    base: Base,
    importance_samples: usize,
    scratch: Scratch,
}

/// What a thread works in.
struct Work<T> {
    /// Parameters that everything here was prepared for.
    params: Vec<T>,
    prepared: Prepared<T>,
    steps: Vec<T>,
    workspace: Workspace<T>,
    kept: KeptTile<T>,
    grad: Accumulator<T>,
    encoder: ConditionalWork<T>,
    momentum: ConditionalWork<T>,
    tile: Tile<T>,
    cotangent: Tile<T>,
    /// Rows of the prior, then of x and its cotangents; numbers of each point.
    start: Vec<T>,
    x: Vec<T>,
    grad_x: Vec<T>,
    noise: Vec<T>,
    log_q: Vec<T>,
    grad_log_q: Vec<T>,
    log_f: Vec<T>,
    unused: Vec<T>,
    /// Log-weights of importance samples, then their cotangents.
    log_w: Vec<T>,
}

impl<T: Element> Default for Work<T> {
    fn default() -> Self {
        Self {
            params: Vec::new(),
            prepared: Prepared::default(),
            steps: Vec::new(),
            workspace: Workspace::default(),
            kept: KeptTile::default(),
            grad: Accumulator::default(),
            encoder: ConditionalWork::default(),
            momentum: ConditionalWork::default(),
            tile: Tile::new(1, 1),
            cotangent: Tile::new(1, 1),
            start: Vec::new(),
            x: Vec::new(),
            grad_x: Vec::new(),
            noise: Vec::new(),
            log_q: Vec::new(),
            grad_log_q: Vec::new(),
            log_f: Vec::new(),
            unused: Vec::new(),
            log_w: Vec::new(),
        }
    }
}

impl Kernel {
    /// For a flow made of these; none where the scheme is not a splitting.
    pub fn new(
        dynamics: &Dynamics,
        encoder: &Encoder,
        momentum: Option<&Encoder>,
        base: Base,
        importance_samples: usize,
        layout: &Layout,
    ) -> Result<Option<Self>> {
        let Some(trajectory) = dynamics.trajectory(layout) else { return Ok(None) };
        let Some(inverse) = dynamics.inverse_trajectory(layout) else { return Ok(None) };
        let settings = dynamics.settings();
        Ok(Some(Self {
            trajectory,
            inverse,
            keep: settings.memory == Memory::Stored,
            step_size: settings.step_size,
            n_step_sizes: dynamics.n_step_sizes(),
            learnt_steps: dynamics.learnt_steps(layout)?,
            encoder: encoder.kernel(layout)?,
            momentum: momentum.map(|momentum| momentum.kernel(layout)).transpose()?,
            base,
            importance_samples,
            scratch: Scratch::default(),
        }))
    }

    /// [`Kernel::prepare`], and gradients at zero.
    fn start<T: Element>(&self, params: &[T], work: &mut Work<T>) {
        self.prepare(params, work);
        work.grad.reset(&self.trajectory, self.n_step_sizes);
        self.encoder.0.reset(&mut work.encoder);
        if let Some((momentum, _)) = &self.momentum {
            momentum.reset(&mut work.momentum);
        }
    }

    /// Adds the gradients since [`Kernel::start`] to flat ones.
    fn finish<T: Element>(&self, work: &Work<T>, grad: &mut [T]) {
        work.grad.fold_into(&self.trajectory, grad);
        if let Some(range) = &self.learnt_steps {
            let steps = work.steps.iter().zip(work.grad.steps());
            for (grad, (h, of_h)) in grad[range.clone()].iter_mut().zip(steps) {
                *grad += T::of(h.wide() * of_h);
            }
        }
        self.encoder.0.fold_into(&work.encoder, &mut grad[self.encoder.1..]);
        if let Some((momentum, offset)) = &self.momentum {
            momentum.fold_into(&work.momentum, &mut grad[*offset..]);
        }
    }

    /// Takes the cotangents of the last tile's end to those of its start, along one of the two trajectories.
    fn reverse_tile<T: Element>(&self, along: &Trajectory, work: &mut Work<T>) {
        let kept = self.keep.then_some(&work.kept);
        along.reverse_tile(
            &work.prepared,
            &work.steps,
            &work.tile,
            kept,
            &mut work.cotangent,
            &mut work.grad,
            &mut work.workspace,
        );
    }

    /// Packs parameters, unless they are those of the last call: several calls make a step.
    fn prepare<T: Element>(&self, params: &[T], work: &mut Work<T>) {
        if work.params == params {
            return;
        }
        work.params.clear();
        work.params.extend_from_slice(params);
        self.trajectory.prepare(params, &mut work.prepared);
        self.encoder.0.prepare(&params[self.encoder.1..], &mut work.encoder);
        if let Some((momentum, offset)) = &self.momentum {
            momentum.prepare(&params[*offset..], &mut work.momentum);
        }
        work.steps.clear();
        match &self.learnt_steps {
            Some(range) => work.steps.extend(params[range.clone()].iter().map(|log| T::of(log.wide().exp()))),
            None => work.steps.resize(self.n_step_sizes, T::of(self.step_size)),
        }
        if work.tile.parts().0.len() != self.trajectory.dim * work.tile.len() {
            work.tile = Tile::new(self.trajectory.dim, 1);
            work.cotangent = work.tile.clone();
        }
    }
}

/// Rows of `width` into columns, or columns of that length into rows.
fn transpose<T: Element>(from: &[T], width: usize, to: &mut [T]) {
    let height = from.len() / width;
    for (i, row) in from.chunks_exact(width).enumerate() {
        row.iter().enumerate().for_each(|(j, &value)| to[j * height + i] = value);
    }
}
