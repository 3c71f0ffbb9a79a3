//! The neural Hamiltonian flow: learnt Hamiltonian dynamics move a prior on phase space, of which q is kept.
//!
//! Toth et al., "Hamiltonian generative networks" (ICLR 2020, arXiv 1909.13789), section 3.2. With prior π on q **and** p,
//! φ = φ_T ∘ … ∘ φ_1 the learnt dynamics and encoder f(p|q) = N(μ(q), σ(q)²), both directions are bounds:
//!
//! ```text
//! on data      log q(x) ≥ E_{p ~ f(·|x)} [log π(φ⁻¹(x, p)) − log f(p|x)]                     (their equation 5)
//! on a density log Z    ≥ E_{(q₀,p₀) ~ π} [log γ(q_T) + log f(p_T|q_T) − log π(q₀, p₀)],  (q_T, p_T) = φ(q₀, p₀)
//! ```
//!
//! A draw is q_T of (q₀, p₀) ~ π: sampling needs no encoder. The encoder stands in for the unknown conditional p(p_T|q_T) in
//! both bounds, which are looser than those of the marginal q by E KL(p(p|q) ‖ f); K importance samples tighten the first
//! (Burda et al. 2016, arXiv 1509.00519, equation 8). So `log_q` of a draw is log π(q₀, p₀) − log f(p_T|q_T), and the
//! density of a point is an estimate with a seed: the flow is *augmented*.
//! With `momentum: conditional`, p₀ ~ N(m(q₀), s(q₀)²) is learnt and takes the place of the prior on p in both.
//! Shapes: states `[n, 2d]`, q before p; x `[n, d]`; log-densities `[n]`.
//! Deviation: the paper's encoder may be any density; ours is its Gaussian. Step sizes may be learnt, masses too (Souveton
//! et al. 2023, arXiv 2302.01955); schemes that do not preserve volume carry their log-det.

mod config;
mod kernel;

pub use config::{Config, Momentum};

use std::ops::Range;

use flow_sdk::candle_core::{D, Tensor};
use flow_sdk::kernels::philox::derive_seed;
use flow_sdk::{About, Base, Density, Draws, Flow, Layout, Params, Probe, Result, Setup, export_flow};
use flow_sdk::{Element, Error, Fused, FusedDensity, Pull};
use kernel::Kernel;
use phase_space::{Dynamics, Encoder, halves};

/// A Hamiltonian flow for one dimension.
#[derive(Debug)]
pub struct Hamiltonian {
    dynamics: Dynamics,
    encoder: Encoder,
    momentum: Option<Encoder>,
    base: Base,
    importance_samples: usize,
    layout: Layout,
    setup: Setup,
    kernel: Option<Kernel>,
}

impl Flow for Hamiltonian {
    type Config = Config;
    const ABOUT: About = About {
        summary: "neural Hamiltonian flow: T learnt H = U(q) + K(p), integrated",
        reference: "Toth et al. 2019, arXiv 1909.13789",
    };

    fn new(config: Config, setup: &Setup) -> Result<Self> {
        let dynamics = Dynamics::new(config.dynamics(), setup.dim);
        let encoder = Encoder::new("encoder", setup.dim, &config.encoder_hidden);
        let momentum = (config.momentum == Momentum::Conditional)
            .then(|| Encoder::new("momentum", setup.dim, &config.encoder_hidden));
        let mut layout = encoder.declare(dynamics.declare(Layout::new()));
        if let Some(momentum) = &momentum {
            layout = momentum.declare(layout);
        }
        let base = Base::new(config.base, config.base_width, config.base_softness);
        let importance_samples = config.importance_samples;
        let kernel = Kernel::new(&dynamics, &encoder, momentum.as_ref(), base, importance_samples, &layout)?;
        Ok(Self { dynamics, encoder, momentum, base, importance_samples, layout, setup: setup.clone(), kernel })
    }

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn setup(&self) -> &Setup {
        &self.setup
    }

    fn sample(&self, params: &Params<'_>, seed: u64, n: usize) -> Result<Draws> {
        let (start, log_prior) = self.start(params, seed, n)?;
        let (end, log_det) = self.dynamics.forward(params, &start)?;
        let (x, p) = halves(&end)?;
        let log_encoder = self.encoder.log_density(params, &x, &p)?;
        Ok(Draws { x, log_q: ((log_prior - log_encoder)? - log_det)? })
    }
}

