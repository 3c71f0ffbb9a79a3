//! Calls as the ABI has them, on memory that is watched: margins about every view, inputs compared bit by bit.

use std::ffi::c_void;
use std::ptr::{null, null_mut};

use candle_core::{DType, Tensor};
use flow_sdk::Element;
use flow_sdk::abi::{DEVICE_CPU, DLDataType, DLDevice, DLTensor, FlowTable, Point, SamplerTable, TYPE_FLOAT};

use super::Objection;
use super::numbers::{first_gap, normals, values};
use super::verdict::{Finding, expect};
use crate::host::{HostFlow, HostSampler, PluginError, Tempering, checked};

/// Elements before and after a view that belong to someone else.
const MARGIN: usize = 32;
/// What stands there, and in outputs before they are written.
const MARK: f64 = -1.234_567_8e30;
const ROWS: usize = 7;

/// How a view says where its elements are: DLPack allows both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// At `data`, without strides.
    Plain,
    /// At `byte_offset` from `data`, with strides that say row-major.
    Offset,
}

/// A tensor with margins.
struct Watched<T> {
    name: &'static str,
    values: Vec<T>,
    extents: Vec<i64>,
    strides: Vec<i64>,
    before: Option<Vec<u64>>,
}

impl<T: Element> Watched<T> {
    fn output(name: &'static str, shape: &[usize]) -> Self {
        let count: usize = shape.iter().product();
        let extents = shape.iter().map(|&size| size as i64).collect();
        let strides = (0..shape.len()).map(|i| shape[i + 1..].iter().product::<usize>() as i64).collect();
        Self { name, values: vec![T::of(MARK); count + 2 * MARGIN], extents, strides, before: None }
    }

    fn input(name: &'static str, tensor: &Tensor) -> Result<Self, Objection> {
        let mut watched = Self::output(name, tensor.dims());
        let count = watched.values.len() - 2 * MARGIN;
        watched.values[MARGIN..MARGIN + count].iter_mut().zip(values(tensor)?).for_each(|(to, from)| *to = T::of(from));
        watched.before = Some(watched.bits());
        Ok(watched)
    }

    fn view(&mut self, style: Style) -> DLTensor {
        let (data, byte_offset) = match style {
            Style::Plain => (self.values[MARGIN..].as_mut_ptr(), 0),
            Style::Offset => (self.values.as_mut_ptr(), (MARGIN * size_of::<T>()) as u64),
        };
        DLTensor {
            data: data.cast(),
            device: DLDevice { device_type: DEVICE_CPU, device_id: 0 },
            ndim: self.extents.len() as i32,
            dtype: DLDataType { code: TYPE_FLOAT, bits: 8 * size_of::<T>() as u8, lanes: 1 },
            shape: self.extents.as_mut_ptr(),
            strides: if style == Style::Plain { null_mut() } else { self.strides.as_mut_ptr() },
            byte_offset,
        }
    }

    fn content(&self) -> &[T] {
        &self.values[MARGIN..self.values.len() - MARGIN]
    }

    fn bits(&self) -> Vec<u64> {
        self.content().iter().map(|value| value.wide().to_bits()).collect()
    }

    /// Nothing was written outside of it, nothing into an input, everything of an output.
    fn inspect(&self, function: &str) -> Finding {
        let (name, mark) = (self.name, T::of(MARK).wide().to_bits());
        let outside = self.values.iter().enumerate().position(|(at, value)| {
            (at < MARGIN || at >= self.values.len() - MARGIN) && value.wide().to_bits() != mark
        });
        expect(outside.is_none(), || {
            let at = outside.unwrap_or(0) as i64 - MARGIN as i64;
            let (shape, count) = (&self.extents, self.content().len());
            format!(
                "`{function}` wrote outside of `{name}`: at element {at} of {count}, shape {shape:?}; wrong dimension?"
            )
        })?;
        match &self.before {
            Some(before) => {
                let changed = before.iter().zip(self.bits()).position(|(before, after)| *before != after);
                expect(changed.is_none(), || {
                    let at = changed.unwrap_or(0);
                    format!(
                        "`{function}` wrote into its input `{name}`: element {at} was {} and is {}",
                        f64::from_bits(before[at]),
                        self.content()[at].wide()
                    )
                })
            }
            None => {
                let left = self.bits().iter().position(|&bits| bits == mark);
                expect(left.is_none(), || {
                    let (at, shape) = (left.unwrap_or(0), &self.extents);
                    format!("`{function}` did not write element {at} of `{name}`, shape {shape:?}; wrong dimension?")
                })
            }
        }
    }
}

/// What the calls returned, by name.
pub type Returned = Vec<(&'static str, Vec<u64>)>;

/// Frees a tape when a check ends early, too.
struct RawTape(*mut c_void, unsafe extern "C" fn(*mut c_void));

impl Drop for RawTape {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: the tape came from the plugin and is freed once.
            unsafe { (self.1)(self.0) }
        }
    }
}

