//! Laws of flows on a CUDA device: the definition says there what it says on the processor, and where a flow has kernels for
//! devices, they are those of the processor.

use flow_sdk::candle_core::{DType, Device, Tensor};
use flow_sdk::{Density, DeviceKernels, Draws, Element, FusedDensity, Result, Rows};
use serde_json::{Value, json};

use crate::fused::{close, normals, tensor};
use crate::{instance, instance_on, params, values};

/// Dimensions, each with numbers of rows: in registers and in memory, part of a block, one row more, one less, a few blocks.
const SHAPES: [(usize, &[usize]); 7] =
    [(1, &[1, 130]), (2, &[1, 127, 1000]), (3, &[129]), (5, &[65]), (16, &[1, 130]), (17, &[33]), (100, &[1, 7])];

/// Sampling, density and both gradients by tensor operations, on the device as on the processor.
///
/// In f64 to 1e-9 of the largest entry, in f32 to 2e-3, as kernels beside definitions: other orders of sums, and functions of
/// other libraries, amplified by layers that stretch.
pub fn definitions_agree_on_a_device<F: Density>(name: &str, configs: &[Value]) {
    let Some(device) = laws::cuda() else { return };
    for config in configs {
        for (dim, n) in [(1, 3), (2, 30), (5, 17)] {
            let place = |dtype| format!("{name} {config} {dtype} {dim}-d n={n}");
            defined::<f64, F>(&place("f64"), &device, config, dim, n, 1e-9);
            defined::<f32, F>(&place("f32"), &device, config, dim, n, 2e-3);
        }
    }
}

fn defined<T: Element, F: Density>(place: &str, device: &Device, config: &Value, dim: usize, n: usize, tolerance: f64) {
    let run = |device: &Device| {
        let (flow, flat) = instance_on::<F>(device, config, dim, T::DTYPE, 51);
        let case = Case::new::<T>(device, dim, n);
        let layout = flow.layout();
        let plain = (flow.sample(&params(&flat, layout), 36, n)?, flow.density(&params(&flat, layout), &case.x, 40)?);
        let (draws, tape) = flow.sample_taped(&flat, 36, n)?;
        let (density, density_tape) = flow.density_taped(&flat, &case.x, 40)?;
        let grads = [
            tape.backward(Some(&case.grad_x), &case.grad_log_q)?,
            tape.backward(None, &case.grad_log_q)?,
            density_tape.backward(None, &case.grad_log_q)?,
        ];
        Result::Ok(Answers::new(plain.0, plain.1, grads, [draws.log_q, density]))
    };
    let (here, there) = (run(&Device::Cpu).unwrap(), run(device).unwrap());
    there.compare(place, &here, tolerance);
}

/// The kernels of a device against those of the processor on rows.
///
/// In f64 to 1e-11 of the largest entry, in f32 to 1e-4: the same operations, but for the constraints of the parameters, the
/// order of sums, and where an iteration ends; amplified by layers that stretch.
pub fn kernels_agree_on_a_device<F: FusedDensity>(name: &str, configs: &[Value]) {
    let Some(device) = laws::cuda() else { return };
    for config in configs {
        let (flow, _) = instance_on::<F>(&device, config, 2, DType::F32, 33);
        if flow.on_device().is_none() {
            println!("skipped: {name} {config}: no kernels on a device");
            continue;
        }
        for (dim, sizes) in SHAPES {
            for &n in sizes {
                let place = |dtype| format!("{name} {config} {dtype} {dim}-d n={n}");
                fused::<f64, F>(&place("f64"), &device, config, dim, n, 1e-11);
                fused::<f32, F>(&place("f32"), &device, config, dim, n, 1e-4);
            }
        }
    }
}

fn fused<T: Element, F: FusedDensity>(
    place: &str,
    device: &Device,
    config: &Value,
    dim: usize,
    n: usize,
    tolerance: f64,
) {
    let (flow, flat) = instance::<F>(config, dim, T::DTYPE, 33);
    let here = by_rows::<T, F>(&flow, &flat, &Case::new::<T>(&Device::Cpu, dim, n));
    let (flow, flat) = instance_on::<F>(device, config, dim, T::DTYPE, 33);
    let kernels = flow.on_device().unwrap();
    let case = Case::new::<T>(device, dim, n);
    let there = by_kernels(&*kernels, &flat, &case).unwrap();
    there.compare(place, &here, tolerance);
    let again = by_kernels(&*kernels, &flat, &case).unwrap();
    assert_eq!(there.0, again.0, "{place}: other bits at the second time");
}

/// More rows than blocks take at once, so that each has several turns; and a chain whose parameters are too many for shared
/// memory, as it starts: the layers of other parameters would stretch a thousandfold each.
#[test]
fn kernels_take_turns() {
    let Some(device) = laws::cuda() else { return };
    let one = json!({"layers": 1});
    fused::<f32, planar::Planar>("planar, many rows", &device, &one, 2, 128 * 1024 + 130, 1e-4);
    fused::<f32, radial::Radial>("radial, many rows", &device, &one, 2, 128 * 1024 + 130, 1e-4);
    fused::<f32, planar::Planar>("planar, many wide rows", &device, &one, 18, 1030, 1e-4);
    fused::<f64, radial::Radial>("radial, many wide rows", &device, &one, 18, 1030, 1e-11);
}

