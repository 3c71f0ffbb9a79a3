// Elementary functions of f32 and f64: flow-kernels' `real`, operation by operation.
//
// Same formulas, coefficients and order of operations; a product and a sum are one operation where the processor's kernels fuse
// them at a level that has the instruction, and two elsewhere (the compiler fuses nothing by itself). So results have the bits
// of the processor's kernels at those levels. The files there name the sources: Cody & Waite 1980 and SLEEF 3 (exp), Cephes
// (tanh, sine, cosine), FreeBSD's k_log.h (ln).
// Deviation: none.
#pragma once

#include <math.h>
#include <stdint.h>
#include <string.h>

namespace real {

template <typename To, typename From> __device__ __forceinline__ To cast_bits(From from) {
  static_assert(sizeof(To) == sizeof(From), "the same bits");
  To to;
  memcpy(&to, &from, sizeof(To));
  return to;
}

template <typename T> struct Float;

template <> struct Float<float> {
  using Bits = uint32_t;
  static constexpr int MANTISSA = 23;
  static constexpr Bits ONE = 0x3f800000u;
  static constexpr Bits SQRT_HALF = 0x3f3504f3u;
  // 1.5·2^mantissa: adding it rounds to an integer, which then stands in the lowest bits ("shifted" below).
  static constexpr float ROUND = 12582912.0f;
  // 2^mantissa: with e in its lowest bits it is 2^mantissa + e.
  static constexpr float SHIFT = 8388608.0f;
  static constexpr float EPSILON = 1.1920929e-07f;
  static constexpr float MIN_POSITIVE = 1.17549435e-38f;
  static constexpr float BELOW_ONE = 1.0f - EPSILON / 2.0f;
  static constexpr float LOG2_E = 1.44269504088896340736f;
  static constexpr float EXP_2_HIGH = 0.693145751953125f;
  static constexpr float EXP_2_LOW = 1.428606765330187045e-06f;
  static constexpr float LARGEST = 88.72283f;
  static constexpr float SMALLEST = -87.33654f;
  static constexpr float LOG_2_HIGH = 6.9313812256e-01f;
  static constexpr float LOG_2_LOW = 9.0580006145e-06f;
  static constexpr float TAU_HIGH = 6.28318530717958647693f;
  static constexpr float TAU_LOW = (float)(6.28318530717958647693 - (double)TAU_HIGH);
};

template <> struct Float<double> {
  using Bits = uint64_t;
  static constexpr int MANTISSA = 52;
  static constexpr Bits ONE = 0x3ff0000000000000ull;
  static constexpr Bits SQRT_HALF = 0x3fe6a09e00000000ull;
  static constexpr double ROUND = 6755399441055744.0;
  static constexpr double SHIFT = 4503599627370496.0;
  static constexpr double EPSILON = 2.2204460492503131e-16;
  static constexpr double MIN_POSITIVE = 2.2250738585072014e-308;
  static constexpr double BELOW_ONE = 1.0 - EPSILON / 2.0;
  static constexpr double LOG2_E = 1.44269504088896340736;
  static constexpr double EXP_2_HIGH = 0.69314718055966295651160180568695068359375;
  static constexpr double EXP_2_LOW = 0.28235290563031577122588448175013436025525412068e-12;
  static constexpr double LARGEST = 709.782712893384;
  static constexpr double SMALLEST = -708.396418532264;
  static constexpr double LOG_2_HIGH = 6.93147180369123816490e-01;
  static constexpr double LOG_2_LOW = 1.90821492927058770002e-10;
  static constexpr double TAU_HIGH = 6.28318530717958647693;
  static constexpr double TAU_LOW = 2.4492935982947064e-16;
};

__device__ __forceinline__ float fma(float a, float b, float c) { return ::fmaf(a, b, c); }
__device__ __forceinline__ double fma(double a, double b, double c) { return ::fma(a, b, c); }
__device__ __forceinline__ float sqrt(float x) { return ::sqrtf(x); }
__device__ __forceinline__ double sqrt(double x) { return ::sqrt(x); }
__device__ __forceinline__ float magnitude(float x) { return ::fabsf(x); }
__device__ __forceinline__ double magnitude(double x) { return ::fabs(x); }
__device__ __forceinline__ float copysign(float x, float sign) { return ::copysignf(x, sign); }
__device__ __forceinline__ double copysign(double x, double sign) { return ::copysign(x, sign); }

template <typename T> __device__ __forceinline__ T infinity() { return (T)INFINITY; }

// Σ terms·xⁱ by Horner's rule, the highest power first.
template <typename T> __device__ __forceinline__ T horner(T, T sum) { return sum; }
template <typename T, typename... Rest> __device__ __forceinline__ T horner(T x, T sum, T next, Rest... rest) {
  return horner(x, fma(sum, x, next), rest...);
}

// x·2ⁿ, n given shifted; right when the result is a normal number.
template <typename T> __device__ __forceinline__ T scaled(T x, T shifted) {
  using Bits = typename Float<T>::Bits;
  return cast_bits<T>((Bits)(cast_bits<Bits>(x) + (cast_bits<Bits>(shifted) << Float<T>::MANTISSA)));
}

__device__ __forceinline__ float exp_polynomial(float r) {
  return horner(r, 0.000198527617612853646278381f, 0.00139304355252534151077271f, 0.00833336077630519866943359f,
                0.0416664853692054748535156f, 0.166666671633720397949219f, 0.5f);
}
__device__ __forceinline__ double exp_polynomial(double r) {
  return horner(r, 2.08860621107283687536341e-09, 2.51112930892876518610661e-08, 2.75573911234900471893338e-07,
                2.75572362911928827629423e-06, 2.4801587159235472998791e-05, 0.000198412698960509205564975,
                0.00138888888889774492207962, 0.00833333333331652721664984, 0.0416666666666665047591422,
                0.166666666666666851703837, 0.5);
}

// q with eˣ = (1 + q)·2ⁿ; n shifted.
template <typename T> __device__ __forceinline__ T exp_parts(T x, T &shifted) {
  shifted = fma(x, Float<T>::LOG2_E, Float<T>::ROUND);
  const T n = shifted - Float<T>::ROUND;
  const T r = fma(n, -Float<T>::EXP_2_LOW, fma(n, -Float<T>::EXP_2_HIGH, x));
  return fma(r * r, exp_polynomial(r), r);
}

template <typename T> __device__ __forceinline__ T exp_limited(T x, T power) {
  power = x <= Float<T>::LARGEST ? power : x + infinity<T>();
  return x < Float<T>::SMALLEST ? (T)0 : power;
}

// eˣ.
template <typename T> __device__ __forceinline__ T exp(T x) {
  T shifted;
  const T q = exp_parts(x, shifted);
  return exp_limited(x, scaled((T)1 + q, shifted));
}

// (k, m, 2^{1−k}) with x = m·2ᵏ and m from √½ to √2, for a positive normal number.
template <typename T> __device__ __forceinline__ T split(T x, T &m, T &power) {
  using F = Float<T>;
  using Bits = typename F::Bits;
  constexpr Bits BIAS = F::ONE >> F::MANTISSA;
  const Bits moved = cast_bits<Bits>(x) + (F::ONE - F::SQRT_HALF);
  const Bits e = moved >> F::MANTISSA;
  m = cast_bits<T>((Bits)((moved & (((Bits)1 << F::MANTISSA) - 1)) + F::SQRT_HALF));
  power = cast_bits<T>((Bits)((2 * BIAS + 1 - e) << F::MANTISSA));
  return cast_bits<T>((Bits)(e | cast_bits<Bits>(F::SHIFT))) - (F::SHIFT + (T)BIAS);
}

__device__ __forceinline__ float log_even(float w) { return horner(w, 0.28498786688f, 0.66666662693f); }
__device__ __forceinline__ double log_even(double w) {
  return horner(w, 1.479819860511658591e-01, 1.818357216161805012e-01, 2.857142874366239149e-01, 6.666666666666735130e-01);
}
__device__ __forceinline__ float log_odd(float w) { return horner(w, 0.24279078841f, 0.40000972152f); }
__device__ __forceinline__ double log_odd(double w) {
  return horner(w, 1.531383769920937332e-01, 2.222219843214978396e-01, 3.999999999940941908e-01);
}

// k ln 2 + ln(1 + f).
template <typename T> __device__ __forceinline__ T ln_of_parts(T k, T f) {
  const T s = f / ((T)2 + f);
  const T z = s * s;
  const T w = z * z;
  const T even = z * log_even(w);
  const T r = fma(w, log_odd(w), even);
  const T half = (T)0.5 * f * f;
  const T tail = fma(s, half + r, k * Float<T>::LOG_2_LOW);
  return fma(k, Float<T>::LOG_2_HIGH, f - (half - tail));
}

// ln x; −∞ for zeros and subnormal numbers.
template <typename T> __device__ __forceinline__ T ln(T x) {
  T m, power;
  const T k = split(x, m, power);
  T log = ln_of_parts(k, m - (T)1);
  log = x < infinity<T>() ? log : x;
  log = x < Float<T>::MIN_POSITIVE ? -infinity<T>() : log;
  return x < (T)0 ? (T)NAN : log;
}

// ln(u + c) for a positive normal u and c of the size of its rounding error.
template <typename T> __device__ __forceinline__ T ln_of_sum(T u, T c) {
  T m, power;
  const T k = split(u, m, power);
  return ln_of_parts(k, (m - (T)1) + (c * (T)0.5) * power);
}

__device__ __forceinline__ float tanh_above(float z) {
  return horner(z, -5.70498872745E-3f, 2.06390887954E-2f, -5.37397155531E-2f, 1.33314422036E-1f, -3.33332819422E-1f);
}
__device__ __forceinline__ double tanh_above(double z) {
  return horner(z, -9.64399179425052238628E-1, -9.92877231001918586564E1, -1.61468768441708447952E3);
}
__device__ __forceinline__ float tanh_below(float) { return 1.0f; }
__device__ __forceinline__ double tanh_below(double z) {
  return horner(z, 1.0, 1.12811678491632931402E2, 2.23548839060100448583E3, 4.84406305325125486048E3);
}

// tanh x.
template <typename T> __device__ __forceinline__ T tanh(T x) {
  const T size = magnitude(x);
  const T z = x * x;
  const T power = exp(size + size);
  const bool small = size < (T)0.625;
  const T above = small ? z * tanh_above(z) : (T)-2;
  const T below = small ? tanh_below(z) : power + (T)1;
  const T ratio = above / below;
  return copysign(small ? fma(size, ratio, size) : (T)1 + ratio, x);
}

// 1/(1 + e⁻ˣ).
template <typename T> __device__ __forceinline__ T sigmoid(T x) {
  const T size = -magnitude(x);
  T shifted;
  const T q = exp_parts(size, shifted);
  const T one_q = (T)1 + q;
  const T lost = (q - (one_q - (T)1)) * scaled((T)1, shifted);
  const T e = exp_limited(size, scaled(one_q, shifted));
  const T error = size < Float<T>::SMALLEST + (T)1 ? (T)0 : lost;
  const bool left = x < (T)0;
  const T sum = (T)1 + e;
  const T sum_error = (e - (sum - (T)1)) + error;
  const T above = left ? e : (T)1;
  const T above_error = left ? error : (T)0;
  const T ratio = above / sum;
  const T inverse = left ? (T)1 - ratio : ratio;
  return fma(above_error - ratio * sum_error, inverse, ratio);
}

// ln(1 + eˣ).
template <typename T> __device__ __forceinline__ T softplus(T x) {
  const T y = exp(-magnitude(x));
  const T u = (T)1 + y;
  return (x > (T)0 ? x : (T)0) + ln_of_sum(u, y - (u - (T)1));
}

} // namespace real
