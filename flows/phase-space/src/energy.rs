//! One energy of a separable Hamiltonian, in candle: value, gradient and Hessian product by explicit formulas.
//!
//! A network E(x) = wᵀ a_L as in `flow_kernels::mlp`, whose formulas these are, a row a point: δ_l = σ′(z_l) ⊙ e_l,
//! e_{l−1} = δ_l W_l, ∇E = δ_1 W_1. All of it is differentiable by autograd, which therefore never differentiates twice.
//! Or ½ Σ xᵢ² e^{−λᵢ}, the kinetic energy of a diagonal mass e^λ. Shapes: x, v `[n, d]`; value `[n]`; gradient `[n, d]`.

use flow_sdk::candle_core::Tensor;
use flow_sdk::kernels::mlp::{Activation, Mlp};
use flow_sdk::kernels::trajectory;
use flow_sdk::{Init, Layout, Params, Result, stable};

/// An energy with the names of its parameters.
#[derive(Clone, Debug)]
pub enum Energy {
    /// A network `dim → hidden… → 1`, without a constant: it would move nothing.
    Network {
        /// Prefix of its parameters' names.
        name: String,
        /// d, then the hidden widths.
        widths: Vec<usize>,
        /// Its activation function.
        activation: Activation,
    },
    /// Quadratic with a learnt diagonal mass.
    Quadratic {
        /// Prefix of its parameter's name.
        name: String,
        /// Dimension d.
        dim: usize,
    },
    /// ½ Σ xᵢ²: of unit masses, without parameters.
    Unit,
}

/// A hidden layer at given points.
struct Hidden {
    weights: Tensor,   // [rows, columns]
    value: Tensor,     // a, [n, rows]
    slope: Tensor,     // σ′, [n, rows]
    curvature: Tensor, // σ″, [n, rows]
}

impl Energy {
    /// Appends its parameters to a layout.
    ///
    /// Weights start as N(0, 1/fan-in), as LeCun et al. 1998 ("Efficient BackProp", section 4.6) propose, output weights a
    /// tenth of that: forces start small and the flow near a free drift. Masses start at one.
    pub fn declare(&self, mut layout: Layout) -> Layout {
        match self {
            Self::Network { name, widths, .. } => {
                for (l, pair) in widths.windows(2).enumerate() {
                    let sd = 1.0 / (pair[0] as f64).sqrt();
                    layout = layout.with(&format!("{name}.w{l}"), &[pair[1], pair[0]], Init::Normal { sd });
                    layout = layout.with(&format!("{name}.b{l}"), &[pair[1]], Init::Zeros);
                }
                let last = widths[widths.len() - 1];
                layout.with(&format!("{name}.out"), &[last], Init::Normal { sd: 0.1 / (last as f64).sqrt() })
            }
            Self::Unit => layout,
            Self::Quadratic { name, dim } => layout.with(&format!("{name}.log_mass"), &[*dim], Init::Zeros),
        }
    }

    /// The same energy for the kernel, with where its parameters start in a layout.
    pub(crate) fn kernel(&self, layout: &Layout) -> Option<(trajectory::Energy, usize)> {
        let offset = |first: String| Some(layout.slices().iter().find(|slice| slice.name == first)?.offset);
        Some(match self {
            Self::Network { name, widths, activation } => {
                let net = Mlp::new(widths[0], &widths[1..], *activation);
                (trajectory::Energy::Network(net), offset(format!("{name}.w0"))?)
            }
            Self::Quadratic { name, .. } => (trajectory::Energy::Quadratic, offset(format!("{name}.log_mass"))?),
            Self::Unit => (trajectory::Energy::Unit, 0),
        })
    }

