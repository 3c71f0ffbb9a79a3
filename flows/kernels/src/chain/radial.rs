//! Radial layers: f(z) = z + βh (z − z₀), h = 1/(α + r), r = ‖z − z₀‖; log |det| = (d − 1) log F + log G with F = 1 + βh,
//! G = 1 + αβh².
//!
//! Rezende & Mohamed 2015 (arXiv 1505.05770), equation 14, appendix A.2: α = softplus(a), β = softplus(b) − α. With
//! δ = z − z₀ the Jacobian is F on the complement of δ and G along it. Reverse pass for cotangents x̄ and ℓ of x and
//! log |det|, with F̄ = x̄ᵀδ + (d − 1)ℓ/F, Ḡ = ℓ/G: h̄ = βF̄ + 2αβh Ḡ, β̄ = hF̄ + αh² Ḡ, ᾱ = βh² Ḡ − h² h̄, r̄ = −h² h̄,
//! δ̄ = F x̄ + r̄ δ/r, z̄₀ = x̄ − δ̄, z̄ = δ̄. The inverse map: R = r F is a quadratic in r, whose one root that is not negative is
//! taken without cancellation. Parameters: z₀ `[K, d]`, a `[K]`, b `[K]`. Kept: r.
//! Deviation: r has a floor of 10⁻¹⁵, so that its slope at zero is finite; Fs and Gs of four layers are multiplied before
//! their logarithms are taken, which is infinite where four in a row are below 10⁻⁹ (f32).

use super::block::{FOLDED, LANES, Lanes, add_folded, total};
use super::layers::Layers;
use crate::real::Real;
use crate::simd::Level;

/// Layers whose dets are multiplied.
const TOGETHER: usize = 4;
/// Floor of r².
const FLOOR: f64 = 1e-30;

/// A chain of radial layers.
#[derive(Clone, Debug, Default)]
pub struct Radial<T> {
    dim: usize,
    layers: Vec<Layer<T>>,
    // [K, d].
    centres: Vec<T>,
}

#[derive(Clone, Copy, Debug)]
struct Layer<T> {
    alpha: T,
    beta: T,
    alpha_beta: T,
}

impl<T: Real> Layer<T> {
    /// h, F and G at distance r.
    #[inline(always)]
    fn at<L: Level>(self, r: T) -> [T; 3] {
        let h = T::ONE / (self.alpha + r);
        [h, self.beta.fma::<L>(h, T::ONE), self.alpha_beta.fma::<L>(h * h, T::ONE)]
    }

    /// r from R: r² + (α + β − R) r − αR = 0.
    #[inline(always)]
    fn radius<L: Level>(self, outer: T) -> T {
        let p = outer - (self.alpha + self.beta);
        let product = outer * self.alpha;
        let root = p.fma::<L>(p, product * T::of(4.0)).sqrt();
        // ½(p + √·) where p ≥ 0; where p < 0 that cancels, and 2αR/(√· − p) is the same number.
        let positive = T::HALF * (root + p);
        let negative = T::TWO * product / (root + p.magnitude());
        if p < T::ZERO { negative } else { positive }
    }
}

impl<T: Real> Radial<T> {
    fn centre(&self, k: usize) -> &[T] {
        &self.centres[k * self.dim..(k + 1) * self.dim]
    }
}

impl<T: Real> Layers<T> for Radial<T> {
    fn constrain(&mut self, params: &[T], layers: usize, dim: usize) {
        self.dim = dim;
        let (centres, rest) = params.split_at(layers * dim);
        let (a, b) = rest.split_at(layers);
        self.centres.clear();
        self.centres.extend_from_slice(centres);
        self.layers.clear();
        self.layers.extend(a.iter().zip(b).map(|(a, b)| {
            let (alpha, _) = softplus(a.wide());
            let beta = softplus(b.wide()).0 - alpha;
            Layer { alpha: T::of(alpha), beta: T::of(beta), alpha_beta: T::of(alpha * beta) }
        }));
    }

    fn len(&self) -> usize {
        self.layers.len()
    }

    fn sums(&self) -> usize {
        self.dim + 2
    }

    #[inline(always)]
    fn forward<L: Level>(&self, x: &mut [Lanes<T>], kept: &mut [Lanes<T>], log_det: &mut Lanes<T>) {
        let mut products = [[T::ONE; LANES]; 2];
        for (k, r) in kept.iter_mut().enumerate() {
            let (layer, centre) = (self.layers[k], self.centre(k));
            distance::<L, T>(x, centre, r);
            let mut factor = [T::ZERO; LANES];
            for j in 0..LANES {
                let [_, f, g] = layer.at::<L>(r[j]);
                factor[j] = f;
                products[0][j] = products[0][j] * f;
                products[1][j] = products[1][j] * g;
            }
            for (x, &c) in x.iter_mut().zip(centre) {
                for (x, &f) in x.iter_mut().zip(&factor) {
                    *x = (*x - c).fma::<L>(f, c);
                }
            }
            self.take_logarithm::<L>(k, &mut products, log_det);
        }
    }

