// Smooth activation functions with two derivatives: formulas and cases as in flow-kernels' `mlp/activation.rs`.
//
// In single precision log(1 + e) = 2 artanh(e/(2 + e)) by its series, whose argument is at most 1/3: seven terms leave 2e-8.
// Quotients are those of the fast unit (2 ulp) in single precision. Deviation: e^{−|z|} is not cut off where its square would
// be denormal, which costs nothing here.
#pragma once

namespace trajectory {

enum Function : unsigned { SOFTPLUS, TANH, SILU };

template <typename T> struct Activated { T value, slope, curvature; };

__device__ __forceinline__ float quotient(float a, float b) { return __fdividef(a, b); }
__device__ __forceinline__ double quotient(double a, double b) { return a / b; }

__device__ __forceinline__ float log_1p_unit(float e) {
  const float s = quotient(e, 2.0f + e), square = s * s;
  float series = 1.0f / 13.0f;
#pragma unroll
  for (int k = 11; k > 0; k -= 2) series = fmaf(series, square, 1.0f / k);
  return 2.0f * s * series;
}
__device__ __forceinline__ double log_1p_unit(double e) { return log1p(e); }

// a(z), a′(z), a″(z); not inlined: calls cost little beside what is called, and kernels stay small.
template <typename T> __device__ __noinline__ Activated<T> activate(unsigned function, T z) {
  const T one = T(1), size = fabs(z);
  if (function == TANH) {
    const T e = exp(-(size + size)), t = copysign(quotient(one - e, one + e), z), slope = one - t * t;
    return {t, slope, -(t + t) * slope};
  }
  const T e = exp(-size), right = quotient(one, one + e), sigma = z < T(0) ? e * right : right, rest = one - sigma;
  if (function == SOFTPLUS) return {(z > T(0) ? z : T(0)) + log_1p_unit(e), sigma, sigma * rest};
  return {z * sigma, sigma * (one + z * rest), sigma * rest * (T(2) + z * (rest - sigma))};
}

// a′(z).
template <typename T> __device__ __noinline__ T slope(unsigned function, T z) {
  const T one = T(1), size = fabs(z);
  if (function == TANH) {
    const T e = exp(-(size + size)), t = quotient(one - e, one + e);
    return one - t * t;
  }
  const T e = exp(-size), right = quotient(one, one + e), sigma = z < T(0) ? e * right : right;
  return function == SOFTPLUS ? sigma : sigma * (one + z * (one - sigma));
}

}  // namespace trajectory
