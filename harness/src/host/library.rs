//! A plugin library: opened, gated on its ABI, asked for its descriptor.

use std::mem::{ManuallyDrop, MaybeUninit, offset_of};
use std::path::{Path, PathBuf};

use flow_sdk::Descriptor;
use flow_sdk::abi;
use flow_sdk::text::{CallBuffer, ask, outcome};
use libloading::os::unix::{Library as RawLibrary, RTLD_LOCAL, RTLD_NOW};

/// Why a plugin library cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not an ELF shared object.
    #[error("{}: not a shared library (it does not start with the ELF magic number); build the plugin with \
             crate-type = [\"cdylib\"]", path.display())]
    NotALibrary {
        /// The file.
        path: PathBuf,
    },
    /// The dynamic linker refused it.
    #[error("{}: cannot be loaded: {reason}", path.display())]
    Linker {
        /// The file.
        path: PathBuf,
        /// The linker's words.
        reason: String,
    },
    /// It has no entry function.
    #[error("{}: exports no `{}`; is `export_flow!` missing?", path.display(), abi::ENTRY)]
    NoEntry {
        /// The file.
        path: PathBuf,
    },
    /// Its table does not begin with the magic number.
    #[error("{}: `{}` returned no plugin table (found magic {found:#018x}, required {:#018x})",
            path.display(), abi::ENTRY, abi::MAGIC)]
    Magic {
        /// The file.
        path: PathBuf,
        /// The first word.
        found: u64,
    },
    /// Its ABI is another.
    #[error("{}: plugin ABI {found}, this harness requires major version {}; rebuild the plugin against this \
             version of flow-sdk", path.display(), abi::MAJOR)]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version, major.minor.
        found: String,
    },
    /// A table is shorter than the first version of this major.
    #[error("{}: its {table} table has {found} bytes, required at least {required}", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Which table.
        table: &'static str,
        /// Its stated size.
        found: usize,
        /// The size of version 1.0.
        required: usize,
    },
    /// It describes itself in a way that cannot be read.
    #[error("{}: describe: {reason}", path.display())]
    Descriptor {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// A loaded plugin. It stays in the process for good: code, thread-locals and tables of a plugin outlive every instance.
#[derive(Debug)]
pub struct Library {
    path: PathBuf,
    // Not a reference: the table of an older minor version is shorter than the struct.
    plugin: *const abi::Plugin,
    _never_closed: ManuallyDrop<RawLibrary>,
}

/// Sizes of a plugin's tables in bytes, as it states them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Of the table that the entry returns.
    pub plugin: usize,
    /// Of a flow's functions, where there are any.
    pub flow: Option<usize>,
    /// Of a sampler's.
    pub sampler: Option<usize>,
}

impl Library {
    /// Opens a plugin and checks that its ABI is ours.
    pub fn open(path: &Path) -> Result<Self, LoadError> {
        check_elf(path)?;
        let own = || path.to_path_buf();
        // SAFETY: loading runs the library's constructors. Plugins are code that the user chose to run; the harness
        // loads them in worker processes, so that one which misbehaves here takes only its own cell with it.
        let library = unsafe { RawLibrary::open(Some(path), RTLD_NOW | RTLD_LOCAL) }
            .map_err(|error| LoadError::Linker { path: own(), reason: innermost(&error) })?;
        let library = ManuallyDrop::new(library);
        // SAFETY: the ABI fixes the type of the symbol of this name.
        let entry = unsafe { library.get::<abi::Entry>(abi::ENTRY.as_bytes()) }
            .map_err(|_| LoadError::NoEntry { path: own() })?;
        // SAFETY: as above; the function takes nothing.
        let table = unsafe { entry() };
        if table.is_null() {
            return Err(LoadError::Magic { path: own(), found: 0 });
        }
        // SAFETY: magic and version come first in every version of the table, so they may be read before it is trusted.
        let (magic, major, minor) = unsafe { ((*table).magic, (*table).major, (*table).minor) };
        if magic != abi::MAGIC {
            return Err(LoadError::Magic { path: own(), found: magic });
        }
        if major != abi::MAJOR {
            return Err(LoadError::Version { path: own(), found: format!("{major}.{minor}") });
        }
        let long_enough = |table, found, required| {
            if found < required { Err(LoadError::Truncated { path: own(), table, found, required }) } else { Ok(()) }
        };
        // SAFETY: same major version: the table is at least that of its first minor version, as it says itself.
        let (size, flow) = unsafe { ((*table).struct_size, (*table).flow) };
        long_enough("plugin", size, offset_of!(abi::Plugin, sampler))?;
        if !flow.is_null() {
            // SAFETY: tables begin with their size.
            let found = unsafe { (*flow).struct_size };
            long_enough("flow", found, offset_of!(abi::FlowTable, sample_rows))?;
        }
        let library = Self { path: own(), plugin: table, _never_closed: library };
        if let Some(found) = library.sampler_size() {
            long_enough("sampler", found, offset_of!(abi::SamplerTable, transition_rows))?;
        }
        Ok(library)
    }

