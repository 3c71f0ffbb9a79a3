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

use super::block::{FOLDED, LANES, Lanes, add_folded, map, map2, map3, total};
use super::layers::{Kind, Layers, logarithm_is_due};
use crate::real::Real;
use crate::simd::{Level, Portable};

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
    /// h at distances r.
    #[inline(always)]
    fn h(self, r: &Lanes<T>) -> Lanes<T> {
        map(r, |r| T::ONE / (self.alpha + r))
    }

    /// F.
    #[inline(always)]
    fn f<L: Level>(self, h: &Lanes<T>) -> Lanes<T> {
        map(h, |h| self.beta.fma::<L>(h, T::ONE))
    }

    /// G.
    #[inline(always)]
    fn g<L: Level>(self, h: &Lanes<T>) -> Lanes<T> {
        map(h, |h| self.alpha_beta.fma::<L>(h * h, T::ONE))
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
    const KIND: Option<Kind> = Some(Kind::Radial);

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

    fn depth(&self) -> usize {
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
            let h = layer.h(r);
            let factor = layer.f::<L>(&h);
            products[0] = map2(&products[0], &factor, |product, f| product * f);
            products[1] = map2(&products[1], &layer.g::<L>(&h), |product, g| product * g);
            for (x, &c) in x.iter_mut().zip(centre) {
                *x = map2(x, &factor, |x, f| (x - c).fma::<L>(f, c));
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
            *r = map(r, |outer| layer.radius::<L>(outer));
            let h = layer.h(r);
            let factor = layer.f::<L>(&h);
            products[0] = map2(&products[0], &factor, |product, f| product * f);
            products[1] = map2(&products[1], &layer.g::<L>(&h), |product, g| product * g);
            let inverse = map(&factor, |f| T::ONE / f);
            for (x, &c) in x.iter_mut().zip(centre) {
                *x = map2(x, &inverse, |x, inverse| (x - c).fma::<L>(inverse, c));
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
            let h = layer.h(r);
            let factor = layer.f::<L>(&h);
            let inverse = map(&factor, |f| T::ONE / f);
            // x̄ᵀδ, with δ = (x − z₀)/F: x becomes δ.
            let mut along = [T::ZERO; LANES];
            for ((x, grad), &c) in x.iter_mut().zip(grad.iter()).zip(centre) {
                *x = map2(x, &inverse, |x, inverse| (x - c) * inverse);
                along = map3(x, grad, &along, |x, grad, along| x.fma::<L>(grad, along));
            }
            let radial = self.of_scalars::<L>(layer, &h, &factor, &along, grad_log_det, sums); // r̄
            let radial = map2(&radial, r, |radial, r| radial / r);
            for (((x, grad), &c), sums) in x.iter_mut().zip(grad.iter_mut()).zip(centre).zip(&mut sums[..]) {
                hand_on::<L, T>(sums, x, grad, &factor, &radial);
                *x = map(x, |delta| delta + c);
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
            let h = layer.h(r);
            let (factor, radial_factor) = (layer.f::<L>(&h), layer.g::<L>(&h));
            let mut along = [T::ZERO; LANES];
            for ((x, grad), &c) in x.iter_mut().zip(grad.iter()).zip(centre) {
                *x = map(x, |x| x - c); // δ
                along = map3(x, grad, &along, |x, grad, along| x.fma::<L>(grad, along));
            }
            let curve = map3(&h, &factor, &radial_factor, |h, f, g| {
                h * h * (dimension * layer.beta / f + T::TWO * layer.alpha_beta * h / g)
            });
            let of_r = map2(&curve, grad_log_det, |curve, weight| -(curve * weight));
            // z̄ + of_r δ/r, solved: 1/F off δ, 1/G along it.
            let full = map3(&along, &of_r, r, |along, of_r, r| (along / r + of_r) / r); // δ̂ᵀz̄/r
            let inverse = map(&factor, |f| T::ONE / f);
            let off = map3(&along, &inverse, r, |along, inverse, r| along * inverse / (r * r));
            let radial = map3(&full, &radial_factor, &off, |full, g, off| full / g - off);
            // −x̄ᵀδ.
            let negated = map3(&full, &radial_factor, r, |full, g, r| -(full * r * r / g));
            self.of_scalars::<L>(layer, &h, &factor, &negated, grad_log_det, sums);
            for (((x, grad), &c), sums) in x.iter_mut().zip(grad.iter_mut()).zip(centre).zip(&mut sums[..]) {
                hand_on::<L, T>(sums, x, grad, &inverse, &radial);
                *x = map2(x, &factor, |delta, f| delta.fma::<L>(f, c));
            }
        }
    }

    fn finish(&self, params: &[T], sums: &[[T; FOLDED]], grad: &mut [T]) {
        let (k, d) = (self.depth(), self.dim);
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
    /// Adds ᾱ and β̄ to the last two sums, given x̄ᵀδ and ℓ; returns r̄.
    #[inline(always)]
    fn of_scalars<L: Level>(
        &self,
        layer: Layer<T>,
        h: &Lanes<T>,
        factor: &Lanes<T>,
        along: &Lanes<T>,
        grad_log_det: &Lanes<T>,
        sums: &mut [[T; FOLDED]],
    ) -> Lanes<T> {
        let dimension = T::of(self.dim as f64 - 1.0);
        let of_f = map3(along, grad_log_det, factor, |along, grad, f| along + dimension * grad / f);
        let of_g = map2(grad_log_det, &layer.g::<L>(h), |grad, g| grad / g);
        let of_h =
            map3(&of_f, &of_g, h, |of_f, of_g, h| layer.beta.fma::<L>(of_f, T::TWO * layer.alpha_beta * h * of_g));
        let of_beta = map3(&of_f, &of_g, h, |of_f, of_g, h| h.fma::<L>(of_f, layer.alpha * h * h * of_g));
        let of_alpha = map3(&of_h, &of_g, h, |of_h, of_g, h| h * h * (layer.beta * of_g - of_h));
        add_folded(&mut sums[self.dim], &of_alpha);
        add_folded(&mut sums[self.dim + 1], &of_beta);
        map2(&of_h, h, |of_h, h| -(h * h * of_h))
    }

    #[inline(always)]
    fn take_logarithm<L: Level>(&self, done: usize, products: &mut [Lanes<T>; 2], log_det: &mut Lanes<T>) {
        if !logarithm_is_due(done, self.depth()) {
            return;
        }
        let dimension = T::of(self.dim as f64 - 1.0);
        let [factors, radials] = products;
        *log_det =
            map3(log_det, factors, radials, |log_det, f, g| log_det + dimension.fma::<L>(f.ln::<L>(), g.ln::<L>()));
        *products = [[T::ONE; LANES]; 2];
    }
}

/// Takes the cotangent of one coordinate across a layer, `factor` times itself and `radial` times δ, and adds that of z₀:
/// z₀, z and x moved together change nothing else, so the three cotangents add up to nothing.
#[inline(always)]
fn hand_on<L: Level, T: Real>(
    sum: &mut [T; FOLDED],
    delta: &Lanes<T>,
    grad: &mut Lanes<T>,
    factor: &Lanes<T>,
    radial: &Lanes<T>,
) {
    let outward = map2(radial, delta, |radial, delta| radial * delta);
    let across = map3(factor, grad, &outward, |factor, grad, outward| factor.fma::<L>(grad, outward));
    add_folded(sum, &map2(grad, &across, |grad, across| grad - across));
    *grad = across;
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
    *out = map(out, |square| square.sqrt());
}

/// softplus and its slope.
fn softplus(x: f64) -> (f64, f64) {
    (x.softplus::<Portable>(), x.sigmoid::<Portable>())
}
