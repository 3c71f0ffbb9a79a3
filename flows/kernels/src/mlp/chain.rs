//! Dense layers one after the other: where their weights lie, packed for products, with their gradients.
//!
//! Flat: W_1 `[h_1, h_0]`, b_1 `[h_1]`, …, W_L, b_L. Packed, a layer from i inputs to o outputs is three runs of rows:
//! Wᵀ as ⌈o/32⌉ panels `[i][32]` for products with W; b as ⌈o/32⌉ rows; W as ⌈i/32⌉ panels `[o][32]` for products with Wᵀ.
//! Gradients are two runs: that of W as Wᵀ above, or, where outputs are few, as W above; that of b.
//! Padding reaches no result; in weights it is zero because what might stand there (denormals) can be slow, in gradients it is
//! meaningless.

use crate::panel::{NARROW, PANEL, Pair, Row, Shape, accumulate, columns_sum, panels, product};
use crate::real::Real;

/// Widths h_0, …, h_L of L layers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    widths: Vec<usize>,
}

/// A layer's packed parameters.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'a, T> {
    inputs: usize,
    outputs: usize,
    up: &'a [Row<T>],
    bias: &'a [Row<T>],
    down: &'a [Row<T>],
}

/// A layer's gradients.
#[derive(Debug)]
pub struct LayerGrad<'a, T> {
    inputs: usize,
    outputs: usize,
    weights: &'a mut [Row<T>],
    bias: &'a mut [Row<T>],
}

impl Chain {
    /// At least one layer, each at least one wide.
    pub fn new(widths: Vec<usize>) -> Self {
        assert!(widths.len() > 1 && widths.iter().all(|&width| width > 0), "a network of widths {widths:?}");
        Self { widths }
    }

    /// Number of layers.
    pub fn depth(&self) -> usize {
        self.widths.len() - 1
    }

    /// h_l.
    pub fn width(&self, l: usize) -> usize {
        self.widths[l]
    }

    /// Rows of h_l features at m points.
    pub fn rows(&self, l: usize, m: usize) -> usize {
        panels(self.widths[l]) * m
    }

    /// Number of flat parameters.
    pub fn n_params(&self) -> usize {
        self.sizes().map(|[inputs, outputs]| outputs * (inputs + 1)).sum()
    }

    /// Number of packed rows.
    pub fn packed_rows(&self) -> usize {
        self.sizes().map(packed_rows).sum()
    }

    /// Number of rows of gradients.
    pub fn grad_rows(&self) -> usize {
        self.sizes().map(grad_rows).sum()
    }

    /// Packs flat parameters; `out` was zero at first.
    pub fn pack<T: Real>(&self, params: &[T], out: &mut [Row<T>]) {
        let (mut params, mut out) = (params, out);
        for [inputs, outputs] in self.sizes() {
            let (weights, rest) = params.split_at(inputs * outputs);
            let (bias, rest) = rest.split_at(outputs);
            params = rest;
            let (up, rest) = out.split_at_mut(panels(outputs) * inputs);
            let (bias_rows, rest) = rest.split_at_mut(panels(outputs));
            let (down, rest) = rest.split_at_mut(panels(inputs) * outputs);
            out = rest;
            for (panel, weights) in up.chunks_exact_mut(inputs).zip(weights.chunks(PANEL * inputs)) {
                for (o, weights) in weights.chunks_exact(inputs).enumerate() {
                    panel.iter_mut().zip(weights).for_each(|(row, &w)| row[o] = w);
                }
            }
            spread(bias, bias_rows);
            for (o, weights) in weights.chunks_exact(inputs).enumerate() {
                for (panel, weights) in down.chunks_exact_mut(outputs).zip(weights.chunks(PANEL)) {
                    panel[o][..weights.len()].copy_from_slice(weights);
                }
            }
        }
    }

