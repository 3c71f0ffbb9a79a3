//! Throughput by protocol: warm-up apart, then repeated windows of equal work, and their median.

use std::time::{Duration, Instant};

use candle_core::Device;

use super::percentile::percentile;

/// Windows per figure.
const WINDOWS: usize = 5;
/// A window is at least this long, so that the clock and one interruption of the scheduler weigh little.
const WINDOW: Duration = Duration::from_millis(20);
/// Calls before the first window: caches, page tables, branch predictors, lazily started threads.
const WARM_UP: usize = 3;

/// Items per second: the median over windows, and each window.
#[derive(Clone, Debug, PartialEq)]
pub struct Throughput {
    /// Median.
    pub per_s: f64,
    /// Every window, in order.
    pub windows: Vec<f64>,
}

/// Times `work`, which does `items` per call. A window ends when the device has done all of it.
pub fn measure(
    items: usize,
    device: &Device,
    mut work: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<Throughput> {
    let mut last = Duration::ZERO;
    for _ in 0..WARM_UP {
        let start = Instant::now();
        work()?;
        device.synchronize()?;
        last = start.elapsed();
    }
    let calls = (WINDOW.as_secs_f64() / last.as_secs_f64().max(1e-9)).ceil().max(1.0) as usize;
    let mut windows = Vec::with_capacity(WINDOWS);
    for _ in 0..WINDOWS {
        let start = Instant::now();
        for _ in 0..calls {
            work()?;
        }
        device.synchronize()?;
        windows.push((calls * items) as f64 / start.elapsed().as_secs_f64());
    }
    Ok(Throughput { per_s: percentile(&windows, 0.5).unwrap_or(f64::NAN), windows })
}
