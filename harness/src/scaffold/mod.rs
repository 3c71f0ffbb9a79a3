//! A new plugin: a crate outside the workspace that builds, passes its test, runs and carries CI as it stands.

mod files;
mod name;
mod place;
mod sdk;

pub use files::{Kind, Scaffold};
pub use name::Name;
pub use place::write;
pub use sdk::sdk;
