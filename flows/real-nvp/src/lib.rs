//! The Real NVP flow: K affine coupling layers, each of which scales and shifts one half of z by what it sees in the other.
//!
//! Dinh, Sohl-Dickstein & Bengio, "Density estimation using Real NVP" (ICLR 2017, arXiv 1605.08803), equations 6–9. One
//! layer, z = (a, b) ∈ ℝᵈ, of which a stays and b moves:
//!
//! ```text
//! f(a, b) = (a, b ⊙ exp(s(a)) + t(a))        f⁻¹(a, y) = (a, (y − t(a)) ⊙ exp(−s(a)))        log |det| = Σᵢ sᵢ(a)
//! ```
//!
//! s and t come from a network that is never inverted: `conditioner.rs`. Even layers keep the first ⌊d/2⌋ coordinates, odd
//! layers the others; in one dimension nothing stays, and every layer is an affine map.
//! Shapes: z, x `[n, d]`; a `[n, kept]`; b, s, t `[n, moved]`; log-det `[n]`.
//! Deviation: no batch norm, no multi-scale architecture, no convolutions or residual blocks, which are for images; smooth
//! activations, not ReLU. The paper's f maps data to noise; ours maps noise to data, as all flows here.

mod conditioner;

use std::ops::Range;

use conditioner::{Activation, Conditioner};
use flow_sdk::candle_core::Tensor;
use flow_sdk::{About, Base, BaseKind, Bijection, Inverse, Layout, Params, Result, Setup, export_flow};
use schemars::JsonSchema;
use serde::Deserialize;

/// Parameters of a Real NVP flow.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Number of coupling layers K; two are needed to move every coordinate.
    #[schemars(range(min = 1, max = 256))]
    pub layers: usize,
    /// Hidden widths of each layer's network.
    #[schemars(length(min = 1), inner(range(min = 1, max = 4096)))]
    pub hidden: Vec<usize>,
    /// Activation function of these networks.
    pub activation: Activation,
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
        Self {
            layers: 6,
            hidden: vec![32, 32],
            activation: Activation::default(),
            base: BaseKind::Gaussian,
            base_width: 4.0,
            base_softness: 10.0,
        }
    }
}

/// A Real NVP flow for one dimension.
#[derive(Debug)]
pub struct RealNvp {
    couplings: Vec<Coupling>,
    base: Base,
    layout: Layout,
    setup: Setup,
}

/// One layer: which coordinates stay, which move, and by what.
#[derive(Debug)]
struct Coupling {
    kept: Range<usize>,
    moved: Range<usize>,
    conditioner: Conditioner,
}

impl Bijection for RealNvp {
    type Config = Config;
    const ABOUT: About = About {
        summary: "Real NVP: K affine couplings (a, b ⊙ exp(s(a)) + t(a))",
        reference: "Dinh, Sohl-Dickstein & Bengio 2017, arXiv 1605.08803",
    };

    fn new(config: Config, setup: &Setup) -> Result<Self> {
        let couplings: Vec<_> = (0..config.layers).map(|k| Coupling::new(k, setup.dim, &config)).collect();
        let layout = couplings.iter().fold(Layout::new(), |layout, coupling| coupling.conditioner.declare(layout));
        let base = Base::new(config.base, config.base_width, config.base_softness);
        Ok(Self { couplings, base, layout, setup: setup.clone() })
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
        let mut log_det = Tensor::zeros(z.dim(0)?, z.dtype(), z.device())?;
        for coupling in &self.couplings {
            let (a, b) = coupling.split(&x)?;
            let (s, t) = coupling.conditioner.log_scale_and_shift(params, &a)?;
            x = coupling.join(a, ((b * s.exp()?)? + t)?)?;
            log_det = (log_det + s.sum(1)?)?;
        }
        Ok((x, log_det))
    }
}

impl Inverse for RealNvp {
    fn inverse(&self, params: &Params<'_>, x: &Tensor) -> Result<(Tensor, Tensor)> {
        let mut z = x.clone();
        let mut log_det = Tensor::zeros(x.dim(0)?, x.dtype(), x.device())?;
        for coupling in self.couplings.iter().rev() {
            let (a, y) = coupling.split(&z)?;
            let (s, t) = coupling.conditioner.log_scale_and_shift(params, &a)?;
            z = coupling.join(a, ((y - t)? * s.neg()?.exp()?)?)?;
            log_det = (log_det + s.sum(1)?)?; // of the forward map, hence with the same sign
        }
        Ok((z, log_det))
    }
}

impl Coupling {
    fn new(k: usize, dim: usize, config: &Config) -> Self {
        let half = dim / 2;
        // In one dimension the first half is empty, and to move it would be to move nothing.
        let (kept, moved) = if k.is_multiple_of(2) || half == 0 { (0..half, half..dim) } else { (half..dim, 0..half) };
        let name = format!("layer{k}");
        let conditioner = Conditioner::new(name, kept.len(), &config.hidden, moved.len(), config.activation);
        Self { kept, moved, conditioner }
    }

