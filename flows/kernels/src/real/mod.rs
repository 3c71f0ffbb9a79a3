//! The two element types of the kernels: f32 or f64, with functions that loops over slices vectorise.

mod bits;
#[cfg(test)]
mod double;
mod element;
mod exponential;
mod hyperbolic;
#[cfg(test)]
mod laws;
mod logarithm;
mod polynomial;
mod trigonometry;
mod uniform;

pub use element::Real;
pub(crate) use logarithm::ln_of_sum;
