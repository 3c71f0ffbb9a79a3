// Chains of radial layers: f(z) = z + βh (z − z₀), h = 1/(α + r), r = ‖z − z₀‖; log |det| = (d − 1) log F + log G with F = 1 + βh,
// G = 1 + αβh².
//
// Rezende & Mohamed 2015 (arXiv 1505.05770), equation 14, appendix A.2; formulas of the reverse passes and of the inverse as in
// flow-kernels' `chain::radial`. Parameters: z₀ [K, d], a [K], b [K]; α = softplus(a), β = softplus(b) − α, in double precision, as
// is their chain rule. Kept: r. Deviation: as there, r has a floor of 10⁻¹⁵, and Fs and Gs of four layers are multiplied before
// their logarithms are taken.

#pragma once

#include "chain.cuh"

template <typename T> struct Radial {
  static constexpr int PER_COORDINATE = 1; // that of z₀
  static __device__ __forceinline__ int table(int stride) { return stride + 3; }
  static __device__ __forceinline__ int sums(int stride) { return stride + 2; }

  const T *centre;
  T alpha, beta, alpha_beta;
  T dimension; // d − 1
  T factors = (T)1, radials = (T)1;

  __device__ __forceinline__ explicit Radial(int dim) : dimension((T)(dim - 1)) {}

  __device__ __forceinline__ void load(const T *table, int stride) {
    centre = table;
    alpha = table[stride], beta = table[stride + 1], alpha_beta = table[stride + 2];
  }

  template <typename P>
  static __device__ __forceinline__ void constrain(const T *params, int k, int layers, int dim, int stride, T *table) {
    const T *centre = params + (size_t)k * dim, *scalars = params + (size_t)layers * dim;
    for (int i = P::lane(); i < stride; i += P::LANES) table[i] = i < dim ? centre[i] : (T)0;
    const double alpha = ramp((double)scalars[k]).value;
    const double beta = ramp((double)scalars[layers + k]).value - alpha;
    table[stride] = (T)alpha, table[stride + 1] = (T)beta, table[stride + 2] = (T)(alpha * beta);
  }

  __device__ __forceinline__ T h(T r) const { return (T)1 / (alpha + r); }
  __device__ __forceinline__ T f(T h) const { return real::fma(beta, h, (T)1); }
  __device__ __forceinline__ T g(T h) const { return real::fma(alpha_beta, h * h, (T)1); }

  // ‖x − z₀‖.
  template <int D> __device__ __forceinline__ T distance(Point<T, D> &x) const {
    return real::sqrt(fold(x, (T)1e-30, [&](int i, T sum) {
      const T delta = x[i] - centre[i];
      return real::fma(delta, delta, sum);
    }));
  }

  // r from R: r² + (α + β − R) r − αR = 0.
  __device__ __forceinline__ T radius(T outer) const {
    const T p = outer - (alpha + beta);
    const T product = outer * alpha;
    const T root = real::sqrt(real::fma(p, p, product * (T)4));
    // ½(p + √·) where p ≥ 0; where p < 0 that cancels, and 2αR/(√· − p) is the same number.
    return p < (T)0 ? (T)2 * product / (root + real::magnitude(p)) : (T)0.5 * (root + p);
  }

  template <int D> __device__ __forceinline__ T forward(Point<T, D> &z) {
    const T r = distance(z);
    scale(z, count(r));
    return r;
  }

  template <int D> __device__ __forceinline__ T inverse(Point<T, D> &x) {
    const T r = radius(distance(x));
    scale(x, (T)1 / count(r));
    return r;
  }

  // Takes F and G at r into the products; returns F.
  __device__ __forceinline__ T count(T r) {
    const T at = h(r);
    const T factor = f(at);
    factors *= factor, radials *= g(at);
    return factor;
  }

  // Away from the centre.
  template <int D> __device__ __forceinline__ void scale(Point<T, D> &x, T factor) const {
    x.each([&](int i) { x[i] = real::fma(x[i] - centre[i], factor, centre[i]); });
  }

  __device__ __forceinline__ T take_logarithm(T log_det) {
    log_det += real::fma(dimension, real::ln(factors), real::ln(radials));
    factors = radials = (T)1;
    return log_det;
  }

  template <int D>
  __device__ __forceinline__ void pull_forward(Point<T, D> &x, Point<T, D> &grad, T r, T of_det, Sums<T, D, 1> &sums) const {
    const T at = h(r), factor = f(at);
    const T inverse = (T)1 / factor;
    // x̄ᵀδ, with δ = (x − z₀)/F: x becomes δ.
    x.each([&](int i) { x[i] = (x[i] - centre[i]) * inverse; });
    const T along = fold(x, (T)0, [&](int i, T sum) { return real::fma(x[i], grad[i], sum); });
    const T radial = of_scalars(at, factor, along, of_det, sums) / r; // r̄/r
    hand_on(x, grad, factor, radial, sums);
    x.each([&](int i) { x[i] += centre[i]; });
  }

  template <int D>
  __device__ __forceinline__ void pull_inverse(Point<T, D> &z, Point<T, D> &grad, T r, T of_det, Sums<T, D, 1> &sums) const {
    // log |det| depends on z through r: its slope along δ/r joins z̄. Then x̄ = J⁻¹ z̄, and what the forward map's parameters
    // would add to x counts with −x̄.
    const T at = h(r), factor = f(at), radial_factor = g(at);
    z.each([&](int i) { z[i] -= centre[i]; }); // δ
    const T along = fold(z, (T)0, [&](int i, T sum) { return real::fma(z[i], grad[i], sum); });
    const T curve = at * at * (dimension * beta / factor + (T)2 * alpha_beta * at / radial_factor);
    // z̄ + of_r δ/r, solved: 1/F off δ, 1/G along it.
    const T full = (along / r - curve * of_det) / r; // δ̂ᵀz̄/r
    const T inverse = (T)1 / factor;
    const T radial = full / radial_factor - along * inverse / (r * r);
    of_scalars(at, factor, -(full * r * r / radial_factor), of_det, sums); // −x̄ᵀδ
    hand_on(z, grad, inverse, radial, sums);
    scale_delta(z, factor);
  }

  template <int D> __device__ __forceinline__ void scale_delta(Point<T, D> &delta, T factor) const {
    delta.each([&](int i) { delta[i] = real::fma(delta[i], factor, centre[i]); });
  }

  // Tells the sums of α and β, given x̄ᵀδ and the cotangent of log |det|; returns r̄.
  template <int D>
  __device__ __forceinline__ T of_scalars(T h, T factor, T along, T of_det, Sums<T, D, 1> &sums) const {
    const T of_f = along + dimension * of_det / factor;
    const T of_g = of_det / g(h);
    const T of_h = real::fma(beta, of_f, (T)2 * alpha_beta * h * of_g);
    const T of_beta = real::fma(h, of_f, alpha * h * h * of_g);
    const T of_alpha = h * h * (beta * of_g - of_h);
    sums.both(of_alpha, of_beta);
    return -(h * h * of_h);
  }

  // Takes the cotangent of each coordinate across the layer, `factor` times itself and `radial` times δ, and tells that of z₀: z₀,
  // z and x moved together change nothing else, so the three cotangents add up to nothing.
  template <int D>
  __device__ __forceinline__ void hand_on(Point<T, D> &delta, Point<T, D> &grad, T factor, T radial, Sums<T, D, 1> &sums) const {
    delta.each([&](int i) {
      const T across = real::fma(factor, grad[i], radial * delta[i]);
      sums.coordinate(0, i, grad[i] - across);
      grad[i] = across;
    });
  }

  // The gradient of layer `blockIdx.x` in the parameters from its sums.
  static __device__ void finish(const T *params, const double *total, T *grad, int layers, int dim, int stride) {
    const size_t k = blockIdx.x, all = (size_t)layers * dim;
    for (int i = threadIdx.x; i < dim; i += blockDim.x) grad[k * dim + i] = (T)total[i];
    if (threadIdx.x == 0) {
      const double of_alpha = total[stride], of_beta = total[stride + 1];
      grad[all + k] = (T)((of_alpha - of_beta) * ramp((double)params[all + k]).slope);
      grad[all + layers + k] = (T)(of_beta * ramp((double)params[all + layers + k]).slope);
    }
  }
};