    /// Layer l = 0, …, L − 1 of packed parameters.
    pub fn layer<'a, T>(&self, packed: &'a [Row<T>], l: usize) -> Layer<'a, T> {
        let [inputs, outputs] = self.size(l);
        let rest = &packed[self.sizes().take(l).map(packed_rows).sum()..];
        let (up, rest) = rest.split_at(panels(outputs) * inputs);
        let (bias, rest) = rest.split_at(panels(outputs));
        Layer { inputs, outputs, up, bias, down: &rest[..panels(inputs) * outputs] }
    }

    /// Layer l of gradients.
    pub fn grad<'a, T>(&self, grad: &'a mut [Row<T>], l: usize) -> LayerGrad<'a, T> {
        let [inputs, outputs] = self.size(l);
        let rest = &mut grad[self.sizes().take(l).map(grad_rows).sum()..];
        let (weights, rest) = rest.split_at_mut(weight_rows([inputs, outputs]));
        LayerGrad { inputs, outputs, weights, bias: &mut rest[..panels(outputs)] }
    }

    /// Adds gradients to flat ones.
    pub fn fold<T: Real>(&self, grad: &[Row<T>], flat: &mut [T]) {
        let (mut grad, mut flat) = (grad, flat);
        for [inputs, outputs] in self.sizes() {
            let (rows, rest) = grad.split_at(weight_rows([inputs, outputs]));
            let (bias_rows, rest) = rest.split_at(panels(outputs));
            grad = rest;
            let (weights, rest) = flat.split_at_mut(inputs * outputs);
            let (bias, rest) = rest.split_at_mut(outputs);
            flat = rest;
            if few_outputs([inputs, outputs]) {
                for (o, weights) in weights.chunks_exact_mut(inputs).enumerate() {
                    for (panel, weights) in rows.chunks_exact(outputs).zip(weights.chunks_mut(PANEL)) {
                        weights.iter_mut().zip(&panel[o]).for_each(|(sum, &w)| *sum += w);
                    }
                }
            } else {
                for (panel, weights) in rows.chunks_exact(inputs).zip(weights.chunks_mut(PANEL * inputs)) {
                    for (o, weights) in weights.chunks_exact_mut(inputs).enumerate() {
                        weights.iter_mut().zip(panel).for_each(|(sum, row)| *sum += row[o]);
                    }
                }
            }
            bias.iter_mut().zip(bias_rows.as_flattened()).for_each(|(sum, &b)| *sum += b);
        }
    }

    fn size(&self, l: usize) -> [usize; 2] {
        [self.widths[l], self.widths[l + 1]]
    }

    fn sizes(&self) -> impl Iterator<Item = [usize; 2]> {
        self.widths.windows(2).map(|pair| [pair[0], pair[1]])
    }
}

/// Values, feature by feature, into rows.
pub fn spread<T: Real>(values: &[T], rows: &mut [Row<T>]) {
    rows.as_flattened_mut()[..values.len()].copy_from_slice(values);
}

fn packed_rows([inputs, outputs]: [usize; 2]) -> usize {
    panels(outputs) * (inputs + 1) + panels(inputs) * outputs
}

fn weight_rows([inputs, outputs]: [usize; 2]) -> usize {
    if few_outputs([inputs, outputs]) { panels(inputs) * outputs } else { panels(outputs) * inputs }
}

fn grad_rows([inputs, outputs]: [usize; 2]) -> usize {
    weight_rows([inputs, outputs]) + panels(outputs)
}

fn few_outputs([inputs, outputs]: [usize; 2]) -> bool {
    outputs <= NARROW && outputs < inputs
}

impl<T: Real> Layer<'_, T> {
    /// out = x Wᵀ + b, or without b, panel by panel followed by `then`; `out` as in [`product`].
    #[inline(always)]
    pub fn up<L: Shape>(
        &self,
        out: &mut [Row<T>],
        x: &[Row<T>],
        bias: bool,
        m: usize,
        then: impl FnMut(usize, &mut [Row<T>]),
    ) {
        let bias = if bias { self.bias } else { &[] };
        product::<L, T, _>(out, bias, x, self.up, [self.inputs, self.outputs], m, then);
    }

    /// out = y W, panel by panel followed by `then`; `out` as in [`product`].
    #[inline(always)]
    pub fn down<L: Shape>(&self, out: &mut [Row<T>], y: &[Row<T>], m: usize, then: impl FnMut(usize, &mut [Row<T>])) {
        product::<L, T, _>(out, &[], y, self.down, [self.outputs, self.inputs], m, then);
    }
}

impl<T: Real> LayerGrad<'_, T> {
    /// Adds scale·Σ_p y xᵀ over every pair (x, y) of inputs and adjoints of outputs.
    #[inline(always)]
    pub fn weights<L: Shape, const P: usize>(&mut self, pairs: [Pair<'_, T>; P], scale: T, m: usize) {
        if few_outputs([self.inputs, self.outputs]) {
            accumulate::<L, T>(self.weights, &pairs.map(|(x, y)| (y, x)), scale, self.outputs, m);
        } else {
            accumulate::<L, T>(self.weights, &pairs, scale, self.inputs, m);
        }
    }

    /// Adds scale·Σ_p y.
    #[inline(always)]
    pub fn bias(&mut self, y: &[Row<T>], scale: T, m: usize) {
        for (bias, y) in self.bias.iter_mut().zip(y.chunks_exact(m)) {
            let sum = columns_sum(y);
            for c in 0..PANEL {
                bias[c] += scale * sum[c];
            }
        }
    }
}
