//! The transition on slices, a block of chains at a time, with its reverse pass.
//!
//! Formulas are those of the sampler. Shapes: row-major `[m, d]`, a chain a row. Deviation: none.

mod dense;
mod net;
mod trajectory;
mod update;

use flow_sdk::kernels::chain::{LANES, Lanes, map, map2, map3};
use flow_sdk::kernels::real::Real;
use flow_sdk::kernels::scratch::Scratch;
use flow_sdk::kernels::simd::Portable;
use flow_sdk::{Element, PointRows, Proposals, PullProposals, Result, Target, TransitionRows, metropolis};
use net::Sums;
use trajectory::{Block, Rule, read_rows, silence};

/// Where the parameters are.
#[derive(Debug)]
pub(crate) struct Kernel {
    pub dim: usize,
    pub hidden: usize,
    pub n_steps: usize,
    /// Offsets of the networks' pieces, of log ε and of the masks.
    pub velocity: usize,
    pub position: usize,
    pub log_step: usize,
    pub masks: usize,
    pub scratch: Scratch,
}

/// What a thread works in.
#[derive(Debug, Default)]
struct Work<T: Real> {
    rule: Rule<T>,
    block: Block<T>,
    sums: [Sums<T>; 2],
    noise: Vec<T>,
    before: Vec<T>,
    log_ratio: Vec<T>,
    grad_proposal: Vec<T>,
    grad_accept: Vec<T>,
    uniforms: Vec<f64>,
}

/// Cotangents, and where the gradient of the parameters goes.
pub(crate) struct Gradient<'a, 'b, T> {
    pub pull: &'a mut PullProposals<'b, T>,
    pub grad: &'a mut [T],
}

impl Kernel {
    /// As [`FusedTrained::transition_gradient`](flow_sdk::FusedTrained::transition_gradient), or, without a gradient, as
    /// [`FusedSampler::transition_rows`](flow_sdk::FusedSampler::transition_rows).
    pub fn transition_rows<T: Element>(
        &self,
        target: &Target,
        params: &[T],
        from: PointRows<'_, T>,
        (seed, first): (u64, usize),
        mut to: TransitionRows<'_, T>,
        mut gradient: Option<Gradient<'_, '_, T>>,
    ) -> Result<()> {
        let (rows, dim) = (from.log_density.len(), self.dim);
        self.scratch.with(|work: &mut Work<T>| {
            self.prepare(params, work);
            for start in (0..rows).step_by(LANES) {
                let at = start..rows.min(start + LANES);
                let (from, mut to) = (from.rows(at.clone(), dim), to.rows(at, dim));
                self.forward(work, target, from, (seed, first + start), &mut to, gradient.is_some())?;
                if let Some(gradient) = &mut gradient {
                    self.backward(work, target, &to, gradient.pull)?;
                }
            }
            if let Some(gradient) = gradient {
                self.fold_into(work, gradient.grad);
            }
            Ok(())
        })
    }

    fn prepare<T: Element>(&self, params: &[T], work: &mut Work<T>) {
        let Work { rule, sums, .. } = work;
        (rule.dim, rule.hidden) = (self.dim, self.hidden);
        rule.velocity.read(&params[self.velocity..], self.dim, self.hidden);
        rule.position.read(&params[self.position..], self.dim, self.hidden);
        rule.epsilon = params[self.log_step].exp::<Portable>();
        rule.masks.clear();
        rule.masks.extend_from_slice(&params[self.masks..][..self.n_steps * self.dim]);
        rule.times.clear();
        rule.times.extend((0..self.n_steps).map(|step| {
            let (sin, cos) = (std::f64::consts::TAU * step as f64 / self.n_steps as f64).sin_cos();
            [T::of(cos), T::of(sin)]
        }));
        rule.velocity.clear(&mut sums[0]);
        rule.position.clear(&mut sums[1]);
    }

