//! What a target density is to the rest of the harness.

use candle_core::{Tensor, Var};

use crate::{Curvature, DeviceKernel, Kernel};

/// A density on ℝᵈ known up to its normalising constant.
///
/// Shapes: `x` is `[n, dim]`, in f32 or f64, on any device; results have its dtype and live on its device.
/// Logarithms are natural: densities are in nats.
pub trait Target: Send + Sync {
    /// Dimension d of the space.
    fn dim(&self) -> usize;

    /// log γ(x), not normalised: `[n, dim]` → `[n]`.
    fn log_density(&self, x: &Tensor) -> Result<Tensor>;

    /// ∇ log γ(x) by its own formula, in differentiable tensor operations: `[n, dim]` → `[n, dim]`.
    fn grad(&self, x: &Tensor) -> Result<Tensor>;

    /// Product of the Hessian of log γ at `x` with `v`: both `[n, dim]` → `[n, dim]`.
    ///
    /// The Hessian is symmetric, so one reverse pass through [`Target::grad`] gives it.
    fn hvp(&self, x: &Tensor, v: &Tensor) -> Result<Tensor> {
        let x = Var::from_tensor(&x.detach())?;
        let along = (self.grad(x.as_tensor())? * v)?.sum_all()?;
        let grads = along.backward()?;
        Ok(match grads.get(x.as_tensor()) {
            Some(product) => product.clone(),
            None => x.as_tensor().zeros_like()?, // the gradient is constant: a zero Hessian
        })
    }

    /// The same density and gradient on slices, for targets that have them.
    fn kernel(&self) -> Option<&dyn Kernel> {
        None
    }

    /// The same Hessian-vector product on slices, for targets that have it.
    fn curvature(&self) -> Option<&dyn Curvature> {
        None
    }

    /// What the kernels on CUDA devices need to know of it, for targets that have one there; the others, and all on other
    /// devices, are evaluated by their definition.
    fn device_kernel(&self) -> Option<DeviceKernel<'_>> {
        None
    }

    /// What is known in closed form or by quadrature.
    fn known(&self) -> Known;

    /// Exact draws, where they can be had.
    fn exact_draws(&self) -> Option<&dyn ExactDraws> {
        None
    }

    /// Components for mode coverage, where the target has them.
    fn modes(&self) -> Option<&dyn Modes> {
        None
    }
}

/// Draws from the normalised target itself, without Markov chains.
pub trait ExactDraws {
    /// `n` draws, row-major `[n, dim]`, in f64; draw i depends on `seed` and i alone.
    fn draw(&self, seed: u64, n: usize) -> Vec<f64>;
}

/// Components to which a draw can be assigned.
pub trait Modes {
    /// How many components there are, at least two.
    fn count(&self) -> usize;

    /// The component of one point `x` of length dim: a number below [`Modes::count`].
    fn assign(&self, x: &[f64]) -> usize;

    /// Share of the target's mass in each component; sums to one.
    fn weights(&self) -> Vec<f64>;
}

/// What is known of a target; `None` is unknown, never zero.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Known {
    /// log ∫ γ, in nats.
    pub log_z: Option<f64>,
    /// Mean of every coordinate.
    pub mean: Option<Vec<f64>>,
    /// Standard deviation of every coordinate, where finite.
    pub sd: Option<Vec<f64>>,
    /// Where the numbers come from.
    pub source: &'static str,
}

/// Why a target could not be built or evaluated.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No target has that name.
    #[error("unknown target `{0}`")]
    Unknown(String),
    /// Parameters break a rule that the schema cannot state.
    #[error("{0}")]
    Parameters(String),
    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
    /// Parameters do not match the schema.
    #[error("{0}")]
    Config(#[from] serde_json::Error),
}

/// Result of a target's operation.
pub type Result<T> = std::result::Result<T, Error>;
