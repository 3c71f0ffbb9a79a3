//! The augmented trajectory of a block of chains, forth or back in time chain by chain, and the way back through it.
//!
//! Formulas are those of the sampler's trajectory. Lanes without a chain repeat the last one, and their cotangents are zero.
//! What the networks keep of a trajectory of ten steps is some 440 KiB with ten units in two dimensions: it stays in the
//! second-level cache. Shapes: a coordinate a row of 64 lanes; the target's rows `[m, d]`.

use flow_sdk::kernels::chain::{LANES, Lanes, gather, map, map2, map3, scatter};
use flow_sdk::kernels::dispatch;
use flow_sdk::kernels::panel::Buffer;
use flow_sdk::kernels::real::Real;
use flow_sdk::{Element, Result, Target};

use super::net::{Net, Sums};
use super::update::{Steps, Update, work_rows};

/// Updates a step: velocities, positions, the other positions, velocities.
const UPDATES: usize = 4;

/// Parameters, prepared.
#[derive(Debug, Default)]
pub(super) struct Rule<T> {
    pub velocity: Net<T>,
    pub position: Net<T>,
    pub epsilon: T,
    /// `[M, d]`, ones and zeros.
    pub masks: Vec<T>,
    /// (cos 2πk/M, sin 2πk/M).
    pub times: Vec<[T; 2]>,
    pub dim: usize,
    pub hidden: usize,
}

/// Where chains are, and what is kept of how they came there.
#[derive(Debug)]
pub(super) struct Block<T> {
    /// Number of chains, at most [`LANES`].
    pub chains: usize,
    pub x: Vec<Lanes<T>>,
    pub v: Vec<Lanes<T>>,
    pub grad: Vec<Lanes<T>>,
    pub log_det: Lanes<T>,
    /// 1 forth in time, −1 back.
    pub signs: Lanes<T>,
    /// Cotangents: of x, v and ∇ log γ, of log |J|.
    pub x_bar: Vec<Lanes<T>>,
    pub v_bar: Vec<Lanes<T>>,
    grad_bar: Vec<Lanes<T>>,
    pub log_det_bar: Lanes<T>,
    /// x after every step, `[M, m, d]`.
    pub places: Vec<T>,
    /// log γ `[m]` and ∇ log γ `[m, d]` at the end.
    pub value: Vec<T>,
    pub slope: Vec<T>,
    rows: Vec<T>,
    drive_bar: Vec<Lanes<T>>,
    kept: Buffer<T, LANES>,
    work: Buffer<T, LANES>,
}

impl<T: Element> Rule<T> {
    fn steps(&self) -> usize {
        self.masks.len() / self.dim
    }

    /// Takes chains to the end of their trajectories; keeps what [`Rule::backward`] needs where it is to come.
    pub fn forward(&self, block: &mut Block<T>, target: &Target, keep: bool) -> Result<()> {
        let (steps, m, dim) = (self.steps(), block.chains, self.dim);
        block.places.resize(steps * m * dim, T::ZERO);
        block.slope.resize(m * dim, T::ZERO);
        block.value.resize(m, T::ZERO);
        block.kept.resize(if keep { steps } else { 1 } * UPDATES * self.rows());
        for step in 0..steps {
            let slot = if keep { step } else { 0 };
            self.kick(block, step, slot, 0);
            self.drift(block, step, slot, 1);
            self.drift(block, step, slot, 2);
            let place = &mut block.places[step * m * dim..(step + 1) * m * dim];
            write_rows(&block.x, place);
            if step + 1 == steps {
                target.evaluate_rows(place, &mut block.value, &mut block.slope)?;
            } else {
                target.grad_rows(place, dim, &mut block.slope)?;
            }
            read_rows(&block.slope, &mut block.grad);
            self.kick(block, step, slot, UPDATES - 1);
        }
        Ok(())
    }

