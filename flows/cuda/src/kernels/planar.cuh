// Chains of planar layers: f(z) = z + û tanh(wᵀz + b), log |det| = log(t² + (1 − t²)(1 + wᵀû)) with t the hyperbolic tangent.
//
// Rezende & Mohamed 2015 (arXiv 1505.05770), equations 10–13, appendix A.1; formulas of the reverse passes and of the inverse as
// in flow-kernels' `chain::planar`. Parameters: w [K, d], u [K, d], b [K]. Kept: t. Constraints and their chain rule are computed
// in double precision. Deviation: as there, dets of four layers are multiplied before their logarithm is taken.

#pragma once

#include "chain.cuh"

// Steps after which bisection alone has found a root to f64's last bit.
constexpr int MOST_STEPS = 80;

// What ties û to w and u: m(wᵀu) = softplus(wᵀu) − 1.
struct Constraint {
  double norm2, s_plus, slope;
  double along; // (m(wᵀu) − wᵀu)/‖w‖²

  // The threads that share a point of kind P make it together.
  template <typename P, typename T> static __device__ __forceinline__ Constraint of(const T *w, const T *u, int dim) {
    double wu = 0.0, norm2 = 0.0;
    for (int i = P::lane(); i < dim; i += P::LANES) {
      wu += (double)w[i] * (double)u[i];
      norm2 += (double)w[i] * (double)w[i];
    }
    if (P::LANES > 1) wu = warp_sum(wu), norm2 = warp_sum(norm2);
    const Ramp s_plus = ramp(wu);
    return Constraint{norm2, s_plus.value, s_plus.slope, (s_plus.value - 1.0 - wu) / norm2};
  }
};

