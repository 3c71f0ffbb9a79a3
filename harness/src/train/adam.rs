//! Adam and AdamW over the flat parameter vector.
//!
//! Kingma & Ba, "Adam" (ICLR 2015), algorithm 1; decoupled weight decay: Loshchilov & Hutter (ICLR 2019), algorithm 2,
//! with the schedule's factor on both the step and the decay. Deviation: none.

use candle_core::{Result, Tensor};

use crate::cell::Optimizer;

/// Optimiser state: the two moments and how many updates they have seen.
#[derive(Clone, Debug)]
pub struct Adam {
    /// First moment m, `[P]`.
    pub first: Tensor,
    /// Second moment v, `[P]`.
    pub second: Tensor,
    /// Updates t so far: skipped steps do not count.
    pub updates: u64,
}

impl Adam {
    /// Zero moments for parameters like `params`.
    pub fn new(params: &Tensor) -> Result<Self> {
        Ok(Self { first: params.zeros_like()?, second: params.zeros_like()?, updates: 0 })
    }

    /// The parameters after one descent step along `grad`; `factor` scales the learning rate.
    pub fn update(&mut self, params: &Tensor, grad: &Tensor, rule: &Optimizer, factor: f64) -> Result<Tensor> {
        let (lr, beta1, beta2, eps, decay) = match *rule {
            Optimizer::Adam { lr, beta1, beta2, eps } => (lr, beta1, beta2, eps, 0.0),
            Optimizer::Adamw { lr, beta1, beta2, eps, weight_decay } => (lr, beta1, beta2, eps, weight_decay),
        };
        self.updates += 1;
        self.first = ((&self.first * beta1)? + (grad * (1.0 - beta1))?)?;
        self.second = ((&self.second * beta2)? + (grad.sqr()? * (1.0 - beta2))?)?;
        let t = self.updates as f64;
        let first = (&self.first / (1.0 - beta1.powf(t)))?;
        let second = (&self.second / (1.0 - beta2.powf(t)))?;
        let step = (first / (second.sqrt()? + eps)?)?;
        let shrunk = if decay > 0.0 { (params * (1.0 - factor * lr * decay))? } else { params.clone() };
        shrunk - (step * (factor * lr))?
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
        let grad = Tensor::new(&[1e-6f64, -50.0, 2.0], &Device::Cpu)?;
        let after = Adam::new(&params)?.update(&params, &grad, &rule, 1.0)?;
        let moved: Vec<f64> = (after - &params)?.to_vec1()?;
        for (moved, expected) in moved.iter().zip([-0.01, 0.01, -0.01]) {
            assert!((moved - expected).abs() < 1e-12, "{moved}");
        }
        Ok(())
    }

    /// Against the recurrence written out in scalars.
    #[test]
    fn follows_the_published_recurrence() -> Result<()> {
        let rule = Optimizer::Adamw { lr: 0.1, beta1: 0.8, beta2: 0.9, eps: 1e-3, weight_decay: 0.5 };
        let mut params = Tensor::new(&[1.0f64], &Device::Cpu)?;
        let mut adam = Adam::new(&params)?;
        let (mut theta, mut m, mut v) = (1.0f64, 0.0f64, 0.0f64);
        for t in 1..=20 {
            let g = (theta * 3.0).sin();
            let grad = (&params * 3.0)?.sin()?;
            params = adam.update(&params, &grad, &rule, 0.7)?;
            m = 0.8 * m + 0.2 * g;
            v = 0.9 * v + 0.1 * g * g;
            let step = (m / (1.0 - 0.8f64.powi(t))) / ((v / (1.0 - 0.9f64.powi(t))).sqrt() + 1e-3);
            theta -= 0.7 * 0.1 * (step + 0.5 * theta);
            assert!((params.to_vec1::<f64>()?[0] - theta).abs() < 1e-12, "step {t}");
        }
        Ok(())
    }
}
