//! A Hamiltonian flow that is *trained* wrongly on purpose: the mistakes of published code, one switch each.
//!
//! The flow, its dynamics and its encoder are those of the `hamiltonian` plugin (Toth et al. 2019, arXiv 1909.13789). With a
//! switch on, the loss whose gradient trains it is the mistaken one; draws and densities that are *evaluated* stay right,
//! so that the ELBO of a run tells what the mistake does to training, and no figure is wrong itself. The exception is
//! `kinetic-unused`, which is another map: the drift is q += h·p whatever K says.
//! Shapes: states `[n, 2d]`, q before p; x `[n, d]`; log-densities `[n]`. Deviation: every switch is one; see [`Mistake`].

mod wrong;

use flow_sdk::candle_core::Tensor;
use flow_sdk::kernels::integrator::Scheme;
use flow_sdk::kernels::mlp::Activation;
use flow_sdk::{
    About, AutogradTape, Base, Density, Draws, Flow, Layout, Params, Probe, Result, Setup, Tape, export_flow,
};
use phase_space::{Dynamics, Encoder, KineticName, Memory, Settings, halves};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Parameters: a small Hamiltonian flow, and what is wrong with its training.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Mistakes that are made, none to all of them.
    pub mistakes: Vec<Mistake>,
    /// log σ of the encoder is kept in [−5, 5], which no published code does.
    pub bounded_encoder: bool,
    /// Number of Hamiltonians T.
    #[schemars(range(min = 1, max = 64))]
    pub hamiltonians: usize,
    /// Steps of symplectic Euler a Hamiltonian.
    #[schemars(range(min = 1, max = 256))]
    pub n_steps: usize,
    /// Step size h.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub step_size: f64,
    /// Hidden widths of U, K and the encoder's networks.
    #[schemars(length(min = 1), inner(range(min = 1, max = 4096)))]
    pub hidden: Vec<usize>,
}

/// A mistake seen in public code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mistake {
    /// The optimiser is given the ELBO itself to minimise.
    MinimisedElbo,
    /// The prior scores q₀ and forgets p₀.
    PriorOnPositionOnly,
    /// The encoder's log-density has −log σ² where −½ log σ² belongs.
    EncoderWithoutHalf,
    /// The encoder's log-density is summed over the whole batch, and every point is charged the sum.
    EncoderSummedOverBatch,
    /// Symplectic Euler is "inverted" by running it with −h.
    NegatedStepAsInverse,
    /// K is learnt but never used: the drift is q += h·p.
    KineticUnused,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mistakes: Vec::new(),
            bounded_encoder: true,
            hamiltonians: 2,
            n_steps: 4,
            step_size: 0.25,
            hidden: vec![32, 32],
        }
    }
}

/// The flow with its mistakes.
#[derive(Debug)]
pub struct HamiltonianMistakes {
    mistakes: Vec<Mistake>,
    dynamics: Dynamics,
    encoder: Encoder,
    layout: Layout,
    setup: Setup,
}

impl Flow for HamiltonianMistakes {
    type Config = Config;
    const ABOUT: About = About {
        summary: "neural Hamiltonian flow trained with the published mistakes",
        reference: "Toth et al. 2019, arXiv 1909.13789; what went wrong in public code",
    };

    fn new(config: Config, setup: &Setup) -> Result<Self> {
        // Symplectic Euler: what the published code integrates with, and calls Euler.
        let scheme = Scheme::named("symplectic-euler").ok_or_else(|| flow_sdk::Error::Message("no scheme".into()))?;
        let unused = config.mistakes.contains(&Mistake::KineticUnused);
        let settings = Settings {
            hamiltonians: config.hamiltonians,
            shared: false,
            scheme,
            n_steps: config.n_steps,
            step_size: config.step_size,
            learn_step_size: false,
            hidden: config.hidden.clone(),
            activation: Activation::Softplus,
            kinetic: if unused { KineticName::Unit } else { KineticName::Learnt },
            memory: Memory::Stored,
        };
        let mut encoder = Encoder::new("encoder", setup.dim, &config.hidden);
        if !config.bounded_encoder {
            encoder = encoder.unbounded();
        }
        let dynamics = Dynamics::new(settings, setup.dim);
        let layout = encoder.declare(dynamics.declare(Layout::new()));
        Ok(Self { mistakes: config.mistakes, dynamics, encoder, layout, setup: setup.clone() })
    }

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn setup(&self) -> &Setup {
        &self.setup
    }

