//! The export macro: a flow becomes a plugin.

use schemars::{JsonSchema, generate::SchemaSettings};

use crate::{Descriptor, Flow};

/// Exports a flow as the plugin of its crate: `export_flow!(Planar, density, probe);`
///
/// After the type come its capabilities: `density` for types that implement [`Density`](crate::Density) (or
/// [`Inverse`](crate::Inverse)), `probe` for [`Probe`](crate::Probe) (every [`Bijection`](crate::Bijection) does), and
/// `augmented`, a plain flag, for flows whose log q is an estimate: `export_flow!(Hamiltonian, density, probe, augmented);`
/// Name and version are those of the crate.
#[macro_export]
macro_rules! export_flow {
    ($flow:ty $(, $capability:ident)* $(,)?) => {
        const _: () = {
            fn descriptor() -> $crate::Descriptor {
                let figures: &[&str] = $crate::export_flow!(@figures $flow; $($capability)*);
                $crate::describe_flow::<$flow>(
                    env!("CARGO_PKG_NAME"),
                    env!("CARGO_PKG_VERSION"),
                    &[$(stringify!($capability)),*],
                    figures,
                )
            }

            unsafe extern "C" fn describe(out: *mut $crate::abi::Text, call: *mut $crate::abi::Call) -> i32 {
                // SAFETY: the host passes valid pointers.
                unsafe { $crate::thunk::describe(descriptor, out, call) }
            }

            static FLOW: $crate::abi::FlowTable = $crate::abi::FlowTable {
                struct_size: ::core::mem::size_of::<$crate::abi::FlowTable>(),
                create: $crate::thunk::create::<$flow>,
                destroy: $crate::thunk::destroy::<$flow>,
                layout: $crate::thunk::layout::<$flow>,
                init: $crate::thunk::init::<$flow>,
                sample: $crate::thunk::sample::<$flow>,
                density: $crate::export_flow!(@density $flow; $($capability)*),
                backward: $crate::thunk::backward,
                free_tape: $crate::thunk::free_tape,
                probe: $crate::export_flow!(@probe $flow; $($capability)*),
            };

            static PLUGIN: $crate::abi::Plugin = $crate::abi::Plugin {
                magic: $crate::abi::MAGIC,
                major: $crate::abi::MAJOR,
                minor: $crate::abi::MINOR,
                struct_size: ::core::mem::size_of::<$crate::abi::Plugin>(),
                describe,
                flow: &raw const FLOW,
            };

            // SAFETY: the name is the ABI's entry; a plugin library has one.
            #[unsafe(no_mangle)]
            extern "C" fn harness_plugin() -> *const $crate::abi::Plugin {
                &raw const PLUGIN
            }
        };
    };
    (@density $flow:ty; density $($rest:ident)*) => { Some($crate::thunk::density::<$flow>) };
    (@density $flow:ty; $skip:ident $($rest:ident)*) => { $crate::export_flow!(@density $flow; $($rest)*) };
    (@density $flow:ty;) => { None };
    (@probe $flow:ty; probe $($rest:ident)*) => { Some($crate::thunk::probe::<$flow>) };
    (@probe $flow:ty; $skip:ident $($rest:ident)*) => { $crate::export_flow!(@probe $flow; $($rest)*) };
    (@probe $flow:ty;) => { None };
    (@figures $flow:ty; probe $($rest:ident)*) => { <$flow as $crate::Probe>::FIGURES };
    (@figures $flow:ty; $skip:ident $($rest:ident)*) => { $crate::export_flow!(@figures $flow; $($rest)*) };
    (@figures $flow:ty;) => { &[] };
}

/// The descriptor of a flow.
pub fn describe_flow<F: Flow>(id: &str, version: &str, capabilities: &[&str], probes: &[&str]) -> Descriptor {
    let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect();
    Descriptor {
        id: id.into(),
        version: version.into(),
        kind: "flow".into(),
        summary: F::ABOUT.summary.into(),
        reference: F::ABOUT.reference.into(),
        devices: owned(&["cpu"]),
        dtypes: owned(&["f32", "f64"]),
        capabilities: owned(capabilities),
        probes: owned(probes),
        parameters: schema::<F::Config>(),
        build: env!("FLOW_SDK_BUILD").into(),
    }
}

/// JSON Schema 2020-12 of a config struct.
fn schema<T: JsonSchema>() -> serde_json::Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().to_value()
}
