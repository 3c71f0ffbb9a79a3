//! Transitions of a sampler by its own kernels: the chains in parts, each by one thread.
//!
//! A chain depends on itself alone, so what the parts are does not matter to any bit.

use candle_core::{DType, Device, Tensor};
use flow_sdk::abi::{self, TransitionRowsFn};
use flow_sdk::view::{View, ViewMut};
use flow_sdk::{Element, Point, PointRows, Transition, TransitionRows};
use rayon::prelude::*;

use super::instance::checked;
use super::rows::with_elements;
use super::{HostSampler, PluginError, Tempering};

/// Fewer coordinates than this are not worth the hand-off to another thread.
const LEAST_WORK: usize = 2048;

impl HostSampler {
    /// Moves every chain once; none where the sampler has no kernels for it.
    pub(super) fn transition_by_rows(
        &self,
        params: &Tensor,
        from: &Point,
        seed: u64,
        tempering: Tempering,
    ) -> Result<Option<Transition>, PluginError> {
        let Some(function) = self.table.transition_rows else { return Ok(None) };
        let call = Call { sampler: self, function, seed, beta: tempering.beta() };
        let moved = self.target.tempered(tempering, || match self.instance.dtype {
            DType::F32 => call.run::<f32>(params, from),
            _ => call.run::<f64>(params, from),
        });
        match moved {
            Ok(transition) => Ok(Some(transition)),
            Err(PluginError::Declined) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The call for one part of the chains.
struct Call<'a> {
    sampler: &'a HostSampler,
    function: TransitionRowsFn,
    seed: u64,
    beta: f64,
}

// SAFETY: the function may be called by several threads at once, by the ABI's rule for functions on rows; the target that it
// calls back is made to be shared. Nothing else of the sampler is touched.
unsafe impl Sync for Call<'_> {}

impl Call<'_> {
    fn run<T: Element>(&self, params: &Tensor, from: &Point) -> Result<Transition, PluginError> {
        let (n, dim) = from.x.dims2().map_err(flow_sdk::Error::from)?;
        let free = self.sampler.is_gradient_free();
        let zeros = |count: usize| vec![T::ZERO; count];
        let (mut x, mut grad, mut proposal) = (zeros(n * dim), zeros(if free { 0 } else { n * dim }), zeros(n * dim));
        let (mut log_density, mut accept) = (zeros(n), zeros(n));
        let threads = rayon::current_num_threads().min(n * dim / LEAST_WORK).max(1);
        let rows = n.div_ceil(threads);
        let with_grad = |f: &mut dyn FnMut(&[T]) -> Result<(), PluginError>| match &from.grad {
            Some(tensor) if !free => with_elements::<T, _>(tensor, f)?,
            _ => f(&[]),
        };
        with_elements::<T, _>(params, |params| {
            with_elements::<T, _>(&from.x, |from_x| {
                with_elements::<T, _>(&from.log_density, |from_value| {
                    with_grad(&mut |from_grad: &[T]| {
                        let part = |(index, to): (usize, TransitionRows<'_, T>)| {
                            let at = index * rows..(index * rows + to.accept.len());
                            let cells = at.start * dim..at.end * dim;
                            let from = PointRows {
                                x: &from_x[cells.clone()],
                                log_density: &from_value[at.clone()],
                                grad: if free { &[] } else { &from_grad[cells] },
                            };
                            self.part(params, from, at.start, dim, to)
                        };
                        let grads: Vec<&mut [T]> = match free {
                            true => (0..n.div_ceil(rows)).map(|_| &mut [] as &mut [T]).collect(),
                            false => grad.chunks_mut(rows * dim).collect(),
                        };
                        let parts = x
                            .chunks_mut(rows * dim)
                            .zip(grads)
                            .zip(proposal.chunks_mut(rows * dim))
                            .zip(log_density.chunks_mut(rows))
                            .zip(accept.chunks_mut(rows))
                            .map(|((((x, grad), proposal), log_density), accept)| TransitionRows {
                                x,
                                log_density,
                                grad,
                                proposal,
                                accept,
                            });
                        if threads == 1 {
                            return parts.enumerate().try_for_each(part);
                        }
                        let parts: Vec<_> = parts.enumerate().collect();
                        parts.into_par_iter().try_for_each(part)
                    })
                })
            })
        })???
        .and_then(|()| {
            let matrix = |values: Vec<T>| Tensor::from_vec(values, (n, dim), &Device::Cpu);
            let vector = |values: Vec<T>| Tensor::from_vec(values, n, &Device::Cpu);
            let build = || -> candle_core::Result<Transition> {
                let grad = if free { None } else { Some(matrix(grad)?) };
                let next = Point { x: matrix(x)?, log_density: vector(log_density)?, grad };
                Ok(Transition { next, proposal: matrix(proposal)?, accept: vector(accept)? })
            };
            Ok(build().map_err(flow_sdk::Error::from)?)
        })
    }

    /// Moves the chains from `first` on.
    fn part<T: Element>(
        &self,
        params: &[T],
        from: PointRows<'_, T>,
        first: usize,
        dim: usize,
        to: TransitionRows<'_, T>,
    ) -> Result<(), PluginError> {
        let (m, raw) = (to.accept.len(), self.sampler.instance.raw);
        let matrix = [m, dim];
        let grad_shape: &[usize] = if to.grad.is_empty() { &[0] } else { &matrix };
        let mut params = View::of(params, &[params.len()]);
        let (mut x, mut log_density) = (View::of(from.x, &matrix), View::of(from.log_density, &[m]));
        let mut grad = View::of(from.grad, grad_shape);
        let from = abi::Point { x: x.raw(), log_density: log_density.raw(), grad: grad.raw() };
        let (mut x, mut log_density) = (ViewMut::of(to.x, &matrix), ViewMut::of(to.log_density, &[m]));
        let mut grad = ViewMut::of(to.grad, grad_shape);
        let next = abi::Point { x: x.raw(), log_density: log_density.raw(), grad: grad.raw() };
        let (mut proposal, mut accept) = (ViewMut::of(to.proposal, &matrix), ViewMut::of(to.accept, &[m]));
        checked("transition_rows", |call| {
            let (params, proposal, accept) = (params.raw(), proposal.raw(), accept.raw());
            let (from, next, first) = (&raw const from, &raw const next, first as u64);
            // SAFETY: a live instance and valid views.
            unsafe { (self.function)(raw, params, from, self.seed, self.beta, first, next, proposal, accept, call) }
        })
    }
}
