// CUDA's intrinsics on bits, its conversions with a stated rounding, and its loads, fences and clocks.
#pragma once
#include <x86intrin.h>

template <typename To, typename From> inline To emulated_bits(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  memcpy(&to, &from, sizeof to);
  return to;
}
inline float __int_as_float(int x) { return emulated_bits<float>(x); }
inline int __float_as_int(float x) { return emulated_bits<int>(x); }
inline float __uint_as_float(unsigned x) { return emulated_bits<float>(x); }
inline unsigned __float_as_uint(float x) { return emulated_bits<unsigned>(x); }
inline double __longlong_as_double(long long x) { return emulated_bits<double>(x); }
inline long long __double_as_longlong(double x) { return emulated_bits<long long>(x); }
inline int __double2hiint(double x) { return static_cast<int>(__double_as_longlong(x) >> 32); }
inline int __double2loint(double x) { return static_cast<int>(__double_as_longlong(x)); }
inline double __hiloint2double(int high, int low) {
  return __longlong_as_double(static_cast<long long>(static_cast<uint64_t>(static_cast<unsigned>(high)) << 32 | static_cast<unsigned>(low)));
}

// The device's conversions saturate, and make 0 of NaN.
template <typename To, typename From> inline To emulated_to_integer(From x) {
  if (x != x) return 0;
  const From low = static_cast<From>(std::numeric_limits<To>::min());
  const From past = -2 * static_cast<From>(std::numeric_limits<std::make_signed_t<To>>::min()) / (std::is_signed_v<To> ? 2 : 1);
  if (x <= low) return std::numeric_limits<To>::min();
  if (x >= past) return std::numeric_limits<To>::max();
  return static_cast<To>(x);
}
#define EMULATED_CONVERSIONS(FROM, NAME, TO, TARGET)                                                                   \
  inline TO __##NAME##2##TARGET##_rn(FROM x) { return emulated_to_integer<TO>(std::nearbyint(x)); }                    \
  inline TO __##NAME##2##TARGET##_rz(FROM x) { return emulated_to_integer<TO>(std::trunc(x)); }                        \
  inline TO __##NAME##2##TARGET##_rd(FROM x) { return emulated_to_integer<TO>(std::floor(x)); }                        \
  inline TO __##NAME##2##TARGET##_ru(FROM x) { return emulated_to_integer<TO>(std::ceil(x)); }
EMULATED_CONVERSIONS(float, float, int, int)
EMULATED_CONVERSIONS(float, float, unsigned, uint)
EMULATED_CONVERSIONS(float, float, long long, ll)
EMULATED_CONVERSIONS(float, float, unsigned long long, ull)
EMULATED_CONVERSIONS(double, double, int, int)
EMULATED_CONVERSIONS(double, double, unsigned, uint)
EMULATED_CONVERSIONS(double, double, long long, ll)
EMULATED_CONVERSIONS(double, double, unsigned long long, ull)
inline float __double2float_rn(double x) { return static_cast<float>(x); }
inline float __int2float_rn(int x) { return static_cast<float>(x); }
inline float __uint2float_rn(unsigned x) { return static_cast<float>(x); }
inline float __ll2float_rn(long long x) { return static_cast<float>(x); }
inline float __ull2float_rn(unsigned long long x) { return static_cast<float>(x); }
inline double __int2double_rn(int x) { return x; }
inline double __uint2double_rn(unsigned x) { return x; }
inline double __ll2double_rn(long long x) { return static_cast<double>(x); }
inline double __ull2double_rn(unsigned long long x) { return static_cast<double>(x); }

inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __clz(int x) { return x ? __builtin_clz(static_cast<unsigned>(x)) : 32; }
inline int __clzll(long long x) { return x ? __builtin_clzll(static_cast<unsigned long long>(x)) : 64; }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __ffsll(long long x) { return __builtin_ffsll(x); }
inline unsigned __brev(unsigned x) {
  unsigned y = 0;
  for (int i = 0; i < 32; i++) y = y << 1 | (x >> i & 1);
  return y;
}
inline unsigned long long __brevll(unsigned long long x) {
  return static_cast<unsigned long long>(__brev(static_cast<unsigned>(x))) << 32 | __brev(static_cast<unsigned>(x >> 32));
}
inline int __mulhi(int a, int b) { return static_cast<int>(static_cast<int64_t>(a) * b >> 32); }
inline unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned>(static_cast<uint64_t>(a) * b >> 32); }
inline long long __mul64hi(long long a, long long b) { return static_cast<long long>(static_cast<__int128>(a) * b >> 64); }
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  return static_cast<unsigned long long>(static_cast<unsigned __int128>(a) * b >> 64);
}
inline unsigned __funnelshift_l(unsigned low, unsigned high, unsigned shift) {
  return static_cast<unsigned>((static_cast<uint64_t>(high) << 32 | low) << (shift & 31) >> 32);
}
inline unsigned __funnelshift_r(unsigned low, unsigned high, unsigned shift) {
  return static_cast<unsigned>((static_cast<uint64_t>(high) << 32 | low) >> (shift & 31));
}
inline unsigned __byte_perm(unsigned a, unsigned b, unsigned selector) {
  uint64_t bytes = static_cast<uint64_t>(b) << 32 | a;
  unsigned out = 0;
  for (int i = 0; i < 4; i++) {
    unsigned pick = selector >> 4 * i & 15;
    unsigned byte = static_cast<unsigned>(bytes >> 8 * (pick & 7)) & 255;
    if (pick & 8) byte = byte & 128 ? 255 : 0;
    out |= byte << 8 * i;
  }
  return out;
}

template <typename T> inline T __ldg(const T *address) { return *address; }
template <typename T> inline T __ldcg(const T *address) { return *address; }
template <typename T> inline T __ldca(const T *address) { return *address; }
template <typename T> inline T __ldcs(const T *address) { return *address; }
template <typename T> inline void __stcg(T *address, T value) { *address = value; }
template <typename T> inline void __stcs(T *address, T value) { *address = value; }
template <typename T> inline void __stwt(T *address, T value) { *address = value; }

inline void __threadfence() {}
inline void __threadfence_block() {}
inline void __threadfence_system() {}
inline void __nanosleep(unsigned) {}
inline long long clock64() { return static_cast<long long>(__rdtsc()); }
[[noreturn]] inline void __trap() { emulated_fail("__trap()"); }
