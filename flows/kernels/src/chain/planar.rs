//! Planar layers: f(z) = z + û tanh(wᵀz + b), log |det| = log(t² + (1 − t²)(1 + wᵀû)) with t the hyperbolic tangent.
//!
//! Rezende & Mohamed 2015 (arXiv 1505.05770), equations 10–13, appendix A.1: û = u + (m(wᵀu) − wᵀu) w/‖w‖², m = softplus − 1.
//! Reverse pass, with a = wᵀz + b, σ = 1 − t², s = wᵀû, D = t² + σ(1 + s), cotangents x̄ and ℓ of x and log D:
//! t̄ = ûᵀx̄ − 2ts ℓ/D, ā = σt̄, ∂û = tx̄, ∂s = σℓ/D, ∂b = ā, ∂w = āz, z̄ = x̄ + āw. Of the inverse map: α + s tanh α = wᵀx + b,
//! dα = (d(wᵀx + b) − t ds)/D. Parameters: w `[K, d]`, u `[K, d]`, b `[K]`. Kept: t.
//! Deviation: dets of four layers are multiplied before their logarithm is taken; where four in a row are below 10⁻⁹ (f32)
//! that is infinite, which a sum of four logarithms would not be.

use super::block::{FOLDED, LANES, Lanes, add_folded, total};
use super::layers::Layers;
use crate::real::Real;
use crate::simd::Level;

/// Layers whose dets are multiplied.
const TOGETHER: usize = 4;
/// Steps after which bisection alone has found a root to f64's last bit.
const MOST_STEPS: usize = 80;

/// A chain of planar layers.
#[derive(Clone, Debug, Default)]
pub struct Planar<T> {
    dim: usize,
    layers: Vec<Layer<T>>,
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
    fn constrain(&mut self, params: &[T], layers: usize, dim: usize) {
        self.dim = dim;
        let (w, rest) = params.split_at(layers * dim);
        let (u, b) = rest.split_at(layers * dim);
        self.w.clear();
        self.w.extend_from_slice(w);
        self.u_hat.clear();
        self.layers.clear();
        for ((w, u), &b) in w.chunks_exact(dim).zip(u.chunks_exact(dim)).zip(b) {
            let Constraint { s_plus, along, .. } = Constraint::of(w, u);
            self.u_hat.extend(w.iter().zip(u).map(|(&w, &u)| T::of(u.wide() + along * w.wide())));
            self.layers.push(Layer { b, s_plus: T::of(s_plus), s: T::of(s_plus - 1.0) });
        }
    }

