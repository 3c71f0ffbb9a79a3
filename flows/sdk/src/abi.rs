//! The C ABI between harness and plugin: plain data, and functions over borrowed tensor views.
//!
//! A plugin exports one function, [`ENTRY`], which returns a [`Plugin`]. Everything is `#[repr(C)]`, so a plugin may be
//! built by another compiler, against another candle, or written in C. Rules:
//! - views are borrowed for the length of a call; inputs are read only; outputs are allocated by the host;
//! - tensors are row-major and contiguous; `strides` may be null;
//! - every function returns a status code ([`OK`], [`FAILED`], [`PANICKED`]) and writes a message for the others;
//! - text is UTF-8. An answer longer than the host's buffer sets `length` to what it needs; the host asks again;
//! - an instance is used by one thread at a time; target call-backs are valid until it is destroyed;
//! - tables may grow at their end: `struct_size` says how far the plugin's reaches.

use std::ffi::c_void;

/// Name of the exported entry function, of type [`Entry`].
pub const ENTRY: &str = "harness_plugin";
/// First word of a [`Plugin`]: the bytes `FLOWABI` and a zero, little-endian.
pub const MAGIC: u64 = u64::from_le_bytes(*b"FLOWABI\0");
/// Raised by incompatible changes; the host refuses any other.
pub const MAJOR: u32 = 1;
/// Raised by compatible additions; recorded only. 1: samplers, and the target's value and gradient in one call.
pub const MINOR: u32 = 1;

/// The call did what it should.
pub const OK: i32 = 0;
/// The call failed; the message says why.
pub const FAILED: i32 = 1;
/// The call panicked; the panic was caught at the edge and the message is the panic's.
pub const PANICKED: i32 = 2;

/// DLPack device type of the processor.
pub const DEVICE_CPU: i32 = 1;
/// DLPack device type of a CUDA device.
pub const DEVICE_CUDA: i32 = 2;
/// DLPack type code of IEEE floats.
pub const TYPE_FLOAT: u8 = 2;

/// DLPack's `DLDevice`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DLDevice {
    /// [`DEVICE_CPU`] or [`DEVICE_CUDA`].
    pub device_type: i32,
    /// Ordinal among devices of that type.
    pub device_id: i32,
}

/// DLPack's `DLDataType`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DLDataType {
    /// [`TYPE_FLOAT`].
    pub code: u8,
    /// 32 or 64.
    pub bits: u8,
    /// 1.
    pub lanes: u16,
}

/// DLPack's `DLTensor`: a borrowed view.
#[repr(C)]
#[derive(Debug)]
pub struct DLTensor {
    /// First element, before `byte_offset`; a device pointer where the device is one.
    pub data: *mut c_void,
    /// Where the data is.
    pub device: DLDevice,
    /// Number of dimensions.
    pub ndim: i32,
    /// Element type.
    pub dtype: DLDataType,
    /// `ndim` extents.
    pub shape: *mut i64,
    /// `ndim` strides in elements, or null for row-major.
    pub strides: *mut i64,
    /// Bytes from `data` to the first element.
    pub byte_offset: u64,
}

/// A text buffer that the host provides and the plugin fills.
#[repr(C)]
#[derive(Debug)]
pub struct Text {
    /// `capacity` writable bytes.
    pub data: *mut u8,
    /// Bytes that fit.
    pub capacity: usize,
    /// Bytes of the whole text; more than `capacity` when it was cut.
    pub length: usize,
}

/// What accompanies every call.
#[repr(C)]
#[derive(Debug)]
pub struct Call {
    /// Size of this struct as the host knows it.
    pub struct_size: usize,
    /// CUDA stream that orders the views of this call; null on the processor.
    pub stream: *mut c_void,
    /// Receives the message of a call that fails.
    pub message: Text,
}

/// The target density, as call-backs into the host, which counts every row it evaluates.
#[repr(C)]
#[derive(Debug)]
pub struct Target {
    /// Size of this struct as the host knows it.
    pub struct_size: usize,
    /// Passed back to each call-back.
    pub context: *mut c_void,
    /// log γ: x `[n, dim]` → out `[n]`.
    pub log_density: unsafe extern "C" fn(*mut c_void, *const DLTensor, *mut DLTensor, *mut Call) -> i32,
    /// ∇ log γ: x `[n, dim]` → out `[n, dim]`.
    pub grad: unsafe extern "C" fn(*mut c_void, *const DLTensor, *mut DLTensor, *mut Call) -> i32,
    /// Hessian of log γ at x times v: x, v `[n, dim]` → out `[n, dim]`.
    pub hvp: unsafe extern "C" fn(*mut c_void, *const DLTensor, *const DLTensor, *mut DLTensor, *mut Call) -> i32,
    /// Since minor 1. log γ and ∇ log γ together, counted as one evaluation a row: x `[n, dim]` → out `[n]`, `[n, dim]`.
    pub log_density_and_grad:
        unsafe extern "C" fn(*mut c_void, *const DLTensor, *mut DLTensor, *mut DLTensor, *mut Call) -> i32,
}

/// What an instance is created for.
#[repr(C)]
#[derive(Debug)]
pub struct Setup {
    /// Size of this struct as the host knows it.
    pub struct_size: usize,
    /// Dimension d of the target's space.
    pub dim: u64,
    /// Element type of parameters and draws.
    pub dtype: DLDataType,
    /// Device of parameters and draws.
    pub device: DLDevice,
    /// The target, valid until the instance is destroyed.
    pub target: *const Target,
}

/// What the entry function returns: lives as long as the process.
#[repr(C)]
#[derive(Debug)]
pub struct Plugin {
    /// [`MAGIC`].
    pub magic: u64,
    /// [`MAJOR`] of the plugin.
    pub major: u32,
    /// [`MINOR`] of the plugin.
    pub minor: u32,
    /// Size of this struct as the plugin knows it.
    pub struct_size: usize,
    /// Writes the descriptor as JSON.
    pub describe: unsafe extern "C" fn(out: *mut Text, call: *mut Call) -> i32,
    /// Functions of kind `flow`; null for other kinds.
    pub flow: *const FlowTable,
    /// Since minor 1. Functions of kind `sampler`; null for other kinds. Tables of further kinds follow here.
    pub sampler: *const SamplerTable,
}

// SAFETY: a `Plugin` is immutable data that points to immutable data and functions.
unsafe impl Sync for Plugin {}

/// Type of the exported entry function.
pub type Entry = unsafe extern "C" fn() -> *const Plugin;

/// Functions of a flow. P is the number of parameters, d the dimension.
#[repr(C)]
#[derive(Debug)]
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
}

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
#[derive(Debug)]
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
}