    #[inline(always)]
    fn inverse<L: Level>(&self, x: &mut [Lanes<T>], kept: &mut [Lanes<T>], log_det: &mut Lanes<T>) {
        let mut products = [[T::ONE; LANES]; 2];
        for (done, (k, r)) in kept.iter_mut().enumerate().rev().enumerate() {
            let (layer, centre) = (self.layers[k], self.centre(k));
            distance::<L, T>(x, centre, r);
            let mut factor = [T::ZERO; LANES];
            for j in 0..LANES {
                r[j] = layer.radius::<L>(r[j]);
                let [_, f, g] = layer.at::<L>(r[j]);
                factor[j] = T::ONE / f;
                products[0][j] = products[0][j] * f;
                products[1][j] = products[1][j] * g;
            }
            for (x, &c) in x.iter_mut().zip(centre) {
                for (x, &f) in x.iter_mut().zip(&factor) {
                    *x = (*x - c).fma::<L>(f, c);
                }
            }
            self.take_logarithm::<L>(done, &mut products, log_det);
        }
    }

    #[inline(always)]
    fn pull_forward<L: Level>(
        &self,
        x: &mut [Lanes<T>],
        kept: &[Lanes<T>],
        grad: &mut [Lanes<T>],
        grad_log_det: &Lanes<T>,
        sums: &mut [[T; FOLDED]],
    ) {
        for (k, (r, sums)) in kept.iter().zip(sums.chunks_exact_mut(self.sums())).enumerate().rev() {
            let (layer, centre) = (self.layers[k], self.centre(k));
            // x̄ᵀδ, with δ = (x − z₀)/F: x becomes δ.
            let mut factors = [T::ZERO; LANES];
            let mut inverse = [T::ZERO; LANES];
            for j in 0..LANES {
                let [_, f, _] = layer.at::<L>(r[j]);
                factors[j] = f;
                inverse[j] = T::ONE / f;
            }
            let mut along = [T::ZERO; LANES];
            for ((x, grad), &c) in x.iter_mut().zip(grad.iter()).zip(centre) {
                for j in 0..LANES {
                    x[j] = (x[j] - c) * inverse[j];
                    along[j] = x[j].fma::<L>(grad[j], along[j]);
                }
            }
            let mut radial = [T::ZERO; LANES]; // r̄/r
            self.of_scalars::<L>(layer, r, &along, grad_log_det, &mut radial, sums);
            for (((x, grad), &c), sums) in x.iter_mut().zip(grad.iter_mut()).zip(centre).zip(&mut sums[..]) {
                let mut of_centre = [T::ZERO; LANES];
                for j in 0..LANES {
                    let of_delta = factors[j].fma::<L>(grad[j], radial[j] * x[j]);
                    of_centre[j] = grad[j] - of_delta;
                    grad[j] = of_delta;
                    x[j] += c;
                }
                add_folded(sums, &of_centre);
            }
        }
    }

    #[inline(always)]
    fn pull_inverse<L: Level>(
        &self,
        x: &mut [Lanes<T>],
        kept: &[Lanes<T>],
        grad: &mut [Lanes<T>],
        grad_log_det: &Lanes<T>,
        sums: &mut [[T; FOLDED]],
    ) {
        let dimension = T::of(self.dim as f64 - 1.0);
        for (k, (r, sums)) in kept.iter().zip(sums.chunks_exact_mut(self.sums())).enumerate() {
            let (layer, centre) = (self.layers[k], self.centre(k));
            // log |det| depends on z through r: its slope along δ/r joins z̄. Then x̄ = J⁻¹ z̄, and what the forward map's
            // parameters would add to x counts with −x̄.
            let mut along = [T::ZERO; LANES];
            for ((x, grad), &c) in x.iter_mut().zip(grad.iter()).zip(centre) {
                for j in 0..LANES {
                    x[j] = x[j] - c; // δ
                    along[j] = x[j].fma::<L>(grad[j], along[j]);
                }
            }
            let mut inverse = [T::ZERO; LANES];
            let mut radial = [T::ZERO; LANES];
            let mut negated = [T::ZERO; LANES];
            let mut factors = [T::ZERO; LANES];
            for j in 0..LANES {
                let [h, f, g] = layer.at::<L>(r[j]);
                let weight = grad_log_det[j];
                let of_r = -(h * h) * weight * (dimension * layer.beta / f + T::TWO * layer.alpha_beta * h / g);
                let outer = T::ONE / r[j];
                // z̄ + of_r δ/r, solved: 1/F off δ, 1/G along it.
                let full = (along[j] * outer + of_r) * outer; // δ̂ᵀz̄ / r
                inverse[j] = T::ONE / f;
                radial[j] = full / g - along[j] * outer * outer * inverse[j];
                // −x̄ᵀδ.
                negated[j] = -(full * r[j] * r[j] / g);
                factors[j] = f;
            }
            let mut unused = [T::ZERO; LANES];
            self.of_scalars::<L>(layer, r, &negated, grad_log_det, &mut unused, sums);
            for (((x, grad), &c), sums) in x.iter_mut().zip(grad.iter_mut()).zip(centre).zip(&mut sums[..]) {
                let mut of_centre = [T::ZERO; LANES];
                for j in 0..LANES {
                    let of_x = inverse[j].fma::<L>(grad[j], radial[j] * x[j]);
                    // z₀, z and x moved together change nothing else: the three cotangents add up to nothing.
                    of_centre[j] = grad[j] - of_x;
                    grad[j] = of_x;
                    x[j] = x[j].fma::<L>(factors[j], c);
                }
                add_folded(sums, &of_centre);
            }
        }
    }

