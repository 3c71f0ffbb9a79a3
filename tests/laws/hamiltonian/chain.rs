//! The chain of learnt dynamics that laws are put to, in every scheme and with every option.

use crate::shaken;
use flow_sdk::candle_core::{DType, Device, Tensor, Var};
use flow_sdk::kernels::integrator::{Method, SCHEMES, Scheme};
use flow_sdk::kernels::mlp::Activation;
use flow_sdk::{Base, Layout, Params, Result};
use phase_space::{Dynamics, KineticName, Memory, Settings};

/// Learnt dynamics with parameters well away from their start.
pub struct Chain {
    pub dynamics: Dynamics,
    pub layout: Layout,
    pub flat: Tensor,
}

/// What differs from a small chain of two Hamiltonians.
pub type Case = (&'static str, fn(&mut Settings));

/// Together they cover every option but the scheme.
pub const CASES: [Case; 4] = [
    ("plain", |_| ()),
    ("tanh, one Hamiltonian twice, learnt step", |s| {
        (s.activation, s.shared, s.learn_step_size) = (Activation::Tanh, true, true);
    }),
    ("silu, masses, learnt steps", |s| {
        (s.activation, s.kinetic, s.learn_step_size) = (Activation::Silu, KineticName::Fixed, true);
    }),
    ("unit masses, one layer, long", |s| {
        (s.kinetic, s.hidden, s.n_steps) = (KineticName::Unit, vec![6], 8);
    }),
];

/// Dimensions of q.
pub const DIMS: [usize; 3] = [1, 2, 3];

pub fn settings(scheme: &'static Scheme, change: fn(&mut Settings)) -> Settings {
    let mut settings = Settings {
        hamiltonians: 2,
        shared: false,
        scheme,
        n_steps: 2,
        step_size: 0.25,
        learn_step_size: false,
        hidden: vec![5, 4],
        activation: Activation::Softplus,
        kinetic: KineticName::Learnt,
        memory: Memory::Stored,
    };
    change(&mut settings);
    settings
}

impl Chain {
    pub fn new(settings: Settings, dim: usize, dtype: DType, seed: u64) -> Self {
        let dynamics = Dynamics::new(settings, dim);
        let layout = dynamics.declare(Layout::new());
        let flat = shaken(layout.init(seed), 0.4, seed, dtype);
        Self { dynamics, layout, flat }
    }

    /// With parameters as they start but for a little: forces stay of order one whatever the widths.
    pub fn near_start(settings: Settings, dim: usize, dtype: DType, seed: u64) -> Self {
        let mut chain = Self::new(settings, dim, dtype, seed);
        chain.flat = shaken(chain.layout.init(seed), 0.02, seed, dtype);
        chain
    }

    /// The same with its parameters there.
    pub fn to_device(&self, device: &Device) -> Self {
        let (dynamics, layout) = (self.dynamics.clone(), self.layout.clone());
        Self { dynamics, layout, flat: self.flat.to_device(device).unwrap() }
    }

    pub fn params(&self) -> Params<'_> {
        Params::new(&self.flat, &self.layout)
    }

    pub fn forward(&self, state: &Tensor) -> Tensor {
        self.dynamics.forward(&self.params(), state).unwrap().0
    }

    /// The end of `map` from `state`, and the gradients of its product with a cotangent in parameters and state.
    pub fn pull(&self, map: Map, state: &Tensor) -> [Tensor; 3] {
        let (flat, state) = (Var::from_tensor(&self.flat).unwrap(), Var::from_tensor(state).unwrap());
        let end = map(&self.dynamics, &Params::new(flat.as_tensor(), &self.layout), state.as_tensor()).unwrap().0;
        let cotangent = Base::Gaussian.draw(2, end.dims()[0], end.dims()[1], end.dtype(), end.device()).unwrap();
        let grads = (&end * cotangent).unwrap().sum_all().unwrap().backward().unwrap();
        let grad = |var: &Var| grads.get(var.as_tensor()).expect("the end depends on it").clone();
        [end.detach(), grad(&flat), grad(&state)]
    }
}

/// One of the maps of [`Dynamics`].
pub type Map = for<'a> fn(&'a Dynamics, &'a Params<'a>, &'a Tensor) -> Result<(Tensor, Tensor)>;

pub const FORWARD: Map = |dynamics, params, state| dynamics.forward(params, state);
pub const INVERSE: Map = |dynamics, params, state| dynamics.inverse(params, state);

pub fn splittings() -> impl Iterator<Item = &'static Scheme> {
    SCHEMES.iter().filter(|scheme| matches!(scheme.method, Method::Splitting(_)))
}

pub fn states(n: usize, dim: usize, dtype: DType) -> Tensor {
    Base::Gaussian.draw(1, n, 2 * dim, dtype, &Device::Cpu).unwrap()
}