    /// E(x).
    pub fn value(&self, params: &Params<'_>, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Network { name, .. } => {
                let layers = self.hidden(params, x)?;
                let top = &layers[layers.len() - 1].value;
                Ok(top.broadcast_mul(&params.get(&format!("{name}.out"))?)?.sum(1)?)
            }
            Self::Quadratic { .. } | Self::Unit => Ok((x * self.gradient(params, x)?)?.sum(1)?.affine(0.5, 0.0)?),
        }
    }

    /// ∇E(x).
    pub fn gradient(&self, params: &Params<'_>, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Network { name, .. } => {
                let layers = self.hidden(params, x)?;
                let mut adjoint = params.get(&format!("{name}.out"))?.unsqueeze(0)?;
                for layer in layers.iter().rev() {
                    adjoint = layer.slope.broadcast_mul(&adjoint)?.matmul(&layer.weights)?;
                }
                Ok(adjoint)
            }
            Self::Quadratic { name, .. } => Ok(x.broadcast_mul(&rates(params, name)?)?),
            Self::Unit => Ok(x.clone()),
        }
    }

    /// Hessian of E at x times v.
    pub fn hessian_product(&self, params: &Params<'_>, x: &Tensor, v: &Tensor) -> Result<Tensor> {
        let name = match self {
            Self::Network { name, .. } => name,
            Self::Quadratic { name, .. } => return Ok(v.broadcast_mul(&rates(params, name)?)?),
            Self::Unit => return Ok(v.clone()),
        };
        let layers = self.hidden(params, x)?;
        let mut tangent = v.clone();
        let mut along = Vec::with_capacity(layers.len());
        for layer in &layers {
            let z = tangent.matmul(&layer.weights.t()?)?;
            tangent = (&z * &layer.slope)?;
            along.push(z);
        }
        let mut adjoint = params.get(&format!("{name}.out"))?.unsqueeze(0)?;
        let mut product: Option<Tensor> = None;
        for (layer, z) in layers.iter().zip(&along).rev() {
            let mut gamma = (layer.curvature.broadcast_mul(&adjoint)? * z)?;
            if let Some(above) = product {
                gamma = (gamma + (&layer.slope * above)?)?;
            }
            product = Some(gamma.matmul(&layer.weights)?);
            adjoint = layer.slope.broadcast_mul(&adjoint)?.matmul(&layer.weights)?;
        }
        Ok(product.unwrap_or(tangent))
    }

    fn hidden(&self, params: &Params<'_>, x: &Tensor) -> Result<Vec<Hidden>> {
        let Self::Network { name, widths, activation } = self else { return Ok(Vec::new()) };
        let mut layers: Vec<Hidden> = Vec::with_capacity(widths.len() - 1);
        for l in 0..widths.len() - 1 {
            let weights = params.get(&format!("{name}.w{l}"))?;
            let below = layers.last().map_or(x, |layer| &layer.value);
            let z = below.matmul(&weights.t()?)?.broadcast_add(&params.get(&format!("{name}.b{l}"))?)?;
            let [value, slope, curvature] = activate(*activation, &z)?;
            layers.push(Hidden { weights, value, slope, curvature });
        }
        Ok(layers)
    }
}

/// e^{−λ}.
fn rates(params: &Params<'_>, name: &str) -> Result<Tensor> {
    Ok(params.get(&format!("{name}.log_mass"))?.neg()?.exp()?)
}

/// a(z), a′(z), a″(z), as in `flow_kernels::mlp::Activation`.
fn activate(activation: Activation, z: &Tensor) -> Result<[Tensor; 3]> {
    Ok(match activation {
        Activation::Softplus => {
            let sigma = sigmoid(z)?;
            let curvature = (&sigma * sigma.affine(-1.0, 1.0)?)?;
            [stable::softplus(z)?, sigma, curvature]
        }
        Activation::Tanh => {
            let t = z.tanh()?;
            let slope = t.sqr()?.affine(-1.0, 1.0)?;
            let curvature = (&t * &slope)?.affine(-2.0, 0.0)?;
            [t, slope, curvature]
        }
        Activation::Silu => {
            let sigma = sigmoid(z)?;
            let rest = sigma.affine(-1.0, 1.0)?;
            let slope = (&sigma * (z * &rest)?.affine(1.0, 1.0)?)?;
            let curvature = ((&sigma * &rest)? * (z * (&rest - &sigma)?)?.affine(1.0, 2.0)?)?;
            [(z * &sigma)?, slope, curvature]
        }
    })
}

/// σ(z) = ½(1 + tanh(z/2)): neither overflows, and neither does its derivative.
fn sigmoid(z: &Tensor) -> Result<Tensor> {
    Ok(z.affine(0.5, 0.0)?.tanh()?.affine(0.5, 0.5)?)
}
