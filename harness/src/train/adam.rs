//! Adam and AdamW over the flat parameter vector, in place and in one pass.
//!
//! Kingma & Ba, "Adam" (ICLR 2015), algorithm 1; decoupled weight decay: Loshchilov & Hutter (ICLR 2019), algorithm 2,
//! with the schedule's factor on both the step and the decay. Deviation: none.

use candle_core::{CpuStorage, InplaceOp2, Layout, Result, Tensor, bail};
use flow_kernels::dispatch;
use flow_kernels::real::Real;
use flow_kernels::simd::Level;
use rayon::prelude::*;

use crate::cell::Optimizer;

/// Parameters that one thread takes at a time: some 10 µs of work.
const PART: usize = 1 << 14;

/// Optimiser state: the two moments and how many updates they have seen.
#[derive(Debug)]
pub struct Adam {
    /// First moment m and second moment v, `[2, P]`.
    pub moments: Tensor,
    /// Updates t so far: skipped steps do not count.
    pub updates: u64,
}

/// One update's numbers.
#[derive(Clone, Copy, Debug)]
struct Step {
    beta1: f64,
    beta2: f64,
    /// Factor on the gradient: that of clipping.
    scale: f64,
    /// Learning rate over the bias correction of m.
    rate: f64,
    /// Root of the bias correction of v, inverted.
    root: f64,
    eps: f64,
    /// What is left of a parameter after its decay.
    keep: f64,
}

impl Adam {
    /// Zero moments for parameters like `params`.
    pub fn new(params: &Tensor) -> Result<Self> {
        Ok(Self { moments: Tensor::zeros((2, params.elem_count()), params.dtype(), params.device())?, updates: 0 })
    }

    /// Takes `params` `[P]` one descent step along `scale` times `grad`; `factor` scales the learning rate.
    pub fn update(&mut self, params: &Tensor, grad: &Tensor, scale: f64, rule: &Optimizer, factor: f64) -> Result<()> {
        let (lr, beta1, beta2, eps, decay) = match *rule {
            Optimizer::Adam { lr, beta1, beta2, eps } => (lr, beta1, beta2, eps, 0.0),
            Optimizer::Adamw { lr, beta1, beta2, eps, weight_decay } => (lr, beta1, beta2, eps, weight_decay),
        };
        self.updates += 1;
        let t = self.updates.min(i32::MAX as u64) as i32;
        let rate = factor * lr / (1.0 - beta1.powi(t));
        let root = 1.0 / (1.0 - beta2.powi(t)).sqrt();
        let step = Step { beta1, beta2, scale, rate, root, eps, keep: 1.0 - factor * lr * decay };
        #[cfg(feature = "cuda")]
        if params.device().is_cuda() {
            let Step { beta1, beta2, scale, rate, root, eps, keep } = step;
            let update = flow_cuda::optimiser::Update { beta1, beta2, scale, rate, root, eps, keep };
            return flow_cuda::optimiser::adam(params, &self.moments, grad, update);
        }
        self.moments.inplace_op2(grad, &Average(step))?;
        params.inplace_op2(&self.moments, &Descend(step))
    }
}

/// m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g².
struct Average(Step);

/// θ ← keep·θ − rate·m/(√v·root + ε).
struct Descend(Step);

impl InplaceOp2 for Average {
    fn name(&self) -> &'static str {
        "adam-average"
    }

    fn cpu_fwd(&self, moments: &mut CpuStorage, at: &Layout, grad: &CpuStorage, grad_at: &Layout) -> Result<()> {
        match (moments, grad) {
            (CpuStorage::F32(moments), CpuStorage::F32(grad)) => {
                let (moments, grad) = (whole_mut(moments, at)?, whole(grad, grad_at)?);
                average(self.0, moments, grad);
            }
            (CpuStorage::F64(moments), CpuStorage::F64(grad)) => {
                let (moments, grad) = (whole_mut(moments, at)?, whole(grad, grad_at)?);
                average(self.0, moments, grad);
            }
            _ => bail!("a gradient of another type than the parameters"),
        }
        Ok(())
    }
}

impl InplaceOp2 for Descend {
    fn name(&self) -> &'static str {
        "adam-descend"
    }

    fn cpu_fwd(&self, params: &mut CpuStorage, at: &Layout, moments: &CpuStorage, moments_at: &Layout) -> Result<()> {
        match (params, moments) {
            (CpuStorage::F32(params), CpuStorage::F32(moments)) => {
                let (params, moments) = (whole_mut(params, at)?, whole(moments, moments_at)?);
                descend(self.0, params, moments);
            }
            (CpuStorage::F64(params), CpuStorage::F64(moments)) => {
                let (params, moments) = (whole_mut(params, at)?, whole(moments, moments_at)?);
                descend(self.0, params, moments);
            }
            _ => bail!("moments of another type than the parameters"),
        }
        Ok(())
    }
}

