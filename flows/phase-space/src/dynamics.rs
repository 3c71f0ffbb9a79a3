//! A chain of T learnt Hamiltonians, each integrated for L steps: the map of phase space that a Hamiltonian flow is.
//!
//! (q, p) ↦ φ_T ∘ … ∘ φ_1 (q, p), φ_i the L-step flow of H_i = U_i(q) + K_i(p) under a numerical scheme (Toth et al. 2019,
//! arXiv 1909.13789, section 3.2). Splittings and the implicit midpoint rule preserve volume exactly. Explicit Euler and
//! RK4 do not: their log |det| is taken from the Jacobian itself, which tangents carry along, and their inverse is found by
//! fixed-point iteration. Shapes: states `[n, 2d]`, q before p; log-det `[n]`.

use std::ops::Range;

use flow_sdk::candle_core::{Device, Tensor};
use flow_sdk::kernels::integrator::{Scheme, Stage, integrate, integrate_back};
use flow_sdk::kernels::mlp::Activation;
use flow_sdk::kernels::trajectory::{Move, Trajectory};
use flow_sdk::{Init, Layout, Params, Result, log_det};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fused::Fused;
use crate::layer::{Layer, Phase};
use crate::{Energy, KineticName};

const STEP_SIZE: &str = "step_size.log";

/// Where the reverse pass has its states from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Memory {
    /// Activations of the forward pass are kept: memory grows with every step.
    #[default]
    Stored,
    /// States are rebuilt by integrating back: constant memory, one more force a stage, equal up to rounding.
    Reversible,
}

/// What the dynamics are to be.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Number of Hamiltonians T.
    pub hamiltonians: usize,
    /// Whether all of them are one.
    pub shared: bool,
    /// Scheme.
    pub scheme: &'static Scheme,
    /// Steps L a Hamiltonian.
    pub n_steps: usize,
    /// Step size, where a learnt one starts.
    pub step_size: f64,
    /// Whether each Hamiltonian learns its own.
    pub learn_step_size: bool,
    /// Hidden widths of each network.
    pub hidden: Vec<usize>,
    /// Their activation function.
    pub activation: Activation,
    /// Kinetic energy.
    pub kinetic: KineticName,
    /// Memory of the reverse pass.
    pub memory: Memory,
}

/// The chain for one dimension.
#[derive(Clone, Debug)]
pub struct Dynamics {
    settings: Settings,
    dim: usize,
    potentials: Vec<Energy>,
    kinetics: Vec<Energy>,
}

/// Which way through the chain.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Forward,
    Back,
    /// From the last Hamiltonian to the first, each forward with −h.
    Negated,
}

impl Dynamics {
    /// For targets of dimension d = `dim`.
    pub fn new(settings: Settings, dim: usize) -> Self {
        let distinct = if settings.shared { 1 } else { settings.hamiltonians };
        let network = |kind: &str, i: usize| Energy::Network {
            name: format!("{kind}.{i}"),
            widths: std::iter::once(dim).chain(settings.hidden.iter().copied()).collect(),
            activation: settings.activation,
        };
        let kinetic = |i: usize| match settings.kinetic {
            KineticName::Learnt => network("kinetic", i),
            KineticName::Fixed => Energy::Quadratic { name: format!("kinetic.{i}"), dim },
            KineticName::Unit => Energy::Unit,
        };
        let potentials = (0..distinct).map(|i| network("potential", i)).collect();
        let kinetics = (0..distinct).map(kinetic).collect();
        Self { settings, dim, potentials, kinetics }
    }

    /// Appends the parameters to a layout.
    pub fn declare(&self, layout: Layout) -> Layout {
        let energies = self.potentials.iter().zip(&self.kinetics);
        let layout = energies.fold(layout, |layout, (u, k)| k.declare(u.declare(layout)));
        match self.settings.learn_step_size {
            true => layout.with(STEP_SIZE, &[self.potentials.len()], Init::Constant(self.settings.step_size.ln())),
            false => layout,
        }
    }