    /// a and b of a point (a, b).
    fn split(&self, z: &Tensor) -> Result<(Tensor, Tensor)> {
        let part = |range: &Range<usize>| z.narrow(1, range.start, range.len());
        Ok((part(&self.kept)?, part(&self.moved)?))
    }

    /// The point (a, b), each at its place.
    fn join(&self, a: Tensor, b: Tensor) -> Result<Tensor> {
        let parts = if self.kept.start == 0 { [a, b] } else { [b, a] };
        Ok(Tensor::cat(&parts, 1)?)
    }
}

export_flow!(RealNvp, density, probe);

#[cfg(test)]
mod tests {
    use super::*;
    use flow_sdk::candle_core::{DType, Device};
    use flow_sdk::kernels::philox::Stream;
    use flow_sdk::{Density, Flow, Target};

    /// A flow of `layers` layers with its parameters, moved from their start by normals of standard deviation `sd`.
    fn instance(layers: usize, dim: usize, sd: f64) -> Result<(RealNvp, Tensor)> {
        let setup = Setup { dim, dtype: DType::F64, device: Device::Cpu, target: Target::absent() };
        let flow = <RealNvp as Bijection>::new(Config { layers, hidden: vec![4, 3], ..Config::default() }, &setup)?;
        let mut stream = Stream::new(2);
        let start = Bijection::init(&flow, 1)?;
        let flat: Vec<f64> = start.iter().map(|value| value + sd * stream.normal()).collect();
        Ok((flow, Tensor::new(flat, &Device::Cpu)?))
    }

    fn push(flow: &RealNvp, flat: &Tensor, z: &Tensor) -> Result<(Tensor, Tensor)> {
        flow.forward(&Params::new(flat, Bijection::layout(flow)), z)
    }

    #[test]
    fn a_layer_moves_the_other_half_only() -> Result<()> {
        for dim in [2, 5] {
            let z = Base::Gaussian.draw(3, 20, dim, DType::F64, &Device::Cpu)?;
            let mut halves = [0..dim / 2, dim / 2..dim];
            let mut before = z.clone();
            for layers in 1..=4 {
                let (flow, flat) = instance(layers, dim, 0.4)?; // the first layers of all are the same
                let (after, _) = push(&flow, &flat, &z)?;
                for (half, moves) in halves.iter().zip([false, true]) {
                    for i in half.clone() {
                        let column = |x: &Tensor| x.narrow(1, i, 1)?.flatten_all()?.to_vec1::<f64>();
                        let same = column(&before)?.iter().zip(column(&after)?).filter(|(a, b)| *a == b).count();
                        assert_eq!(same, if moves { 0 } else { 20 }, "{dim}-d, layer {layers}, coordinate {i}");
                    }
                }
                halves.swap(0, 1);
                before = after;
            }
        }
        Ok(())
    }

    #[test]
    fn it_starts_as_the_identity() -> Result<()> {
        for dim in [1, 2, 5] {
            let (flow, flat) = instance(6, dim, 0.0)?;
            let z = Base::Gaussian.draw(4, 20, dim, DType::F64, &Device::Cpu)?;
            let (x, log_det) = push(&flow, &flat, &z)?;
            assert_eq!(x.to_vec2::<f64>()?, z.to_vec2::<f64>()?);
            assert_eq!(log_det.to_vec1::<f64>()?, [0.0; 20]);
        }
        Ok(())
    }

    #[test]
    fn a_row_that_is_not_a_number_spoils_no_other_row() -> Result<()> {
        for dim in [1, 2, 5] {
            let (flow, flat) = instance(3, dim, 0.4)?;
            let mut x: Vec<f64> = (0..3 * dim).map(|i| i as f64 * 0.1).collect();
            x[2 * dim - 1] = f64::NAN;
            let x = Tensor::from_vec(x, (3, dim), &Device::Cpu)?;
            let density = flow.density(&Params::new(&flat, Bijection::layout(&flow)), &x, 0)?.to_vec1::<f64>()?;
            assert_eq!(density.iter().map(|log_q| log_q.is_nan()).collect::<Vec<_>>(), [false, true, false]);
        }
        Ok(())
    }

    #[test]
    fn no_rows_are_no_error() -> Result<()> {
        for dim in [1, 2] {
            let (flow, flat) = instance(3, dim, 0.4)?;
            let params = Params::new(&flat, Bijection::layout(&flow));
            let draws = flow.sample(&params, 5, 0)?;
            assert_eq!((draws.x.dims(), draws.log_q.dims()), (&[0, dim][..], &[0][..]));
            assert_eq!(flow.density(&params, &draws.x, 5)?.dims(), [0]);
        }
        Ok(())
    }
}