/// Every function of a flow that takes tensors.
pub fn call_flow<T: Element>(flow: &HostFlow, params: &Tensor, seed: u64, style: Style) -> Result<Returned, Objection> {
    let (table, raw): (&FlowTable, _) = flow.raw();
    let dim = flow.dim();
    let mut params = Watched::<T>::input("params", params)?;
    let params_view = params.view(style);
    let mut init = Watched::<T>::output("params of init", &[flow.n_params()]);
    let mut view = init.view(style);
    // SAFETY: a live instance, valid views, and a tape that is used before it is freed.
    checked("init", |call| unsafe { (table.init)(raw, seed, &raw mut view, call) })?;
    init.inspect("init")?;
    let (mut x, mut log_q) = (Watched::<T>::output("x", &[ROWS, dim]), Watched::<T>::output("log_q", &[ROWS]));
    let (mut x_view, mut log_q_view) = (x.view(style), log_q.view(style));
    let mut tape = RawTape(null_mut(), table.free_tape);
    // SAFETY: as above.
    checked("sample", |call| unsafe {
        (table.sample)(raw, &raw const params_view, seed, &raw mut x_view, &raw mut log_q_view, &raw mut tape.0, call)
    })?;
    [&x, &log_q, &params].into_iter().try_for_each(|watched| watched.inspect("sample"))?;
    rows_of_sample::<T>(flow, &mut params, seed, style, &x)?;
    let dtype = T::DTYPE;
    let mut grad_x = Watched::<T>::input("grad_x", &normals(1, &[ROWS, dim], dtype)?)?;
    let mut grad_log_q = Watched::<T>::input("grad_log_q", &normals(2, &[ROWS], dtype)?)?;
    let mut grad = Watched::<T>::output("grad_params", &[flow.n_params()]);
    let (grad_x_view, grad_log_q_view, mut view) = (grad_x.view(style), grad_log_q.view(style), grad.view(style));
    // SAFETY: as above.
    checked("backward", |call| unsafe {
        let (grad_x, grad_log_q) = (&raw const grad_x_view, &raw const grad_log_q_view);
        (table.backward)(raw, tape.0, grad_x, grad_log_q, &raw mut view, call)
    })?;
    [&grad_x, &grad_log_q, &grad, &params].into_iter().try_for_each(|watched| watched.inspect("backward"))?;
    let mut all = vec![("init", init.bits()), ("x", x.bits()), ("log_q", log_q.bits()), ("gradient", grad.bits())];
    let Some(density) = table.density else { return Ok(all) };
    let mut at = Watched::<T>::input("x", &normals(3, &[ROWS, dim], dtype)?)?;
    let (at_view, mut log_q) = (at.view(style), Watched::<T>::output("log_q", &[ROWS]));
    let mut log_q_view = log_q.view(style);
    let mut tape = RawTape(null_mut(), table.free_tape);
    // SAFETY: as above.
    checked("density", |call| unsafe {
        let (params, at, log_q) = (&raw const params_view, &raw const at_view, &raw mut log_q_view);
        density(raw, params, at, seed, log_q, &raw mut tape.0, call)
    })?;
    [&at, &log_q, &params].into_iter().try_for_each(|watched| watched.inspect("density"))?;
    let mut grad = Watched::<T>::output("grad_params", &[flow.n_params()]);
    let mut view = grad.view(style);
    // SAFETY: as above.
    checked("backward", |call| unsafe {
        (table.backward)(raw, tape.0, null(), &raw const grad_log_q_view, &raw mut view, call)
    })?;
    [&at, &grad_log_q, &grad, &params].into_iter().try_for_each(|watched| watched.inspect("backward of density"))?;
    all.extend([("density", log_q.bits()), ("gradient of density", grad.bits())]);
    Ok(all)
}

/// The last rows of a sample, drawn alone, are those of the whole: to a few roundings, since they may be computed otherwise.
fn rows_of_sample<T: Element>(
    flow: &HostFlow,
    params: &mut Watched<T>,
    seed: u64,
    style: Style,
    whole: &Watched<T>,
) -> Finding {
    let ((table, raw), dim, first) = (flow.raw(), flow.dim(), 3);
    let Some(sample_rows) = table.sample_rows else { return Ok(()) };
    let params_view = params.view(style);
    let (mut x, mut log_q) =
        (Watched::<T>::output("x", &[ROWS - first, dim]), Watched::<T>::output("log_q", &[ROWS - first]));
    let (mut x_view, mut log_q_view) = (x.view(style), log_q.view(style));
    // SAFETY: a live instance and valid views.
    let called = checked("sample_rows", |call| unsafe {
        let (params, x, log_q) = (&raw const params_view, &raw mut x_view, &raw mut log_q_view);
        sample_rows(raw, params, seed, first as u64, x, log_q, call)
    });
    match called {
        Err(PluginError::Declined) => return Ok(()),
        result => result?,
    }
    [&x, &log_q, params].into_iter().try_for_each(|watched| watched.inspect("sample_rows"))?;
    let tolerance = if T::DTYPE == DType::F64 { 1e-9 } else { 1e-3 };
    let wide = |values: &[T]| values.iter().map(|value| value.wide()).collect::<Vec<_>>();
    let off = first_gap(&wide(x.content()), &wide(&whole.content()[first * dim..]), tolerance);
    expect(off.is_none(), || {
        let at = off.unwrap_or(0);
        let (alone, among) = (x.content()[at], whole.content()[first * dim + at]);
        format!("`sample_rows` from row {first} has {alone:?} in element {at}, `sample` has {among:?} there")
    })
}

