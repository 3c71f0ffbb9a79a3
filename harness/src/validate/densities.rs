//! Draws and log q belong together: in a region where the flow has mass, each tells what the other must be.

use candle_core::{Device, Tensor};
use flow_kernels::philox::Stream;
use nalgebra::{Cholesky, DMatrix, DVector, Dyn};

use super::numbers::{mean_and_se, values};
use super::observation::seed_of;
use super::subject::{away_from_start, near_start};
use super::verdict::{Finding, Objection, expect};
use super::{Case, Subject};
use crate::host::HostFlow;

/// Draws of a test, and of the pilot that chooses its region.
const DRAWS: usize = 20_000;
const PILOT: usize = 2_000;
/// Standard errors that a mean may be off: by luck one of two million is farther.
const SE_LIMIT: f64 = 5.0;
/// Fewer effective draws tell nothing, nor does their standard error.
const LEAST_ESS: f64 = 200.0;
/// Halves of a region that differ by more are not both in the flow's mass.
const MOST_IMBALANCE: f64 = 0.1;
/// Nor do weights that are less even than this.
const LEAST_SHARE: f64 = 0.2;

/// The mean of 1/(V q(x)) over those draws x that are in a region of volume V, zero for the others, is one: it is the integral of
/// the region's uniform density. So it is where log q is an unbiased estimate on an extended space: then that density times the
/// extension's conditional is what is integrated. A log-det of the wrong sign, or log q off by a constant, makes it another number.
pub fn draws_have_their_density(subject: &Subject, case: &Case) -> Finding {
    let flow = subject.flow(case, subject.precise())?;
    let params = near_start(&flow, case.seed)?;
    let region = region(&flow, &params, case)?;
    let (mut weights, mut imbalance) = (Vec::with_capacity(DRAWS), 0.0);
    for part in 0..4 {
        let draws = flow.sample(&params, seed_of(case, 10 + part), DRAWS / 4)?;
        let x = rows(&draws.x)?;
        let part = region.weights(&x, &values(&draws.log_q)?);
        imbalance += region.imbalance(&x, &part) / 4.0;
        weights.extend(part);
    }
    let inside = weights.iter().filter(|weight| **weight > 0.0).count();
    let ((mean, se), extended) = (mean_and_se(&weights), flow.is_augmented());
    even_enough(&weights, inside, mean - 1.0 > SE_LIMIT * se, extended)?;
    if imbalance > MOST_IMBALANCE && 1.0 - mean > SE_LIMIT * se && !extended {
        let words = format!(
            "the mean of 1/q(x) over draws in a region is {mean:.3} of its volume, but one half of it differs from the \
                             other: the flow has an edge or a hole there, or a log-det that is wrong in places"
        );
        return Err(Objection::Warning(words));
    }
    one(mean, se, extended, || {
        format!(
            "the mean of 1/q(x) over draws in a region is {mean:.4} ± {se:.4} of its volume: log q is off by some {:+.3} nats",
            -mean.ln()
        )
    })
}

/// What `sample` says of a draw, `density` says too; an estimate says less of it on average, being a lower bound of log q where
/// that of `sample` is an upper one.
pub fn sample_and_density_agree(subject: &Subject, case: &Case) -> Finding {
    let flow = subject.flow_with_density(case)?;
    let params = away_from_start(&flow, case.seed)?;
    let n = if flow.is_augmented() { 2_000 } else { 200 };
    let draws = flow.sample(&params, seed_of(case, 1), n)?;
    let density = values(&flow.density(&params, &draws.x, seed_of(case, 2))?)?;
    let stated = values(&draws.log_q)?;
    if flow.is_augmented() {
        let gaps: Vec<f64> = stated.iter().zip(&density).map(|(stated, density)| stated - density).collect();
        let (mean, se) = mean_and_se(&gaps);
        return expect(mean + SE_LIMIT * se >= 0.0, || {
            format!("log q of `density` is larger than that of `sample`, by {} ± {se:.2e} on average", -mean)
        });
    }
    // An inverse may be iterated and badly conditioned; a wrong formula is off by far more.
    let tolerance = if subject.computes_in("f64") { 1e-6 } else { 1e-2 };
    let gap = |(stated, density): (&f64, &f64)| (stated - density).abs() / (1.0 + stated.abs());
    let worst = stated.iter().zip(&density).map(gap).enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
    let (row, gap) = worst.unwrap_or_default();
    expect(gap < tolerance, || {
        let shift = mean_and_se(&density.iter().zip(&stated).map(|(d, s)| d - s).collect::<Vec<_>>());
        format!(
            "draw {row}: `sample` says log q = {:.9}, `density` {:.9}; over all draws they differ by {:.6} ± {:.1e}",
            stated[row], density[row], shift.0, shift.1
        )
    })
}

