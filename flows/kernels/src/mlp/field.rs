//! The force of a learnt energy: gradient of a multilayer perceptron E: ℝᵈ → ℝ in its input, with its reverse pass.
//!
//! E(x) = wᵀ a_L, a_l = σ(z_l), z_l = W_l a_{l−1} + b_l, a_0 = x. The gradient is one backward sweep:
//! δ_l = σ′(z_l) ⊙ e_l, e_L = w, e_{l−1} = W_lᵀ δ_l, ∇E = W_1ᵀ δ_1.
//!
//! Its reverse pass, for a cotangent v, is the gradient of the scalar vᵀ∇E(x), which is the derivative of E along v: run
//! tangents forward, ȧ_0 = v, ż_l = W_l ȧ_{l−1}, ȧ_l = σ′(z_l) ż_l, vᵀ∇E = wᵀ ȧ_L (Pearlmutter, "Fast exact
//! multiplication by the Hessian", Neural Computation 6, 1994, section 3), then reverse those: the adjoint of ȧ_l is e_l
//! again, the adjoint of z_l is γ_l = σ″(z_l) e_l ż_l + σ′(z_l) W_{l+1}ᵀ γ_{l+1}. Hence
//! ∂/∂W_l = δ_l ȧ_{l−1}ᵀ + γ_l a_{l−1}ᵀ, ∂/∂b_l = γ_l, ∂/∂w = ȧ_L, and the Hessian product Hv = W_1ᵀ γ_1.
//!
//! Shapes: a block of m points is `[features, m]`, a point a column, so that loops over points vectorise.
//! Parameters, flat: W_1 `[h_1, d]`, b_1 `[h_1]`, …, W_L, b_L, w `[h_L]`. A constant in E moves nothing: there is none.

use crate::mlp::Activation;
use crate::product::{Matrix, product};
use crate::real::Real;

/// A network ℝᵈ → ℝ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mlp {
    widths: Vec<usize>,
    activation: Activation,
}

/// What the gradient at a block of points leaves behind for its reverse pass.
#[derive(Clone, Debug)]
pub struct Memo<T> {
    x: Vec<T>,
    /// Of each hidden layer: a, σ′, δ, and σ″ ⊙ e.
    layers: Vec<[Vec<T>; 4]>,
}

impl Mlp {
    /// From d inputs through the hidden widths, at least one.
    pub fn new(dim: usize, hidden: &[usize], activation: Activation) -> Self {
        assert!(!hidden.is_empty(), "an energy needs a hidden layer");
        Self { widths: std::iter::once(dim).chain(hidden.iter().copied()).collect(), activation }
    }

    /// Number of parameters.
    pub fn n_params(&self) -> usize {
        self.widths.windows(2).map(|pair| pair[1] * (pair[0] + 1)).sum::<usize>() + self.last()
    }

    /// ∇E at the m columns of `x` `[d, m]`, into `out` `[d, m]`.
    pub fn gradient<T: Real>(&self, params: &[T], x: &[T], m: usize, out: &mut [T]) -> Memo<T> {
        let mut layers: Vec<[Vec<T>; 4]> = Vec::with_capacity(self.depth());
        for (l, (weights, bias)) in self.hidden(params).into_iter().enumerate() {
            let below = if l == 0 { x } else { &layers[l - 1][0] };
            let (rows, columns) = (self.widths[l + 1], self.widths[l]);
            let mut value = Vec::with_capacity(rows * m);
            bias.iter().for_each(|&b| value.extend(std::iter::repeat_n(b, m)));
            product(&mut value, T::ONE, T::ONE, Matrix::new(weights, rows, columns), Matrix::new(below, columns, m));
            let (mut slope, mut curvature) = (vec![T::ZERO; rows * m], vec![T::ZERO; rows * m]);
            self.activation.apply(&mut value, &mut slope, &mut curvature);
            layers.push([value, slope, Vec::new(), curvature]);
        }
        // e, the adjoint of a: the output weights at the top.
        let mut adjoint: Vec<T> = Vec::with_capacity(self.last() * m);
        self.output(params).iter().for_each(|&w| adjoint.extend(std::iter::repeat_n(w, m)));
        for (l, (weights, _)) in self.hidden(params).into_iter().enumerate().rev() {
            let (rows, columns) = (self.widths[l + 1], self.widths[l]);
            let [_, slope, delta, curvature] = &mut layers[l];
            multiply_into(curvature, &adjoint);
            multiply_into(&mut adjoint, slope);
            *delta = adjoint;
            adjoint = vec![T::ZERO; columns * m];
            product(
                &mut adjoint,
                T::ZERO,
                T::ONE,
                Matrix::new(weights, rows, columns).t(),
                Matrix::new(delta, rows, m),
            );
        }
        out.copy_from_slice(&adjoint);
        Memo { x: x.to_vec(), layers }
    }

