//! Warm-up of a sampler: step size by dual averaging, scale of each coordinate from the chains' own spread.
//!
//! Dual averaging after Hoffman & Gelman, "The No-U-Turn sampler" (JMLR 15, 2014), algorithm 6, with α the mean acceptance
//! of all chains:
//!
//! ```text
//! H̄ ← (1 − 1/(t + t₀)) H̄ + (δ − α)/(t + t₀)     log ε = μ − √t/γ · H̄     log ε̄ ← t^−κ log ε + (1 − t^−κ) log ε̄
//! ```
//!
//! γ = 0.05, t₀ = 10, κ = 0.75, μ = log 10ε₀; the warm-up ends on ε̄. Windows after the Stan reference manual, section 15.2
//! ("HMC algorithm parameters"): 15 % of the warm-up for the step size alone, then windows that double, from 5 % on, at
//! whose ends the variances of the draws become the scales and the averaging starts anew, then 10 % for the step size.
//! Variances are pooled over chains and draws (Welford 1962; Chan, Golub & LeVeque 1983 for batches) and shrunk as Stan's:
//! (n v + 5·10⁻³)/(n + 5), with n the number of draws.
//! Deviation: one step size and one set of scales for all chains, learnt from all of them, where Stan has a set a chain;
//! so warm-ups can be short.

use candle_core::{DType, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Element, Init, Layout, Params, Result, Seen};

const GAMMA: f64 = 0.05;
const T0: f64 = 10.0;
const KAPPA: f64 = 0.75;
/// Shares of a warm-up: before the first window, of the first window, after the last.
const FIRST: f64 = 0.15;
const WINDOW: f64 = 0.05;
const LAST: f64 = 0.1;

/// Names of the tuned slices.
const LOG_STEP: &str = "tuned.log_step_size";
const LOG_SD: &str = "tuned.log_sd";
/// log ε̄, H̄, μ, t.
const AVERAGING: &str = "tuned.averaging";
/// n, then the means, then the sums of squared deviations.
const SPREAD: &str = "tuned.spread";

/// What a warm-up tunes, and towards what.
#[derive(Clone, Copy, Debug)]
pub struct WarmUp {
    /// Step size ε₀ before the first transition, and throughout where it is not tuned.
    pub step_size: f64,
    /// Mean acceptance probability δ that the step size aims at; none: it stays.
    pub target_acceptance: Option<f64>,
    /// Whether the scale of each coordinate is learnt; else all are 1.
    pub scales: bool,
}

/// What a warm-up tunes, as config structs have it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Tune {
    /// Step size and scales.
    #[default]
    All,
    /// The step size; all scales are 1.
    StepSize,
    /// Nothing.
    None,
}

impl WarmUp {
    /// From the settings of a sampler; `target_acceptance` matters where the step size is tuned.
    pub fn new(step_size: f64, tune: Tune, target_acceptance: f64) -> Self {
        let target_acceptance = (tune != Tune::None).then_some(target_acceptance);
        Self { step_size, target_acceptance, scales: tune == Tune::All }
    }

    /// Appends what it tunes to a layout.
    pub fn declare(&self, layout: Layout, dim: usize) -> Layout {
        let log_step = self.step_size.ln();
        layout
            .with_tuned(LOG_STEP, &[1], Init::Constant(log_step))
            .with_tuned(LOG_SD, &[dim], Init::Zeros)
            .with_tuned(AVERAGING, &[4], Init::Zeros)
            .with_tuned(SPREAD, &[1 + 2 * dim], Init::Zeros)
    }

    /// Step size ε, and standard deviations `[d]` by which coordinates are scaled.
    pub fn read(&self, params: &Params<'_>) -> Result<(f64, Tensor)> {
        let log_step = params.get(LOG_STEP)?.to_dtype(DType::F64)?.to_vec1::<f64>()?[0];
        let step = self.step(log_step, rounded(self.step_size.ln(), params));
        Ok((step, params.get(LOG_SD)?.exp()?))
    }

