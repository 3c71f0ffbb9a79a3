//! What end-to-end tests share: the built binary, a folder to run it in, what it leaves behind.

mod background;
mod built;
mod cuda;
mod results;
mod sandbox;

pub use background::{Background, wait_until};
pub use built::{Built, built};
pub use cuda::cuda;
pub use results::{Record, Results, Snapshot};
pub use sandbox::Sandbox;
