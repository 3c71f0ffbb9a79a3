//! Planar layers: f(z) = z + û tanh(wᵀz + b), log |det| = log(t² + (1 − t²)(1 + wᵀû)) with t the hyperbolic tangent.
//!
//! Rezende & Mohamed 2015 (arXiv 1505.05770), equations 10–13, appendix A.1: û = u + (m(wᵀu) − wᵀu) w/‖w‖², m = softplus − 1.
//! Reverse pass, with a = wᵀz + b, σ = 1 − t², s = wᵀû, D = t² + σ(1 + s), cotangents x̄ and ℓ of x and log D:
//! t̄ = ûᵀx̄ − 2ts ℓ/D, ā = σt̄, ∂û = tx̄, ∂s = σℓ/D, ∂b = ā, ∂w = āz, z̄ = x̄ + āw. Of the inverse map: α + s tanh α = wᵀx + b,
//! dα = (d(wᵀx + b) − t ds)/D. Parameters: w `[K, d]`, u `[K, d]`, b `[K]`. Kept: t.
//! Deviation: dets of four layers are multiplied before their logarithm is taken; where four in a row are below 10⁻⁹ (f32)
//! that is infinite, which a sum of four logarithms would not be.

use super::block::{FOLDED, LANES, Lanes, add_folded, map, map2, map3, total};
use super::layers::{Kind, Layers, logarithm_is_due};
use crate::real::Real;
use crate::simd::{Level, Portable};

/// Steps after which bisection alone has found a root to f64's last bit.
const MOST_STEPS: usize = 80;

/// A chain of planar layers.
#[derive(Clone, Debug, Default)]
pub struct Planar<T> {
    dim: usize,
    layers: Vec<Layer<T>>,
    constraints: Vec<Constraint>,
    // [K, d] each.
    w: Vec<T>,
    u_hat: Vec<T>,
}

#[derive(Clone, Copy, Debug)]
struct Layer<T> {
    b: T,
    /// 1 + wᵀû, without its rounding.
    s_plus: T,
    s: T,
}

impl<T: Real> Planar<T> {
    fn layer(&self, k: usize) -> (Layer<T>, &[T], &[T]) {
        let row = k * self.dim..(k + 1) * self.dim;
        (self.layers[k], &self.w[row.clone()], &self.u_hat[row])
    }
}

impl<T: Real> Layers<T> for Planar<T> {
    const KIND: Option<Kind> = Some(Kind::Planar);

    fn constrain(&mut self, params: &[T], layers: usize, dim: usize) {
        self.dim = dim;
        let (w, rest) = params.split_at(layers * dim);
        let (u, b) = rest.split_at(layers * dim);
        self.w.clear();
        self.w.extend_from_slice(w);
        self.u_hat.clear();
        self.layers.clear();
        self.constraints.clear();
        for ((w, u), &b) in w.chunks_exact(dim).zip(u.chunks_exact(dim)).zip(b) {
            let constraint = Constraint::of(w, u);
            let Constraint { s_plus, along, .. } = constraint;
            self.constraints.push(constraint);
            self.u_hat.extend(w.iter().zip(u).map(|(&w, &u)| T::of(u.wide() + along * w.wide())));
            self.layers.push(Layer { b, s_plus: T::of(s_plus), s: T::of(s_plus - 1.0) });
        }
    }

    fn depth(&self) -> usize {
        self.layers.len()
    }

    fn sums(&self) -> usize {
        2 * self.dim + 2
    }

    #[inline(always)]
    fn forward<L: Level>(&self, x: &mut [Lanes<T>], kept: &mut [Lanes<T>], log_det: &mut Lanes<T>) {
        let mut product = [T::ONE; LANES];
        for (k, tanh) in kept.iter_mut().enumerate() {
            let (layer, w, u_hat) = self.layer(k);
            *tanh = [layer.b; LANES];
            along::<L, T>(tanh, w, x);
            *tanh = map(tanh, |a| a.tanh::<L>());
            product = map2(&product, tanh, |product, t| product * det::<L, T>(layer, t));
            shift::<L, T>(x, u_hat, tanh, T::ONE);
            take_logarithm::<L, T>(k, self.depth(), &mut product, log_det);
        }
    }

