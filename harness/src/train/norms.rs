//! Gradient norms: of the whole gradient, of each group of parameters, the largest since the last look.

use candle_core::{CpuStorage, Storage, Tensor, bail};
use flow_kernels::dispatch;
use flow_kernels::real::Real;
use flow_kernels::simd::Level;
use flow_sdk::Layout;
use serde::{Deserialize, Serialize};

/// The groups of a layout: slices whose names agree up to their first dot.
#[derive(Debug)]
pub struct Groups {
    names: Vec<String>,
    /// Length and group of every slice, in the layout's order.
    slices: Vec<(usize, usize)>,
    /// Where slices begin and end, on the device of the first gradient.
    #[cfg(feature = "cuda")]
    bounds: std::cell::OnceCell<Tensor>,
}

/// Euclidean norms of one gradient, before clipping.
#[derive(Clone, Debug, PartialEq)]
pub struct Norms {
    /// Of all of it.
    pub total: f64,
    /// Of each group's part.
    pub groups: Vec<f64>,
}

/// The finite gradients since the last evaluation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// How many they are.
    pub n: usize,
    /// The largest norm of each group's part; empty where there was no gradient yet.
    pub largest: Vec<f64>,
}

impl Groups {
    /// Those of a flow's layout, in the order in which they first appear.
    pub fn of(layout: &Layout) -> Self {
        let (mut names, mut slices) = (Vec::<String>::new(), Vec::new());
        for slice in layout.slices() {
            let name = slice.name.split_once('.').map_or(slice.name.as_str(), |(group, _)| group);
            let group = names.iter().position(|known| known == name).unwrap_or_else(|| {
                names.push(name.into());
                names.len() - 1
            });
            slices.push((slice.len(), group));
        }
        Self {
            names,
            slices,
            #[cfg(feature = "cuda")]
            bounds: std::cell::OnceCell::new(),
        }
    }

    /// Their names.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Norms of a gradient `[P]`, in one pass: sums in f64, eight at a time, in the order of the slices.
    pub fn norms(&self, grad: &Tensor) -> candle_core::Result<Norms> {
        let grad = grad.contiguous()?;
        #[cfg(feature = "cuda")]
        if grad.device().is_cuda() {
            return self.on_device(&grad);
        }
        let (storage, layout) = grad.storage_and_layout();
        let rows = layout.start_offset()..layout.start_offset() + grad.elem_count();
        match &*storage {
            Storage::Cpu(CpuStorage::F32(values)) => Ok(self.of_slice(&values[rows])),
            Storage::Cpu(CpuStorage::F64(values)) => Ok(self.of_slice(&values[rows])),
            _ => bail!("norms of {:?} on {:?}", grad.dtype(), grad.device()),
        }
    }

    /// One launch, and the step's one wait for the device.
    #[cfg(feature = "cuda")]
    fn on_device(&self, grad: &Tensor) -> candle_core::Result<Norms> {
        let bounds = match self.bounds.get() {
            Some(bounds) => bounds,
            None => {
                let ends = self.slices.iter().scan(0, |end, (len, _)| {
                    *end += *len as u32;
                    Some(*end)
                });
                let bounds: Vec<u32> = std::iter::once(0).chain(ends).collect();
                let bounds = Tensor::new(bounds, grad.device())?;
                self.bounds.get_or_init(|| bounds)
            }
        };
        let squares = flow_cuda::optimiser::sums_of_squares(grad, bounds)?;
        let (mut total, mut groups) = (0.0, vec![0.0; self.names.len()]);
        for (square, (_, group)) in squares.iter().zip(&self.slices) {
            total += square;
            groups[*group] += square;
        }
        Ok(Norms { total: total.sqrt(), groups: groups.into_iter().map(f64::sqrt).collect() })
    }

    fn of_slice<T: Real>(&self, values: &[T]) -> Norms {
        let (mut rest, mut total, mut squares) = (values, 0.0, vec![0.0; self.names.len()]);
        for &(len, group) in &self.slices {
            let (part, after) = rest.split_at(len);
            let square = dispatch!(L => sum_of_squares::<L, T>(part));
            total += square;
            squares[group] += square;
            rest = after;
        }
        Norms { total: total.sqrt(), groups: squares.into_iter().map(f64::sqrt).collect() }
    }
}

#[inline(always)]
fn sum_of_squares<L: Level, T: Real>(values: &[T]) -> f64 {
    const LANES: usize = 8;
    let mut sums = [0.0f64; LANES];
    let chunks = values.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (sum, &value) in sums.iter_mut().zip(chunk) {
            let value = value.wide();
            *sum = value.fma::<L>(value, *sum);
        }
    }
    let rest: f64 = rest.iter().map(|&value| value.wide() * value.wide()).sum();
    sums.iter().sum::<f64>() + rest
}

impl Window {
    /// Adds a gradient.
    pub fn add(&mut self, norms: &Norms) {
        self.n += 1;
        self.largest.resize(norms.groups.len(), 0.0);
        for (largest, norm) in self.largest.iter_mut().zip(&norms.groups) {
            *largest = largest.max(*norm);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};
    use flow_sdk::Init;
    use proptest::prelude::*;

    fn layout(slices: &[(&str, usize)]) -> Layout {
        slices.iter().fold(Layout::new(), |layout, (name, len)| layout.with(name, &[*len], Init::Zeros))
    }

    #[test]
    fn a_group_is_what_stands_before_the_first_dot() {
        let groups = Groups::of(&layout(&[("net.0.w", 2), ("b", 1), ("net.1.w", 1), ("b.c", 1)]));
        assert_eq!(groups.names(), ["net", "b"]);
        let norms = groups.norms(&Tensor::new(&[2.0f32, 3.0, 4.0, 6.0, -3.0], &Device::Cpu).unwrap()).unwrap();
        assert_eq!(norms, Norms { total: 74.0f64.sqrt(), groups: vec![7.0, 5.0] });
        assert!(Groups::of(&Layout::new()).names().is_empty());
    }

    #[test]
    fn a_window_keeps_the_largest_of_each_group() {
        let mut window = Window::default();
        for groups in [vec![1.0, 5.0], vec![3.0, 2.0]] {
            window.add(&Norms { total: 0.0, groups });
        }
        assert_eq!(window, Window { n: 2, largest: vec![3.0, 5.0] });
    }

    proptest! {
        /// The total is candle's own, and the squares of the groups add up to its square, to the rounding of n additions.
        #[test]
        fn groups_add_up_to_the_total(values in proptest::collection::vec(-1e3f32..1e3, 41), wide: bool) {
            let groups = Groups::of(&layout(&[("a.x", 17), ("b", 3), ("a.y", 0), ("a.z", 21)]));
            let dtype = if wide { DType::F64 } else { DType::F32 };
            let grad = Tensor::new(values, &Device::Cpu).unwrap().to_dtype(dtype).unwrap().affine(1.1, 0.0).unwrap();
            let norms = groups.norms(&grad).unwrap();
            let candle = grad.to_dtype(DType::F64).unwrap().sqr().unwrap().sum_all().unwrap().to_scalar::<f64>().unwrap();
            prop_assert!((norms.total.powi(2) - candle).abs() <= 24.0 * f64::EPSILON * candle);
            let sum: f64 = norms.groups.iter().map(|norm| norm * norm).sum();
            prop_assert!((sum - candle).abs() <= 41.0 * f64::EPSILON * candle, "{} but {}", sum, candle);
        }
    }
}