    /// What it was made from.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// (U_i, K_i) of Hamiltonian i.
    pub fn hamiltonian(&self, i: usize) -> (&Energy, &Energy) {
        let i = self.index(i);
        (&self.potentials[i], &self.kinetics[i])
    }

    /// Step sizes, one for each set of parameters, `[T]` or `[1]`.
    pub fn step_sizes(&self, params: &Params<'_>) -> Result<Tensor> {
        if self.settings.learn_step_size {
            return Ok(params.get(STEP_SIZE)?.exp()?);
        }
        let flat = params.flat();
        Ok(Tensor::full(self.settings.step_size, self.potentials.len(), flat.device())?.to_dtype(flat.dtype())?)
    }

    /// (q, p) ↦ φ_T ∘ … ∘ φ_1 (q, p) with log |det|.
    pub fn forward(&self, params: &Params<'_>, state: &Tensor) -> Result<(Tensor, Tensor)> {
        match self.fused(params, Way::Forward, state)? {
            Some(end) => Ok((end, no_log_det(state)?)),
            None => self.forward_by_definition(params, state),
        }
    }

    /// The inverse, with log |det| of the *forward* map at the point found.
    pub fn inverse(&self, params: &Params<'_>, state: &Tensor) -> Result<(Tensor, Tensor)> {
        match self.fused(params, Way::Back, state)? {
            Some(start) => Ok((start, no_log_det(state)?)),
            None => self.inverse_by_definition(params, state),
        }
    }

    /// The chain from its last Hamiltonian to its first with −h in place of h. For a scheme that is not reversible this is
    /// *not* the inverse: published code takes it for one, and what comes of that can be studied here.
    pub fn forward_with_negated_step(&self, params: &Params<'_>, state: &Tensor) -> Result<Tensor> {
        if let Some(end) = self.fused(params, Way::Negated, state)? {
            return Ok(end);
        }
        let mut phase = Phase::split(state)?;
        for i in (0..self.settings.hamiltonians).rev() {
            self.advance(params, i, &mut phase, -1.0)?;
        }
        phase.join()
    }

    /// [`Dynamics::forward`] in tensor operations.
    pub fn forward_by_definition(&self, params: &Params<'_>, state: &Tensor) -> Result<(Tensor, Tensor)> {
        let mut phase = Phase::split(state)?;
        if !self.settings.scheme.volume_preserving {
            phase = phase.with_tangents()?;
        }
        for i in 0..self.settings.hamiltonians {
            self.advance(params, i, &mut phase, 1.0)?;
        }
        let log_det = match phase.tangents {
            Some(_) => log_det::of(&phase.jacobian()?)?,
            None => no_log_det(state)?,
        };
        Ok((phase.join()?, log_det))
    }

    /// [`Dynamics::inverse`] in tensor operations.
    pub fn inverse_by_definition(&self, params: &Params<'_>, state: &Tensor) -> Result<(Tensor, Tensor)> {
        let mut phase = Phase::split(state)?;
        for i in (0..self.settings.hamiltonians).rev() {
            let layer = self.layer(params, i)?;
            integrate_back(self.settings.scheme, &layer, &mut phase, 1.0, self.settings.n_steps)?;
        }
        let start = phase.join()?;
        let log_det = match self.settings.scheme.volume_preserving {
            true => no_log_det(state)?,
            false => self.forward_by_definition(params, &start)?.1,
        };
        Ok((start, log_det))
    }

    /// One Hamiltonian alone, forward, in tensor operations.
    pub fn advance_one(&self, params: &Params<'_>, i: usize, state: &Tensor) -> Result<Tensor> {
        let mut phase = Phase::split(state)?;
        self.advance(params, i, &mut phase, 1.0)?;
        phase.join()
    }

    /// H_i = U_i(q) + K_i(p) at every state, `[n]`.
    pub fn energy(&self, params: &Params<'_>, i: usize, state: &Tensor) -> Result<Tensor> {
        let (potential, kinetic) = self.hamiltonian(i);
        let Phase { q, p, .. } = Phase::split(state)?;
        Ok((potential.value(params, &q)? + kinetic.value(params, &p)?)?)
    }

