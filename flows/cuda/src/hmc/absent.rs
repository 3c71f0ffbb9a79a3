//! Trajectories of a build without CUDA: there are none.

use candle_core::{Result, Tensor, bail};

use super::{End, Known, Motion};

/// n chains on their way.
#[derive(Debug)]
pub enum Trajectory {}

impl Trajectory {
    /// Always an error.
    pub fn start(_: Known<'_>, _: Motion<'_>, _: f64, _: f64) -> Result<Self> {
        bail!("this build has no CUDA")
    }

    /// Where the chains are.
    pub fn q(&self) -> &Tensor {
        match *self {}
    }

    /// A kick with its drift.
    pub fn kick_and_drift(&mut self, _: &Tensor, _: f64, _: f64) -> Result<()> {
        match *self {}
    }

    /// The end.
    pub fn end(self, _: Known<'_>, _: &Tensor, _: &Tensor, _: f64) -> Result<End> {
        match self {}
    }
}