    /// Where it was loaded from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its ABI: major, minor.
    pub fn version(&self) -> (u32, u32) {
        // SAFETY: `open` checked the table.
        unsafe { ((*self.plugin).major, (*self.plugin).minor) }
    }

    /// How long its tables are.
    pub fn sizes(&self) -> Sizes {
        // SAFETY: as above; tables begin with their size.
        let (plugin, flow) = unsafe {
            let flow = (*self.plugin).flow;
            ((*self.plugin).struct_size, if flow.is_null() { None } else { Some((*flow).struct_size) })
        };
        Sizes { plugin, flow, sampler: self.sampler_size() }
    }

    /// What it says of itself.
    pub fn descriptor(&self) -> Result<Descriptor, LoadError> {
        let fail = |reason: String| LoadError::Descriptor { path: self.path.clone(), reason };
        let mut buffer = CallBuffer::new();
        // SAFETY: both pointers are valid for the call.
        let (code, text) = ask(|out| unsafe { ((*self.plugin).describe)(out, buffer.call()) });
        outcome(code, &buffer).map_err(|failure| fail(failure.message))?;
        serde_json::from_str(&text).map_err(|error| fail(format!("not a descriptor: {error}")))
    }

    /// The functions of a flow, where the plugin is one.
    pub fn flow(&self) -> Option<abi::FlowTable> {
        // SAFETY: the pointer is null or points to a table that is as long as it says, checked in `open` to have all that
        // is not optional.
        unsafe {
            let table = (*self.plugin).flow;
            if table.is_null() { None } else { Some(complete(table, (*table).struct_size)) }
        }
    }

    /// The functions of a sampler, where the plugin is one.
    pub fn sampler(&self) -> Option<abi::SamplerTable> {
        let size = self.sampler_size()?;
        // SAFETY: as above; there is a table, and it has this size.
        Some(unsafe { complete((*self.plugin).sampler, size) })
    }

    /// Size of the sampler's table, where there is one.
    fn sampler_size(&self) -> Option<usize> {
        // SAFETY: the field is read only where the plugin's table is long enough to have it; tables begin with their size.
        unsafe {
            let reaches = (*self.plugin).struct_size >= offset_of!(abi::Plugin, sampler) + size_of::<usize>();
            if !reaches || (*self.plugin).sampler.is_null() {
                None
            } else {
                Some((*(*self.plugin).sampler).struct_size)
            }
        }
    }
}

/// A table of an older minor version as one of ours: the functions that it has not are none.
///
/// # Safety
/// `table` has `size` readable bytes, among them every field of T for which zeros are no value.
unsafe fn complete<T: Copy>(table: *const T, size: usize) -> T {
    let mut whole = MaybeUninit::<T>::zeroed();
    // SAFETY: the caller vouches for the bytes and for the zeros that are left; both sides have at least this many.
    unsafe {
        std::ptr::copy_nonoverlapping(table.cast::<u8>(), whole.as_mut_ptr().cast::<u8>(), size.min(size_of::<T>()));
        whole.assume_init()
    }
}

pub(super) fn check_elf(path: &Path) -> Result<(), LoadError> {
    use std::io::Read;
    let mut magic = [0u8; 4];
    let mut file =
        std::fs::File::open(path).map_err(|source| LoadError::Unreadable { path: path.to_path_buf(), source })?;
    match file.read_exact(&mut magic) {
        Ok(()) if magic == *b"\x7fELF" => Ok(()),
        _ => Err(LoadError::NotALibrary { path: path.to_path_buf() }),
    }
}

/// The linker's own words are the last of libloading's chain.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
