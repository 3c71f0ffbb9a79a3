//! Laws of kernels: the tensor definition and the loops on slices are one density, at every level of vector instructions.

pub mod scale;

use flow_kernels::philox::Stream;
use flow_kernels::real::Real;
use flow_kernels::simd;
use targets::{Curvature, Float, Kernel, Out};

use crate::{Row, matrix, numbers, table};
use scale::scales;

/// Value, gradient and Hessian-vector product.
pub type Results<T> = [Vec<T>; 3];

/// In double precision to 1e-12 of the scale, in single to 16 ε of it: the roundings that [`crate::precision`] allows the
/// definition itself. Where the scale does not fit the element type only panics are looked for.
#[test]
fn kernels_are_their_definitions() {
    for row in &table() {
        let Some(slices) = Slices::of(row) else { continue };
        let x = places(row);
        let v: Vec<f64> = (0..x.len()).map(|i| f64::from((1.7 * i as f64 + 0.4).sin() as f32)).collect();
        let (points, along) = (matrix(&x, row.dim()), matrix(&v, row.dim()));
        let product = numbers(&row.target.hvp(&points, &along).unwrap());
        let exact = [row.log_density(&points), row.grad(&points), product];
        let scales = scales(row, &x, &v, &exact);
        for &width in simd::available() {
            simd::at(width, || {
                let label = format!("{} {width:?}", row.label);
                compare::<f64>(&label, &exact, &slices.all(&x, &v), &scales, 1e-12, 1e290);
                compare::<f32>(&label, &exact, &slices.all(&x, &v), &scales, 16.0 * f64::from(f32::EPSILON), 1e30);
            });
        }
    }
}

pub fn compare<T: Real>(
    label: &str,
    exact: &Results<f64>,
    found: &Results<T>,
    scales: &Results<f64>,
    tolerance: f64,
    largest: f64,
) {
    let (mut compared, mut all) = (0, 0);
    for (what, name) in ["value", "gradient", "product"].into_iter().enumerate() {
        let type_name = std::any::type_name::<T>();
        for (i, ((exact, found), scale)) in exact[what].iter().zip(&found[what]).zip(&scales[what]).enumerate() {
            all += 1;
            if *scale < largest {
                compared += 1;
                let error = (exact - found.wide()).abs();
                let message = || format!("{label} {type_name} {name} {i}: {exact} {found:?}, scale {scale:e}");
                assert!(error <= tolerance * scale, "{}", message());
            }
        }
    }
    assert!(10 * compared >= 9 * all, "{label}: only {compared} of {all} numbers fit the element type");
}

#[test]
fn a_row_depends_on_itself_alone() {
    fn check<T: Float>(row: &Row, slices: &Slices<'_>, label: &str) {
        let dim = row.dim();
        let (x, v) = (cast::<T>(&normal(dim, 1000, 5)), cast::<T>(&normal(dim, 1000, 6)));
        let all = slices.run(&x, &v);
        for n in [1, 63, 64, 65, 1000] {
            for first in [0, (1000 - n) / 3, 1000 - n] {
                let rows = first * dim..(first + n) * dim;
                let part = slices.run(&x[rows.clone()], &v[rows.clone()]);
                assert_eq!(bits(&part[0]), bits(&all[0][first..first + n]), "{label}: values {first} + {n}");
                assert_eq!(bits(&part[1]), bits(&all[1][rows.clone()]), "{label}: slopes {first} + {n}");
                if slices.curvature.is_some() {
                    assert_eq!(bits(&part[2]), bits(&all[2][rows]), "{label}: products {first} + {n}");
                }
            }
        }
        let (mut value, mut grad) = (vec![T::NAN; 1000], vec![T::NAN; x.len()]);
        T::evaluate(slices.kernel, &x, Out { value: Some(&mut value), grad: None });
        T::evaluate(slices.kernel, &x, Out { value: None, grad: Some(&mut grad) });
        assert_eq!([bits(&value), bits(&grad)], [bits(&all[0]), bits(&all[1])], "{label}: one at a time");
    }
    for row in &table() {
        let Some(slices) = Slices::of(row) else { continue };
        for &width in simd::available() {
            simd::at(width, || {
                check::<f32>(row, &slices, &format!("{} {width:?} f32", row.label));
                check::<f64>(row, &slices, &format!("{} {width:?} f64", row.label));
            });
        }
    }
}