    /// The reverse pass of [`Mlp::gradient`] for the cotangent `v` `[d, m]`.
    ///
    /// Adds `scale` times ∂(Σ vᵀ∇E)/∂params to `grad`, writes Hv to `product_out` `[d, m]`, and returns Σ vᵀ∇E.
    pub fn reverse<T: Real>(
        &self,
        params: &[T],
        memo: &Memo<T>,
        v: &[T],
        scale: T,
        grad: &mut [T],
        product_out: &mut [T],
    ) -> T {
        let (hidden, m) = (self.hidden(params), memo.x.len() / self.widths[0]);
        // ż and ȧ of every layer.
        let mut tangents: Vec<[Vec<T>; 2]> = Vec::with_capacity(self.depth());
        for (l, (weights, _)) in hidden.iter().enumerate() {
            let below = if l == 0 { v } else { &tangents[l - 1][1] };
            let (rows, columns) = (self.widths[l + 1], self.widths[l]);
            let mut z = vec![T::ZERO; rows * m];
            product(&mut z, T::ZERO, T::ONE, Matrix::new(weights, rows, columns), Matrix::new(below, columns, m));
            let mut a = z.clone();
            multiply_into(&mut a, &memo.layers[l][1]);
            tangents.push([z, a]);
        }
        let mut end = grad.len() - self.last();
        let mut along = T::ZERO;
        let top = &tangents[self.depth() - 1][1];
        for ((grad, &w), row) in grad[end..].iter_mut().zip(self.output(params)).zip(top.chunks_exact(m)) {
            let sum = sum(row);
            *grad += scale * sum;
            along += w * sum;
        }
        let mut from_above: Option<Vec<T>> = None;
        for (l, (weights, _)) in hidden.iter().enumerate().rev() {
            let (rows, columns) = (self.widths[l + 1], self.widths[l]);
            let [_, slope, delta, bend] = &memo.layers[l];
            let mut gamma = std::mem::take(&mut tangents[l][0]);
            multiply_into(&mut gamma, bend);
            if let Some(mut above) = from_above {
                multiply_into(&mut above, slope);
                gamma.iter_mut().zip(&above).for_each(|(gamma, &above)| *gamma += above);
            }
            let (value_below, tangent_below) =
                if l == 0 { (&memo.x[..], v) } else { (&memo.layers[l - 1][0][..], &tangents[l - 1][1][..]) };
            let bias = end - rows;
            let start = bias - rows * columns;
            for (grad, row) in grad[bias..end].iter_mut().zip(gamma.chunks_exact(m)) {
                *grad += scale * sum(row);
            }
            let block = &mut grad[start..bias];
            let (delta, gamma) = (Matrix::new(delta, rows, m), Matrix::new(&gamma, rows, m));
            product(block, T::ONE, scale, delta, Matrix::new(tangent_below, columns, m).t());
            product(block, T::ONE, scale, gamma, Matrix::new(value_below, columns, m).t());
            let mut below = vec![T::ZERO; columns * m];
            product(&mut below, T::ZERO, T::ONE, Matrix::new(weights, rows, columns).t(), gamma);
            from_above = Some(below);
            end = start;
        }
        product_out.copy_from_slice(&from_above.expect("there is a hidden layer"));
        along
    }

    /// (W, b) of each hidden layer.
    fn hidden<'a, T>(&self, params: &'a [T]) -> Vec<(&'a [T], &'a [T])> {
        let mut rest = params;
        let mut take = |count: usize| {
            let (taken, left) = rest.split_at(count);
            rest = left;
            taken
        };
        self.widths.windows(2).map(|pair| (take(pair[0] * pair[1]), take(pair[1]))).collect()
    }

    /// w.
    fn output<'a, T>(&self, params: &'a [T]) -> &'a [T] {
        &params[params.len() - self.last()..]
    }

    fn depth(&self) -> usize {
        self.widths.len() - 1
    }

    fn last(&self) -> usize {
        self.widths[self.depth()]
    }
}