#[test]
fn a_chain_may_be_larger_than_shared_memory() {
    fn law<F: FusedDensity>(name: &str, dim: usize) {
        let Some(device) = laws::cuda() else { return };
        let config = json!({"layers": 1024});
        let run = |device: &Device| {
            let (flow, _) = instance_on::<F>(device, &config, dim, DType::F64, 33);
            let flat = Tensor::new(flow.init(7).unwrap(), device).unwrap();
            (flow, flat)
        };
        let ((here, flat), (there, flat_there)) = (run(&Device::Cpu), run(&device));
        let here = by_rows::<f64, F>(&here, &flat, &Case::new::<f64>(&Device::Cpu, dim, 5));
        let there = by_kernels(&*there.on_device().unwrap(), &flat_there, &Case::new::<f64>(&device, dim, 5)).unwrap();
        // A thousand layers, each with its rounding.
        there.compare(name, &here, 1e-9);
    }
    law::<planar::Planar>("planar, 1024 layers", 2);
    law::<radial::Radial>("radial, 1024 layers", 5);
}

/// Points and cotangents.
struct Case {
    n: usize,
    x: Tensor,
    grad_x: Tensor,
    grad_log_q: Tensor,
}

impl Case {
    fn new<T: Element>(device: &Device, dim: usize, n: usize) -> Self {
        let make = |seed, shape: &[usize]| {
            tensor(&normals::<T>(seed, shape.iter().product()), shape).to_device(device).unwrap()
        };
        Self { n, x: make(38, &[n, dim]), grad_x: make(34, &[n, dim]), grad_log_q: make(35, &[n]) }
    }
}

/// Names and values of all that was asked.
struct Answers(Vec<(&'static str, Vec<f64>)>);

impl Answers {
    fn new(draws: Draws, density: Tensor, grads: [Tensor; 3], taped: [Tensor; 2]) -> Self {
        let [of_sample, of_log_q, of_density] = grads;
        let [taped_log_q, taped_density] = taped;
        let rows = [
            ("x", draws.x),
            ("log q", draws.log_q),
            ("taped log q", taped_log_q),
            ("density", density),
            ("taped density", taped_density),
            ("gradient of x and log q", of_sample),
            ("gradient of log q", of_log_q),
            ("gradient of the density", of_density),
        ];
        Self(rows.into_iter().map(|(name, tensor)| (name, values(&tensor))).collect())
    }

    /// To `tolerance` of the largest entry of each.
    fn compare(&self, place: &str, expected: &Self, tolerance: f64) {
        for ((name, got), (_, expected)) in self.0.iter().zip(&expected.0) {
            close(&format!("{place}: {name}"), got, expected, tolerance);
        }
    }
}

fn by_kernels(kernels: &dyn DeviceKernels, flat: &Tensor, case: &Case) -> Result<Answers> {
    let (draws, none) = kernels.sample(flat, 36, case.n, false)?;
    let (density, no_tape) = kernels.density(flat, &case.x, 40, false)?;
    assert!(none.is_none() && no_tape.is_none());
    let (taped, tape) = kernels.sample(flat, 36, case.n, true)?;
    let (taped_density, density_tape) = kernels.density(flat, &case.x, 40, true)?;
    let (tape, density_tape) = (tape.expect("asked for"), density_tape.expect("asked for"));
    let grads = [
        tape.backward(Some(&case.grad_x), &case.grad_log_q)?,
        tape.backward(None, &case.grad_log_q)?,
        density_tape.backward(None, &case.grad_log_q)?,
    ];
    Ok(Answers::new(draws, density, grads, [taped.log_q, taped_density]))
}

/// The processor's kernels, all rows at once.
fn by_rows<T: Element, F: FusedDensity>(flow: &F, flat: &Tensor, case: &Case) -> Answers {
    let n = case.n;
    let of = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<T>().unwrap();
    let (params, x, grad_x, grad_log_q) = (of(flat), of(&case.x), of(&case.grad_x), of(&case.grad_log_q));
    let dim = x.len() / n;
    let (mut draws, mut log_q, mut density) = (vec![T::ZERO; n * dim], vec![T::ZERO; n], vec![T::ZERO; n]);
    flow.sample_rows(&params, 36, 0, &mut draws, &mut log_q).unwrap();
    flow.density_rows(&params, &x, 40, 0, &mut density).unwrap();
    let gradient = |of_x: bool| {
        let (mut grad, mut at) = (vec![T::ZERO; params.len()], 0);
        let mut pull = |rows: Rows<'_, T>| {
            let m = rows.log_q.len();
            rows.grad_x.fill(T::ZERO);
            if of_x {
                rows.grad_x.copy_from_slice(&grad_x[at * dim..(at + m) * dim]);
            }
            rows.grad_log_q.copy_from_slice(&grad_log_q[at..at + m]);
            at += m;
            Ok(())
        };
        flow.sample_gradient(&params, 36, 0..n, &mut pull, &mut grad).unwrap();
        tensor(&grad, &[grad.len()])
    };
    let (mut of_density, mut at) = (vec![T::ZERO; params.len()], 0);
    let mut pull = |rows: Rows<'_, T>| {
        let m = rows.log_q.len();
        rows.grad_log_q.copy_from_slice(&grad_log_q[at..at + m]);
        at += m;
        Ok(())
    };
    flow.density_gradient(&params, &x, 40, 0, &mut pull, &mut of_density).unwrap();
    let grads = [gradient(true), gradient(false), tensor(&of_density, &[params.len()])];
    let (log_q, density) = (tensor(&log_q, &[n]), tensor(&density, &[n]));
    let draws = Draws { x: tensor(&draws, &[n, dim]), log_q: log_q.clone() };
    Answers::new(draws, density.clone(), grads, [log_q, density])
}
