//! The augmented leapfrog trajectory, forth or back in time chain by chain, with the log-det of its Jacobian.
//!
//! Levy, Hoffman & Sohl-Dickstein (ICLR 2018, arXiv 1711.09268), equations 5–8, in the form of the authors' code. Forth, at
//! step k of M, with m the mask of the step and m̄ its complement, every S, T, Q from its own call of a network:
//!
//! ```text
//! v ← v ⊙ e^{½εS} + ½ε(−∇U(x) ⊙ e^{εQ} + T)                 S, T, Q of (x, ∇U(x), time)
//! x ← m ⊙ x + m̄ ⊙ [x ⊙ e^{εS} + ε(v ⊙ e^{εQ} + T)]          S, T, Q of (v, m ⊙ x, time)
//! x ← m̄ ⊙ x + m ⊙ [x ⊙ e^{εS} + ε(v ⊙ e^{εQ} + T)]          S, T, Q of (v, m̄ ⊙ x, time)
//! v ← as the first
//! log |J| += Σ ½εS (both v) + Σ m̄ ⊙ εS + Σ m ⊙ εS          time = (cos 2πk/M, sin 2πk/M)
//! ```
//!
//! Back in time is the inverse: steps M − 1, …, 0, masks exchanged, and a ← (a − t) ⊙ e^{−s} for a ← a ⊙ eˢ + t. Both are
//! one formula with a sign σ a chain, a ← a ⊙ e^{σs} + σ t ⊙ e^{s(σ−1)/2}, so all chains go through one pass.
//! Shapes: x, v `[n, d]`; σ `[n, 1]`; masks `[M, d]`.
//! Deviation: from the paper's equation 5, which has Q without ε and T within ½ε(∇U ⊙ e^Q + T): as the code, whose settings
//! and figures are the published ones.

use flow_sdk::candle_core::{D, Device, Tensor};
use flow_sdk::{Result, Setup, Target};

use crate::network::{Bend, Weights};

/// What a trajectory goes by.
pub(crate) struct Rule<'a> {
    pub target: &'a Target,
    pub velocity: Weights,
    pub position: Weights,
    /// ε, one element.
    pub step_size: Tensor,
    /// `[M, d]`, ones and zeros.
    pub masks: Tensor,
    /// Of every step, `[M, 2]`.
    pub times: Tensor,
}

/// Its end.
pub(crate) struct End {
    pub x: Tensor,
    pub v: Tensor,
    pub log_density: Tensor,
    pub grad: Tensor,
    /// log |det ∂(x, v)/∂(x₀, v₀)|, `[n]`.
    pub log_det: Tensor,
}

impl Rule<'_> {
    /// From (x, v), where the gradient of log γ is `grad`, in the directions `signs`.
    pub fn run(&self, x: &Tensor, v: &Tensor, grad: &Tensor, signs: &Tensor) -> Result<End> {
        let n_steps = self.masks.dim(0)?;
        let (n, _) = x.dims2()?;
        let forth = signs.ge(&signs.zeros_like()?)?;
        let (mut x, mut v, mut grad) = (x.clone(), v.clone(), grad.clone());
        let mut log_density = None;
        let mut log_det = Tensor::zeros(n, x.dtype(), x.device())?;
        for k in 0..n_steps {
            let mirrored = n_steps - 1 - k;
            let time = choose(&forth, &self.times.narrow(0, k, 1)?, &self.times.narrow(0, mirrored, 1)?)?;
            let complement = self.masks.narrow(0, mirrored, 1)?.affine(-1.0, 1.0)?;
            let keep = choose(&forth, &self.masks.narrow(0, k, 1)?, &complement)?;
            let move_ = keep.affine(-1.0, 1.0)?;
            self.kick(&mut v, &x, &grad, &time, signs, &mut log_det)?;
            self.drift(&mut x, &v, &keep, &move_, &time, signs, &mut log_det)?;
            self.drift(&mut x, &v, &move_, &keep, &time, signs, &mut log_det)?;
            let (value, slope) = self.target.in_graph(&x)?;
            (log_density, grad) = (Some(value), slope);
            self.kick(&mut v, &x, &grad, &time, signs, &mut log_det)?;
        }
        let log_density = match log_density {
            Some(value) => value,
            None => self.target.in_graph(&x)?.0,
        };
        Ok(End { x, v, log_density, grad, log_det })
    }

    fn kick(
        &self,
        v: &mut Tensor,
        x: &Tensor,
        grad: &Tensor,
        time: &Tensor,
        signs: &Tensor,
        log_det: &mut Tensor,
    ) -> Result<()> {
        let Bend { scale, translate, transform } = self.velocity.bend(x, &grad.neg()?, time)?;
        let half = (&self.step_size * 0.5)?;
        let s = scale.broadcast_mul(&half)?;
        let force = (grad * transform.broadcast_mul(&self.step_size)?.exp()?)?;
        let t = (force + translate)?.broadcast_mul(&half)?;
        *log_det = (&*log_det + s.broadcast_mul(signs)?.sum(D::Minus1)?)?;
        *v = signed(v, &s, &t, signs)?;
        Ok(())
    }

    /// Leaves the coordinates of `keep` alone.
    #[allow(clippy::too_many_arguments, reason = "all of one formula")]
    fn drift(
        &self,
        x: &mut Tensor,
        v: &Tensor,
        keep: &Tensor,
        move_: &Tensor,
        time: &Tensor,
        signs: &Tensor,
        log_det: &mut Tensor,
    ) -> Result<()> {
        let kept = (keep * &*x)?;
        let Bend { scale, translate, transform } = self.position.bend(v, &kept, time)?;
        let s = scale.broadcast_mul(&self.step_size)?;
        let velocity = (v * transform.broadcast_mul(&self.step_size)?.exp()?)?;
        let t = (velocity + translate)?.broadcast_mul(&self.step_size)?;
        *log_det = (&*log_det + (move_ * &s)?.broadcast_mul(signs)?.sum(D::Minus1)?)?;
        *x = (kept + (move_ * signed(x, &s, &t, signs)?)?)?;
        Ok(())
    }
}

/// a ⊙ e^{σs} + σ t ⊙ e^{s(σ−1)/2}.
fn signed(a: &Tensor, s: &Tensor, t: &Tensor, signs: &Tensor) -> Result<Tensor> {
    let grown = (a * s.broadcast_mul(signs)?.exp()?)?;
    let shrink = s.broadcast_mul(&signs.affine(0.5, -0.5)?)?.exp()?;
    Ok((grown + (t * shrink)?.broadcast_mul(signs)?)?)
}

/// Row `forth` `[1, c]` for chains that go forth, `back` for the others: `[n, c]`.
fn choose(mask: &Tensor, forth: &Tensor, back: &Tensor) -> Result<Tensor> {
    let shape = (mask.dim(0)?, forth.dim(1)?);
    let mask = mask.broadcast_as(shape)?;
    Ok(mask.where_cond(&forth.broadcast_as(shape)?, &back.broadcast_as(shape)?)?)
}

/// (cos 2πk/M, sin 2πk/M) of every step, `[M, 2]`.
pub(crate) fn times(n_steps: usize, setup: &Setup) -> Result<Tensor> {
    let angle = |k: usize| std::f64::consts::TAU * k as f64 / n_steps as f64;
    let times: Vec<f64> = (0..n_steps).flat_map(|k| [angle(k).cos(), angle(k).sin()]).collect();
    Ok(Tensor::from_vec(times, (n_steps, 2), &Device::Cpu)?.to_dtype(setup.dtype)?.to_device(&setup.device)?)
}