impl Density for Hamiltonian {
    fn density(&self, params: &Params<'_>, x: &Tensor, seed: u64) -> Result<Tensor> {
        let (k, (n, d)) = (self.importance_samples, x.dims2()?);
        // The K copies of a row stand together, so that a row's noise does not depend on how many follow it.
        let copies = x.unsqueeze(1)?.broadcast_as((n, k, d))?.contiguous()?.reshape((n * k, d))?;
        let noise = Base::Gaussian.draw(seed, n * k, d, x.dtype(), x.device())?;
        let (p, log_encoder) = self.encoder.draw(params, &copies, &noise)?;
        let (start, log_det) = self.dynamics.inverse(params, &Tensor::cat(&[&copies, &p], 1)?)?;
        let log_w = ((self.log_prior(params, &start)? - log_det)? - log_encoder)?.reshape((n, k))?;
        if k == 1 {
            return Ok(log_w.squeeze(1)?);
        }
        Ok((log_w.log_sum_exp(D::Minus1)? - (k as f64).ln())?)
    }
}

impl Probe for Hamiltonian {
    const FIGURES: &'static [&'static str] = phase_space::FIGURES;

    fn probe(&self, params: &Params<'_>, seed: u64, n: usize) -> Result<Vec<f64>> {
        let (start, _) = self.start(params, seed, n)?;
        phase_space::figures(&self.dynamics, params, &start.detach())
    }
}

impl Hamiltonian {
    /// The learnt dynamics, for looking at them.
    pub fn dynamics(&self) -> &Dynamics {
        &self.dynamics
    }

    /// (q₀, p₀) `[n, 2d]` with its log-density.
    fn start(&self, params: &Params<'_>, seed: u64, n: usize) -> Result<(Tensor, Tensor)> {
        let Setup { dim, dtype, device, .. } = &self.setup;
        let Some(momentum) = &self.momentum else {
            let start = self.base.draw(seed, n, 2 * dim, *dtype, device)?;
            let log_prior = self.base.log_density(&start)?;
            return Ok((start, log_prior));
        };
        let q = self.base.draw(seed, n, *dim, *dtype, device)?;
        let noise = Base::Gaussian.draw(derive_seed(seed, 1, 0), n, *dim, *dtype, device)?;
        let (p, log_momentum) = momentum.draw(params, &q, &noise)?;
        Ok((Tensor::cat(&[&q, &p], 1)?, (self.base.log_density(&q)? + log_momentum)?))
    }

    fn kernel(&self) -> Result<&Kernel> {
        self.kernel.as_ref().ok_or_else(|| Error::Message("no kernel for this integrator".into()))
    }

    /// log π(q₀, p₀).
    fn log_prior(&self, params: &Params<'_>, start: &Tensor) -> Result<Tensor> {
        let Some(momentum) = &self.momentum else { return self.base.log_density(start) };
        let (q, p) = halves(start)?;
        Ok((self.base.log_density(&q)? + momentum.log_density(params, &q, &p)?)?)
    }
}

impl Fused for Hamiltonian {
    fn is_fused(&self) -> bool {
        self.kernel.is_some()
    }

    fn sample_rows<T: Element>(
        &self,
        params: &[T],
        seed: u64,
        first: usize,
        x: &mut [T],
        log_q: &mut [T],
    ) -> Result<()> {
        self.kernel()?.sample_rows(params, seed, first, x, log_q);
        Ok(())
    }

    fn sample_gradient<T: Element>(
        &self,
        params: &[T],
        seed: u64,
        rows: Range<usize>,
        pull: &mut Pull<'_, T>,
        grad: &mut [T],
    ) -> Result<()> {
        self.kernel()?.sample_gradient(params, seed, rows, pull, grad)
    }
}

impl FusedDensity for Hamiltonian {
    fn density_rows<T: Element>(&self, params: &[T], x: &[T], seed: u64, first: usize, log_q: &mut [T]) -> Result<()> {
        self.kernel()?.density_rows(params, x, seed, first, log_q);
        Ok(())
    }

    fn density_gradient<T: Element>(
        &self,
        params: &[T],
        x: &[T],
        seed: u64,
        first: usize,
        pull: &mut Pull<'_, T>,
        grad: &mut [T],
    ) -> Result<()> {
        self.kernel()?.density_gradient(params, x, seed, first, pull, grad)
    }
}

export_flow!(Hamiltonian, density, probe, augmented, fused, fused_density);
