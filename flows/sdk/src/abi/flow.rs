//! Functions of a flow.

use std::ffi::c_void;

use super::{Call, DLTensor, Setup, Text};

/// Functions of a flow. P is the number of parameters, d the dimension.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct FlowTable {
    /// Size of this struct as the plugin knows it.
    pub struct_size: usize,
    /// Makes an instance from its parameters (JSON, validated by the host against the schema).
    pub create: unsafe extern "C" fn(
        config: *const u8,
        config_length: usize,
        setup: *const Setup,
        instance: *mut *mut c_void,
        call: *mut Call,
    ) -> i32,
    /// Ends an instance. Its tapes have been freed before.
    pub destroy: unsafe extern "C" fn(instance: *mut c_void),
    /// Writes the named slices of the flat parameter vector as JSON: `[{"name", "offset", "shape"}, …]`.
    pub layout: unsafe extern "C" fn(instance: *mut c_void, out: *mut Text, call: *mut Call) -> i32,
    /// Fills `params` `[P]` with initial values that depend on `seed` alone.
    pub init: unsafe extern "C" fn(instance: *mut c_void, seed: u64, params: *mut DLTensor, call: *mut Call) -> i32,
    /// Draws x `[n, d]` and log q(x) `[n]`. Where `tape` is not null it receives what `backward` needs.
    pub sample: unsafe extern "C" fn(
        instance: *mut c_void,
        params: *const DLTensor,
        seed: u64,
        x: *mut DLTensor,
        log_q: *mut DLTensor,
        tape: *mut *mut c_void,
        call: *mut Call,
    ) -> i32,
    /// log q `[n]` at given x `[n, d]`; null where the flow has no density.
    pub density: Option<
        unsafe extern "C" fn(
            instance: *mut c_void,
            params: *const DLTensor,
            x: *const DLTensor,
            seed: u64,
            log_q: *mut DLTensor,
            tape: *mut *mut c_void,
            call: *mut Call,
        ) -> i32,
    >,
    /// Gradient `[P]` of Σ x·grad_x + Σ log_q·grad_log_q. `grad_x` is null for a tape of `density`.
    pub backward: unsafe extern "C" fn(
        instance: *mut c_void,
        tape: *mut c_void,
        grad_x: *const DLTensor,
        grad_log_q: *const DLTensor,
        grad_params: *mut DLTensor,
        call: *mut Call,
    ) -> i32,
    /// Frees a tape.
    pub free_tape: unsafe extern "C" fn(tape: *mut c_void),
    /// Stability figures over about `n` draws, in the order of the descriptor's `probes`; null where there are none.
    pub probe: Option<
        unsafe extern "C" fn(
            instance: *mut c_void,
            params: *const DLTensor,
            seed: u64,
            n: u64,
            figures: *mut f64,
            call: *mut Call,
        ) -> i32,
    >,
    /// Since minor 2. Rows `first..` of what `sample` draws for `seed`, as many as `log_q` has; null where only whole
    /// samples can be had. May be called by several threads at once.
    pub sample_rows: Option<
        unsafe extern "C" fn(
            instance: *mut c_void,
            params: *const DLTensor,
            seed: u64,
            first: u64,
            x: *mut DLTensor,
            log_q: *mut DLTensor,
            call: *mut Call,
        ) -> i32,
    >,
    /// Since minor 2. Draws rows `first..first + n` as `sample` does, asks `pull` for their cotangents, a few rows at a time
    /// while they are in cache, and adds the gradient of their share to `grad_params` `[P]`. May be called by several
    /// threads at once. Null where `sample` and `backward` are the only way.
    pub sample_gradient: Option<
        unsafe extern "C" fn(
            instance: *mut c_void,
            params: *const DLTensor,
            seed: u64,
            first: u64,
            n: u64,
            pull: *const Pull,
            grad_params: *mut DLTensor,
            call: *mut Call,
        ) -> i32,
    >,
    /// Since minor 2. Likewise for `density` at `x` `[n, d]`, which are rows `first..` of a larger batch. May decline too.
    pub density_gradient: Option<
        unsafe extern "C" fn(
            instance: *mut c_void,
            params: *const DLTensor,
            x: *const DLTensor,
            seed: u64,
            first: u64,
            pull: *const Pull,
            grad_params: *mut DLTensor,
            call: *mut Call,
        ) -> i32,
    >,
}

/// The host's answer to rows that were just computed: their cotangents.
#[repr(C)]
#[derive(Debug)]
pub struct Pull {
    /// Passed back to the call-back.
    pub context: *mut c_void,
    /// x `[m, d]`, log q `[m]` → ∂/∂x `[m, d]`, ∂/∂log q `[m]`. For `density_gradient` the third is null.
    pub cotangents: unsafe extern "C" fn(
        context: *mut c_void,
        x: *const DLTensor,
        log_q: *const DLTensor,
        grad_x: *mut DLTensor,
        grad_log_q: *mut DLTensor,
        call: *mut Call,
    ) -> i32,
}
