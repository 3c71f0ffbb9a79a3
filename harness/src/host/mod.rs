//! Plugins as the harness sees them: found, loaded, checked, called.

mod chain_rows;
mod child;
mod discover;
mod flow;
mod instance;
mod library;
mod options;
mod pull_proposals;
mod rows;
mod sampler;
mod target;
mod temper;

pub(crate) use child::{drain, ended_within};
pub use discover::{Found, SearchPath, describe_here, sha256_of};
pub use flow::HostFlow;
pub use instance::Tape;
pub(crate) use instance::checked;
pub use library::{Library, LoadError, Sizes};
pub use options::TensorOptions;
pub use pull_proposals::PullProposals;
pub use rows::PullBack;
pub use sampler::HostSampler;
pub use target::CountedTarget;
pub use temper::{Tempering, base_log_density};

/// A call into a plugin that failed.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// The plugin returned an error.
    #[error("{function}: {message}")]
    Failed {
        /// Which function of the ABI.
        function: &'static str,
        /// What the plugin says.
        message: String,
    },
    /// The plugin panicked; the panic was caught at its edge.
    #[error("{function} panicked: {message}")]
    Panicked {
        /// Which function of the ABI.
        function: &'static str,
        /// The panic's message.
        message: String,
    },
    /// The plugin has no way to do it for this instance, and says so.
    #[error("declined")]
    Declined,
    /// What the plugin returned breaks the contract.
    #[error("{function}: {problem}")]
    Contract {
        /// Which function of the ABI.
        function: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// A tensor could not be passed across.
    #[error(transparent)]
    View(#[from] flow_sdk::Error),
}