/// A region's share of the draws is the integral of exp(log q) over it, which uniform points tell.
pub fn density_is_that_of_the_draws(subject: &Subject, case: &Case) -> Finding {
    let flow = subject.flow_with_density(case)?;
    let params = near_start(&flow, case.seed)?;
    let region = region(&flow, &params, case)?;
    let mut inside = Vec::with_capacity(DRAWS);
    for part in 0..4 {
        let x = rows(&flow.sample(&params, seed_of(case, 10 + part), DRAWS / 4)?.x)?;
        inside.extend(x.iter().map(|x| f64::from(u8::from(region.contains(x)))));
    }
    let mut stream = Stream::new(seed_of(case, 3));
    let points: Vec<f64> = (0..DRAWS).flat_map(|_| region.draw(&mut stream).data.as_vec().clone()).collect();
    let x = Tensor::from_vec(points, (DRAWS, case.dim), &Device::Cpu)?.to_dtype(params.dtype())?;
    let density = values(&flow.density(&params, &x, seed_of(case, 4))?)?;
    let masses: Vec<f64> = density.iter().map(|log_q| (log_q + region.log_volume).exp()).collect();
    let ((share, share_se), (mass, mass_se)) = (mean_and_se(&inside), mean_and_se(&masses));
    let (ratio, se) = (mass / share, (mass_se + mass / share * share_se) / share);
    even_enough(&masses, DRAWS, ratio - 1.0 > SE_LIMIT * se, flow.is_augmented())?;
    one(ratio, se, flow.is_augmented(), || {
        format!(
            "a region that has {share:.4} ± {share_se:.4} of the draws has {mass:.4} ± {mass_se:.4} of the integral of exp(log q): \
             log q of `density` is off by some {:+.3} nats",
            ratio.ln()
        )
    })
}

/// Weights so uneven that a few of their number do all the work miss what would weigh most: their mean may be too low, and its error
/// with it. What is too high is so all the same.
fn even_enough(weights: &[f64], number: usize, high: bool, extended: bool) -> Finding {
    let effective = ess(weights);
    if high || effective >= LEAST_SHARE * number as f64 && effective >= LEAST_ESS {
        return Ok(());
    }
    let words = format!(
        "q varies so much where it was looked at that {number} points are worth {effective:.0}: too few to tell"
    );
    // Estimates on an extended space often are like that, and rightly.
    Err(if extended { Objection::Skipped(words) } else { Objection::Warning(words) })
}

/// Whether a mean is one.
///
/// On an extended space one of the two conditionals has mass where the other draws nothing (an encoder that is learnt, a prior with
/// edges): the mean of what is drawn is then below one, and rightly so. Above one it is never.
fn one(mean: f64, se: f64, extended: bool, found: impl FnOnce() -> String) -> Finding {
    // 1e-4: a flow whose density is constant there has weights without spread, but with their rounding.
    let allowed = SE_LIMIT * se + 1e-4;
    let low = 1.0 - mean > allowed && !extended;
    expect(mean.is_finite() && mean - 1.0 <= allowed && !low, found)
}

/// Effective number of weighted draws: (Σ w)² / Σ w².
fn ess(weights: &[f64]) -> f64 {
    let (sum, squares) = (weights.iter().sum::<f64>(), weights.iter().map(|w| w * w).sum::<f64>());
    if squares > 0.0 { sum * sum / squares } else { 0.0 }
}

fn rows(x: &Tensor) -> Result<Vec<DVector<f64>>, Objection> {
    let dim = x.dim(1)?;
    Ok(values(x)?.chunks_exact(dim).map(DVector::from_column_slice).collect())
}

/// An ellipsoid: the ball of a radius, after the draws' own covariance is taken out.
struct Region {
    centre: DVector<f64>,
    root: Cholesky<f64, Dyn>,
    radius: f64,
    log_volume: f64,
}

/// Where the flow has mass for sure, and evenly: of some that contain a part of its draws, about their mean or about one of them,
/// the one in which most effective draws are, for the draws that it has.
fn region(flow: &HostFlow, params: &Tensor, case: &Case) -> Result<Region, Objection> {
    let pilot = flow.sample(params, seed_of(case, 1), PILOT)?;
    let (x, log_q) = (rows(&pilot.x)?, values(&pilot.log_q)?);
    let (n, dim) = (x.len() as f64, case.dim);
    let mean = x.iter().fold(DVector::zeros(dim), |sum, point| sum + point) / n;
    let spread = |sum: DMatrix<f64>, point: &DVector<f64>| sum + (point - &mean) * (point - &mean).transpose();
    let covariance = x.iter().fold(DMatrix::zeros(dim, dim), spread) / (n - 1.0);
    let root = Cholesky::new(covariance).ok_or_else(|| Objection::Failed("the draws are all in one plane".into()))?;
    let mut best: Option<(f64, Region)> = None;
    for centre in std::iter::once(&mean).chain(x.iter().take(8)) {
        let mut distances: Vec<f64> = x.iter().map(|point| distance(&root, point, centre)).collect();
        distances.sort_by(f64::total_cmp);
        for share in [0.5, 0.25, 0.1, 0.05, 0.025] {
            let region = Region::new(centre.clone(), root.clone(), distances[(share * n) as usize]);
            let weights = region.weights(&x, &log_q);
            let effective = ess(&weights);
            // Many, evenly spread, and none of it beyond an edge of the flow.
            let whole = (1.0 - 3.0 * region.imbalance(&x, &weights)).max(0.0);
            let worth = effective * effective / (share * n) * whole * whole;
            if best.as_ref().is_none_or(|(most, _)| worth > *most) {
                best = Some((worth, region));
            }
        }
    }
    best.map(|(_, region)| region).ok_or_else(|| Objection::Failed("there are no draws".into()))
}

