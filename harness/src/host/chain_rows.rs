//! Transitions of a sampler by its own kernels: the chains in parts, each by one thread.
//!
//! A chain depends on itself alone, so what the parts are does not matter to any bit of a transition. Of its gradient it does:
//! there they depend on the number of chains alone, and are summed in their order.

use candle_core::{DType, Device, Tensor};
use flow_sdk::abi::{self, Pull};
use flow_sdk::view::{View, ViewMut};
use flow_sdk::{Element, Point, PointRows, Transition, TransitionRows};
use rayon::prelude::*;
use std::ops::Range;
use targets::Float;

use super::instance::checked;
use super::pull_proposals::{Asked, PullProposals};
use super::rows::with_elements;
use super::{HostSampler, PluginError, Tempering};

/// Fewer coordinates than this are not worth the hand-off to another thread.
const LEAST_WORK: usize = 2048;
/// Chains that a kernel takes at once: parts are some of these.
const ALIGNED: usize = 64;
/// Every part has a gradient of its own, which must be cleared and added: that shows in parts of fewer chains than this.
const LEAST_CHAINS: usize = 96;
/// As many cores as one cell keeps busy.
const MOST_PARTS: usize = 16;

impl HostSampler {
    /// Moves every chain once; none where the sampler has no kernels for it.
    pub(super) fn transition_by_rows(
        &self,
        params: &Tensor,
        from: &Point,
        seed: u64,
        tempering: Tempering,
    ) -> Result<Option<Transition>, PluginError> {
        if self.table.transition_rows.is_none() || self.instance.is_on_cuda() {
            return Ok(None);
        }
        let call = Call { sampler: self, seed, beta: tempering.beta() };
        let moved = self.target.tempered(tempering, || match self.instance.options.dtype {
            DType::F32 => call.transition::<f32>(params, from),
            _ => call.transition::<f64>(params, from),
        });
        unless_declined(moved)
    }

    /// Likewise, with the gradient `[P]` of the objective over proposals and their acceptance.
    pub fn transition_gradient(
        &self,
        params: &Tensor,
        from: &Point,
        seed: u64,
        tempering: Tempering,
        objective: &impl PullProposals,
    ) -> Result<Option<(Transition, Tensor)>, PluginError> {
        if self.table.transition_gradient.is_none() || self.instance.is_on_cuda() {
            return Ok(None);
        }
        let call = Call { sampler: self, seed, beta: tempering.beta() };
        let moved = self.target.tempered(tempering, || match self.instance.options.dtype {
            DType::F32 => call.gradient::<f32, _>(params, from, objective),
            _ => call.gradient::<f64, _>(params, from, objective),
        });
        unless_declined(moved)
    }
}

fn unless_declined<R>(result: Result<R, PluginError>) -> Result<Option<R>, PluginError> {
    match result {
        Ok(result) => Ok(Some(result)),
        Err(PluginError::Declined) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The call for one part of the chains.
struct Call<'a> {
    sampler: &'a HostSampler,
    seed: u64,
    beta: f64,
}

// SAFETY: the functions on rows may be called by several threads at once, by the ABI's rule; the target that they call back is
// made to be shared, and so are objectives. Nothing else of the sampler is touched.
unsafe impl Sync for Call<'_> {}

/// Rows of a call: which, from where, to where.
struct Part<'a, T> {
    rows: Range<usize>,
    from: PointRows<'a, T>,
    to: TransitionRows<'a, T>,
}

