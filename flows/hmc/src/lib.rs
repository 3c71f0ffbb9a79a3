//! Hamiltonian Monte Carlo: a trajectory of Newton's equations proposes, Metropolis' test disposes.
//!
//! Duane, Kennedy, Pendleton & Roweth (Phys. Lett. B 195, 1987); Neal, "MCMC using Hamiltonian dynamics" (2011), section
//! 3.2. A transition draws p ~ N(0, I), takes (q, p) through L steps of an integration scheme, and accepts the end with
//! probability min(1, e^{H − H′}). That is right for a scheme that preserves volume and is its own inverse up to the sign
//! of p. A scheme that is not (symplectic Euler, Ruth's) goes forth or back in time by a fair coin, φ or φ⁻¹: the pair is
//! its own inverse again. The implicit midpoint method is reversible where its iteration settles: a trajectory that does not
//! lead back to its start is refused, which keeps the balance (Lelièvre, Rousset & Stoltz, Numer. Math. 143, 2019, section
//! 2), and costs the way back.
//! Step size and diagonal masses are tuned by [`flow_sdk::WarmUp`]. Step sizes are jittered chain by chain, since a fixed
//! trajectory length resonates (Neal 2011, section 3.2). Shapes: x, p `[n, d]`, a chain a row. Deviation: none.

mod config;
mod device;
mod dynamics;
mod kernel;

pub use config::Config;

use dynamics::{Newton, State};
use flow_sdk::candle_core::{DType, Tensor};
use flow_sdk::kernels::integrator::{Method, Scheme, integrate, integrate_back};
use flow_sdk::kernels::scratch::Scratch;
use flow_sdk::{About, Adapt, ChainProbe, Layout, Params, Point, Result, Sampler, Seen, Setup, Transition, WarmUp};
use flow_sdk::{Element, Error, FusedSampler, PointRows, TransitionRows, export_sampler, metropolis};
use kernel::Kernel;

/// Hamiltonian Monte Carlo for one target.
#[derive(Debug)]
pub struct Hmc {
    scheme: &'static Scheme,
    n_steps: usize,
    jitter: f64,
    warm_up: WarmUp,
    layout: Layout,
    setup: Setup,
    kernel: Option<Kernel>,
}

impl Sampler for Hmc {
    type Config = Config;
    const ABOUT: About = About {
        summary: "Hamiltonian Monte Carlo: L steps of an integration scheme, tuned step size and masses",
        reference: "Duane et al. 1987; Neal 2011, arXiv 1206.1901",
    };

    fn new(config: Config, setup: &Setup) -> Result<Self> {
        let scheme = Scheme::named(&config.integrator).filter(|scheme| scheme.volume_preserving);
        let scheme = scheme.ok_or_else(|| {
            Error::Message(format!("integrator `{}` does not preserve volume, or is none", config.integrator))
        })?;
        let warm_up = WarmUp::new(config.step_size, config.tune, config.target_acceptance);
        let layout = warm_up.declare(Layout::new(), setup.dim);
        let Config { n_steps, jitter, .. } = config;
        let stages = scheme.stages(n_steps).filter(|_| scheme.reversible);
        let kernel = stages.map(|stages| Kernel { stages, jitter, scratch: Scratch::default() });
        Ok(Self { scheme, n_steps, jitter, warm_up, layout, setup: setup.clone(), kernel })
    }

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn setup(&self) -> &Setup {
        &self.setup
    }

    fn transition(&self, params: &Params<'_>, from: &Point, seed: u64, _beta: f64) -> Result<Transition> {
        if let (Some(kernel), true) = (&self.kernel, self.setup.device.is_cuda()) {
            let moves = (kernel.stages.as_slice(), self.jitter);
            return device::transition(moves, (&self.warm_up, &self.setup), params, from, seed);
        }
        let p = metropolis::normals(&self.setup, seed, from.x.dim(0)?)?;
        let before = metropolis::hamiltonian(&from.log_density, &p)?;
        let known = from.grad.as_ref().map(|grad| (from.log_density.clone(), grad.clone()));
        let (State { q, p, .. }, (log_density, grad), returns) =
            self.trajectory(params, State { q: from.x.clone(), p, known }, seed)?;
        let mut accept = metropolis::acceptance(&(before - metropolis::hamiltonian(&log_density, &p)?)?)?;
        if let Some(returns) = returns {
            accept = (accept * returns)?;
        }
        metropolis::choose(&self.setup, seed, from, Point { x: q, log_density, grad: Some(grad) }, accept)
    }
}

impl Adapt for Hmc {
    fn adapt(&self, params: &Params<'_>, seen: &Seen<'_>, step: u64, steps: u64) -> Result<Vec<f64>> {
        self.warm_up.adapt(params, seen, step, steps)
    }
}