    fn sample(&self, params: &Params<'_>, seed: u64, n: usize) -> Result<Draws> {
        self.draw(params, seed, n, &[])
    }

    fn sample_taped(&self, flat: &Tensor, seed: u64, n: usize) -> Result<(Draws, Box<dyn Tape>)> {
        let (draws, tape) =
            AutogradTape::record(flat, |flat| self.draw(&Params::new(flat, &self.layout), seed, n, &self.mistakes))?;
        Ok((draws, self.wrongly(tape)))
    }
}

impl Density for HamiltonianMistakes {
    fn density(&self, params: &Params<'_>, x: &Tensor, seed: u64) -> Result<Tensor> {
        self.estimate(params, x, seed, &[])
    }

    fn density_taped(&self, flat: &Tensor, x: &Tensor, seed: u64) -> Result<(Tensor, Box<dyn Tape>)> {
        let (draws, tape) = AutogradTape::record(flat, |flat| {
            let log_q = self.estimate(&Params::new(flat, &self.layout), x, seed, &self.mistakes)?;
            Ok(Draws { x: x.clone(), log_q })
        })?;
        Ok((draws.log_q, self.wrongly(tape)))
    }
}

impl Probe for HamiltonianMistakes {
    const FIGURES: &'static [&'static str] = phase_space::FIGURES;

    fn probe(&self, params: &Params<'_>, seed: u64, n: usize) -> Result<Vec<f64>> {
        phase_space::figures(&self.dynamics, params, &self.start(seed, n)?)
    }
}

impl HamiltonianMistakes {
    fn start(&self, seed: u64, n: usize) -> Result<Tensor> {
        Base::Gaussian.draw(seed, n, 2 * self.setup.dim, self.setup.dtype, &self.setup.device)
    }

    /// Draws with log π(q₀, p₀) − log f(p_T|q_T), each term as the mistakes have it.
    fn draw(&self, params: &Params<'_>, seed: u64, n: usize, mistakes: &[Mistake]) -> Result<Draws> {
        let start = self.start(seed, n)?;
        let (end, _) = self.dynamics.forward(params, &start)?;
        let (x, p) = halves(&end)?;
        let moments = self.encoder.moments(params, &x)?;
        let noise = ((&p - &moments.mean)? * moments.log_sd.neg()?.exp()?)?;
        let log_q = (wrong::log_prior(&start, mistakes)? - wrong::log_encoder(&noise, &moments, mistakes)?)?;
        Ok(Draws { x, log_q })
    }

    /// The one-sample estimate of log q(x), each term as the mistakes have it.
    fn estimate(&self, params: &Params<'_>, x: &Tensor, seed: u64, mistakes: &[Mistake]) -> Result<Tensor> {
        let (n, d) = x.dims2()?;
        let noise = Base::Gaussian.draw(seed, n, d, x.dtype(), x.device())?;
        let moments = self.encoder.moments(params, x)?;
        let p = (&moments.mean + (moments.log_sd.exp()? * &noise)?)?;
        let end = Tensor::cat(&[x, &p], 1)?;
        let start = match mistakes.contains(&Mistake::NegatedStepAsInverse) {
            true => self.dynamics.forward_with_negated_step(params, &end)?,
            false => self.dynamics.inverse(params, &end)?.0,
        };
        Ok((wrong::log_prior(&start, mistakes)? - wrong::log_encoder(&noise, &moments, mistakes)?)?)
    }

    fn wrongly(&self, tape: Box<dyn Tape>) -> Box<dyn Tape> {
        match self.mistakes.contains(&Mistake::MinimisedElbo) {
            true => Box::new(wrong::Negated(tape)),
            false => tape,
        }
    }
}

export_flow!(HamiltonianMistakes, density, probe, augmented);