impl Region {
    fn new(centre: DVector<f64>, root: Cholesky<f64, Dyn>, radius: f64) -> Self {
        let dim = centre.len();
        let log_det: f64 = (0..dim).map(|i| root.l_dirty()[(i, i)].ln()).sum();
        // Volume of the unit ball: V₀ = 1, V₁ = 2, V_d = 2π/d · V_{d−2}.
        let unit = (2 + dim % 2..=dim)
            .step_by(2)
            .fold(1.0 + (dim % 2) as f64, |volume, d| volume * std::f64::consts::TAU / d as f64);
        let log_volume = f64::ln(unit) + dim as f64 * radius.ln() + log_det;
        Self { centre, root, radius, log_volume }
    }

    fn contains(&self, x: &DVector<f64>) -> bool {
        distance(&self.root, x, &self.centre) <= self.radius
    }

    /// g(x)/q(x) for its uniform density g.
    fn weights(&self, x: &[DVector<f64>], log_q: &[f64]) -> Vec<f64> {
        let weight =
            |(x, log_q): (&DVector<f64>, &f64)| if self.contains(x) { (-self.log_volume - log_q).exp() } else { 0.0 };
        x.iter().zip(log_q).map(weight).collect()
    }

    /// How unlike the weights of its halves are, inner and outer, right and left: of uniform weights nought but noise, as large as one
    /// where there is nothing beyond an edge. A constant that log q is off by does not matter.
    fn imbalance(&self, x: &[DVector<f64>], weights: &[f64]) -> f64 {
        let dim = self.centre.len();
        let mut differences = vec![0.0; dim + 1];
        let mut sum = 0.0;
        for (x, &weight) in x.iter().zip(weights).filter(|(_, weight)| **weight > 0.0) {
            let Some(at) = self.root.l_dirty().solve_lower_triangular(&(x - &self.centre)) else { continue };
            let is_outer = (at.norm() / self.radius).powi(dim as i32) > 0.5;
            let sides = at.iter().map(|coordinate| *coordinate > 0.0).chain([is_outer]);
            differences.iter_mut().zip(sides).for_each(|(sum, side)| *sum += if side { weight } else { -weight });
            sum += weight;
        }
        differences.iter().fold(0.0, |largest: f64, difference| largest.max(difference.abs() / sum))
    }

    /// A point of it, each as likely.
    fn draw(&self, stream: &mut Stream) -> DVector<f64> {
        let dim = self.centre.len();
        let direction = DVector::from_fn(dim, |_, _| stream.normal()).normalize();
        let reach = self.radius * stream.uniform().powf(1.0 / dim as f64);
        &self.centre + self.root.l() * direction * reach
    }
}

fn distance(root: &Cholesky<f64, Dyn>, x: &DVector<f64>, centre: &DVector<f64>) -> f64 {
    root.l_dirty().solve_lower_triangular(&(x - centre)).map_or(f64::INFINITY, |z| z.norm())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By Monte Carlo: the share of a cube that an ellipsoid in it takes. 4 standard errors.
    #[test]
    fn volumes_are_those_of_ellipsoids() {
        for dim in 1..=6 {
            let scale = |i: usize| 0.5 + 0.1 * i as f64;
            let covariance = DMatrix::from_fn(dim, dim, |i, j| if i == j { scale(i) * scale(i) } else { 0.0 });
            let region = Region::new(DVector::zeros(dim), Cholesky::new(covariance).unwrap(), 1.0);
            let (mut stream, n) = (Stream::new(3), 100_000);
            let inside =
                (0..n).filter(|_| region.contains(&DVector::from_fn(dim, |_, _| 2.0 * stream.uniform() - 1.0)));
            let share = inside.count() as f64 / f64::from(n);
            let se = (share * (1.0 - share) / f64::from(n)).sqrt();
            let volume = region.log_volume.exp() / 2f64.powi(dim as i32);
            assert!((share - volume).abs() < 4.0 * se, "{dim}: {share} and {volume}");
            assert!((0..1000).all(|_| region.contains(&region.draw(&mut stream))));
        }
    }
}