fn multiply_into<T: Real>(into: &mut [T], by: &[T]) {
    pulp::Arch::new().dispatch(
        #[inline(always)]
        || into.iter_mut().zip(by).for_each(|(into, &by)| *into = *into * by),
    );
}

/// Eight partial sums in a fixed order: vectorised, and less rounding than one after the other.
fn sum<T: Real>(values: &[T]) -> T {
    let mut lanes = [T::ZERO; 8];
    let chunks = values.chunks_exact(8);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, &value) in lanes.iter_mut().zip(chunk) {
            *lane += value;
        }
    }
    lanes.into_iter().chain(rest.iter().copied()).fold(T::ZERO, |sum, value| sum + value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::philox::Stream;

    fn normals(seed: u64, count: usize) -> Vec<f64> {
        let mut stream = Stream::new(seed);
        (0..count).map(|_| stream.normal()).collect()
    }

    /// E itself, written out.
    fn energy(net: &Mlp, params: &[f64], x: &[f64]) -> f64 {
        let mut a = x.to_vec();
        for (weights, bias) in net.hidden(params) {
            let mut z: Vec<f64> = weights
                .chunks(a.len())
                .zip(bias)
                .map(|(row, b)| row.iter().zip(&a).map(|(w, a)| w * a).sum::<f64>() + b)
                .collect();
            let n = z.len();
            net.activation.apply(&mut z, &mut vec![0.0; n], &mut vec![0.0; n]);
            a = z;
        }
        net.output(params).iter().zip(&a).map(|(w, a)| w * a).sum()
    }

    /// The gradient is the energy's, and its reverse pass is the derivative of vᵀ∇E in every parameter and every input.
    /// Central differences with h = 1e-5: truncation and cancellation near 1e-9 for values of order one.
    #[test]
    fn gradient_and_reverse_pass_are_derivatives() {
        let h = 1e-5;
        for (dim, hidden, activation) in [
            (1, vec![3], Activation::Tanh),
            (2, vec![5, 4], Activation::Softplus),
            (3, vec![4, 6, 5], Activation::Silu),
        ] {
            let net = Mlp::new(dim, &hidden, activation);
            let (m, params) = (3, normals(1, net.n_params()));
            let (x, v) = (normals(2, dim * m), normals(3, dim * m));
            let column = |x: &[f64], j: usize| (0..dim).map(|i| x[i * m + j]).collect::<Vec<f64>>();
            let total = |x: &[f64]| (0..m).map(|j| energy(&net, &params, &column(x, j))).sum::<f64>();
            let moved = |values: &[f64], index: usize, by: f64| {
                let mut moved = values.to_vec();
                moved[index] += by;
                moved
            };
            let mut gradient = vec![0.0; dim * m];
            let memo = net.gradient(&params, &x, m, &mut gradient);
            for (index, gradient) in gradient.iter().enumerate() {
                let difference = (total(&moved(&x, index, h)) - total(&moved(&x, index, -h))) / (2.0 * h);
                assert!((gradient - difference).abs() < 1e-7, "{hidden:?} input {index}");
            }
            let along = |params: &[f64], x: &[f64]| {
                let mut gradient = vec![0.0; dim * m];
                net.gradient(params, x, m, &mut gradient);
                gradient.iter().zip(&v).map(|(g, v)| g * v).sum::<f64>()
            };
            let (mut grad, mut hv) = (vec![1.0; net.n_params()], vec![0.0; dim * m]);
            let value = net.reverse(&params, &memo, &v, -0.5, &mut grad, &mut hv);
            assert!((value - along(&params, &x)).abs() < 1e-12, "{hidden:?}");
            for (index, grad) in grad.iter().enumerate() {
                let (up, down) = (along(&moved(&params, index, h), &x), along(&moved(&params, index, -h), &x));
                let expected = 1.0 - 0.5 * (up - down) / (2.0 * h);
                assert!((grad - expected).abs() < 1e-7, "{hidden:?} parameter {index}: {grad} but {expected}");
            }
            for (index, hv) in hv.iter().enumerate() {
                let (up, down) = (along(&params, &moved(&x, index, h)), along(&params, &moved(&x, index, -h)));
                assert!((hv - (up - down) / (2.0 * h)).abs() < 1e-7, "{hidden:?} input {index}");
            }
        }
    }
}