    fn finish(&self, params: &[T], sums: &[[T; FOLDED]], grad: &mut [T]) {
        let (k, d) = (self.len(), self.dim);
        let (a, b) = params[k * d..].split_at(k);
        let (grad_centres, rest) = grad.split_at_mut(k * d);
        let (grad_a, grad_b) = rest.split_at_mut(k);
        for (layer, sums) in sums.chunks_exact(self.sums()).enumerate() {
            for (grad, sum) in grad_centres[layer * d..(layer + 1) * d].iter_mut().zip(sums) {
                *grad += T::of(total(sum));
            }
            let (of_alpha, of_beta) = (total(&sums[d]), total(&sums[d + 1]));
            grad_a[layer] += T::of((of_alpha - of_beta) * softplus(a[layer].wide()).1);
            grad_b[layer] += T::of(of_beta * softplus(b[layer].wide()).1);
        }
    }
}

impl<T: Real> Radial<T> {
    /// Adds ᾱ and β̄ to the last two sums, given x̄ᵀδ and ℓ; writes r̄/r.
    #[inline(always)]
    fn of_scalars<L: Level>(
        &self,
        layer: Layer<T>,
        r: &Lanes<T>,
        along: &Lanes<T>,
        grad_log_det: &Lanes<T>,
        radial: &mut Lanes<T>,
        sums: &mut [[T; FOLDED]],
    ) {
        let dimension = T::of(self.dim as f64 - 1.0);
        let (mut of_alpha, mut of_beta) = ([T::ZERO; LANES], [T::ZERO; LANES]);
        for j in 0..LANES {
            let [h, f, g] = layer.at::<L>(r[j]);
            let of_f = along[j] + dimension * grad_log_det[j] / f;
            let of_g = grad_log_det[j] / g;
            let square = h * h;
            let of_h = layer.beta.fma::<L>(of_f, T::TWO * layer.alpha_beta * h * of_g);
            of_beta[j] = h.fma::<L>(of_f, layer.alpha * square * of_g);
            of_alpha[j] = square * (layer.beta * of_g - of_h);
            radial[j] = -(square * of_h) / r[j];
        }
        add_folded(&mut sums[self.dim], &of_alpha);
        add_folded(&mut sums[self.dim + 1], &of_beta);
    }

    #[inline(always)]
    fn take_logarithm<L: Level>(&self, done: usize, products: &mut [Lanes<T>; 2], log_det: &mut Lanes<T>) {
        if done % TOGETHER != TOGETHER - 1 && done + 1 != self.len() {
            return;
        }
        let dimension = T::of(self.dim as f64 - 1.0);
        let [factors, radials] = products;
        for j in 0..LANES {
            log_det[j] += dimension.fma::<L>(factors[j].ln::<L>(), radials[j].ln::<L>());
        }
        *products = [[T::ONE; LANES]; 2];
    }
}

/// ‖x − c‖.
#[inline(always)]
fn distance<L: Level, T: Real>(x: &[Lanes<T>], centre: &[T], out: &mut Lanes<T>) {
    *out = [T::of(FLOOR); LANES];
    for (x, &c) in x.iter().zip(centre) {
        for (out, &x) in out.iter_mut().zip(x) {
            let delta = x - c;
            *out = delta.fma::<L>(delta, *out);
        }
    }
    out.iter_mut().for_each(|out| *out = out.sqrt());
}

/// softplus and its slope.
fn softplus(x: f64) -> (f64, f64) {
    let e = (-x.abs()).exp();
    (x.max(0.0) + e.ln_1p(), if x < 0.0 { e / (1.0 + e) } else { 1.0 / (1.0 + e) })
}
