//! The radial flow: K layers that pull towards a point each, or push away from it.
//!
//! Rezende & Mohamed, "Variational inference with normalizing flows" (ICML 2015, arXiv 1505.05770), equation 14 and
//! appendix A.2. One layer, z ∈ ℝᵈ, r = ‖z − z₀‖, h = 1/(α + r):
//!
//! ```text
//! f(z) = z + β̂ h (z − z₀)              α = softplus(a)        β̂ = −α + softplus(b)
//! log |det| = (d − 1) log(1 + β̂h) + log(1 + β̂h − β̂ r h²) = (d − 1) log(1 + β̂h) + log(1 + β̂αh²)
//! ```
//!
//! Inverse: the distance R = ‖x − z₀‖ = r (1 + β̂/(α + r)) increases in r, since β̂ ≥ −α. It is a quadratic in r,
//! r² + (α + β̂ − R) r − αR = 0, whose one root that is not negative is taken in the form without cancellation: exact, and
//! differentiable as it stands. Then z − z₀ = (x − z₀)(α + r)/(α + r + β̂).
//! Shapes: z₀ `[K, d]`; a, b `[K]`; z, x `[n, d]`; log-det `[n]`.
//! Deviation: none in the map. It starts at the identity (β̂ = 0), which the paper leaves open.

use flow_sdk::candle_core::Tensor;
use flow_sdk::kernels::chain;
use flow_sdk::kernels::scratch::Scratch;
use flow_sdk::stable::softplus;
use flow_sdk::{About, Base, BaseKind, Bijection, Init, Inverse, Layout, Params, Result, Setup, export_flow};
use flow_sdk::{Chain, Chained, Element};
use schemars::JsonSchema;
use serde::Deserialize;

/// Parameters of a radial flow.
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

/// A radial flow for one dimension.
#[derive(Debug)]
pub struct Radial {
    layers: usize,
    base: Base,
    layout: Layout,
    setup: Setup,
    kernel: Chain,
}

/// One layer, constrained: each `[1]`, the centre `[1, d]`.
struct Layer {
    centre: Tensor,
    alpha: Tensor,
    beta: Tensor,
}

impl Bijection for Radial {
    type Config = Config;
    const ABOUT: About = About {
        summary: "radial flow: K layers z + β (z − z₀)/(α + ‖z − z₀‖)",
        reference: "Rezende & Mohamed 2015, arXiv 1505.05770",
    };

    fn new(config: Config, setup: &Setup) -> Result<Self> {
        let (k, d) = (config.layers, setup.dim);
        // a = b makes β̂ = 0; softplus(0.5413) = 1, the scale of the base.
        let start = Init::Constant((std::f64::consts::E - 1.0).ln());
        let layout =
            Layout::new().with("z0", &[k, d], Init::Normal { sd: 1.0 }).with("a", &[k], start).with("b", &[k], start);
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

    fn forward(&self, params: &Params<'_>, z: &Tensor) -> Result<(Tensor, Tensor)> {
        let mut x = z.clone();
        let mut log_det = None;
        for layer in self.layers(params)? {
            let delta = x.broadcast_sub(&layer.centre)?;
            let h = norm(&delta)?.broadcast_add(&layer.alpha)?.recip()?;
            let factor = layer.factor(&h)?;
            x = delta.broadcast_mul(&factor)?.broadcast_add(&layer.centre)?;
            log_det = Some(layer.add_log_det(log_det, &factor, &h, self.setup.dim)?);
        }
        finish(x, log_det)
    }
}

impl Inverse for Radial {
    fn inverse(&self, params: &Params<'_>, x: &Tensor) -> Result<(Tensor, Tensor)> {
        let mut z = x.clone();
        let mut log_det = None;
        for layer in self.layers(params)?.into_iter().rev() {
            let delta = z.broadcast_sub(&layer.centre)?;
            let h = layer.radius(&norm(&delta)?)?.broadcast_add(&layer.alpha)?.recip()?;
            let factor = layer.factor(&h)?;
            z = delta.broadcast_div(&factor)?.broadcast_add(&layer.centre)?;
            log_det = Some(layer.add_log_det(log_det, &factor, &h, self.setup.dim)?);
        }
        finish(z, log_det)
    }
}

impl Radial {
    fn layers(&self, params: &Params<'_>) -> Result<Vec<Layer>> {
        let centres = params.get("z0")?;
        let alpha = softplus(&params.get("a")?)?;
        let beta = (softplus(&params.get("b")?)? - &alpha)?;
        (0..self.layers)
            .map(|k| {
                Ok(Layer {
                    centre: centres.narrow(0, k, 1)?,
                    alpha: alpha.narrow(0, k, 1)?,
                    beta: beta.narrow(0, k, 1)?,
                })
            })
            .collect()
    }
}

impl Layer {
    /// 1 + β̂h, `[n, 1]`.
    fn factor(&self, h: &Tensor) -> Result<Tensor> {
        Ok((h.broadcast_mul(&self.beta)? + 1.0)?)
    }

    fn add_log_det(&self, so_far: Option<Tensor>, factor: &Tensor, h: &Tensor, dim: usize) -> Result<Tensor> {
        let radial = (h.sqr()?.broadcast_mul(&(&self.beta * &self.alpha)?)? + 1.0)?.log()?;
        let term = (radial + (factor.log()? * (dim as f64 - 1.0))?)?;
        Ok(match so_far {
            Some(sum) => (sum + term)?,
            None => term,
        })
    }

    /// r `[n, 1]` from R `[n, 1]`.
    fn radius(&self, outer: &Tensor) -> Result<Tensor> {
        let p = outer.broadcast_sub(&(&self.alpha + &self.beta)?)?; // r² − p r − αR = 0
        let product = outer.broadcast_mul(&self.alpha)?;
        let root = (p.sqr()? + (&product * 4.0)?)?.sqrt()?;
        // ½(p + √·) where p ≥ 0; where p < 0 that cancels, and 2αR/(√· − p) is the same number.
        let positive = ((&root + &p)? * 0.5)?;
        let negative = ((product * 2.0)? / (root + p.abs()?)?)?;
        Ok(p.ge(&p.zeros_like()?)?.where_cond(&positive, &negative)?)
    }
}

/// ‖δ‖ over the last dimension, kept; `[n, d]` → `[n, 1]`.
///
/// The floor keeps the root's infinite slope at zero from turning a gradient into not-a-number; it is far below the
/// square of any distance that rounding leaves.
fn norm(delta: &Tensor) -> Result<Tensor> {
    Ok(delta.sqr()?.sum_keepdim(1)?.maximum(1e-30)?.sqrt()?)
}

fn finish(x: Tensor, log_det: Option<Tensor>) -> Result<(Tensor, Tensor)> {
    let log_det = match log_det {
        Some(log_det) => log_det.squeeze(1)?,
        None => x.sum(1)?.zeros_like()?,
    };
    Ok((x, log_det))
}

impl Chained for Radial {
    type Layers<T: Element> = chain::Radial<T>;

    fn chain(&self) -> &Chain {
        &self.kernel
    }
}

export_flow!(Radial, density, probe, fused, fused_density);
