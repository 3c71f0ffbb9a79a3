//! The flow on slices, a tile of points at a time: draws, their bound's density, and the reverse pass of both.
//!
//! A tile of points goes through prior, trajectory and encoder, is handed out, and comes back through all of it, so that the
//! activations of its trajectory stay in cache. Formulas are those of the flow. Shapes: rows `[m, d]`, tiles as columns.
//! Deviation: none.

use std::ops::Range;

use flow_sdk::kernels::conditional::{Conditional, ConditionalWork};
use flow_sdk::kernels::philox::derive_seed;
use flow_sdk::kernels::scratch::Scratch;
use flow_sdk::kernels::trajectory::{Accumulator, KeptTile, Prepared, TILE, Tile, Trajectory, Workspace};
use flow_sdk::{Base, Element, Layout, Pull, Result, Rows};
use phase_space::{Dynamics, Encoder, Memory};

/// A Hamiltonian flow whose scheme is a splitting.
#[derive(Debug)]
pub(crate) struct Kernel {
    trajectory: Trajectory,
    keep: bool,
    step_size: f64,
    n_step_sizes: usize,
    learnt_steps: Option<Range<usize>>,
    encoder: (Conditional, usize),
    momentum: Option<(Conditional, usize)>,
    base: Base,
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
        layout: &Layout,
    ) -> Result<Option<Self>> {
        let Some(trajectory) = dynamics.trajectory(layout) else { return Ok(None) };
        let settings = dynamics.settings();
        Ok(Some(Self {
            trajectory,
            keep: settings.memory == Memory::Stored,
            step_size: settings.step_size,
            n_step_sizes: dynamics.n_step_sizes(),
            learnt_steps: dynamics.learnt_steps(layout)?,
            encoder: encoder.kernel(layout)?,
            momentum: momentum.map(|momentum| momentum.kernel(layout)).transpose()?,
            base,
            scratch: Scratch::default(),
        }))
    }

    /// As [`Fused::sample_rows`](flow_sdk::Fused::sample_rows).
    pub fn sample_rows<T: Element>(&self, params: &[T], seed: u64, first: usize, x: &mut [T], log_q: &mut [T]) {
        let dim = self.trajectory.dim;
        self.scratch.with(|work: &mut Work<T>| {
            self.prepare(params, work);
            for (tile, (x, log_q)) in x.chunks_mut(TILE * dim).zip(log_q.chunks_mut(TILE)).enumerate() {
                self.forward(work, seed, first + tile * TILE, log_q.len(), false);
                x.copy_from_slice(&work.x);
                log_q.copy_from_slice(&work.log_q);
            }
        });
    }

    /// As [`Fused::sample_gradient`](flow_sdk::Fused::sample_gradient).
    pub fn sample_gradient<T: Element>(
        &self,
        params: &[T],
        seed: u64,
        rows: Range<usize>,
        pull: &mut Pull<'_, T>,
        grad: &mut [T],
    ) -> Result<()> {
        self.scratch.with(|work: &mut Work<T>| {
            self.prepare(params, work);
            work.grad.reset(&self.trajectory, self.n_step_sizes);
            self.encoder.0.reset(&mut work.encoder);
            if let Some((momentum, _)) = &self.momentum {
                momentum.reset(&mut work.momentum);
            }
            for first in rows.clone().step_by(TILE) {
                self.forward(work, seed, first, TILE.min(rows.end - first), self.keep);
                pull(Rows {
                    x: &work.x,
                    log_q: &work.log_q,
                    grad_x: &mut work.grad_x,
                    grad_log_q: &mut work.grad_log_q,
                })?;
                self.reverse(work);
            }
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
            Ok(())
        })
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

    /// Draws m rows from `first` on, their x and log q.
    fn forward<T: Element>(&self, work: &mut Work<T>, seed: u64, first: usize, m: usize, keep: bool) {
        let dim = self.trajectory.dim;
        for vector in [&mut work.log_q, &mut work.grad_log_q, &mut work.log_f] {
            vector.resize(m, T::ZERO);
        }
        for vector in [&mut work.x, &mut work.grad_x, &mut work.noise, &mut work.unused] {
            vector.resize(m * dim, T::ZERO);
        }
        work.tile.resize(m);
        if let Some((momentum, _)) = &self.momentum {
            self.base.fill(seed, first * dim, &mut work.x);
            self.base.log_density_rows(&work.x, &mut work.log_q);
            Base::Gaussian.fill(derive_seed(seed, 1, 0), first * dim, &mut work.grad_x);
            let (q, p) = work.tile.parts_mut();
            transpose(&work.x, dim, q);
            transpose(&work.grad_x, dim, &mut work.noise);
            momentum.draw(q, &work.noise, m, &mut work.momentum, p, &mut work.log_f);
            work.log_q.iter_mut().zip(&work.log_f).for_each(|(log_q, &log_f)| *log_q += log_f);
        } else {
            work.start.resize(2 * m * dim, T::ZERO);
            self.base.fill(seed, first * 2 * dim, &mut work.start);
            self.base.log_density_rows(&work.start, &mut work.log_q);
            work.tile.read(&work.start);
        }
        let kept = keep.then_some(&mut work.kept);
        self.trajectory.forward_tile(&work.prepared, &work.steps, &mut work.tile, kept, &mut work.workspace);
        let (q, p) = work.tile.parts();
        self.encoder.0.density(q, p, m, &mut work.encoder, &mut work.log_f);
        work.log_q.iter_mut().zip(&work.log_f).for_each(|(log_q, &log_f)| *log_q -= log_f);
        transpose(q, m, &mut work.x);
    }

    /// Takes the cotangents of the rows that were drawn last back to the parameters.
    fn reverse<T: Element>(&self, work: &mut Work<T>) {
        let (dim, m) = (self.trajectory.dim, work.tile.len());
        work.cotangent.resize(m);
        let (q_bar, p_bar) = work.cotangent.parts_mut();
        transpose(&work.grad_x, dim, q_bar);
        p_bar.fill(T::ZERO);
        // log q has the encoder's density with a minus.
        work.log_f.iter_mut().zip(&work.grad_log_q).for_each(|(of_f, &grad)| *of_f = -grad);
        self.encoder.0.reverse_density(&work.log_f, m, &mut work.encoder, q_bar, p_bar);
        let kept = self.keep.then_some(&work.kept);
        self.trajectory.reverse_tile(
            &work.prepared,
            &work.steps,
            &work.tile,
            kept,
            &mut work.cotangent,
            &mut work.grad,
            &mut work.workspace,
        );
        if let Some((momentum, _)) = &self.momentum {
            let (_, p_bar) = work.cotangent.parts();
            momentum.reverse_draw(p_bar, &work.grad_log_q, m, &mut work.momentum, &mut work.unused);
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