    #[inline(always)]
    fn inverse<L: Level>(&self, x: &mut [Lanes<T>], kept: &mut [Lanes<T>], log_det: &mut Lanes<T>) {
        let mut product = [T::ONE; LANES];
        for (done, (k, tanh)) in kept.iter_mut().enumerate().rev().enumerate() {
            let (layer, w, u_hat) = self.layer(k);
            *tanh = [layer.b; LANES];
            along::<L, T>(tanh, w, x);
            solve::<L, T>(layer, tanh);
            product = map2(&product, tanh, |product, t| product * det::<L, T>(layer, t));
            shift::<L, T>(x, u_hat, tanh, -T::ONE);
            take_logarithm::<L, T>(done, self.depth(), &mut product, log_det);
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
        for (k, (tanh, sums)) in kept.iter().zip(sums.chunks_exact_mut(self.sums())).enumerate().rev() {
            let (layer, w, u_hat) = self.layer(k);
            let mut pulled = [T::ZERO; LANES];
            along::<L, T>(&mut pulled, u_hat, grad);
            let weight = map2(grad_log_det, tanh, |grad, t| grad / det::<L, T>(layer, t));
            let of_s = map2(&weight, tanh, |weight, t| (T::ONE - t * t) * weight);
            let pulled = map3(&pulled, &weight, tanh, |pulled, weight, t| {
                (T::ONE - t * t) * (pulled - T::TWO * t * layer.s * weight)
            });
            shift::<L, T>(x, u_hat, tanh, -T::ONE);
            hand_on::<L, T>(sums, w, x, grad, &pulled, tanh, &of_s);
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
        for (k, (tanh, sums)) in kept.iter().zip(sums.chunks_exact_mut(self.sums())).enumerate() {
            let (layer, w, u_hat) = self.layer(k);
            let mut pulled = [T::ZERO; LANES];
            along::<L, T>(&mut pulled, u_hat, grad);
            let inverse = map(tanh, |t| T::ONE / det::<L, T>(layer, t));
            let weight = map2(grad_log_det, &inverse, |grad, inverse| grad * inverse);
            // z = x − ût: its cotangent reaches t with the other sign.
            let of_t = map3(&pulled, &weight, tanh, |pulled, weight, t| -pulled - T::TWO * t * layer.s * weight);
            let pulled = map3(&of_t, &inverse, tanh, |of_t, inverse, t| (T::ONE - t * t) * of_t * inverse);
            let of_s = map3(&weight, &pulled, tanh, |weight, of_c, t| (T::ONE - t * t) * weight - t * of_c);
            shift::<L, T>(x, u_hat, tanh, T::ONE);
            hand_on::<L, T>(sums, w, x, grad, &pulled, &map(tanh, |t| -t), &of_s);
        }
    }

    fn finish(&self, params: &[T], sums: &[[T; FOLDED]], grad: &mut [T]) {
        let (k, d) = (self.depth(), self.dim);
        let (w, u) = (&params[..k * d], &params[k * d..2 * k * d]);
        let (grad_w, rest) = grad.split_at_mut(k * d);
        let (grad_u, grad_b) = rest.split_at_mut(k * d);
        for (layer, (sums, constraint)) in sums.chunks_exact(self.sums()).zip(&self.constraints).enumerate() {
            let row = layer * d..(layer + 1) * d;
            let (w, u) = (&w[row.clone()], &u[row.clone()]);
            let of_u_hat = |i: usize| total(&sums[d + i]);
            let of_along: f64 = w.iter().enumerate().map(|(i, w)| of_u_hat(i) * w.wide()).sum();
            // along = (s − wᵀu)/‖w‖², s = softplus(wᵀu) − 1.
            let of_quotient = of_along / constraint.norm2;
            let of_s = total(&sums[2 * d + 1]) + of_quotient;
            let of_wu = of_s * constraint.slope - of_quotient;
            let of_norm2 = -of_quotient * constraint.along;
            grad_b[layer] += T::of(total(&sums[2 * d]));
            for (i, (grad_w, grad_u)) in grad_w[row.clone()].iter_mut().zip(&mut grad_u[row.clone()]).enumerate() {
                let (w, u) = (w[i].wide(), u[i].wide());
                *grad_u += T::of(of_u_hat(i) + of_wu * w);
                let direct = total(&sums[i]) + constraint.along * of_u_hat(i);
                *grad_w += T::of(direct + of_wu * u + 2.0 * of_norm2 * w);
            }
        }
    }
}

/// What ties û to w and u, in double precision: a handful of numbers a layer.
#[derive(Clone, Copy, Debug)]
struct Constraint {
    norm2: f64,
    /// 1 + m(wᵀu) = softplus(wᵀu).
    s_plus: f64,
    /// Its derivative.
    slope: f64,
    /// (m(wᵀu) − wᵀu)/‖w‖².
    along: f64,
}

impl Constraint {
    fn of<T: Real>(w: &[T], u: &[T]) -> Self {
        let wu: f64 = w.iter().zip(u).map(|(w, u)| w.wide() * u.wide()).sum();
        let norm2: f64 = w.iter().map(|w| w.wide() * w.wide()).sum();
        let (s_plus, slope) = (wu.softplus::<Portable>(), wu.sigmoid::<Portable>());
        Self { norm2, s_plus, slope, along: (s_plus - 1.0 - wu) / norm2 }
    }
}

/// out += Σ vᵢ xᵢ.
#[inline(always)]
fn along<L: Level, T: Real>(out: &mut Lanes<T>, v: &[T], x: &[Lanes<T>]) {
    for (x, &v) in x.iter().zip(v) {
        for (out, &x) in out.iter_mut().zip(x) {
            *out = x.fma::<L>(v, *out);
        }
    }
}

/// xᵢ += sign·vᵢ·by.
#[inline(always)]
fn shift<L: Level, T: Real>(x: &mut [Lanes<T>], v: &[T], by: &Lanes<T>, sign: T) {
    for (x, &v) in x.iter_mut().zip(v) {
        let v = sign * v;
        for (x, &by) in x.iter_mut().zip(by) {
            *x = by.fma::<L>(v, *x);
        }
    }
}

/// t² + (1 − t²)(1 + s): a sum of positive terms.
#[inline(always)]
fn det<L: Level, T: Real>(layer: Layer<T>, t: T) -> T {
    let square = t * t;
    (T::ONE - square).fma::<L>(layer.s_plus, square)
}

/// Every few layers, and at the last one.
#[inline(always)]
fn take_logarithm<L: Level, T: Real>(done: usize, layers: usize, product: &mut Lanes<T>, log_det: &mut Lanes<T>) {
    if logarithm_is_due(done, layers) {
        *log_det = map2(log_det, product, |log_det, product| log_det + product.ln::<L>());
        *product = [T::ONE; LANES];
    }
}

/// tanh α with α + s tanh α = c for s > −1, in place of c: Newton's steps where they stay in a bracket that every step
/// shrinks, bisection where they do not (Press et al., Numerical Recipes, section 9.4), until no lane moves.
///
/// |tanh| ≤ 1 brackets α by c ± |s|; α + s tanh α increases.
#[inline(always)]
fn solve<L: Level, T: Real>(layer: Layer<T>, c: &mut Lanes<T>) {
    let s = layer.s;
    let margin = s.magnitude();
    let (mut low, mut high) = (map(c, |c| c - margin), map(c, |c| c + margin));
    let mut alpha = *c;
    for _ in 0..MOST_STEPS {
        let tanh = map(&alpha, |alpha| alpha.tanh::<L>());
        let value = map3(&tanh, &alpha, c, |t, alpha, c| t.fma::<L>(s, alpha - c));
        low = map3(&value, &alpha, &low, |value, alpha, low| if value < T::ZERO { alpha } else { low });
        high = map3(&value, &alpha, &high, |value, alpha, high| if value < T::ZERO { high } else { alpha });
        let newton = map3(&value, &alpha, &tanh, |value, alpha, t| alpha - value / det::<L, T>(layer, t));
        let next = map3(&newton, &low, &high, |newton, low, high| {
            let inside = (newton - low) * (high - newton) >= T::ZERO;
            if inside { newton } else { T::HALF * (low + high) }
        });
        // How far beyond a rounding a lane moved: nowhere, once what is left of c is rounding.
        let noise = map2(&alpha, c, |alpha, c| T::EPSILON * (alpha.magnitude() + c.magnitude() + margin));
        let step = map2(&next, &alpha, |next, alpha| (next - alpha).magnitude() - T::EPSILON * alpha.magnitude());
        let step =
            map3(&step, &value, &noise, |step, value, noise| if value.magnitude() > noise { step } else { T::ZERO });
        alpha = next;
        if step.iter().fold(T::ZERO, |largest, &step| if step > largest { step } else { largest }) <= T::MIN_POSITIVE {
            break;
        }
    }
    *c = map(&alpha, |alpha| alpha.tanh::<L>());
}

/// Adds to the sums of a layer, those of w, of û, of b and of s, and takes the cotangents through the plane: `of_a` is that
/// of a = wᵀz + b, `of_u` the factor of grad in ∂û.
#[inline(always)]
fn hand_on<L: Level, T: Real>(
    sums: &mut [[T; FOLDED]],
    w: &[T],
    x: &[Lanes<T>],
    grad: &mut [Lanes<T>],
    of_a: &Lanes<T>,
    of_u: &Lanes<T>,
    of_s: &Lanes<T>,
) {
    let (sums_w, rest) = sums.split_at_mut(w.len());
    let (sums_u, rest) = rest.split_at_mut(w.len());
    for (i, sum_w) in sums_w.iter_mut().enumerate() {
        add_folded(sum_w, &map2(of_a, &x[i], |of_a, x| of_a * x));
        add_folded(&mut sums_u[i], &map2(of_u, &grad[i], |of_u, grad| of_u * grad));
        grad[i] = map2(of_a, &grad[i], |of_a, grad| of_a.fma::<L>(w[i], grad));
    }
    add_folded(&mut rest[0], of_a);
    add_folded(&mut rest[1], of_s);
}
