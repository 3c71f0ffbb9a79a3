//! Densities whose draws, equally probable cells and moments are known: what a kernel has to keep.

use std::f64::consts::TAU;

use nuts_rs::rand::RngExt;
use nuts_rs::rand::rngs::ChaCha8Rng;

pub(super) const CELLS: usize = 20;

/// A density with exact draws, equally probable cells, and means that are known.
pub(super) trait Law {
    fn log_density(&self, x: &[f64], grad: &mut [f64]) -> f64;
    fn draw(&self, rng: &mut ChaCha8Rng) -> Vec<f64>;
    fn cell(&self, x: &[f64]) -> usize;
    /// Functions with mean 0 and variance 1 under the law.
    fn standardised(&self, x: &[f64]) -> Vec<f64>;
}

/// N(mean, L Lᵀ) in the plane: standard deviations 1 and 3, correlation 0.8.
pub(super) struct Gaussian;

impl Gaussian {
    const MEAN: [f64; 2] = [0.5, -1.0];
    const L: [[f64; 2]; 2] = [[1.0, 0.0], [2.4, 1.8]];

    fn whitened(x: &[f64]) -> [f64; 2] {
        let u = (x[0] - Self::MEAN[0]) / Self::L[0][0];
        [u, (x[1] - Self::MEAN[1] - Self::L[1][0] * u) / Self::L[1][1]]
    }
}

impl Law for Gaussian {
    fn log_density(&self, x: &[f64], grad: &mut [f64]) -> f64 {
        let [u, v] = Self::whitened(x);
        grad[1] = -v / Self::L[1][1];
        grad[0] = (-u - Self::L[1][0] * grad[1]) / Self::L[0][0];
        -0.5 * (u * u + v * v)
    }

    fn draw(&self, rng: &mut ChaCha8Rng) -> Vec<f64> {
        let [u, v] = normals(rng);
        vec![Self::MEAN[0] + Self::L[0][0] * u, Self::MEAN[1] + Self::L[1][0] * u + Self::L[1][1] * v]
    }

    /// Four rings of probability 1/4 by five sectors.
    fn cell(&self, x: &[f64]) -> usize {
        let [u, v] = Self::whitened(x);
        let ring = 4.0 * -(-0.5 * (u * u + v * v)).exp_m1();
        let sector = 5.0 * (v.atan2(u) / TAU + 0.5);
        5 * (ring as usize).min(3) + (sector as usize).min(4)
    }

    fn standardised(&self, x: &[f64]) -> Vec<f64> {
        let [u, v] = Self::whitened(x);
        let root_2 = 2f64.sqrt();
        vec![u, v, (u * u - 1.0) / root_2, (v * v - 1.0) / root_2, u * v]
    }
}

/// 0.3 N(−2, 0.5²) + 0.7 N(1.5, 1) on the line; moments and cells by the trapezoidal rule.
pub(super) struct Mixture {
    edges: Vec<f64>,
    /// Mean and standard deviation of x, x², x³, x⁴.
    moments: [(f64, f64); 4],
}

impl Mixture {
    const PARTS: [(f64, f64, f64); 2] = [(0.3, -2.0, 0.5), (0.7, 1.5, 1.0)];

    pub(super) fn new() -> Self {
        let (low, width, n) = (-12.0, 1e-4, 240_000);
        let (mut below, mut edges, mut raw) = (0.0, Vec::new(), [0.0; 9]);
        for i in 0..n {
            let x = low + width * f64::from(i);
            let mass = width * Self::density(x).0;
            below += mass;
            if below * CELLS as f64 >= (edges.len() + 1) as f64 && edges.len() + 1 < CELLS {
                edges.push(x + 0.5 * width);
            }
            raw.iter_mut().enumerate().for_each(|(k, raw)| *raw += mass * x.powi(k as i32));
        }
        let moments = [1, 2, 3, 4].map(|k| (raw[k], (raw[2 * k] - raw[k] * raw[k]).sqrt()));
        Self { edges, moments }
    }

    /// Density and its derivative.
    fn density(x: f64) -> (f64, f64) {
        Self::PARTS.iter().fold((0.0, 0.0), |(p, dp), &(weight, mean, sd)| {
            let u = (x - mean) / sd;
            let part = weight / sd / TAU.sqrt() * (-0.5 * u * u).exp();
            (p + part, dp - part * u / sd)
        })
    }
}

impl Law for Mixture {
    fn log_density(&self, x: &[f64], grad: &mut [f64]) -> f64 {
        let (p, dp) = Self::density(x[0]);
        grad[0] = dp / p;
        p.ln()
    }

    fn draw(&self, rng: &mut ChaCha8Rng) -> Vec<f64> {
        let (_, mean, sd) = Self::PARTS[usize::from(rng.random_bool(Self::PARTS[1].0))];
        vec![mean + sd * normals(rng)[0]]
    }

    fn cell(&self, x: &[f64]) -> usize {
        self.edges.partition_point(|&edge| edge < x[0])
    }

    fn standardised(&self, x: &[f64]) -> Vec<f64> {
        (1..).zip(self.moments).map(|(k, (mean, sd))| (x[0].powi(k) - mean) / sd).collect()
    }
}

/// Two independent standard normals (Box and Muller 1958).
fn normals(rng: &mut ChaCha8Rng) -> [f64; 2] {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    let (sin, cos) = (TAU * rng.random::<f64>()).sin_cos();
    [radius * cos, radius * sin]
}