impl Call<'_> {
    fn transition<T: Element>(&self, params: &Tensor, from: &Point) -> Result<Transition, PluginError> {
        let (n, dim) = from.x.dims2().map_err(flow_sdk::Error::from)?;
        let threads = rayon::current_num_threads().min(n * dim / LEAST_WORK).max(1);
        let bounds = (0..=threads).map(|part| part * n / threads).collect();
        let (moved, ()) = self.on_parts::<T, _>(params, from, bounds, |params, parts| {
            let run = |part: Part<'_, T>| self.run(params, part, None);
            match threads {
                1 => parts.into_iter().try_for_each(run),
                _ => parts.into_par_iter().try_for_each(run),
            }
        })?;
        Ok(moved)
    }

    fn gradient<T: Element + Float, P: PullProposals>(
        &self,
        params: &Tensor,
        from: &Point,
        objective: &P,
    ) -> Result<(Transition, Tensor), PluginError> {
        let (n, dim) = from.x.dims2().map_err(flow_sdk::Error::from)?;
        let parts = (n / LEAST_CHAINS).clamp(1, MOST_PARTS);
        let blocks = n.div_ceil(ALIGNED);
        let bounds = (0..=parts).map(|part| (part * blocks / parts * ALIGNED).min(n)).collect();
        let (moved, grad) = self.on_parts::<T, _>(params, from, bounds, |params, parts| {
            let run = |part: Part<'_, T>| {
                let mut grad = vec![T::ZERO; params.len()];
                let asked = Asked::new(objective, part.rows.start, part.from.x, dim);
                self.run(params, part, Some((asked.pull(), &mut grad)))?;
                Ok::<_, PluginError>(grad)
            };
            let mut grads = parts.into_par_iter().map(run).collect::<Result<Vec<_>, _>>()?.into_iter();
            let mut sum = grads.next().unwrap_or_default();
            for grad in grads {
                sum.iter_mut().zip(grad).for_each(|(sum, grad)| *sum += grad);
            }
            Ok(sum)
        })?;
        let p = grad.len();
        Ok((moved, Tensor::from_vec(grad, p, &Device::Cpu).map_err(flow_sdk::Error::from)?))
    }

    /// Calls `f` with the parameters and the parts between `bounds`; what they have written is the transition.
    fn on_parts<T: Element, R>(
        &self,
        params: &Tensor,
        from: &Point,
        bounds: Vec<usize>,
        f: impl FnOnce(&[T], Vec<Part<'_, T>>) -> Result<R, PluginError>,
    ) -> Result<(Transition, R), PluginError> {
        let (n, dim) = from.x.dims2().map_err(flow_sdk::Error::from)?;
        let free = self.sampler.is_gradient_free();
        let zeros = |count: usize| vec![T::ZERO; count];
        let (mut x, mut grad, mut proposal) = (zeros(n * dim), zeros(if free { 0 } else { n * dim }), zeros(n * dim));
        let (mut log_density, mut accept) = (zeros(n), zeros(n));
        let mut rest = TransitionRows {
            x: &mut x,
            log_density: &mut log_density,
            grad: &mut grad,
            proposal: &mut proposal,
            accept: &mut accept,
        };
        let on_grad = |f: &mut dyn FnMut(&[T]) -> Result<R, PluginError>| match &from.grad {
            Some(tensor) if !free => with_elements::<T, _>(tensor, f)?,
            _ => f(&[]),
        };
        let mut f = Some(f);
        let result = with_elements::<T, _>(params, |params| {
            with_elements::<T, _>(&from.x, |from_x| {
                with_elements::<T, _>(&from.log_density, |from_value| {
                    on_grad(&mut |from_grad: &[T]| {
                        let from = PointRows { x: from_x, log_density: from_value, grad: from_grad };
                        let part = |bounds: &[usize]| {
                            let rows = bounds[0]..bounds[1];
                            let to = take_front(&mut rest, rows.len(), dim);
                            Part { from: from.rows(rows.clone(), dim), to, rows }
                        };
                        let parts = bounds.windows(2).map(part).collect();
                        f.take().expect("called once")(params, parts)
                    })
                })
            })
        })????;
        let matrix = |values: Vec<T>| Tensor::from_vec(values, (n, dim), &Device::Cpu);
        let vector = |values: Vec<T>| Tensor::from_vec(values, n, &Device::Cpu);
        let build = || -> candle_core::Result<Transition> {
            let grad = if free { None } else { Some(matrix(grad)?) };
            let next = Point { x: matrix(x)?, log_density: vector(log_density)?, grad };
            Ok(Transition { next, proposal: matrix(proposal)?, accept: vector(accept)? })
        };
        Ok((build().map_err(flow_sdk::Error::from)?, result))
    }

    /// Moves the chains of a part; adds their share to a gradient.
    fn run<T: Element>(
        &self,
        params: &[T],
        Part { rows, from, to }: Part<'_, T>,
        gradient: Option<(Pull, &mut [T])>,
    ) -> Result<(), PluginError> {
        let (table, raw) = (&self.sampler.table, self.sampler.instance.raw);
        let (m, first) = (to.accept.len(), rows.start as u64);
        let matrix = [m, to.x.len() / m.max(1)];
        let grad_shape: &[usize] = if to.grad.is_empty() { &[0] } else { &matrix };
        let mut params = View::of(params, &[params.len()]);
        let (mut x, mut log_density) = (View::of(from.x, &matrix), View::of(from.log_density, &[m]));
        let mut grad = View::of(from.grad, grad_shape);
        let from = abi::Point { x: x.raw(), log_density: log_density.raw(), grad: grad.raw() };
        let (mut x, mut log_density) = (ViewMut::of(to.x, &matrix), ViewMut::of(to.log_density, &[m]));
        let mut grad = ViewMut::of(to.grad, grad_shape);
        let next = abi::Point { x: x.raw(), log_density: log_density.raw(), grad: grad.raw() };
        let (mut proposal, mut accept) = (ViewMut::of(to.proposal, &matrix), ViewMut::of(to.accept, &[m]));
        let (params, proposal, accept) = (params.raw(), proposal.raw(), accept.raw());
        let (from, next) = (&raw const from, &raw const next);
        let missing = |function| PluginError::Contract { function, problem: "the sampler has no such kernel".into() };
        match gradient {
            None => {
                let f = table.transition_rows.ok_or_else(|| missing("transition_rows"))?;
                // SAFETY: a live instance and valid views, here and below.
                checked("transition_rows", |call| unsafe {
                    f(raw, params, from, self.seed, self.beta, first, next, proposal, accept, call)
                })
            }
            Some((pull, grad)) => {
                let f = table.transition_gradient.ok_or_else(|| missing("transition_gradient"))?;
                let p = grad.len();
                let (mut grad, pull) = (ViewMut::of(grad, &[p]), &raw const pull);
                // SAFETY: as above.
                checked("transition_gradient", |call| unsafe {
                    let grad = grad.raw();
                    f(raw, params, from, self.seed, self.beta, first, next, proposal, accept, pull, grad, call)
                })
            }
        }
    }
}

/// The first rows of what is left.
fn take_front<'a, T>(rest: &mut TransitionRows<'a, T>, rows: usize, dim: usize) -> TransitionRows<'a, T> {
    fn front<'a, T>(rest: &mut &'a mut [T], count: usize) -> &'a mut [T] {
        let slice = std::mem::take(rest);
        let (now, later) = slice.split_at_mut(count.min(slice.len()));
        *rest = later;
        now
    }
    TransitionRows {
        x: front(&mut rest.x, rows * dim),
        log_density: front(&mut rest.log_density, rows),
        grad: front(&mut rest.grad, rows * dim),
        proposal: front(&mut rest.proposal, rows * dim),
        accept: front(&mut rest.accept, rows),
    }
}
