//! Why a plugin's call failed.

/// A failure that crosses the ABI as its message.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The parameters are not what the config struct takes.
    #[error("parameters: {0}")]
    Config(#[from] serde_json::Error),
    /// A tensor operation failed.
    #[error("{0}")]
    Tensor(#[from] candle_core::Error),
    /// The host's target call-back failed.
    #[error("target: {0}")]
    Target(String),
    /// The host passed a view that this build cannot use.
    #[error("tensor view: {0}")]
    View(String),
    /// Anything else a flow wants to say.
    #[error("{0}")]
    Message(String),
}

/// Result of a plugin's operation.
pub type Result<T> = std::result::Result<T, Error>;
