//! The export macros: a flow or a sampler becomes a plugin.

use schemars::{JsonSchema, generate::SchemaSettings};

use crate::{About, Descriptor, Flow, Sampler};

/// Exports a flow as the plugin of its crate: `export_flow!(Planar, density, probe);`
///
/// After the type come its capabilities: `density` for types that implement [`Density`](crate::Density) (or
/// [`Inverse`](crate::Inverse)), `probe` for [`Probe`](crate::Probe) (every [`Bijection`](crate::Bijection) does), and
/// `augmented`, a plain flag, for flows whose log q is an estimate: `export_flow!(Hamiltonian, density, probe, augmented);`
/// Flows with kernels of their own add `fused` for [`Fused`](crate::Fused) and `fused_density` for
/// [`FusedDensity`](crate::FusedDensity).
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
                create: $crate::thunk::create::<$crate::thunk::OfFlow<$flow>>,
                destroy: $crate::thunk::destroy::<$crate::thunk::OfFlow<$flow>>,
                layout: $crate::thunk::layout::<$crate::thunk::OfFlow<$flow>>,
                init: $crate::thunk::init::<$crate::thunk::OfFlow<$flow>>,
                sample: $crate::export_flow!(@sample $flow; $($capability)*),
                density: $crate::export_flow!(@density $flow; $($capability)*),
                backward: $crate::thunk::backward,
                free_tape: $crate::thunk::free_tape,
                probe: $crate::export_flow!(@probe $flow; $($capability)*),
                sample_rows: $crate::export_flow!(@rows $flow; $($capability)*),
                sample_gradient: $crate::export_flow!(@gradient $flow; $($capability)*),
                density_gradient: $crate::export_flow!(@density_gradient $flow; $($capability)*),
            };

            $crate::export_plugin!(describe, &raw const FLOW, ::core::ptr::null());
        };
    };
    (@sample $flow:ty; fused $($rest:ident)*) => { $crate::thunk::fused_sample::<$flow> };
    (@sample $flow:ty; $skip:ident $($rest:ident)*) => { $crate::export_flow!(@sample $flow; $($rest)*) };
    (@sample $flow:ty;) => { $crate::thunk::sample::<$flow> };
    (@rows $flow:ty; fused $($rest:ident)*) => { Some($crate::thunk::sample_rows::<$flow>) };
    (@rows $flow:ty; $skip:ident $($rest:ident)*) => { $crate::export_flow!(@rows $flow; $($rest)*) };
    (@rows $flow:ty;) => { None };
    (@gradient $flow:ty; fused $($rest:ident)*) => { Some($crate::thunk::sample_gradient::<$flow>) };
    (@gradient $flow:ty; $skip:ident $($rest:ident)*) => { $crate::export_flow!(@gradient $flow; $($rest)*) };
    (@gradient $flow:ty;) => { None };
    (@density_gradient $flow:ty; fused_density $($rest:ident)*) => {
        Some($crate::thunk::density_gradient::<$flow>)
    };
    (@density_gradient $flow:ty; $skip:ident $($rest:ident)*) => {
        $crate::export_flow!(@density_gradient $flow; $($rest)*)
    };
    (@density_gradient $flow:ty;) => { None };
    (@density $flow:ty; fused_density $($rest:ident)*) => { Some($crate::thunk::fused_density::<$flow>) };
    (@density $flow:ty; density $($rest:ident)*) => { $crate::export_flow!(@defined_density $flow; $($rest)*) };
    (@density $flow:ty; $skip:ident $($rest:ident)*) => { $crate::export_flow!(@density $flow; $($rest)*) };
    (@density $flow:ty;) => { None };
    (@defined_density $flow:ty; fused_density $($rest:ident)*) => { Some($crate::thunk::fused_density::<$flow>) };
    (@defined_density $flow:ty; $skip:ident $($rest:ident)*) => {
        $crate::export_flow!(@defined_density $flow; $($rest)*)
    };
    (@defined_density $flow:ty;) => { Some($crate::thunk::density::<$flow>) };
    (@probe $flow:ty; probe $($rest:ident)*) => { Some($crate::thunk::probe::<$flow>) };
    (@probe $flow:ty; $skip:ident $($rest:ident)*) => { $crate::export_flow!(@probe $flow; $($rest)*) };
    (@probe $flow:ty;) => { None };
    (@figures $flow:ty; probe $($rest:ident)*) => { <$flow as $crate::Probe>::FIGURES };
    (@figures $flow:ty; $skip:ident $($rest:ident)*) => { $crate::export_flow!(@figures $flow; $($rest)*) };
    (@figures $flow:ty;) => { &[] };
}

