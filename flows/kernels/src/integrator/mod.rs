//! Numerical integrators of separable Hamiltonian systems.

mod scheme;
mod stepper;
mod table;

pub use scheme::{Method, Scheme, Stability, Stage};
pub use stepper::{MAX_ITERATIONS, System, integrate, integrate_back};
pub use table::SCHEMES;