impl ChainProbe for Hmc {
    const FIGURES: &'static [&'static str] = &["energy_error", "reversibility_error"];

    /// Median |H′ − H| of a trajectory; largest distance of a trajectory and back from where it began.
    fn probe(&self, params: &Params<'_>, x: &Tensor, seed: u64) -> Result<Vec<f64>> {
        let p = metropolis::normals(&self.setup, seed, x.dim(0)?)?;
        let (newton, h) = self.newton(params, seed, x.dim(0)?)?;
        let mut state = State { q: x.clone(), p: p.clone(), known: None };
        let before = metropolis::hamiltonian(&newton.look(&mut state)?.0, &p)?;
        self.steps(&newton, &mut state, h, true)?;
        let after = metropolis::hamiltonian(&newton.look(&mut state)?.0, &state.p)?;
        let mut errors: Vec<f64> = (after - before)?.abs()?.to_dtype(DType::F64)?.to_vec1()?;
        errors.sort_by(f64::total_cmp);
        self.steps(&newton, &mut state, h, false)?;
        let gaps = Tensor::cat(&[(state.q - x)?, (state.p - p)?], 1)?.abs()?.flatten_all()?;
        let largest = gaps.max(0)?.to_dtype(DType::F64)?.to_scalar()?;
        Ok(vec![errors.get(errors.len() / 2).copied().unwrap_or(f64::NAN), largest])
    }
}

impl Hmc {
    /// The end of each chain's trajectory, what the target says there, and, of a scheme that iterates, whether going back
    /// from there leads to the start: 1 or 0, `[n]`.
    fn trajectory(
        &self,
        params: &Params<'_>,
        start: State,
        seed: u64,
    ) -> Result<(State, (Tensor, Tensor), Option<Tensor>)> {
        let (newton, h) = self.newton(params, seed, start.q.dim(0)?)?;
        let mut state = start.clone();
        if self.scheme.reversible {
            self.steps(&newton, &mut state, h, true)?;
        } else {
            state = self.either_way(&newton, &state, h, seed)?;
        }
        let known = newton.look(&mut state)?;
        let mut returns = None;
        if self.scheme.method == Method::ImplicitMidpoint {
            let mut back = state.clone();
            self.steps(&newton, &mut back, h, false)?;
            returns = Some((near(&start.q, &back.q)? * near(&start.p, &back.p)?)?);
        }
        Ok((state, known, returns))
    }

    /// The equations of motion of n chains, and ε.
    fn newton(&self, params: &Params<'_>, seed: u64, n: usize) -> Result<(Newton<'_>, f64)> {
        let (h, sd) = self.warm_up.read(params)?;
        let factors = metropolis::jitters(&self.setup, seed, n, self.jitter)?;
        Ok((Newton { target: &self.setup.target, sd, factors }, h))
    }

    /// One step after another, so that the gradient at the end of one is that at the beginning of the next.
    fn steps(&self, newton: &Newton<'_>, state: &mut State, h: f64, forth: bool) -> Result<()> {
        let step = if forth { integrate } else { integrate_back };
        (0..self.n_steps).try_for_each(|_| step(self.scheme, newton, state, h, 1))
    }

    /// Takes every chain forth or back in time, by its coin.
    fn either_way(&self, newton: &Newton<'_>, start: &State, h: f64, seed: u64) -> Result<State> {
        let n = start.q.dim(0)?;
        let signs: Vec<f64> =
            metropolis::signs(&self.setup, seed, n)?.flatten_all()?.to_dtype(DType::F64)?.to_vec1()?;
        let device = &self.setup.device;
        let (mut order, mut ends) = (Vec::with_capacity(n), Vec::new());
        for forth in [true, false] {
            let rows: Vec<u32> = (0..n as u32).filter(|&row| (signs[row as usize] > 0.0) == forth).collect();
            if rows.is_empty() {
                continue;
            }
            let index = Tensor::new(rows.as_slice(), device)?;
            let take = |all: &Tensor| all.index_select(&index, 0);
            let known = start.known.as_ref().map(|(value, grad)| Ok::<_, Error>((take(value)?, take(grad)?)));
            let mut state = State { q: take(&start.q)?, p: take(&start.p)?, known: known.transpose()? };
            let part = Newton { target: newton.target, sd: newton.sd.clone(), factors: take(&newton.factors)? };
            self.steps(&part, &mut state, h, forth)?;
            order.extend(rows);
            ends.push(state);
        }
        let mut back = vec![0u32; n];
        (0..).zip(&order).for_each(|(position, &row)| back[row as usize] = position);
        let back = Tensor::new(back.as_slice(), device)?;
        let merge = |part: fn(&State) -> &Tensor| -> Result<Tensor> {
            let parts: Vec<&Tensor> = ends.iter().map(part).collect();
            Ok(Tensor::cat(&parts, 0)?.index_select(&back, 0)?)
        };
        Ok(State { q: merge(|state| &state.q)?, p: merge(|state| &state.p)?, known: None })
    }
}

/// Which rows agree to half the digits, far more than an iteration that settled loses: 1 or 0, `[n]`.
fn near(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let epsilon: f64 = if a.dtype() == DType::F32 { f32::EPSILON.into() } else { f64::EPSILON };
    let limit = a.abs()?.affine(epsilon.sqrt(), epsilon.sqrt())?;
    Ok((a - b)?.abs()?.le(&limit)?.min(1)?.to_dtype(a.dtype())?)
}

impl FusedSampler for Hmc {
    fn is_fused(&self) -> bool {
        self.kernel.is_some()
    }

    fn transition_rows<T: Element>(
        &self,
        params: &[T],
        from: PointRows<'_, T>,
        seed: u64,
        _beta: f64,
        first: usize,
        to: TransitionRows<'_, T>,
    ) -> Result<()> {
        let kernel = self.kernel.as_ref().ok_or_else(|| Error::Message("no kernel for this integrator".into()))?;
        let setting = (&self.warm_up, &self.layout, &self.setup.target);
        kernel.transition_rows(setting, params, from, seed, first, to)
    }
}

export_sampler!(Hmc, adapt, probe, fused);
