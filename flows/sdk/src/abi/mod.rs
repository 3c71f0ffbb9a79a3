//! The C ABI between harness and plugin: plain data, and functions over borrowed tensor views.
//!
//! A plugin exports one function, [`ENTRY`], which returns a [`Plugin`]. Everything is `#[repr(C)]`, so a plugin may be
//! built by another compiler, against another candle, or written in C. Rules:
//! - views are borrowed for the length of a call; inputs are read only; outputs are allocated by the host;
//! - tensors are row-major and contiguous; `strides` may be null;
//! - on a CUDA device views carry device pointers of its primary context, and the stream of the call orders them: whoever is
//!   called may return while work for its outputs is still in that stream, and finds work for its inputs there;
//! - every function returns a status code ([`OK`], [`FAILED`], [`PANICKED`]) and writes a message for the others;
//! - text is UTF-8. An answer longer than the host's buffer sets `length` to what it needs; the host asks again;
//! - an instance is used by one thread at a time, but for functions on rows; target call-backs are valid until it is
//!   destroyed, and may be called by the threads that the instance is used by;
//! - tables may grow at their end: `struct_size` says how far the plugin's reaches.

mod flow;
mod sampler;
mod tensor;

use std::ffi::c_void;

pub use flow::{FlowTable, Pull};
pub use sampler::{Point, SamplerTable, TransitionGradientFn, TransitionRowsFn};
pub use tensor::{Call, DEVICE_CPU, DEVICE_CUDA, DLDataType, DLDevice, DLTensor, TYPE_FLOAT, Text};

/// Name of the exported entry function, of type [`Entry`].
pub const ENTRY: &str = "harness_plugin";
/// First word of a [`Plugin`]: the bytes `FLOWABI` and a zero, little-endian.
pub const MAGIC: u64 = 0x0049_4241_574F_4C46;
/// Raised by incompatible changes; the host refuses any other.
pub const MAJOR: u32 = 1;
/// Raised by compatible additions; recorded only. 1: samplers, and the target's value and gradient in one call.
/// 2: rows of a flow or of chains, by several threads at once, and gradients in one pass.
pub const MINOR: u32 = 2;

/// The call did what it should.
pub const OK: i32 = 0;
/// The call failed; the message says why.
pub const FAILED: i32 = 1;
/// The call panicked; the panic was caught at the edge and the message is the panic's.
pub const PANICKED: i32 = 2;
/// Since minor 2. A function on rows has no way for this instance: the host goes by those on whole batches.
pub const DECLINED: i32 = 3;

/// The target density, as call-backs into the host, which counts every row it evaluates.
#[repr(C)]
#[derive(Debug)]
pub struct Target {
    /// Size of this struct as the host knows it.
    pub struct_size: usize,
    /// Passed back to each call-back.
    pub context: *mut c_void,
    /// log γ: x `[n, dim]` → out `[n]`.
    pub log_density:
        unsafe extern "C" fn(context: *mut c_void, x: *const DLTensor, out: *mut DLTensor, call: *mut Call) -> i32,
    /// ∇ log γ: x `[n, dim]` → out `[n, dim]`.
    pub grad:
        unsafe extern "C" fn(context: *mut c_void, x: *const DLTensor, out: *mut DLTensor, call: *mut Call) -> i32,
    /// Hessian of log γ at x times v: x, v `[n, dim]` → out `[n, dim]`.
    pub hvp: unsafe extern "C" fn(
        context: *mut c_void,
        x: *const DLTensor,
        v: *const DLTensor,
        out: *mut DLTensor,
        call: *mut Call,
    ) -> i32,
    /// Since minor 1. log γ and ∇ log γ together, counted as one evaluation a row: x `[n, dim]` → out `[n]`, `[n, dim]`.
    pub log_density_and_grad: unsafe extern "C" fn(
        context: *mut c_void,
        x: *const DLTensor,
        log_density: *mut DLTensor,
        grad: *mut DLTensor,
        call: *mut Call,
    ) -> i32,
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The constant is a literal for the sake of the C header.
    #[test]
    fn magic_is_its_text() {
        assert_eq!(MAGIC.to_le_bytes(), *b"FLOWABI\0");
    }
}