    /// ε s ⊙ `rate` `[n, d]`; on a CUDA device without waiting for it.
    pub fn scaled(&self, params: &Params<'_>, rate: &Tensor) -> Result<Tensor> {
        if rate.device().is_cpu() {
            let (step, sd) = self.read(params)?;
            return Ok((rate.broadcast_mul(&sd)? * step)?);
        }
        let log_step = params.get(LOG_STEP)?;
        let untuned = log_step.eq(&log_step.ones_like()?.affine(0.0, self.step_size.ln())?)?;
        let step = untuned.where_cond(&log_step.ones_like()?.affine(0.0, self.step_size)?, &log_step.exp()?)?;
        Ok(rate.broadcast_mul(&params.get(LOG_SD)?.exp()?)?.broadcast_mul(&step)?)
    }

    /// log ε, one number, and standard deviations `[d]`, where the parameters are; then ε and log ε before any transition.
    pub fn tensors(&self, params: &Params<'_>) -> Result<(Tensor, Tensor, (f64, f64))> {
        Ok((params.get(LOG_STEP)?, params.get(LOG_SD)?.exp()?, (self.step_size, self.step_size.ln())))
    }

    /// ε of its logarithm; `first` is that of the step size before any transition.
    ///
    /// Not through the logarithm where nothing was tuned: a step size is what the sweep says, to the last bit.
    fn step(&self, log_step: f64, first: f64) -> f64 {
        if log_step == first { self.step_size } else { log_step.exp() }
    }

    /// [`WarmUp::read`] on slices: ε; the standard deviations go into `sd`.
    pub fn read_rows<T: Element>(&self, params: &[T], layout: &Layout, sd: &mut Vec<T>) -> Result<f64> {
        let log_step = params[layout.slice(LOG_STEP)?.offset].wide();
        let step = self.step(log_step, T::of(self.step_size.ln()).wide());
        let slice = layout.slice(LOG_SD)?;
        sd.clear();
        sd.extend(params[slice.offset..slice.offset + slice.len()].iter().map(|log| T::of(log.wide().exp())));
        Ok(step)
    }

    /// The parameters after transition number `step` of `steps`.
    pub fn adapt(&self, params: &Params<'_>, seen: &Seen<'_>, step: u64, steps: u64) -> Result<Vec<f64>> {
        let mut flat: Vec<f64> = params.flat().to_dtype(DType::F64)?.to_vec1()?;
        let range = |name: &str| -> Result<std::ops::Range<usize>> {
            let slice = params.layout().slice(name)?;
            Ok(slice.offset..slice.offset + slice.len())
        };
        let (log_step, log_sd, averaging, spread) =
            (range(LOG_STEP)?, range(LOG_SD)?, range(AVERAGING)?, range(SPREAD)?);
        let phase = Phase::of(step, steps);
        if let Some(target) = self.target_acceptance {
            let accept: Vec<f64> = seen.accept.to_dtype(DType::F64)?.to_vec1()?;
            let mean = accept.iter().sum::<f64>() / accept.len() as f64;
            let mut dual = DualAveraging::read(&flat[averaging.clone()], flat[log_step.start]);
            flat[log_step.start] = dual.update(target - mean);
            if phase.window_ends && self.scales {
                dual = DualAveraging::new(dual.log_mean);
                flat[log_step.start] = dual.log_mean;
            }
            if step + 1 == steps {
                flat[log_step.start] = dual.log_mean;
            }
            dual.write(&mut flat[averaging]);
        }
        if self.scales && phase.in_window {
            let (n, moments) = flat[spread].split_first_mut().expect("it has 1 + 2d elements");
            let (means, squares) = moments.split_at_mut(log_sd.len());
            let x = seen.x.to_dtype(DType::F64)?;
            if x.device().is_cpu() {
                one_by_one(&x.to_vec2()?, n, means, squares);
            } else {
                at_once(&x, n, means, squares)?;
            }
            if phase.window_ends {
                let sds: Vec<f64> =
                    squares.iter().map(|s| 0.5 * ((*n * s / (*n - 1.0) + 5e-3) / (*n + 5.0)).ln()).collect();
                *n = 0.0;
                moments.fill(0.0);
                flat[log_sd].copy_from_slice(&sds);
            }
        }
        Ok(flat)
    }
}