    /// Takes a point through Hamiltonian i, with `sign` times its step size.
    fn advance(&self, params: &Params<'_>, i: usize, phase: &mut Phase, sign: f64) -> Result<()> {
        integrate(self.settings.scheme, &self.layer(params, i)?, phase, sign, self.settings.n_steps)
    }

    fn index(&self, i: usize) -> usize {
        if self.settings.shared { 0 } else { i }
    }

    fn layer<'a>(&'a self, params: &'a Params<'a>, i: usize) -> Result<Layer<'a>> {
        let (potential, kinetic) = self.hamiltonian(i);
        let step_size = self.step_sizes(params)?.narrow(0, self.index(i), 1)?;
        Ok(Layer { potential, kinetic, params, step_size })
    }

    /// The forward chain as a list of moves of the kernels; none for schemes that are not splittings.
    pub fn trajectory(&self, layout: &Layout) -> Option<Trajectory> {
        self.moves(layout, Way::Forward)
    }

    /// Likewise the inverse of the chain.
    pub fn inverse_trajectory(&self, layout: &Layout) -> Option<Trajectory> {
        self.moves(layout, Way::Back)
    }

    /// Where the logarithms of learnt step sizes are.
    pub fn learnt_steps(&self, layout: &Layout) -> Result<Option<Range<usize>>> {
        if !self.settings.learn_step_size {
            return Ok(None);
        }
        let slice = layout.slice(STEP_SIZE)?;
        Ok(Some(slice.offset..slice.offset + slice.len()))
    }

    /// How many step sizes there are.
    pub fn n_step_sizes(&self) -> usize {
        self.potentials.len()
    }

    /// The end by a kernel, of the processor or of a CUDA device; none where no kernel serves, as for what is no splitting.
    fn fused(&self, params: &Params<'_>, way: Way, state: &Tensor) -> Result<Option<Tensor>> {
        let Some(trajectory) = self.moves(params.layout(), way) else { return Ok(None) };
        let (keep, flat, steps) = (self.settings.memory == Memory::Stored, params.flat(), self.step_sizes(params)?);
        match flat.device() {
            Device::Cpu => Ok(Some(Fused::apply(trajectory, keep, flat, &steps, state)?)),
            _ => Ok(flow_cuda::trajectory(&trajectory, keep, flat, &steps, state)?),
        }
    }

    fn moves(&self, layout: &Layout, way: Way) -> Option<Trajectory> {
        let n_steps = self.settings.n_steps;
        let stages = match way {
            Way::Forward | Way::Negated => self.settings.scheme.stages(n_steps)?,
            Way::Back => self.settings.scheme.inverse_stages(n_steps)?,
        };
        let pairs = self.potentials.iter().zip(&self.kinetics);
        let energies: Option<Vec<_>> = pairs.flat_map(|(u, k)| [u.kernel(layout), k.kernel(layout)]).collect();
        let sign = if way == Way::Negated { -1.0 } else { 1.0 };
        let moves_of = |i: usize| {
            let at = self.index(i);
            stages.iter().map(move |stage| match *stage {
                Stage::Kick(c) => Move { energy: 2 * at, kick: true, step: at, coefficient: sign * c },
                Stage::Drift(c) => Move { energy: 2 * at + 1, kick: false, step: at, coefficient: sign * c },
            })
        };
        let moves = match way {
            Way::Forward => (0..self.settings.hamiltonians).flat_map(moves_of).collect(),
            Way::Back | Way::Negated => (0..self.settings.hamiltonians).rev().flat_map(moves_of).collect(),
        };
        Some(Trajectory { dim: self.dim, energies: energies?, moves })
    }
}

fn no_log_det(state: &Tensor) -> Result<Tensor> {
    Ok(Tensor::zeros(state.dim(0)?, state.dtype(), state.device())?)
}