    fn forward<T: Element>(
        &self,
        work: &mut Work<T>,
        target: &Target,
        from: PointRows<'_, T>,
        (seed, first): (u64, usize),
        to: &mut TransitionRows<'_, T>,
        keep: bool,
    ) -> Result<()> {
        let (m, dim) = (from.log_density.len(), self.dim);
        let Work { rule, block, noise, before, log_ratio, uniforms, .. } = work;
        block.resize(m, dim);
        noise.resize(m * dim, T::ZERO);
        before.resize(m, T::ZERO);
        log_ratio.resize(m, T::ZERO);
        metropolis::normals_rows(seed, first, dim, noise);
        read_rows(from.x, &mut block.x);
        read_rows(noise, &mut block.v);
        read_rows(from.grad, &mut block.grad);
        block.signs = [T::ONE; LANES];
        metropolis::signs_rows(seed, first, &mut block.signs[..m]);
        block.log_det = [T::ZERO; LANES];
        for v in &mut block.v {
            *v = map2(v, &block.signs, |v, sign| v * sign);
        }
        energies(&block.v, from.log_density, before);
        rule.forward(block, target, keep)?;
        to.proposal.copy_from_slice(&block.places[block.places.len() - m * dim..]);
        energies(&block.v, &block.value, log_ratio);
        for ((ratio, &before), &det) in log_ratio.iter_mut().zip(&*before).zip(&block.log_det) {
            *ratio = before - *ratio + det;
        }
        to.accept.copy_from_slice(log_ratio);
        metropolis::acceptance_rows(to.accept);
        metropolis::choose_rows((seed, first), from, (&block.value, &block.slope), to, uniforms);
        Ok(())
    }

    fn backward<T: Element>(
        &self,
        work: &mut Work<T>,
        target: &Target,
        to: &TransitionRows<'_, T>,
        pull: &mut PullProposals<'_, T>,
    ) -> Result<()> {
        let (m, dim) = (to.accept.len(), self.dim);
        let Work { rule, block, sums, log_ratio, grad_proposal, grad_accept, .. } = work;
        grad_proposal.resize(m * dim, T::ZERO);
        grad_accept.resize(m, T::ZERO);
        pull(Proposals { proposal: to.proposal, accept: to.accept, grad_proposal, grad_accept })?;
        // The slope of min(1, eʳ); what is not a number has none.
        block.log_det_bar = [T::ZERO; LANES];
        let chains = log_ratio.iter().zip(&*to.accept).zip(grad_accept);
        for (bar, ((&ratio, &accept), &mut grad)) in block.log_det_bar.iter_mut().zip(chains) {
            *bar = if ratio < T::ZERO { grad * accept } else { T::ZERO };
        }
        read_rows(grad_proposal, &mut block.x_bar);
        silence(&mut block.x_bar, m);
        let ratio_bar = &block.log_det_bar;
        for (i, (x_bar, v_bar)) in block.x_bar.iter_mut().zip(&mut block.v_bar).enumerate() {
            *x_bar = map3(ratio_bar, &block.grad[i], x_bar, |ratio, grad, x| x + ratio * grad);
            *v_bar = map2(ratio_bar, &block.v[i], |ratio, v| -(ratio * v));
        }
        rule.backward(block, target, sums)
    }

    fn fold_into<T: Element>(&self, work: &Work<T>, grad: &mut [T]) {
        let Work { rule, sums, .. } = work;
        let step = rule.velocity.fold_into(&sums[0], &mut grad[self.velocity..])
            + rule.position.fold_into(&sums[1], &mut grad[self.position..]);
        grad[self.log_step] += T::of(step);
    }
}

/// H = ½ vᵀv − log γ of every chain.
fn energies<T: Element>(v: &[Lanes<T>], log_density: &[T], out: &mut [T]) {
    let square = v.iter().fold([T::ZERO; LANES], |sum, v| map2(v, &sum, |v, sum| sum + v * v));
    let half = map(&square, |square| T::HALF * square);
    for ((out, &log_density), &half) in out.iter_mut().zip(log_density).zip(&half) {
        *out = half - log_density;
    }
}
