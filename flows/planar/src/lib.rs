//! The planar flow: K layers that push a density apart along a plane each.
//!
//! Rezende & Mohamed, "Variational inference with normalizing flows" (ICML 2015, arXiv 1505.05770), equations 10–13 and
//! appendix A.1. One layer, z ∈ ℝᵈ:
//!
//! ```text
//! f(z) = z + û tanh(wᵀz + b)          û = u + (m(wᵀu) − wᵀu) w / ‖w‖²       m(x) = −1 + softplus(x)
//! log |det| = log(1 + ûᵀψ)            ψ = (1 − tanh²(wᵀz + b)) w
//! ```
//!
//! wᵀû = m(wᵀu) > −1 makes f invertible: with s = wᵀû and α = wᵀz + b, wᵀx + b = α + s·tanh(α) increases in α.
//! Since 1 + s = softplus(wᵀu), the determinant is tanh² + (1 − tanh²)·softplus(wᵀu): a sum of positive terms.
//! Shapes: w, u `[K, d]`; b `[K]`; z, x `[n, d]`; log-det `[n]`.
//! Deviation: none in the map. The paper does not say how it starts; see [`Planar::init`].

mod inverse;

use flow_sdk::candle_core::{D, Tensor};
use flow_sdk::kernels::chain;
use flow_sdk::kernels::scratch::Scratch;
use flow_sdk::{About, Base, BaseKind, Bijection, Init, Inverse, Layout, Params, Result, Setup, export_flow};
use flow_sdk::{Chain, Chained, Element};
use schemars::JsonSchema;
use serde::Deserialize;

/// Parameters of a planar flow.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Number of layers K.
    #[schemars(range(min = 1, max = 1024))]
    pub layers: usize,
    /// What is transformed.
    pub base: BaseKind,
    /// Width of the soft uniform base.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub base_width: f64,
    /// Edge sharpness of the soft uniform base: larger is harder.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub base_softness: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self { layers: 8, base: BaseKind::Gaussian, base_width: 4.0, base_softness: 10.0 }
    }
}

/// A planar flow for one dimension.
#[derive(Debug)]
pub struct Planar {
    layers: usize,
    base: Base,
    layout: Layout,
    setup: Setup,
    kernel: Chain,
}

/// All layers' parameters, constrained, one row or column a layer.
struct Layers {
    w: Tensor,      // [d, K]
    u_hat: Tensor,  // [K, d]
    b: Tensor,      // [K]
    s: Tensor,      // [K], wᵀû
    s_plus: Tensor, // [K], 1 + wᵀû without its rounding
}

impl Bijection for Planar {
    type Config = Config;
    const ABOUT: About = About {
        summary: "planar flow: K layers z + û tanh(wᵀz + b)",
        reference: "Rezende & Mohamed 2015, arXiv 1505.05770",
    };

    fn new(config: Config, setup: &Setup) -> Result<Self> {
        let (k, d) = (config.layers, setup.dim);
        let layout = Layout::new()
            .with("w", &[k, d], Init::Normal { sd: 1.0 / (d as f64).sqrt() })
            .with("u", &[k, d], Init::Normal { sd: 0.01 })
            .with("b", &[k], Init::Normal { sd: 1.0 });
        let base = Base::new(config.base, config.base_width, config.base_softness);
        let kernel = Chain { base, layers: k, dim: d, scratch: Scratch::default() };
        Ok(Self { layers: k, base, layout, setup: setup.clone(), kernel })
    }

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn setup(&self) -> &Setup {
        &self.setup
    }

    fn base(&self) -> Base {
        self.base
    }

    /// Starts near the identity: u = m⁻¹(0)·w/‖w‖² makes û = 0, and a little noise breaks the tie between layers.
    ///
    /// With u = 0 instead, û = (ln 2 − 1) w/‖w‖²: every layer squeezes, the more the smaller w is.
    fn init(&self, seed: u64) -> Result<Vec<f64>> {
        let mut flat = self.layout.init(seed);
        let (w, rest) = flat.split_at_mut(self.layers * self.setup.dim);
        let root = (std::f64::consts::E - 1.0).ln(); // m(root) = 0
        for (w, u) in w.chunks(self.setup.dim).zip(rest.chunks_mut(self.setup.dim)) {
            let norm2: f64 = w.iter().map(|w| w * w).sum();
            for (u, w) in u.iter_mut().zip(w) {
                *u += root * w / norm2;
            }
        }
        Ok(flat)
    }

    fn forward(&self, params: &Params<'_>, z: &Tensor) -> Result<(Tensor, Tensor)> {
        let layers = Layers::constrain(params)?;
        let mut x = z.clone();
        let mut dets = Vec::with_capacity(self.layers);
        for k in 0..self.layers {
            let tanh = x.matmul(&layers.column(k)?)?.broadcast_add(&layers.b.narrow(0, k, 1)?)?.tanh()?;
            x = (&x + tanh.broadcast_mul(&layers.u_hat.narrow(0, k, 1)?)?)?;
            dets.push(layers.det(k, &tanh)?);
        }
        Ok((x, Tensor::cat(&dets, 1)?.log()?.sum(1)?))
    }
}

impl Inverse for Planar {
    fn inverse(&self, params: &Params<'_>, x: &Tensor) -> Result<(Tensor, Tensor)> {
        let layers = Layers::constrain(params)?;
        let mut z = x.clone();
        let mut dets = Vec::with_capacity(self.layers);
        for k in (0..self.layers).rev() {
            let c = z.matmul(&layers.column(k)?)?.broadcast_add(&layers.b.narrow(0, k, 1)?)?;
            let tanh = inverse::solve(&layers.s.narrow(0, k, 1)?, &c)?.tanh()?;
            z = (&z - tanh.broadcast_mul(&layers.u_hat.narrow(0, k, 1)?)?)?;
            dets.push(layers.det(k, &tanh)?);
        }
        Ok((z, Tensor::cat(&dets, 1)?.log()?.sum(1)?))
    }
}

impl Layers {
    fn constrain(params: &Params<'_>) -> Result<Self> {
        let (w, u, b) = (params.get("w")?, params.get("u")?, params.get("b")?);
        let wu = (&w * &u)?.sum(D::Minus1)?;
        let s_plus = flow_sdk::stable::softplus(&wu)?;
        let s = (&s_plus - 1.0)?;
        let along = ((&s - &wu)? / w.sqr()?.sum(D::Minus1)?)?.unsqueeze(1)?;
        let u_hat = (u + w.broadcast_mul(&along)?)?;
        Ok(Self { w: w.t()?.contiguous()?, u_hat, b, s, s_plus })
    }

    /// w of layer k, `[d, 1]`. Products on CUDA devices take no strides of other rows.
    fn column(&self, k: usize) -> Result<Tensor> {
        Ok(self.w.narrow(1, k, 1)?.contiguous()?)
    }

    /// det of layer k where its hyperbolic tangent is `tanh` `[n, 1]`.
    fn det(&self, k: usize, tanh: &Tensor) -> Result<Tensor> {
        let tanh2 = tanh.sqr()?;
        let slope = tanh2.affine(-1.0, 1.0)?;
        Ok((tanh2 + slope.broadcast_mul(&self.s_plus.narrow(0, k, 1)?)?)?)
    }
}

impl Chained for Planar {
    type Layers<T: Element> = chain::Planar<T>;

    fn chain(&self) -> &Chain {
        &self.kernel
    }
}

export_flow!(Planar, density, probe, fused, fused_density);