/// Takes rows into a number of draws, their means and their sums of squared deviations.
fn one_by_one(rows: &[Vec<f64>], n: &mut f64, means: &mut [f64], squares: &mut [f64]) {
    for row in rows {
        *n += 1.0;
        for ((x, mean), square) in row.iter().zip(means.iter_mut()).zip(squares.iter_mut()) {
            let before = x - *mean;
            *mean += before / *n;
            *square += before * (x - *mean);
        }
    }
}

/// Likewise, x `[m, d]` being summed up where it is: 2d numbers are fetched.
fn at_once(x: &Tensor, n: &mut f64, means: &mut [f64], squares: &mut [f64]) -> Result<()> {
    let m = x.dim(0)? as f64;
    let mean = x.mean_keepdim(0)?;
    let square = x.broadcast_sub(&mean)?.sqr()?.sum_keepdim(0)?;
    let (new_means, new_squares): (Vec<f64>, Vec<f64>) = (mean.squeeze(0)?.to_vec1()?, square.squeeze(0)?.to_vec1()?);
    let (before, all) = (*n, *n + m);
    for ((mean, square), (new_mean, new_square)) in
        means.iter_mut().zip(squares).zip(new_means.into_iter().zip(new_squares))
    {
        let gap = new_mean - *mean;
        *mean += gap * m / all;
        *square += new_square + gap * gap * before * m / all;
    }
    *n = all;
    Ok(())
}

/// The state of the recurrence.
struct DualAveraging {
    log_mean: f64,
    error: f64,
    anchor: f64,
    updates: f64,
}

impl DualAveraging {
    /// From the step size e^`log_step` on.
    fn new(log_step: f64) -> Self {
        Self { log_mean: log_step, error: 0.0, anchor: (10.0f64).ln() + log_step, updates: 0.0 }
    }

    fn read(slots: &[f64], log_step: f64) -> Self {
        match *slots {
            [log_mean, error, anchor, updates] if updates > 0.0 => Self { log_mean, error, anchor, updates },
            _ => Self::new(log_step),
        }
    }

    fn write(&self, slots: &mut [f64]) {
        slots.copy_from_slice(&[self.log_mean, self.error, self.anchor, self.updates]);
    }

    /// Takes δ − α; returns the next log ε.
    fn update(&mut self, shortfall: f64) -> f64 {
        self.updates += 1.0;
        let (t, rate) = (self.updates, 1.0 / (self.updates + T0));
        self.error = (1.0 - rate) * self.error + rate * shortfall;
        let log_step = self.anchor - t.sqrt() / GAMMA * self.error;
        let weight = t.powf(-KAPPA);
        self.log_mean = weight * log_step + (1.0 - weight) * self.log_mean;
        log_step
    }
}

/// Where in a warm-up a transition is.
struct Phase {
    in_window: bool,
    window_ends: bool,
}

impl Phase {
    fn of(step: u64, steps: u64) -> Self {
        let share = |part: f64| (part * steps as f64).round() as u64;
        let (start, end) = (share(FIRST), steps - share(LAST));
        let mut width = share(WINDOW).max(1);
        let mut close = start;
        loop {
            // A window that would leave too little for its successor, of twice its width, takes the rest along.
            close = if close + 3 * width > end { end } else { close + width };
            if step < close || close == end {
                break;
            }
            width *= 2;
        }
        let in_window = (start..end).contains(&step);
        Self { in_window, window_ends: in_window && step + 1 == close }
    }
}

