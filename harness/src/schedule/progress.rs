//! What a person at a terminal sees: a bar for the sweep, a line for every running cell. Nothing elsewhere.

use std::collections::HashMap;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::worker::Progress;

/// The display of a run.
pub struct Display {
    all: MultiProgress,
    sweep: ProgressBar,
    cells: HashMap<usize, ProgressBar>,
}

impl Display {
    /// For `total` cells. Hidden where standard error is not a terminal.
    pub fn new(total: usize) -> Self {
        let all = MultiProgress::new();
        let sweep = all.add(ProgressBar::new(total as u64));
        sweep.set_style(style("{bar:30} {pos} of {len} cells, {elapsed_precise} gone, {eta} left {msg}"));
        Self { all, sweep, cells: HashMap::new() }
    }

    /// A cell has started.
    pub fn started(&mut self, key: usize, label: &str) {
        let bar = self.all.add(ProgressBar::new(1));
        bar.set_style(style("  {prefix:40!} {bar:20} step {pos} of {len}, {eta} left {msg}"));
        bar.set_prefix(label.to_owned());
        self.cells.insert(key, bar);
    }

    /// A cell has come further.
    pub fn progress(&mut self, key: usize, progress: &Progress) {
        if let Some(bar) = self.cells.get(&key) {
            bar.set_length(progress.steps);
            bar.set_position(progress.step);
            if let Some(elbo) = progress.elbo {
                bar.set_message(format!("elbo {elbo:.4}"));
            }
        }
    }

    /// A cell has ended.
    pub fn ended(&mut self, key: usize) {
        if let Some(bar) = self.cells.remove(&key) {
            bar.finish_and_clear();
            self.all.remove(&bar);
        }
        self.sweep.inc(1);
    }

    /// The run is over.
    pub fn finish(&self) {
        self.sweep.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    // The templates are constants above; a mistake in one costs the looks, not the run.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
