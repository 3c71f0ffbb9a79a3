//! A trajectory as tables that the kernels read: `kernels/trajectory_plan.cuh` has the other side and says what each word is.

use flow_kernels::mlp::{Activation, Mlp};
use flow_kernels::trajectory::{Energy, Trajectory};

/// Threads share out features in runs of so many vectors of 16 bytes.
const SIDE: usize = 16;
/// As `FEW` of the kernels: a wider first layer is read in whole runs.
const FEW: usize = 16;

/// The tables, and what launches need to know of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// Header, moves, energies, layers.
    pub(super) words: Vec<u32>,
    /// Elements of packed parameters.
    pub(super) packed: usize,
    /// Columns of the records of all moves.
    pub(super) columns: usize,
    /// Columns of a block's scratch: one record; bends.
    pub(super) scratch: [usize; 2],
    /// Elements of a block's gradients, those in the step sizes included.
    pub(super) gradients: usize,
    /// The most parameters of an energy.
    pub(super) largest: usize,
    /// Row lengths in shared memory: arrays, states.
    pub(super) strides: [usize; 2],
    /// Arrays in shared memory, forward and in reverse.
    pub(super) arrays: [usize; 2],
    /// Layers and energies.
    pub(super) pieces: [usize; 2],
}

/// Where things begin, counted up.
#[derive(Default)]
struct Counts {
    packed: usize,
    gradients: usize,
    scratch: usize,
    bends: usize,
    widest: usize,
    deepest: usize,
}

impl Plan {
    /// For `steps` step sizes and elements of so many bytes; none where offsets do not fit or energies share parameters.
    pub(super) fn new(trajectory: &Trajectory, steps: usize, bytes: usize) -> Option<Self> {
        let lanes = 16 / bytes;
        let depth = trajectory.dim.next_multiple_of(lanes);
        let (mut counts, mut energies, mut layers, mut columns) =
            (Counts::default(), Vec::new(), Vec::new(), Vec::new());
        for (index, (energy, source)) in trajectory.energies.iter().enumerate() {
            let used = trajectory.moves.iter().any(|step| step.energy == index);
            let n_params = if used { energy.n_params(trajectory.dim) } else { 0 };
            let grad = counts.gradients;
            let first = layers.len() / 16;
            let [record, out, out_source, out_grad] = match energy {
                Energy::Network(net) => network(net, *source, depth, lanes, &mut counts, &mut layers),
                Energy::Quadratic | Energy::Unit => [depth, take(&mut counts.packed, depth), *source, grad],
            };
            counts.gradients = (grad + energy.n_params(trajectory.dim)).next_multiple_of(lanes);
            counts.scratch = counts.scratch.max(record);
            columns.push(record);
            let count = layers.len() / 16 - first;
            let [kind, activation] = kind(energy);
            energies.extend([kind, activation, first, count, *source, out_source, out, grad, n_params, out_grad, 0, 0]);
        }
        if overlap(trajectory) {
            return None;
        }
        let mut moves = Vec::new();
        let mut record = 0;
        for (index, step) in trajectory.moves.iter().enumerate() {
            let fresh = trajectory.moves[index + 1..].iter().all(|later| later.energy != step.energy);
            let sign = if step.kick { -step.coefficient } else { step.coefficient };
            let bits = sign.to_bits();
            moves.extend([step.energy, usize::from(step.kick), step.step, usize::from(fresh), record, 0]);
            moves.extend([bits as u32 as usize, (bits >> 32) as usize]);
            record += columns[step.energy];
        }
        // Rows one vector longer than a whole number of runs, so that they begin in different banks.
        let stride = counts.widest + lanes;
        let state = if trajectory.dim > FEW { trajectory.dim.next_multiple_of(SIDE * lanes) } else { depth };
        let state_stride = (state / lanes | 1) * lanes;
        let arrays = [2, 2 * counts.deepest.max(1)];
        let n = [trajectory.moves.len(), trajectory.energies.len(), layers.len() / 16];
        let sizes = [depth, state_stride, stride, arrays[1], counts.scratch, counts.bends];
        let row = (counts.gradients + steps).next_multiple_of(lanes);
        let first = [trajectory.dim, n[0], n[1], n[2], steps, counts.gradients];
        let header = first.into_iter().chain(sizes).chain([row, 0, 0, 0]);
        let words: Option<Vec<u32>> =
            header.chain(moves).chain(energies).chain(layers).map(|word| u32::try_from(word).ok()).collect();
        Some(Self {
            words: words?,
            packed: counts.packed,
            columns: record,
            scratch: [counts.scratch, counts.bends],
            gradients: row,
            largest: trajectory.energies.iter().map(|(energy, _)| energy.n_params(trajectory.dim)).max().unwrap_or(0),
            strides: [stride, state_stride],
            arrays,
            pieces: [n[2], n[1]],
        })
    }
}

