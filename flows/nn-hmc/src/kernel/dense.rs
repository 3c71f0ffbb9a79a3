//! One layer of a network on a block of 64 points, a feature a row, with its reverse pass.
//!
//! Every product is a function of its own: inlined into its callers and theirs, a trajectory is half a megabyte of code, and
//! waits for it. The bias is the weight of a last input that is always one. Shapes: weights `[inputs][outputs]`, as they stand
//! in the flat parameters; points `[inputs][64]` → `[outputs][64]`.

use flow_sdk::kernels::chain::{LANES, Lanes};
use flow_sdk::kernels::dispatch;
use flow_sdk::kernels::panel::{Buffer, PANEL, Row, Shape, Spread, add_outer, outer_totals, panels, product};
use flow_sdk::kernels::real::Real;

/// A layer, laid out for both ways through it.
#[derive(Debug, Default)]
pub(super) struct Dense<T> {
    /// A row an output: ⌈inputs/32⌉ panels.
    forth: Buffer<T>,
    /// A row an input whose cotangent is wanted: ⌈outputs/32⌉ panels.
    back: Buffer<T>,
    inputs: usize,
    outputs: usize,
}

impl<T: Real> Dense<T> {
    /// Takes the weights of so many outputs; cotangents of the first `carried` inputs are wanted.
    pub fn read(&mut self, weights: &[T], outputs: usize, carried: usize) {
        let inputs = weights.len() / outputs;
        (self.inputs, self.outputs) = (inputs, outputs);
        self.forth.resize(panels(inputs) * outputs);
        self.back.resize(panels(outputs) * carried);
        let (forth, back) = (self.forth.rows_mut(), self.back.rows_mut());
        for (i, weights) in weights.chunks_exact(outputs).enumerate() {
            for (j, &weight) in weights.iter().enumerate() {
                forth[i / PANEL * outputs + j][i % PANEL] = weight;
                if i < carried {
                    back[j / PANEL * carried + i][j % PANEL] = weight;
                }
            }
        }
    }

    /// Sums for the gradient of its weights.
    pub fn sums(&self) -> usize {
        self.inputs * self.outputs
    }

    /// x `[inputs]` to `out` `[outputs]`.
    pub fn forward(&self, x: &[Lanes<T>], out: &mut [Lanes<T>]) {
        dispatch!(L => multiply::<L, T>(self.forth.rows(), x, out));
    }

    /// Adds to the sums; writes the cotangents of the first inputs.
    pub fn backward(&self, x: &[Lanes<T>], grad: &[Lanes<T>], sums: &mut [Spread<T>], out: &mut [Lanes<T>]) {
        dispatch!(L => add_outer::<L, T>(sums, x, grad));
        dispatch!(L => multiply::<L, T>(self.back.rows(), grad, out));
    }

    /// Adds the sums to the gradient of its weights.
    pub fn fold_into(&self, sums: &[Spread<T>], grad: &mut [T]) {
        outer_totals(sums, self.inputs, self.outputs, |i, j, sum| grad[i * self.outputs + j] += T::of(sum));
    }
}

#[inline(always)]
fn multiply<L: Shape, T: Real>(weights: &[Row<T>], x: &[Lanes<T>], out: &mut [Lanes<T>]) {
    let (inputs, outputs) = (x.len(), out.len());
    product::<L, T, _>(out, &[], weights, x, [inputs, LANES], outputs, |_, _| {});
}
