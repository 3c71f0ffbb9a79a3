//! What is trained and measured in a cell: a flow or a sampler.

use anyhow::Result;
use candle_core::Tensor;
use flow_sdk::{Descriptor, Layout};

use super::run::{Ending, Run};
use crate::host::PluginError;
use crate::results::{Figures, KeptChains};
use crate::train::{At, Record};

/// A plugin's instance with all that its kind needs to be trained and measured.
pub(super) trait Subject {
    /// What the plugin says of itself.
    fn descriptor(&self) -> &Descriptor;

    /// Its parameters.
    fn layout(&self) -> &Layout;

    /// Their first values `[P]`.
    fn init(&self, seed: u64) -> Result<Tensor, PluginError>;

    /// Whether it has parameters that an objective can train.
    fn learns(&self) -> bool;

    /// Gradient `[P]` of the cell's objective; what else it saw goes into the record.
    fn gradient(&self, at: At<'_>, record: &mut Record) -> Result<Tensor>;

    /// A look in the middle of the training, recorded.
    fn look(&self, run: &mut Run<'_>) -> Result<()>;

    /// The end of a training: measured, refused if it cannot be, timed; `None` where it was asked to stop.
    fn conclude(&mut self, run: &mut Run<'_>, figures: &mut Figures) -> Result<Option<Ending>>;

    /// The plugin's own figures on a training that gave up.
    fn post_mortem(&self, run: &Run<'_>) -> Result<Vec<(String, f64)>>;

    /// About `n` draws `[n, d]` to be kept; none where there are none.
    fn draws(&self, run: &Run<'_>, n: usize) -> Result<Option<Tensor>>;

    /// Some of its chains, for pictures; none where there are none.
    fn kept_chains(&self) -> Option<KeptChains> {
        None
    }
}