fn average<T: Real>(step: Step, moments: &mut [T], grad: &[T]) {
    let (first, second) = moments.split_at_mut(grad.len());
    let parts = first.par_chunks_mut(PART).zip(second.par_chunks_mut(PART)).zip(grad.par_chunks(PART));
    parts.for_each(|((first, second), grad)| dispatch!(L => average_part::<L, T>(step, first, second, grad)));
}

fn descend<T: Real>(step: Step, params: &mut [T], moments: &[T]) {
    let (first, second) = moments.split_at(params.len());
    let parts = params.par_chunks_mut(PART).zip(first.par_chunks(PART)).zip(second.par_chunks(PART));
    parts.for_each(|((params, first), second)| dispatch!(L => descend_part::<L, T>(step, params, first, second)));
}

#[inline(always)]
fn average_part<L: Level, T: Real>(step: Step, first: &mut [T], second: &mut [T], grad: &[T]) {
    let (beta1, beta2, scale) = (T::of(step.beta1), T::of(step.beta2), T::of(step.scale));
    let (rest1, rest2) = (T::of(1.0 - step.beta1), T::of(1.0 - step.beta2));
    for ((m, v), &g) in first.iter_mut().zip(second).zip(grad) {
        let g = g * scale;
        *m = m.fma::<L>(beta1, rest1 * g);
        *v = v.fma::<L>(beta2, rest2 * g * g);
    }
}

#[inline(always)]
fn descend_part<L: Level, T: Real>(step: Step, params: &mut [T], first: &[T], second: &[T]) {
    let (rate, root, eps, keep) = (T::of(step.rate), T::of(step.root), T::of(step.eps), T::of(step.keep));
    for ((theta, &m), &v) in params.iter_mut().zip(first).zip(second) {
        *theta = theta.fma::<L>(keep, -(rate * m / v.sqrt().fma::<L>(root, eps)));
    }
}

fn whole<'a, T>(values: &'a [T], at: &Layout) -> Result<&'a [T]> {
    match at.contiguous_offsets() {
        Some((start, end)) => Ok(&values[start..end]),
        None => bail!("the optimiser takes contiguous vectors"),
    }
}

fn whole_mut<'a, T>(values: &'a mut [T], at: &Layout) -> Result<&'a mut [T]> {
    match at.contiguous_offsets() {
        Some((start, end)) => Ok(&mut values[start..end]),
        None => bail!("the optimiser takes contiguous vectors"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    /// With bias correction the first step has length lr in every coordinate, whatever the gradient's scale.
    #[test]
    fn the_first_step_is_the_learning_rate() -> Result<()> {
        let rule = Optimizer::Adam { lr: 0.01, beta1: 0.9, beta2: 0.999, eps: 0.0 };
        let params = Tensor::new(&[1.0f64, -2.0, 3.0], &Device::Cpu)?;
        let before = params.copy()?;
        let grad = Tensor::new(&[1e-6f64, -50.0, 2.0], &Device::Cpu)?;
        Adam::new(&params)?.update(&params, &grad, 0.5, &rule, 1.0)?;
        let moved: Vec<f64> = (params - before)?.to_vec1()?;
        for (moved, expected) in moved.iter().zip([-0.01, 0.01, -0.01]) {
            assert!((moved - expected).abs() < 1e-12, "{moved}");
        }
        Ok(())
    }

    /// Against the recurrence written out in scalars.
    #[test]
    fn follows_the_published_recurrence() -> Result<()> {
        let rule = Optimizer::Adamw { lr: 0.1, beta1: 0.8, beta2: 0.9, eps: 1e-3, weight_decay: 0.5 };
        let params = Tensor::new(&[1.0f64], &Device::Cpu)?;
        let mut adam = Adam::new(&params)?;
        let (mut theta, mut m, mut v) = (1.0f64, 0.0f64, 0.0f64);
        for t in 1..=20 {
            let g = (theta * 3.0).sin() * 0.9;
            let grad = (&params * 3.0)?.sin()?;
            adam.update(&params, &grad, 0.9, &rule, 0.7)?;
            m = 0.8 * m + 0.2 * g;
            v = 0.9 * v + 0.1 * g * g;
            let step = (m / (1.0 - 0.8f64.powi(t))) / ((v / (1.0 - 0.9f64.powi(t))).sqrt() + 1e-3);
            theta -= 0.7 * 0.1 * (step + 0.5 * theta);
            assert!((params.to_vec1::<f64>()?[0] - theta).abs() < 1e-12, "step {t}");
        }
        Ok(())
    }
}