/// A sampler's transition and warm-up.
pub fn call_sampler<T: Element>(
    sampler: &HostSampler,
    params: &Tensor,
    seed: u64,
    style: Style,
) -> Result<Returned, Objection> {
    let (table, raw): (&SamplerTable, _) = sampler.raw();
    let (dim, p) = (sampler.dim(), sampler.layout().len());
    let place = sampler.place(&normals(3, &[ROWS, dim], T::DTYPE)?, Tempering::None)?;
    let mut params = Watched::<T>::input("params", params)?;
    let mut from = [Watched::<T>::input("from.x", &place.x)?, Watched::input("from.log_density", &place.log_density)?];
    let mut from_grad = place.grad.as_ref().map(|grad| Watched::<T>::input("from.grad", grad)).transpose()?;
    let mut next = [Watched::<T>::output("next.x", &[ROWS, dim]), Watched::output("next.log_density", &[ROWS])];
    let mut next_grad = place.grad.is_some().then(|| Watched::<T>::output("next.grad", &[ROWS, dim]));
    let mut out = [Watched::<T>::output("proposal", &[ROWS, dim]), Watched::output("accept", &[ROWS])];
    let params_view = params.view(style);
    let from_views = [from[0].view(style), from[1].view(style)];
    let mut next_views = [next[0].view(style), next[1].view(style)];
    let mut out_views = [out[0].view(style), out[1].view(style)];
    let from_grad_view = from_grad.as_mut().map(|grad| grad.view(style));
    let mut next_grad_view = next_grad.as_mut().map(|grad| grad.view(style));
    let from_point = Point {
        x: &raw const from_views[0],
        log_density: &raw const from_views[1],
        grad: from_grad_view.as_ref().map_or(null(), std::ptr::from_ref),
    };
    let next_point = Point {
        x: &raw mut next_views[0],
        log_density: &raw mut next_views[1],
        grad: next_grad_view.as_mut().map_or(null_mut(), std::ptr::from_mut),
    };
    let mut tape = RawTape(null_mut(), table.free_tape);
    let wanted = if sampler.is_trained() { &raw mut tape.0 } else { null_mut() };
    let (proposal, accept) = (&raw mut out_views[0], &raw mut out_views[1]);
    let (from_raw, next_raw) = (&raw const from_point, &raw const next_point);
    // SAFETY: a live instance, valid views, and a tape that is used before it is freed.
    checked("transition", |call| unsafe {
        (table.transition)(raw, &raw const params_view, from_raw, seed, 1.0, next_raw, proposal, accept, wanted, call)
    })?;
    let all = || from.iter().chain(&from_grad).chain(&next).chain(&next_grad).chain(&out).chain([&params]);
    all().try_for_each(|watched| watched.inspect("transition"))?;
    let mut returned: Returned = next.iter().chain(&next_grad).chain(&out).map(|out| (out.name, out.bits())).collect();
    let mut after = Watched::<T>::output("parameters", &[p]);
    let mut view = after.view(style);
    if let Some(backward) = table.backward.filter(|_| sampler.is_trained()) {
        let mut along = Watched::<T>::input("grad_proposal", &normals(1, &[ROWS, dim], T::DTYPE)?)?;
        let mut weight = Watched::<T>::input("grad_accept", &normals(2, &[ROWS], T::DTYPE)?)?;
        let (along_view, weight_view) = (along.view(style), weight.view(style));
        // SAFETY: as above.
        checked("backward", |call| unsafe {
            backward(raw, tape.0, &raw const along_view, &raw const weight_view, &raw mut view, call)
        })?;
        [&along, &weight, &after, &params].into_iter().try_for_each(|watched| watched.inspect("backward"))?;
        returned.push(("gradient", after.bits()));
    }
    if let Some(adapt) = table.adapt {
        let x = next[0].view(style);
        let accept = out[1].view(style);
        // SAFETY: as above.
        checked("adapt", |call| unsafe {
            adapt(raw, &raw const params_view, &raw const x, &raw const accept, 3, 10, &raw mut view, call)
        })?;
        [&params, &after].into_iter().try_for_each(|watched| watched.inspect("adapt"))?;
        returned.push(("parameters after adapt", after.bits()));
    }
    Ok(returned)
}