/// A value as the parameters' dtype holds it.
fn rounded(value: f64, params: &Params<'_>) -> f64 {
    if params.flat().dtype() == DType::F32 { f64::from(value as f32) } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use flow_kernels::philox::Stream;

    /// Windows double, do not overlap, and end where the last phase begins.
    #[test]
    fn windows_double_and_fill_the_middle() {
        for steps in [1u64, 2, 7, 20, 100, 333, 1000, 5000] {
            let phases: Vec<Phase> = (0..steps).map(|step| Phase::of(step, steps)).collect();
            let ends: Vec<usize> = (0..phases.len()).filter(|&step| phases[step].window_ends).collect();
            if steps >= 20 {
                let (start, end) =
                    ((0.15 * steps as f64).round() as usize, steps as usize - (0.1 * steps as f64).round() as usize);
                assert_eq!(ends.last(), Some(&(end - 1)), "{steps}");
                let widths: Vec<usize> = std::iter::once(start)
                    .chain(ends.iter().map(|end| end + 1))
                    .collect::<Vec<_>>()
                    .windows(2)
                    .map(|w| w[1] - w[0])
                    .collect();
                assert!(widths.windows(2).all(|pair| pair[1] >= 2 * pair[0]), "{steps}: {widths:?}");
                assert!(phases.iter().enumerate().all(|(step, phase)| phase.in_window == (start..end).contains(&step)));
            }
        }
        let ends: Vec<u64> = (0..1000).filter(|&step| Phase::of(step, 1000).window_ends).collect();
        assert_eq!(ends, [199, 299, 499, 899]);
    }

    /// On a made-up sampler whose acceptance is e^−ε, the step that is accepted with probability δ is −log δ; the scales
    /// are the standard deviations that were drawn, to five standard errors of 40 % of 200 × 50 draws.
    #[test]
    fn finds_the_step_and_the_scales() -> Result<()> {
        let warm_up = WarmUp { step_size: 0.01, target_acceptance: Some(0.8), scales: true };
        let layout = warm_up.declare(Layout::new(), 2);
        let mut flat = layout.init(0);
        let (chains, steps) = (50usize, 200u64);
        let mut stream = Stream::new(4);
        for step in 0..steps {
            let tensor = Tensor::new(flat, &Device::Cpu)?;
            let params = Params::new(&tensor, &layout);
            let (step_size, _) = warm_up.read(&params)?;
            let x: Vec<f64> = (0..chains).flat_map(|_| [3.0 + 0.1 * stream.normal(), 20.0 * stream.normal()]).collect();
            let x = Tensor::from_vec(x, (chains, 2), &Device::Cpu)?;
            let accept = Tensor::full((-step_size).exp(), chains, &Device::Cpu)?;
            flat = warm_up.adapt(&params, &Seen { x: &x, accept: &accept }, step, steps)?;
        }
        let tensor = Tensor::new(flat, &Device::Cpu)?;
        let (step_size, sd) = warm_up.read(&Params::new(&tensor, &layout))?;
        // 10 % of 200 transitions after the last restart: what is left of the averaging's start.
        assert!(((-step_size).exp() - 0.8).abs() < 0.05, "{step_size}");
        let window = (0.4 * steps as f64) * chains as f64;
        for (sd, exact) in sd.to_vec1::<f64>()?.iter().zip([0.1, 20.0]) {
            assert!((sd / exact - 1.0).abs() < 5.0 / (2.0 * window).sqrt(), "{sd} but {exact}");
        }
        Ok(())
    }

    /// To a few roundings of sums of 90 numbers.
    #[test]
    fn batches_add_up_to_their_rows() -> Result<()> {
        let mut stream = Stream::new(6);
        let (mut single, mut batch) = ((0.0, [0.0; 2], [0.0; 2]), (0.0, [0.0; 2], [0.0; 2]));
        for count in [1, 7, 82] {
            let rows: Vec<Vec<f64>> = (0..count).map(|_| vec![5.0 + stream.normal(), 1e3 * stream.normal()]).collect();
            one_by_one(&rows, &mut single.0, &mut single.1, &mut single.2);
            let x = Tensor::from_vec(rows.concat(), (count, 2), &Device::Cpu)?;
            at_once(&x, &mut batch.0, &mut batch.1, &mut batch.2)?;
        }
        let close = |a: f64, b: f64| assert!((a - b).abs() <= 1e-13 * b.abs(), "{a} but {b}");
        close(batch.0, single.0);
        batch.1.iter().chain(&batch.2).zip(single.1.iter().chain(&single.2)).for_each(|(&a, &b)| close(a, b));
        Ok(())
    }

    #[test]
    fn a_step_that_is_not_tuned_keeps_its_bits() -> Result<()> {
        let warm_up = WarmUp { step_size: 0.1, target_acceptance: None, scales: false };
        let layout = warm_up.declare(Layout::new(), 1);
        for dtype in [DType::F32, DType::F64] {
            let flat = Tensor::new(layout.init(0), &Device::Cpu)?.to_dtype(dtype)?;
            assert_eq!(warm_up.read(&Params::new(&flat, &layout))?.0, 0.1);
        }
        Ok(())
    }
}