template <typename T> struct Planar {
  static constexpr int PER_COORDINATE = 2; // those of w, of û
  static __device__ __forceinline__ int table(int stride) { return 2 * stride + 3; }
  static __device__ __forceinline__ int sums(int stride) { return 2 * stride + 2; }

  const T *w, *u_hat;
  T b, s_plus, s; // s_plus: 1 + wᵀû, without its rounding
  T product = (T)1;

  __device__ __forceinline__ explicit Planar(int) {}

  __device__ __forceinline__ void load(const T *table, int stride) {
    w = table, u_hat = table + stride;
    b = table[2 * stride], s_plus = table[2 * stride + 1], s = table[2 * stride + 2];
  }

  template <typename P>
  static __device__ __forceinline__ void constrain(const T *params, int k, int layers, int dim, int stride, T *table) {
    const T *w = params + (size_t)k * dim, *u = params + (size_t)(layers + k) * dim;
    const Constraint constraint = Constraint::of<P>(w, u, dim);
    for (int i = P::lane(); i < stride; i += P::LANES) {
      table[i] = i < dim ? w[i] : (T)0;
      table[stride + i] = i < dim ? (T)((double)u[i] + constraint.along * (double)w[i]) : (T)0;
    }
    table[2 * stride] = params[(size_t)2 * layers * dim + k];
    table[2 * stride + 1] = (T)constraint.s_plus;
    table[2 * stride + 2] = (T)(constraint.s_plus - 1.0);
  }

  // t² + (1 − t²)(1 + s): a sum of positive terms.
  __device__ __forceinline__ T det(T t) const { return real::fma((T)1 - t * t, s_plus, t * t); }

  template <int D> static __device__ __forceinline__ T along(const Point<T, D> &x, const T *v, T start) {
    return fold(x, start, [&](int i, T sum) { return real::fma(const_cast<Point<T, D> &>(x)[i], v[i], sum); });
  }

  template <int D> __device__ __forceinline__ void shift(Point<T, D> &x, T by) const {
    x.each([&](int i) { x[i] = real::fma(by, u_hat[i], x[i]); });
  }

  template <int D> __device__ __forceinline__ T forward(Point<T, D> &z) {
    const T t = real::tanh(along(z, w, b));
    product *= det(t);
    shift(z, t);
    return t;
  }

  template <int D> __device__ __forceinline__ T inverse(Point<T, D> &x) {
    const T t = solve(along(x, w, b));
    product *= det(t);
    shift(x, -t);
    return t;
  }

  __device__ __forceinline__ T take_logarithm(T log_det) {
    log_det += real::ln(product);
    product = (T)1;
    return log_det;
  }

  // tanh α with α + s tanh α = c for s > −1: Newton's steps where they stay in a bracket that every step shrinks, bisection where
  // they do not (Press et al., Numerical Recipes, section 9.4), until α does not move, or what is left of c is rounding.
  __device__ __forceinline__ T solve(T c) const {
    constexpr T EPSILON = real::Float<T>::EPSILON;
    const T margin = real::magnitude(s);
    T low = c - margin, high = c + margin, alpha = c;
    for (int step = 0; step < MOST_STEPS; ++step) {
      const T t = real::tanh(alpha);
      const T value = real::fma(t, s, alpha - c);
      if (value < (T)0) low = alpha;
      else high = alpha;
      const T newton = alpha - value / det(t);
      const bool inside = (newton - low) * (high - newton) >= (T)0;
      const T next = inside ? newton : (T)0.5 * (low + high);
      const T noise = EPSILON * (real::magnitude(alpha) + real::magnitude(c) + margin);
      const T moved = real::magnitude(next - alpha) - EPSILON * real::magnitude(alpha);
      const bool goes_on = real::magnitude(value) > noise && moved > real::Float<T>::MIN_POSITIVE;
      alpha = next;
      if (!goes_on) break;
    }
    return real::tanh(alpha);
  }

  template <int D>
  __device__ __forceinline__ void pull_forward(Point<T, D> &x, Point<T, D> &grad, T t, T of_det, Sums<T, D, 2> &sums) const {
    const T slope = (T)1 - t * t;
    const T weight = of_det / det(t);
    const T of_t = along(grad, u_hat, (T)0) - (T)2 * t * s * weight;
    shift(x, -t);
    hand_on(x, grad, slope * of_t, t, slope * weight, sums);
  }

  template <int D>
  __device__ __forceinline__ void pull_inverse(Point<T, D> &z, Point<T, D> &grad, T t, T of_det, Sums<T, D, 2> &sums) const {
    const T slope = (T)1 - t * t;
    const T inverse = (T)1 / det(t);
    const T weight = of_det * inverse;
    // z = x − ût: its cotangent reaches t with the other sign.
    const T of_t = -along(grad, u_hat, (T)0) - (T)2 * t * s * weight;
    const T of_c = slope * of_t * inverse;
    shift(z, t);
    hand_on(z, grad, of_c, -t, slope * weight - t * of_c, sums);
  }

  // Tells the sums, those of w, of û, of b and of s, and takes the cotangents through the plane: `of_a` is that of a = wᵀx + b,
  // `of_u` the factor of grad in ∂û.
  template <int D>
  __device__ __forceinline__ void hand_on(Point<T, D> &x, Point<T, D> &grad, T of_a, T of_u, T of_s, Sums<T, D, 2> &sums) const {
    x.each([&](int i) {
      sums.coordinate(0, i, of_a * x[i]);
      sums.coordinate(1, i, of_u * grad[i]);
      grad[i] = real::fma(of_a, w[i], grad[i]);
    });
    sums.both(of_a, of_s);
  }

  // The gradient of layer `blockIdx.x` in the parameters from its sums.
  static __device__ void finish(const T *params, const double *total, T *grad, int layers, int dim, int stride) {
    const size_t k = blockIdx.x, all = (size_t)layers * dim;
    const T *w = params + k * dim, *u = w + all;
    const double *of_w = total, *of_u_hat = total + stride, *of_scalars = total + 2 * stride;
    // Each warp makes the same few numbers.
    const Constraint constraint = Constraint::of<Point<T, 0>>(w, u, dim);
    double of_along = 0.0;
    for (int i = threadIdx.x % 32; i < dim; i += 32) of_along += of_u_hat[i] * (double)w[i];
    of_along = warp_sum(of_along);
    // along = (s − wᵀu)/‖w‖², s = softplus(wᵀu) − 1.
    const double of_quotient = of_along / constraint.norm2;
    const double of_s = of_scalars[1] + of_quotient;
    const double of_wu = of_s * constraint.slope - of_quotient;
    const double of_norm2 = -of_quotient * constraint.along;
    for (int i = threadIdx.x; i < dim; i += blockDim.x) {
      const double direct = of_w[i] + constraint.along * of_u_hat[i];
      grad[k * dim + i] = (T)(direct + of_wu * (double)u[i] + 2.0 * of_norm2 * (double)w[i]);
      grad[all + k * dim + i] = (T)(of_u_hat[i] + of_wu * (double)w[i]);
    }
    if (threadIdx.x == 0) grad[2 * all + k] = (T)of_scalars[0];
  }
};