    /// Takes the cotangents of the end to the parameters.
    pub fn backward(&self, block: &mut Block<T>, target: &Target, [kicks, drifts]: &mut [Sums<T>; 2]) -> Result<()> {
        let (steps, m, dim) = (self.steps(), block.chains, self.dim);
        block.work.resize(work_rows(&self.velocity, dim));
        block.rows.resize(m * dim, T::ZERO);
        block.grad_bar.fill([T::ZERO; LANES]);
        for step in (0..steps).rev() {
            self.kick_back(block, step, UPDATES - 1, kicks);
            write_rows(&block.grad_bar, &mut block.rows);
            let place = &block.places[step * m * dim..(step + 1) * m * dim];
            target.hvp_rows(place, &block.rows, dim, &mut block.slope)?;
            read_rows(&block.slope, &mut block.grad_bar);
            silence(&mut block.grad_bar, m);
            add(&mut block.x_bar, &block.grad_bar);
            block.grad_bar.fill([T::ZERO; LANES]);
            self.drift_back(block, step, 2, drifts);
            self.drift_back(block, step, 1, drifts);
            self.kick_back(block, step, 0, kicks);
        }
        Ok(())
    }

    fn kick(&self, block: &mut Block<T>, step: usize, slot: usize, index: usize) {
        let dim = self.dim;
        let Block { x, v, grad, signs, log_det, kept, .. } = block;
        let mut update = self.update(&self.velocity, kept, slot, index);
        update.net.inputs[..dim].copy_from_slice(x);
        for (input, grad) in update.net.inputs[dim..2 * dim].iter_mut().zip(&*grad) {
            *input = map(grad, |grad| -grad);
        }
        self.tell_time(&mut update, step, signs);
        update.forward(&self.velocity, self.half(), signs, v, grad, log_det);
    }

    /// Of the coordinates that the mask leaves, or else of the other ones.
    fn drift(&self, block: &mut Block<T>, step: usize, slot: usize, index: usize) {
        let (dim, mirrored) = (self.dim, self.steps() - 1 - step);
        let Block { x, v, signs, log_det, kept, .. } = block;
        let mut update = self.update(&self.position, kept, slot, index);
        update.net.inputs[..dim].copy_from_slice(v);
        for i in 0..dim {
            // Back in time the masks are exchanged.
            let (forth, back) = (self.masks[step * dim + i], T::ONE - self.masks[mirrored * dim + i]);
            let [forth, back] = [forth, back].map(|keep| if index == 1 { keep } else { T::ONE - keep });
            let keep = map(signs, |sign| if sign > T::ZERO { forth } else { back });
            update.net.inputs[dim + i] = map2(&keep, &x[i], |keep, x| keep * x);
            update.keep[i] = keep;
        }
        self.tell_time(&mut update, step, signs);
        update.forward(&self.position, self.whole(), signs, x, v, log_det);
    }

    fn kick_back(&self, block: &mut Block<T>, slot: usize, index: usize, sums: &mut Sums<T>) {
        let Block { x_bar, v_bar, grad_bar, drive_bar, log_det_bar, signs, kept, work, .. } = block;
        let update = self.update(&self.velocity, kept, slot, index);
        let (net, steps, work) = (&self.velocity, self.half(), work.rows_mut());
        let inputs_bar = update.backward(net, steps, signs, v_bar, drive_bar, log_det_bar, sums, work);
        let (of_x, of_force) = inputs_bar.split_at(self.dim);
        add(x_bar, of_x);
        for (grad, (drive, force)) in grad_bar.iter_mut().zip(drive_bar.iter().zip(of_force)) {
            *grad = map3(grad, drive, force, |grad, drive, force| grad + drive - force);
        }
    }

