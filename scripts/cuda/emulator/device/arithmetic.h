// The mathematical functions that CUDA has and the C library lacks, and its min and max of mixed types.
#pragma once

template <typename A, typename B> using EmulatedCommon = std::common_type_t<A, B>;
template <typename A, typename B>
using EmulatedNumbers = std::enable_if_t<std::is_arithmetic_v<A> && std::is_arithmetic_v<B>, EmulatedCommon<A, B>>;

// Of a number and NaN, CUDA's min and max give the number, as fmin and fmax do.
template <typename A, typename B> constexpr EmulatedNumbers<A, B> min(A a, B b) {
  using T = EmulatedCommon<A, B>;
  T x = static_cast<T>(a), y = static_cast<T>(b);
  if constexpr (std::is_floating_point_v<T>) return x != x ? y : (y < x ? y : x);
  else return y < x ? y : x;
}
template <typename A, typename B> constexpr EmulatedNumbers<A, B> max(A a, B b) {
  using T = EmulatedCommon<A, B>;
  T x = static_cast<T>(a), y = static_cast<T>(b);
  if constexpr (std::is_floating_point_v<T>) return x != x ? y : (x < y ? y : x);
  else return x < y ? y : x;
}

inline unsigned umin(unsigned a, unsigned b) { return min(a, b); }
inline unsigned umax(unsigned a, unsigned b) { return max(a, b); }

inline float rsqrtf(float x) { return static_cast<float>(1.0 / sqrt(static_cast<double>(x))); }
inline double rsqrt(double x) { return 1.0 / sqrt(x); }
inline float rsqrt(float x) { return rsqrtf(x); }
inline float rcbrtf(float x) { return static_cast<float>(1.0 / cbrt(static_cast<double>(x))); }
inline double rcbrt(double x) { return 1.0 / cbrt(x); }
inline double rhypot(double x, double y) { return 1.0 / hypot(x, y); }
inline float rhypotf(float x, float y) { return static_cast<float>(1.0 / hypot(static_cast<double>(x), static_cast<double>(y))); }
inline double norm3d(double x, double y, double z) { return std::hypot(x, y, z); }
inline float norm3df(float x, float y, float z) { return std::hypot(x, y, z); }

inline double normcdf(double x) { return 0.5 * erfc(-x * 0.70710678118654752440); }
inline float normcdff(float x) { return static_cast<float>(normcdf(x)); }
inline double erfcx(double x) { return x < 25 ? exp(x * x) * erfc(x) : 0.56418958354775628695 / x; }
inline float erfcxf(float x) { return static_cast<float>(erfcx(x)); }

// Where erf is y and erfc is z, for y from 0 to 1 and z = 1 - y: Winitzki's approximation, then Halley's steps to the last bits.
inline double emulated_erfinv(double y, double z) {
  if (z == 0) return HUGE_VAL;
  double l = log(z * (1 + y)), t = 4.33074675078 + l / 2, x = sqrt(sqrt(t * t - l / 0.147) - t);
  if (y < 0.5) x = 0.88622692545275801365 * y; // the start above loses its bits there
  for (int i = 0; i < 6; i++) {
    double step = (y < 0.5 ? erf(x) - y : z - erfc(x)) / (1.12837916709551257390 * exp(-x * x));
    x -= step / (1 + x * step);
  }
  return x;
}
inline double erfinv(double y) {
  double a = fabs(y);
  return a <= 1 ? copysign(emulated_erfinv(a, 1 - a), y) : NAN;
}
inline double erfcinv(double z) {
  if (!(z >= 0 && z <= 2)) return NAN;
  return z <= 1 ? emulated_erfinv(1 - z, z) : -emulated_erfinv(z - 1, 2 - z);
}
inline double normcdfinv(double p) { return -1.41421356237309504880 * erfcinv(2 * p); }
inline float erfinvf(float y) { return static_cast<float>(erfinv(y)); }
inline float erfcinvf(float z) { return static_cast<float>(erfcinv(z)); }
inline float normcdfinvf(float p) { return static_cast<float>(normcdfinv(p)); }

inline double sinpi(double x) { return sin(3.14159265358979323846 * remainder(x, 2)); }
inline double cospi(double x) { return cos(3.14159265358979323846 * remainder(x, 2)); }
inline float sinpif(float x) { return static_cast<float>(sinpi(x)); }
inline float cospif(float x) { return static_cast<float>(cospi(x)); }
inline void sincospi(double x, double *s, double *c) { *s = sinpi(x), *c = cospi(x); }
inline void sincospif(float x, float *s, float *c) { *s = sinpif(x), *c = cospif(x); }

inline float __saturatef(float x) { return x != x ? 0.f : x < 0 ? 0.f : x > 1 ? 1.f : x; }
inline float __fdividef(float a, float b) { return a / b; }
inline float fdividef(float a, float b) { return a / b; }
inline float __expf(float x) { return expf(x); }
inline float __exp10f(float x) { return exp10f(x); }
inline float __logf(float x) { return logf(x); }
inline float __log2f(float x) { return log2f(x); }
inline float __log10f(float x) { return log10f(x); }
inline float __sinf(float x) { return sinf(x); }
inline float __cosf(float x) { return cosf(x); }
inline float __tanf(float x) { return tanf(x); }
inline float __tanhf(float x) { return tanhf(x); }
inline float __powf(float x, float y) { return powf(x, y); }
inline void __sincosf(float x, float *s, float *c) { *s = sinf(x), *c = cosf(x); }

// Rounding to nearest, which is what the processor does; the other directions are not emulated.
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
inline float __frcp_rn(float a) { return 1.f / a; }
inline float __fsqrt_rn(float a) { return sqrtf(a); }
inline float __frsqrt_rn(float a) { return rsqrtf(a); }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dsub_rn(double a, double b) { return a - b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline double __ddiv_rn(double a, double b) { return a / b; }
inline double __fma_rn(double a, double b, double c) { return fma(a, b, c); }
inline double __drcp_rn(double a) { return 1. / a; }
inline double __dsqrt_rn(double a) { return sqrt(a); }