/// Value and gradient of a row that is not finite are not, and the rows beside it are what they were.
#[test]
fn what_is_not_finite_stays_so() {
    fn check<T: Float>(row: &Row, slices: &Slices<'_>, label: &str) {
        const N: usize = 65;
        const BAD: usize = 40;
        let dim = row.dim();
        let (x, v) = (cast::<T>(&normal(dim, N, 7)), cast::<T>(&normal(dim, N, 8)));
        let clean = slices.run(&x, &v);
        for i in [0, 1, dim / 2, dim - 1].into_iter().filter(|&i| i < dim) {
            for bad in [T::NAN, T::INFINITY, -T::INFINITY] {
                let mut x = x.clone();
                x[BAD * dim + i] = bad;
                let mut found = slices.run(&x, &v);
                let lost = |numbers: &[T]| numbers.iter().any(|number| !number.wide().is_finite());
                assert!(lost(&found[0][BAD..=BAD]), "{label}: a value of {bad:?} at {i}");
                assert!(lost(&found[1][BAD * dim..(BAD + 1) * dim]), "{label}: a gradient of {bad:?} at {i}");
                for (found, clean) in found.iter_mut().zip(&clean) {
                    let wide = clean.len() / N;
                    let bad = BAD * wide..(BAD + 1) * wide;
                    found[bad.clone()].copy_from_slice(&clean[bad]);
                    assert_eq!(bits(found), bits(clean), "{label}: rows beside one that is not finite");
                }
            }
        }
    }
    for row in &table() {
        let Some(slices) = Slices::of(row) else { continue };
        for &width in simd::available() {
            simd::at(width, || {
                check::<f32>(row, &slices, &format!("{} {width:?} f32", row.label));
                check::<f64>(row, &slices, &format!("{} {width:?} f64", row.label));
            });
        }
    }
}

/// A target on slices.
struct Slices<'a> {
    dim: usize,
    kernel: &'a dyn Kernel,
    curvature: Option<&'a dyn Curvature>,
}

impl<'a> Slices<'a> {
    /// Of a target that has a kernel.
    fn of(row: &'a Row) -> Option<Self> {
        let (kernel, curvature) = (row.target.kernel(), row.target.curvature());
        if kernel.is_none() {
            println!("skipped: {} has no kernel", row.label);
        } else if curvature.is_none() {
            println!("skipped: {} has no Hessian-vector product on slices", row.label);
        }
        Some(Self { dim: row.dim(), kernel: kernel?, curvature })
    }

    /// All there is at x; no products where there is no curvature.
    fn run<T: Float>(&self, x: &[T], v: &[T]) -> Results<T> {
        let mut value = vec![T::NAN; x.len() / self.dim];
        let mut grad = vec![T::NAN; x.len()];
        T::evaluate(self.kernel, x, Out { value: Some(&mut value), grad: Some(&mut grad) });
        let mut product = vec![T::NAN; self.curvature.map_or(0, |_| x.len())];
        if let Some(curvature) = self.curvature {
            T::hvp(curvature, x, v, &mut product);
        }
        [value, grad, product]
    }

    /// [`Slices::run`] from double precision.
    fn all<T: Float>(&self, x: &[f64], v: &[f64]) -> Results<T> {
        self.run(&cast(x), &cast(v))
    }
}

/// Where kernels are compared, all representable in f32: draws of a standard normal and of the target, the origin, and far
/// out along axes and diagonals.
pub fn places(row: &Row) -> Vec<f64> {
    let dim = row.dim();
    let mut points = normal(dim, 32, 3);
    points.extend(row.exact().map(|exact| exact.draw(4, 40)).unwrap_or_default());
    points.extend(vec![0.0; dim]);
    for far in [-1e3, 1e3] {
        points.extend(vec![far; dim]);
        for i in 0..dim.min(4) {
            points.extend((0..dim).map(|j| if i == j { far } else { 0.0 }));
        }
    }
    points.into_iter().map(|x| f64::from(x as f32)).collect()
}

pub fn normal(dim: usize, n: usize, seed: u64) -> Vec<f64> {
    let mut stream = Stream::substream(seed, 0);
    (0..n * dim).map(|_| stream.normal()).collect()
}

fn cast<T: Real>(numbers: &[f64]) -> Vec<T> {
    numbers.iter().map(|&number| T::of(number)).collect()
}

pub fn bits<T: Real>(numbers: &[T]) -> Vec<u64> {
    numbers.iter().map(|number| number.wide().to_bits()).collect()
}
