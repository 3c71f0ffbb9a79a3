//! Text and messages across the ABI: buffers that the caller owns.

use std::cell::Cell;
use std::ffi::c_void;

use crate::abi::{Call, FAILED, OK, PANICKED, Text};

/// The stream of every call: `CU_STREAM_PER_THREAD` of CUDA's header, by which candle's devices are ordered.
const STREAM: *mut c_void = std::ptr::without_provenance_mut(if cfg!(feature = "cuda") { 2 } else { 0 });

/// A call's context with room for its message.
#[derive(Debug)]
pub struct CallBuffer {
    bytes: Vec<u8>,
    call: Call,
}

/// A call that did not return [`OK`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// [`FAILED`], [`PANICKED`] or a code that the ABI does not know.
    pub code: i32,
    /// What the other side says.
    pub message: String,
}

impl CallBuffer {
    /// Room for a message of 4 KiB; longer ones are cut.
    pub fn new() -> Self {
        let mut bytes = vec![0; 4096];
        let message = Text { data: bytes.as_mut_ptr(), capacity: bytes.len(), length: 0 };
        Self { bytes, call: Call { struct_size: size_of::<Call>(), stream: STREAM, message } }
    }

    /// No room for a message: to see that the other side bears it.
    pub fn without_room() -> Self {
        let message = Text { data: std::ptr::null_mut(), capacity: 0, length: 0 };
        Self { bytes: Vec::new(), call: Call { struct_size: size_of::<Call>(), stream: STREAM, message } }
    }

    /// The context to pass, its message empty.
    pub fn call(&mut self) -> *mut Call {
        self.call.message = Text { data: self.bytes.as_mut_ptr(), capacity: self.bytes.len(), length: 0 };
        &raw mut self.call
    }

    /// The message that the last call left.
    pub fn message(&self) -> String {
        let length = self.call.message.length.min(self.bytes.len());
        String::from_utf8_lossy(&self.bytes[..length]).into_owned()
    }
}

impl Default for CallBuffer {
    fn default() -> Self {
        Self::new()
    }
}

/// Runs one call with this thread's buffer, for calls that are too many to have one each.
pub fn with_call(f: impl FnOnce(*mut Call) -> i32) -> Result<(), Failure> {
    thread_local! {
        static BUFFER: Cell<Option<CallBuffer>> = const { Cell::new(None) };
    }
    // Taken out, so that a call within the call has another.
    let mut buffer = BUFFER.take().unwrap_or_default();
    let code = f(buffer.call());
    let result = if code == OK { Ok(()) } else { outcome(code, &buffer) };
    BUFFER.set(Some(buffer));
    result
}

/// The outcome of a call that used `buffer`.
pub fn outcome(code: i32, buffer: &CallBuffer) -> Result<(), Failure> {
    let said = buffer.message();
    let message = match (code, said.is_empty()) {
        (OK, _) => return Ok(()),
        (FAILED | PANICKED, false) => said,
        (FAILED | PANICKED, true) => "no message".into(),
        _ => format!("status code {code}, which the ABI does not define: {said}"),
    };
    Err(Failure { code, message })
}

/// Asks for a text of unknown length: calls `f` again with a larger buffer where the first was too small.
pub fn ask(mut f: impl FnMut(*mut Text) -> i32) -> (i32, String) {
    let mut bytes = vec![0u8; 16 << 10];
    loop {
        let mut text = Text { data: bytes.as_mut_ptr(), capacity: bytes.len(), length: 0 };
        let code = f(&raw mut text);
        // A length that no descriptor has is a bug on the other side: cut, and let the JSON parser complain.
        let length = text.length.min(64 << 20);
        if code == OK && length > bytes.len() {
            bytes.resize(length, 0);
            continue;
        }
        bytes.truncate(length);
        return (code, String::from_utf8_lossy(&bytes).into_owned());
    }
}

/// Writes `content` into a caller's buffer, cut to its capacity, with the full length.
///
/// # Safety
/// `text` is null or valid, with `capacity` writable bytes at `data`.
pub unsafe fn answer(content: &str, text: *mut Text) {
    // SAFETY: the caller vouches for the pointer.
    let Some(text) = (unsafe { text.as_mut() }) else { return };
    let fits = content.len().min(text.capacity);
    if fits > 0 && !text.data.is_null() {
        // SAFETY: `fits` bytes are readable in `content` and writable at `data`; the buffers are distinct.
        unsafe { std::ptr::copy_nonoverlapping(content.as_ptr(), text.data, fits) };
    }
    text.length = content.len();
}
