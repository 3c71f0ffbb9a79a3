//! Functions of a Markov-chain sampler.

use std::ffi::c_void;

#[cfg(doc)]
use super::FlowTable;
use super::{Call, DLTensor, Pull, Setup, Text};

/// Where n chains are, and what the target says there. `grad` is null for samplers with the capability `gradient-free`.
///
/// log γ and its gradient are those at the β of the call, as the call-backs give them.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Point<T> {
    /// `[n, d]`.
    pub x: T,
    /// log γ(x), `[n]`.
    pub log_density: T,
    /// ∇ log γ(x), `[n, d]`, or null.
    pub grad: T,
}

/// Functions of a Markov-chain sampler. P is the number of parameters, d the dimension; rows are chains.
///
/// The first functions are those of a flow. Everything that a transition depends on crosses as an argument: parameters,
/// trained or tuned, where the chains are, and a seed. A call for β tempers the call-backs of the target too.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SamplerTable {
    /// Size of this struct as the plugin knows it.
    pub struct_size: usize,
    /// As [`FlowTable::create`].
    pub create: unsafe extern "C" fn(
        config: *const u8,
        config_length: usize,
        setup: *const Setup,
        instance: *mut *mut c_void,
        call: *mut Call,
    ) -> i32,
    /// As [`FlowTable::destroy`].
    pub destroy: unsafe extern "C" fn(instance: *mut c_void),
    /// As [`FlowTable::layout`]; a slice with `"tuned": true` is written by `adapt`, not by the optimiser.
    pub layout: unsafe extern "C" fn(instance: *mut c_void, out: *mut Text, call: *mut Call) -> i32,
    /// As [`FlowTable::init`].
    pub init: unsafe extern "C" fn(instance: *mut c_void, seed: u64, params: *mut DLTensor, call: *mut Call) -> i32,
    /// Moves each of n chains once, leaving the target at inverse temperature `beta` invariant.
    ///
    /// `next` is where they are then, `proposal` `[n, d]` where they were asked to go, `accept` `[n]` the probability of
    /// going there. Where `tape` is not null it receives what `backward` needs. Row i depends on row i of `from`, on
    /// `params`, `seed`, `beta` and i alone.
    pub transition: unsafe extern "C" fn(
        instance: *mut c_void,
        params: *const DLTensor,
        from: *const Point<*const DLTensor>,
        seed: u64,
        beta: f64,
        next: *const Point<*mut DLTensor>,
        proposal: *mut DLTensor,
        accept: *mut DLTensor,
        tape: *mut *mut c_void,
        call: *mut Call,
    ) -> i32,
    /// Gradient `[P]` of Σ proposal·grad_proposal + Σ accept·grad_accept; null for samplers that are not trained.
    pub backward: Option<
        unsafe extern "C" fn(
            instance: *mut c_void,
            tape: *mut c_void,
            grad_proposal: *const DLTensor,
            grad_accept: *const DLTensor,
            grad_params: *mut DLTensor,
            call: *mut Call,
        ) -> i32,
    >,
    /// Frees a tape.
    pub free_tape: unsafe extern "C" fn(tape: *mut c_void),
    /// The parameters `[P]` after transition number `step` of a warm-up of `steps`, which led to `x` `[n, d]` and was
    /// accepted with probability `accept` `[n]`; null for samplers that tune nothing.
    pub adapt: Option<
        unsafe extern "C" fn(
            instance: *mut c_void,
            params: *const DLTensor,
            x: *const DLTensor,
            accept: *const DLTensor,
            step: u64,
            steps: u64,
            out: *mut DLTensor,
            call: *mut Call,
        ) -> i32,
    >,
    /// Stability figures at the chains' `x` `[n, d]`, in the order of the descriptor's `probes`; null where there are
    /// none.
    pub probe: Option<
        unsafe extern "C" fn(
            instance: *mut c_void,
            params: *const DLTensor,
            x: *const DLTensor,
            seed: u64,
            figures: *mut f64,
            call: *mut Call,
        ) -> i32,
    >,
    /// Since minor 2. As `transition` without a tape, for rows `first..` of a larger number of chains: its views have those
    /// rows only. May be called by several threads at once; null where only all chains can be moved.
    pub transition_rows: TransitionRowsFn,
    /// Since minor 2. As `transition_rows`; then asks `pull` for the cotangents of proposals and of their acceptance, in the
    /// place of x and log q, a few chains at a time while they are in cache, and adds the gradient of their share to
    /// `grad_params` `[P]`. May be called by several threads at once. Null where `transition` and `backward` are the only way.
    pub transition_gradient: TransitionGradientFn,
}

/// Type of [`SamplerTable::transition_rows`].
pub type TransitionRowsFn = Option<
    unsafe extern "C" fn(
        instance: *mut c_void,
        params: *const DLTensor,
        from: *const Point<*const DLTensor>,
        seed: u64,
        beta: f64,
        first: u64,
        next: *const Point<*mut DLTensor>,
        proposal: *mut DLTensor,
        accept: *mut DLTensor,
        call: *mut Call,
    ) -> i32,
>;

/// Type of [`SamplerTable::transition_gradient`].
pub type TransitionGradientFn = Option<
    unsafe extern "C" fn(
        instance: *mut c_void,
        params: *const DLTensor,
        from: *const Point<*const DLTensor>,
        seed: u64,
        beta: f64,
        first: u64,
        next: *const Point<*mut DLTensor>,
        proposal: *mut DLTensor,
        accept: *mut DLTensor,
        pull: *const Pull,
        grad_params: *mut DLTensor,
        call: *mut Call,
    ) -> i32,
>;
