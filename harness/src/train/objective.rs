//! One gradient of the training objective.
//!
//! `reverse-kl` descends KL(q ‖ π_β) up to a constant: E_q[log q(x) − β log γ(x)], by reparametrised draws.
//! `data` descends −E_π[log q(x)] on exact draws. Both are means over the batch.

use std::rc::Rc;

use candle_core::{Device, Tensor};

use flow_sdk::{Element, Rows};
use targets::{Float, Out};

use super::At;
use crate::cell;
use crate::host::{CountedTarget, HostFlow, PluginError, PullBack, TensorOptions};
use crate::streams::{Purpose, seed_for};

/// The objective of a cell, ready to be differentiated.
pub struct Objective {
    kind: cell::Objective,
    target: Rc<CountedTarget>,
    options: TensorOptions,
}

impl Objective {
    /// Of the kind, against the target.
    pub fn new(kind: cell::Objective, target: Rc<CountedTarget>, options: impl Into<TensorOptions>) -> Self {
        Self { kind, target, options: options.into() }
    }

    /// Gradient `[P]` of the loss.
    pub fn gradient(&self, flow: &HostFlow, at: At<'_>) -> anyhow::Result<Tensor> {
        let At { params, seed, batch, beta, .. } = at;
        let each = 1.0 / batch as f64;
        let TensorOptions { dtype, device } = &self.options;
        let uniform = |value: f64| Tensor::full(value, batch, device)?.to_dtype(*dtype);
        let grad = match self.kind {
            cell::Objective::ReverseKl => {
                let fused =
                    flow.sample_gradient(params, seed, batch, &ReverseKl { target: &self.target, beta, each })?;
                if let Some(grad) = fused {
                    return Ok(grad);
                }
                let (draws, tape) = flow.sample_taped(params, seed, batch)?;
                let grad_x = (self.target.grad(&draws.x)? * (-beta * each))?;
                flow.backward(tape, Some(&grad_x), &uniform(each)?)?
            }
            cell::Objective::Esjd => {
                return Err(anyhow::anyhow!("`esjd` trains samplers, and this is a flow"));
            }
            cell::Objective::Data => {
                let x = self.exact_draws(seed, batch)?;
                // What an estimate of log q draws is independent of x.
                let seed = seed_for(seed, Purpose::Train, 0);
                if let Some(grad) = flow.density_gradient(params, &x, seed, &Likelihood { each })? {
                    return Ok(grad);
                }
                let (_, tape) = flow.density_taped(params, &x, seed)?;
                flow.backward(tape, None, &uniform(-each)?)?
            }
        };
        Ok(grad)
    }

    fn exact_draws(&self, seed: u64, n: usize) -> anyhow::Result<Tensor> {
        let target = self.target.uncounted();
        let exact = target.exact_draws().ok_or_else(|| PluginError::Contract {
            function: "data objective",
            problem: "the target has no exact draws".into(),
        })?;
        let x = Tensor::from_vec(exact.draw(seed, n), (n, target.dim()), &Device::Cpu)?;
        Ok(x.to_dtype(self.options.dtype)?.to_device(&self.options.device)?)
    }
}

/// KL(q ‖ π_β), a row at a time.
struct ReverseKl<'a> {
    target: &'a CountedTarget,
    beta: f64,
    each: f64,
}

impl PullBack for ReverseKl<'_> {
    fn pull<T: Element + Float>(&self, rows: Rows<'_, T>) -> flow_sdk::Result<()> {
        let out = Out { value: None, grad: Some(&mut *rows.grad_x) };
        self.target.evaluate_rows(rows.x, out).map_err(|error| flow_sdk::Error::Target(error.to_string()))?;
        let scale = T::of(-self.beta * self.each);
        rows.grad_x.iter_mut().for_each(|grad| *grad *= scale);
        rows.grad_log_q.fill(T::of(self.each));
        Ok(())
    }
}

/// −log q on average.
struct Likelihood {
    each: f64,
}

impl PullBack for Likelihood {
    fn pull<T: Element + Float>(&self, rows: Rows<'_, T>) -> flow_sdk::Result<()> {
        rows.grad_log_q.fill(T::of(-self.each));
        Ok(())
    }
}
