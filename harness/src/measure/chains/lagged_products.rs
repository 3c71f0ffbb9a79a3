//! Sums of lagged products of many series, by the fast Fourier transform.
//!
//! Wiener & Khinchin: the power spectrum of a series, padded with as many zeros, is the transform of Σ_t x_t x_{t+τ}.
//! Spectra are added up, so that all series together cost one inverse transform.

use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use std::sync::Arc;

/// Transforms for series of one length, with room for their intermediate values.
pub(super) struct LaggedProducts {
    len: usize,
    forward: Arc<dyn RealToComplex<f64>>,
    inverse: Arc<dyn ComplexToReal<f64>>,
    padded: Vec<f64>,
    spectrum: Vec<Complex<f64>>,
    power: Vec<Complex<f64>>,
    scratch: Vec<Complex<f64>>,
}

impl LaggedProducts {
    /// For series of `len` values.
    pub(super) fn new(len: usize) -> Self {
        // Lags wrap around unless there are len − 1 zeros; powers of two are the fastest to transform.
        let size = (2 * len).next_power_of_two();
        let mut planner = RealFftPlanner::new();
        let (forward, inverse) = (planner.plan_fft_forward(size), planner.plan_fft_inverse(size));
        let scratch = vec![Complex::default(); forward.get_scratch_len().max(inverse.get_scratch_len())];
        let (padded, spectrum) = (forward.make_input_vec(), forward.make_output_vec());
        let power = forward.make_output_vec();
        Self { len, forward, inverse, padded, spectrum, power, scratch }
    }

    /// Adds a series to the sums.
    pub(super) fn add(&mut self, series: impl IntoIterator<Item = f64>) {
        self.padded[self.len..].fill(0.0);
        let mut filled = 0;
        for (slot, value) in self.padded[..self.len].iter_mut().zip(series) {
            *slot = value;
            filled += 1;
        }
        debug_assert_eq!(filled, self.len);
        self.forward
            .process_with_scratch(&mut self.padded, &mut self.spectrum, &mut self.scratch)
            .expect("the buffers are the plan's own");
        for (sum, value) in self.power.iter_mut().zip(&self.spectrum) {
            sum.re += value.norm_sqr();
        }
    }

    /// Σ over the series added, Σ_t x_t x_{t+τ}, for τ in 0..len; the next sums start from nothing.
    pub(super) fn take(&mut self) -> Vec<f64> {
        self.inverse
            .process_with_scratch(&mut self.power, &mut self.padded, &mut self.scratch)
            .expect("the buffers are the plan's own, and a power spectrum is real");
        self.power.fill(Complex::default());
        // Neither transform normalises.
        let size = self.padded.len() as f64;
        self.padded[..self.len].iter().map(|sum| sum / size).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::LaggedProducts;
    use flow_kernels::philox::Stream;

    #[test]
    fn transforms_agree_with_the_sums_and_start_anew() {
        let mut stream = Stream::new(3);
        for len in [1, 2, 5, 33, 64, 100] {
            let mut products = LaggedProducts::new(len);
            for _ in 0..2 {
                let series: Vec<Vec<f64>> = (0..3).map(|_| (0..len).map(|_| stream.normal()).collect()).collect();
                series.iter().for_each(|values| products.add(values.iter().copied()));
                for (lag, sum) in products.take().into_iter().enumerate() {
                    let naive: f64 = series.iter().map(|x| (lag..len).map(|t| x[t] * x[t - lag]).sum::<f64>()).sum();
                    // Rounding of a transform is ε log₂(size) of the largest sum, lag 0, which is about 3·len here.
                    assert!((sum - naive).abs() < 1e-14 * 3.0 * len as f64 * 8.0, "{len} {lag} {sum} {naive}");
                }
            }
        }
    }
}