    fn drift_back(&self, block: &mut Block<T>, slot: usize, index: usize, sums: &mut Sums<T>) {
        let Block { x_bar, v_bar, drive_bar, log_det_bar, signs, kept, work, .. } = block;
        let update = self.update(&self.position, kept, slot, index);
        let (net, steps, work) = (&self.position, self.whole(), work.rows_mut());
        let inputs_bar = update.backward(net, steps, signs, x_bar, drive_bar, log_det_bar, sums, work);
        let (of_v, of_seen) = inputs_bar.split_at(self.dim);
        add(v_bar, of_v);
        add(v_bar, drive_bar);
        for (x, (seen, keep)) in x_bar.iter_mut().zip(of_seen.iter().zip(&*update.keep)) {
            *x = map3(x, seen, keep, |x, seen, keep| x + seen * keep);
        }
    }

    fn tell_time(&self, update: &mut Update<'_, T>, step: usize, signs: &Lanes<T>) {
        let (forth, back) = (self.times[step], self.times[self.steps() - 1 - step]);
        for (row, (forth, back)) in forth.into_iter().zip(back).enumerate() {
            update.net.inputs[2 * self.dim + row] = map(signs, |sign| if sign > T::ZERO { forth } else { back });
        }
    }

    /// What update number `index` of a step keeps.
    fn update<'a>(&self, net: &Net<T>, kept: &'a mut Buffer<T, LANES>, slot: usize, index: usize) -> Update<'a, T> {
        let rows = self.rows();
        let at = (slot * UPDATES + index) * rows;
        let masked = (1..UPDATES - 1).contains(&index);
        Update::of(net, self.dim, self.hidden, masked, &mut kept.rows_mut()[at..at + rows])
    }

    fn half(&self) -> Steps<T> {
        Steps { own: T::HALF * self.epsilon, epsilon: self.epsilon }
    }

    fn whole(&self) -> Steps<T> {
        Steps { own: self.epsilon, epsilon: self.epsilon }
    }

    /// Rows that one update keeps.
    fn rows(&self) -> usize {
        Update::<T>::rows(self.dim, self.hidden)
    }
}

impl<T: Real> Default for Block<T> {
    fn default() -> Self {
        let rows = Vec::new;
        let (zeros, values) = ([T::ZERO; LANES], Vec::new);
        Self {
            chains: 0,
            x: rows(),
            v: rows(),
            grad: rows(),
            log_det: zeros,
            signs: zeros,
            x_bar: rows(),
            v_bar: rows(),
            grad_bar: rows(),
            log_det_bar: zeros,
            places: values(),
            value: values(),
            slope: values(),
            rows: values(),
            drive_bar: rows(),
            kept: Buffer::default(),
            work: Buffer::default(),
        }
    }
}

impl<T: Real> Block<T> {
    /// Makes room for chains.
    pub fn resize(&mut self, chains: usize, dim: usize) {
        self.chains = chains;
        let Self { x, v, grad, x_bar, v_bar, grad_bar, drive_bar, .. } = self;
        for rows in [x, v, grad, x_bar, v_bar, grad_bar, drive_bar] {
            rows.resize(dim, [T::ZERO; LANES]);
        }
    }
}

/// Lanes without a chain take no part in any sum.
pub(super) fn silence<T: Real>(rows: &mut [Lanes<T>], chains: usize) {
    rows.iter_mut().for_each(|row| row[chains..].fill(T::ZERO));
}

/// Rows `[m, d]` into lanes.
pub(super) fn read_rows<T: Real>(rows: &[T], lanes: &mut [Lanes<T>]) {
    dispatch!(_L => gather(rows, lanes.len(), 0..lanes.len(), lanes));
}

/// Lanes into rows `[m, d]`.
fn write_rows<T: Real>(lanes: &[Lanes<T>], rows: &mut [T]) {
    dispatch!(_L => scatter(lanes, lanes.len(), 0..lanes.len(), rows));
}

fn add<T: Real>(to: &mut [Lanes<T>], by: &[Lanes<T>]) {
    for (to, by) in to.iter_mut().zip(by) {
        *to = map2(to, by, |to, by| to + by);
    }
}