/// Exports a sampler as the plugin of its crate: `export_sampler!(Hmc, adapt, probe);`
///
/// After the type come its capabilities: `train` for types that implement [`Trained`](crate::Trained), `adapt` for
/// [`Adapt`](crate::Adapt), `probe` for [`ChainProbe`](crate::ChainProbe), `fused` for
/// [`FusedSampler`](crate::FusedSampler), `fused_train` for [`FusedTrained`](crate::FusedTrained). Name and version are those
/// of the crate.
#[macro_export]
macro_rules! export_sampler {
    ($sampler:ty $(, $capability:ident)* $(,)?) => {
        const _: () = {
            fn descriptor() -> $crate::Descriptor {
                let figures: &[&str] = $crate::export_sampler!(@figures $sampler; $($capability)*);
                $crate::describe_sampler::<$sampler>(
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

            static SAMPLER: $crate::abi::SamplerTable = $crate::abi::SamplerTable {
                struct_size: ::core::mem::size_of::<$crate::abi::SamplerTable>(),
                create: $crate::thunk::create::<$crate::thunk::OfSampler<$sampler>>,
                destroy: $crate::thunk::destroy::<$crate::thunk::OfSampler<$sampler>>,
                layout: $crate::thunk::layout::<$crate::thunk::OfSampler<$sampler>>,
                init: $crate::thunk::init::<$crate::thunk::OfSampler<$sampler>>,
                transition: $crate::export_sampler!(@transition $sampler; $($capability)*),
                backward: $crate::export_sampler!(@backward $($capability)*),
                free_tape: $crate::thunk::free_tape,
                adapt: $crate::export_sampler!(@adapt $sampler; $($capability)*),
                probe: $crate::export_sampler!(@probe $sampler; $($capability)*),
                transition_rows: $crate::export_sampler!(@rows $sampler; $($capability)*),
                transition_gradient: $crate::export_sampler!(@gradient $sampler; $($capability)*),
            };

            $crate::export_plugin!(describe, ::core::ptr::null(), &raw const SAMPLER);
        };
    };
    (@rows $sampler:ty; fused $($rest:ident)*) => { Some($crate::thunk::transition_rows::<$sampler>) };
    (@rows $sampler:ty; $skip:ident $($rest:ident)*) => { $crate::export_sampler!(@rows $sampler; $($rest)*) };
    (@rows $sampler:ty;) => { None };
    (@gradient $sampler:ty; fused_train $($rest:ident)*) => { Some($crate::thunk::transition_gradient::<$sampler>) };
    (@gradient $sampler:ty; $skip:ident $($rest:ident)*) => { $crate::export_sampler!(@gradient $sampler; $($rest)*) };
    (@gradient $sampler:ty;) => { None };
    (@transition $sampler:ty; train $($rest:ident)*) => { $crate::thunk::transition_taped::<$sampler> };
    (@transition $sampler:ty; $skip:ident $($rest:ident)*) => {
        $crate::export_sampler!(@transition $sampler; $($rest)*)
    };
    (@transition $sampler:ty;) => { $crate::thunk::transition::<$sampler> };
    (@backward train $($rest:ident)*) => { Some($crate::thunk::backward) };
    (@backward $skip:ident $($rest:ident)*) => { $crate::export_sampler!(@backward $($rest)*) };
    (@backward) => { None };
    (@adapt $sampler:ty; adapt $($rest:ident)*) => { Some($crate::thunk::adapt::<$sampler>) };
    (@adapt $sampler:ty; $skip:ident $($rest:ident)*) => { $crate::export_sampler!(@adapt $sampler; $($rest)*) };
    (@adapt $sampler:ty;) => { None };
    (@probe $sampler:ty; probe $($rest:ident)*) => { Some($crate::thunk::chain_probe::<$sampler>) };
    (@probe $sampler:ty; $skip:ident $($rest:ident)*) => { $crate::export_sampler!(@probe $sampler; $($rest)*) };
    (@probe $sampler:ty;) => { None };
    (@figures $sampler:ty; probe $($rest:ident)*) => { <$sampler as $crate::ChainProbe>::FIGURES };
    (@figures $sampler:ty; $skip:ident $($rest:ident)*) => { $crate::export_sampler!(@figures $sampler; $($rest)*) };
    (@figures $sampler:ty;) => { &[] };
}

/// The table of a plugin and its entry; a part of the other macros.
#[doc(hidden)]
#[macro_export]
macro_rules! export_plugin {
    ($describe:expr, $flow:expr, $sampler:expr) => {
        static PLUGIN: $crate::abi::Plugin = $crate::abi::Plugin {
            magic: $crate::abi::MAGIC,
            major: $crate::abi::MAJOR,
            minor: $crate::abi::MINOR,
            struct_size: ::core::mem::size_of::<$crate::abi::Plugin>(),
            describe: $describe,
            flow: $flow,
            sampler: $sampler,
        };

        // SAFETY: the name is the ABI's entry; a plugin library has one.
        #[unsafe(no_mangle)]
        extern "C" fn harness_plugin() -> *const $crate::abi::Plugin {
            &raw const PLUGIN
        }
    };
}

/// The descriptor of a flow.
pub fn describe_flow<F: Flow>(id: &str, version: &str, capabilities: &[&str], probes: &[&str]) -> Descriptor {
    let named = [id, version, "flow"];
    descriptor(named, F::ABOUT, devices(true), capabilities, probes, schema::<F::Config>())
}

/// The descriptor of a sampler.
pub fn describe_sampler<S: Sampler>(id: &str, version: &str, capabilities: &[&str], probes: &[&str]) -> Descriptor {
    let free = S::GRADIENT_FREE.then_some("gradient-free");
    let capabilities: Vec<&str> = capabilities.iter().copied().chain(free).collect();
    let named = [id, version, "sampler"];
    descriptor(named, S::ABOUT, devices(S::CUDA), &capabilities, probes, schema::<S::Config>())
}

/// Where instances run, in this build.
fn devices(cuda: bool) -> &'static [&'static str] {
    if cuda && cfg!(feature = "cuda") { &["cpu", "cuda"] } else { &["cpu"] }
}

fn descriptor(
    [id, version, kind]: [&str; 3],
    about: About,
    devices: &[&str],
    capabilities: &[&str],
    probes: &[&str],
    parameters: serde_json::Value,
) -> Descriptor {
    let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect();
    Descriptor {
        id: id.into(),
        version: version.into(),
        kind: kind.into(),
        summary: about.summary.into(),
        reference: about.reference.into(),
        devices: owned(devices),
        dtypes: owned(&["f32", "f64"]),
        capabilities: owned(capabilities),
        probes: owned(probes),
        parameters,
        build: env!("FLOW_SDK_BUILD").into(),
    }
}

/// JSON Schema 2020-12 of a config struct.
fn schema<T: JsonSchema>() -> serde_json::Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().to_value()
}
