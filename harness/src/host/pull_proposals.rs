//! The cotangents that a sampler's kernel asks for: an objective that is a sum over chains.

use std::cell::Cell;
use std::ffi::c_void;
use std::ops::Range;

use flow_sdk::abi::{Call, DLTensor, Pull};
use flow_sdk::thunk::guard;
use flow_sdk::view::{elements, elements_mut};
use flow_sdk::{Element, Proposals};
use targets::Float;

/// What each chain's proposal and acceptance add to an objective.
pub trait PullProposals: Sync {
    /// Writes the cotangents of those chains, which stand at `x` `[m, d]`.
    fn pull<T: Element + Float>(&self, chains: Range<usize>, x: &[T], made: Proposals<'_, T>) -> flow_sdk::Result<()>;
}

/// What a kernel is told about some chains, a few at a time and in their order. One thread asks.
pub(super) struct Asked<'a, T, P> {
    objective: &'a P,
    first: usize,
    x: &'a [T],
    dim: usize,
    seen: Cell<usize>,
}

impl<'a, T: Element + Float, P: PullProposals> Asked<'a, T, P> {
    /// For the chains that begin with number `first`, at x `[m, d]`.
    pub(super) fn new(objective: &'a P, first: usize, x: &'a [T], dim: usize) -> Self {
        Self { objective, first, x, dim, seen: Cell::new(0) }
    }

    /// As a call-back, valid for as long as `self` stays where it is.
    pub(super) fn pull(&self) -> Pull {
        Pull { context: std::ptr::from_ref(self).cast_mut().cast(), cotangents: cotangents::<T, P> }
    }
}

unsafe extern "C" fn cotangents<T: Element + Float, P: PullProposals>(
    context: *mut c_void,
    proposal: *const DLTensor,
    accept: *const DLTensor,
    grad_proposal: *mut DLTensor,
    grad_accept: *mut DLTensor,
    call: *mut Call,
) -> i32 {
    // SAFETY: `Asked::pull` made the context, which outlives the call; the plugin passes valid views.
    unsafe {
        guard(call, || {
            let asked = &*context.cast::<Asked<'_, T, P>>();
            let made = Proposals {
                proposal: elements::<T>(proposal)?,
                accept: elements(accept)?,
                grad_proposal: elements_mut(grad_proposal)?,
                grad_accept: elements_mut(grad_accept)?,
            };
            let (m, seen) = (made.accept.len(), asked.seen.get());
            let cells = seen * asked.dim..(seen + m) * asked.dim;
            let lengths = [made.proposal.len(), made.grad_proposal.len(), made.grad_accept.len()];
            let x = asked.x.get(cells.clone()).filter(|_| lengths == [cells.len(), cells.len(), m]);
            let x = x.ok_or_else(|| flow_sdk::Error::View(format!("{m} proposals, and vectors of {lengths:?}")))?;
            asked.seen.set(seen + m);
            asked.objective.pull(asked.first + seen..asked.first + seen + m, x, made)
        })
    }
}