    fn len(&self) -> usize {
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
            for (t, product) in tanh.iter_mut().zip(&mut product) {
                *t = t.tanh::<L>();
                *product = *product * det::<L, T>(layer, *t);
            }
            shift::<L, T>(x, u_hat, tanh, T::ONE);
            take_logarithm::<L, T>(k, self.len(), &mut product, log_det);
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
            for (t, product) in tanh.iter().zip(&mut product) {
                *product = *product * det::<L, T>(layer, *t);
            }
            shift::<L, T>(x, u_hat, tanh, -T::ONE);
            take_logarithm::<L, T>(done, self.len(), &mut product, log_det);
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
        let two = T::ONE + T::ONE;
        for (k, (tanh, sums)) in kept.iter().zip(sums.chunks_exact_mut(self.sums())).enumerate().rev() {
            let (layer, w, u_hat) = self.layer(k);
            let mut pulled = [T::ZERO; LANES];
            along::<L, T>(&mut pulled, u_hat, grad);
            let mut of_s = [T::ZERO; LANES];
            for j in 0..LANES {
                let t = tanh[j];
                let slope = T::ONE - t * t;
                let weight = grad_log_det[j] / det::<L, T>(layer, t);
                of_s[j] = slope * weight;
                pulled[j] = slope * (pulled[j] - two * t * layer.s * weight);
            }
            shift::<L, T>(x, u_hat, tanh, -T::ONE);
            let [of_w, of_u, of_rest] = split(sums, self.dim);
            for (i, of_w) in of_w.iter_mut().enumerate() {
                let (mut w_terms, mut u_terms) = ([T::ZERO; LANES], [T::ZERO; LANES]);
                for j in 0..LANES {
                    w_terms[j] = pulled[j] * x[i][j];
                    u_terms[j] = tanh[j] * grad[i][j];
                    grad[i][j] = pulled[j].fma::<L>(w[i], grad[i][j]);
                }
                add_folded(of_w, &w_terms);
                add_folded(&mut of_u[i], &u_terms);
            }
            add_folded(&mut of_rest[0], &pulled);
            add_folded(&mut of_rest[1], &of_s);
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
        let two = T::ONE + T::ONE;
        for (k, (tanh, sums)) in kept.iter().zip(sums.chunks_exact_mut(self.sums())).enumerate() {
            let (layer, w, u_hat) = self.layer(k);
            let mut pulled = [T::ZERO; LANES];
            along::<L, T>(&mut pulled, u_hat, grad);
            let mut of_s = [T::ZERO; LANES];
            for j in 0..LANES {
                let t = tanh[j];
                let slope = T::ONE - t * t;
                let inverse = T::ONE / det::<L, T>(layer, t);
                let weight = grad_log_det[j] * inverse;
                // z = x − ût: its cotangent reaches t with the other sign.
                let of_c = slope * (-pulled[j] - two * t * layer.s * weight) * inverse;
                of_s[j] = slope * weight - t * of_c;
                pulled[j] = of_c;
            }
            shift::<L, T>(x, u_hat, tanh, T::ONE);
            let [of_w, of_u, of_rest] = split(sums, self.dim);
            for (i, of_w) in of_w.iter_mut().enumerate() {
                let (mut w_terms, mut u_terms) = ([T::ZERO; LANES], [T::ZERO; LANES]);
                for j in 0..LANES {
                    w_terms[j] = pulled[j] * x[i][j];
                    u_terms[j] = -(tanh[j] * grad[i][j]);
                    grad[i][j] = pulled[j].fma::<L>(w[i], grad[i][j]);
                }
                add_folded(of_w, &w_terms);
                add_folded(&mut of_u[i], &u_terms);
            }
            add_folded(&mut of_rest[0], &pulled);
            add_folded(&mut of_rest[1], &of_s);
        }
    }

    fn finish(&self, params: &[T], sums: &[[T; FOLDED]], grad: &mut [T]) {
        let (k, d) = (self.len(), self.dim);
        let (w, u) = (&params[..k * d], &params[k * d..2 * k * d]);
        let (grad_w, rest) = grad.split_at_mut(k * d);
        let (grad_u, grad_b) = rest.split_at_mut(k * d);
        for (layer, sums) in sums.chunks_exact(self.sums()).enumerate() {
            let row = layer * d..(layer + 1) * d;
            let (w, u) = (&w[row.clone()], &u[row.clone()]);
            let constraint = Constraint::of(w, u);
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
        let e = (-wu.abs()).exp();
        let s_plus = wu.max(0.0) + e.ln_1p();
        let slope = if wu < 0.0 { e / (1.0 + e) } else { 1.0 / (1.0 + e) };
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
    if done % TOGETHER == TOGETHER - 1 || done + 1 == layers {
        for (product, log_det) in product.iter_mut().zip(log_det) {
            *log_det += product.ln::<L>();
            *product = T::ONE;
        }
    }
}

/// tanh α with α + s tanh α = c for s > −1, in place of c: Newton's steps where they stay in a bracket that every step
/// shrinks, bisection where they do not (Press et al., Numerical Recipes, section 9.4), until no lane moves.
///
/// |tanh| ≤ 1 brackets α by c ± |s|; α + s tanh α increases.
#[inline(always)]
fn solve<L: Level, T: Real>(layer: Layer<T>, c: &mut Lanes<T>) {
    let (s, half) = (layer.s, T::of(0.5));
    let margin = s.magnitude();
    let mut low = [T::ZERO; LANES];
    let mut high = [T::ZERO; LANES];
    let mut alpha = *c;
    for j in 0..LANES {
        low[j] = c[j] - margin;
        high[j] = c[j] + margin;
    }
    for _ in 0..MOST_STEPS {
        let mut moved = T::ZERO;
        for j in 0..LANES {
            let x = alpha[j];
            let t = x.tanh::<L>();
            let value = t.fma::<L>(s, x - c[j]);
            low[j] = if value < T::ZERO { x } else { low[j] };
            high[j] = if value < T::ZERO { high[j] } else { x };
            let newton = x - value / det::<L, T>(layer, t);
            let inside = (newton - low[j]) * (high[j] - newton) >= T::ZERO;
            let next = if inside { newton } else { half * (low[j] + high[j]) };
            let step = (next - x).magnitude() - T::EPSILON * x.magnitude();
            moved = if step > moved { step } else { moved };
            alpha[j] = next;
        }
        if moved <= T::MIN_POSITIVE {
            break;
        }
    }
    for (c, alpha) in c.iter_mut().zip(&alpha) {
        *c = alpha.tanh::<L>();
    }
}

/// The sums of a layer: of w, of û, and of b and s.
#[inline(always)]
fn split<T>(sums: &mut [[T; FOLDED]], dim: usize) -> [&mut [[T; FOLDED]]; 3] {
    let (of_w, rest) = sums.split_at_mut(dim);
    let (of_u, of_rest) = rest.split_at_mut(dim);
    [of_w, of_u, of_rest]
}