/// Appends a network's layers; its columns of a record, and where its output weights are: packed, flat, their gradients.
fn network(
    net: &Mlp,
    source: usize,
    state_depth: usize,
    lanes: usize,
    counts: &mut Counts,
    layers: &mut Vec<usize>,
) -> [usize; 4] {
    let widths: Vec<usize> = net.widths().collect();
    let (depth, run) = (widths.len() - 1, SIDE * lanes);
    let (mut record, mut bends, mut source, mut grad) = (state_depth, 0, source, counts.gradients);
    for (l, pair) in widths.windows(2).enumerate() {
        let [inputs, outputs] = [pair[0], pair[1]];
        let [inputs_depth, outputs_depth] = [inputs, outputs].map(|width| width.next_multiple_of(lanes));
        let [inputs_width, outputs_width] = [inputs, outputs].map(|width| width.next_multiple_of(run));
        let up = take(&mut counts.packed, inputs_depth * outputs_width);
        let bias = take(&mut counts.packed, outputs_width);
        let down = take(&mut counts.packed, outputs_depth * inputs_width);
        let z = take(&mut record, outputs_width);
        let lower = if l + 1 < depth { outputs_width } else { 0 };
        let (e, bend) = (take(&mut record, lower), take(&mut bends, lower));
        let bias_grad = grad + inputs * outputs;
        layers.extend([
            inputs,
            outputs,
            inputs_depth,
            inputs_width,
            outputs_depth,
            outputs_width,
            source,
            up,
            bias,
            down,
        ]);
        layers.extend([grad, bias_grad, z, e, bend, 0]);
        source += (inputs + 1) * outputs;
        grad = bias_grad + outputs;
        counts.widest = counts.widest.max(outputs_width);
    }
    counts.bends = counts.bends.max(bends);
    counts.deepest = counts.deepest.max(depth);
    [record, take(&mut counts.packed, widths[depth].next_multiple_of(run)), source, grad]
}

/// Codes of the kernels.
fn kind(energy: &Energy) -> [usize; 2] {
    match energy {
        Energy::Network(net) => [
            0,
            match net.activation() {
                Activation::Softplus => 0,
                Activation::Tanh => 1,
                Activation::Silu => 2,
            },
        ],
        Energy::Quadratic => [1, 0],
        Energy::Unit => [2, 0],
    }
}

/// Whether two energies have a parameter in common: their gradients would be written twice.
fn overlap(trajectory: &Trajectory) -> bool {
    let mut ranges: Vec<(usize, usize)> =
        trajectory.energies.iter().map(|(energy, from)| (*from, from + energy.n_params(trajectory.dim))).collect();
    ranges.retain(|(from, to)| from < to);
    ranges.sort_unstable();
    ranges.windows(2).any(|pair| pair[0].1 > pair[1].0)
}

/// Where the next `count` begin.
fn take(end: &mut usize, count: usize) -> usize {
    let here = *end;
    *end += count;
    here
}
