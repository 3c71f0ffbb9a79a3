// Random words as numbers: normals, uniforms, fair signs, soft uniforms; the bits of flow-kernels' `noise`.
//
// Block b of Philox gives words 4b…4b+3 of the row, and, for f64, the block with 1 in its last word their lower halves.
// Uniform i is of word i; normals 2j, 2j + 1 are √(−2 ln u)·(cos, sin)(2πt), u of word 2j, t of word 2j + 1 (Box & Muller, "A note
// on the generation of random normal deviates", 1958); soft uniform i is width·(u − ½) + logistic·scale of words 2i, 2i + 1.
// Deviation: none; u is the middle of its 2⁻³² (f32) or 2⁻⁵² (f64), so that normals end at ±6.76 or ±8.57.
#pragma once

#include "philox.cuh"
#include "real.cuh"

namespace noise {

using philox::Words;

// The words of a block, with those below them in double precision.
template <typename T> struct Block {
  Words high, low;
};

template <typename T> __device__ __forceinline__ Block<T> block(uint64_t seed, uint64_t number) {
  Block<T> block;
  block.high = philox::words(seed, number, 0);
  block.low = sizeof(T) == 8 ? philox::words(seed, number, 1) : block.high;
  return block;
}

// The upper 52 bits of a 64-bit number, as a multiple of 2⁻⁵² below 1.
__device__ __forceinline__ double fraction(uint32_t high, uint32_t low) {
  const uint64_t bits = (((uint64_t)high << 32) | low) >> 12;
  return real::cast_bits<double>(bits | real::Float<double>::ONE) - 1.0;
}

// Every bit of the word that it has at its top.
__device__ __forceinline__ uint32_t spread(uint32_t word) { return 0u - (word >> 31); }

template <typename T> __device__ T nearer_end(uint32_t word, uint32_t low);
template <typename T> __device__ T turn(uint32_t word, uint32_t low);

// min(u, 1 − u); u > ½ where word ≥ 2³¹.
template <> __device__ __forceinline__ float nearer_end<float>(uint32_t word, uint32_t) {
  return ((float)(int32_t)(word ^ spread(word)) + 0.5f) * (1.0f / 4294967296.0f);
}
template <> __device__ __forceinline__ double nearer_end<double>(uint32_t word, uint32_t low) {
  return fraction(word ^ spread(word), low ^ spread(word)) + real::Float<double>::EPSILON / 2.0;
}

// An angle in turns, uniform modulo 1.
template <> __device__ __forceinline__ float turn<float>(uint32_t word, uint32_t) {
  return (float)(int32_t)word * (1.0f / 4294967296.0f);
}
template <> __device__ __forceinline__ double turn<double>(uint32_t word, uint32_t low) { return fraction(word, low); }

__device__ __forceinline__ float sin_polynomial(float z) {
  return real::horner(z, -1.9515295891E-4f, 8.3321608736E-3f, -1.6666654611E-1f);
}
__device__ __forceinline__ double sin_polynomial(double z) {
  return real::horner(z, 1.58962301576546568060E-10, -2.50507477628578072866E-8, 2.75573136213857245213E-6,
                      -1.98412698295895385996E-4, 8.33333333332211858878E-3, -1.66666666666666307295E-1);
}
__device__ __forceinline__ float cos_polynomial(float z) {
  return real::horner(z, 2.443315711809948E-005f, -1.388731625493765E-003f, 4.166664568298827E-002f);
}
__device__ __forceinline__ double cos_polynomial(double z) {
  return real::horner(z, -1.13585365213876817300E-11, 2.08757008419747316778E-9, -2.75573141792967388112E-7,
                      2.48015872888517045348E-5, -1.38888888888730564116E-3, 4.16666666666665929218E-2);
}

// (sin 2πt, cos 2πt).
template <typename T> __device__ __forceinline__ void sin_cos_turns(T t, T &sin, T &cos) {
  using F = real::Float<T>;
  using Bits = typename F::Bits;
  const T shifted = real::fma(t, (T)4, F::ROUND);
  const T f = t - (shifted - F::ROUND) * (T)0.25;
  const T y = f * F::TAU_HIGH;
  const T tail = real::fma(f, F::TAU_LOW, real::fma(f, F::TAU_HIGH, -y));
  const T z = y * y;
  const T s = y + real::fma(y * z, sin_polynomial(z), tail);
  const T half = (T)0.5 * z;
  const T near = (T)1 - half;
  const T rest = real::fma(z * z, cos_polynomial(z), -(y * tail));
  const T c = near + ((((T)1 - near) - half) + rest);
  // Exchanged and signed by the quarter.
  const Bits quarter = real::cast_bits<Bits>(shifted);
  constexpr int TOP = (int)(8 * sizeof(T)) - 2;
  const Bits sin_bits = real::cast_bits<Bits>(quarter & 1 ? c : s);
  const Bits cos_bits = real::cast_bits<Bits>(quarter & 1 ? s : c);
  sin = real::cast_bits<T>((Bits)(sin_bits ^ ((quarter & 2) << TOP)));
  cos = real::cast_bits<T>((Bits)(cos_bits ^ (((quarter + 1) & 2) << TOP)));
}

// Normals 4b + 2·pair and its neighbour.
template <typename T> __device__ __forceinline__ void normals(const Block<T> &block, int pair, T &first, T &second) {
  // Selected, not indexed: words stay in registers.
  const uint32_t word = pair ? block.high.at[2] : block.high.at[0], low = pair ? block.low.at[2] : block.low.at[0];
  const uint32_t angle = pair ? block.high.at[3] : block.high.at[1], below = pair ? block.low.at[3] : block.low.at[1];
  const T end = nearer_end<T>(word, low);
  // u = 1 − end in two floats, so that −ln u is accurate where it is small.
  const T rest = (T)1 - end;
  const bool upper = word >> 31;
  const T u = upper ? rest : end;
  const T error = upper ? ((T)1 - rest) - end : (T)0;
  const T radius = real::sqrt((T)-2 * real::ln_of_sum(u, error));
  T sin, cos;
  sin_cos_turns(turn<T>(angle, below), sin, cos);
  first = radius * cos;
  second = radius * sin;
}

template <typename T> __device__ __forceinline__ T uniform(uint32_t word, uint32_t low) {
  const T end = nearer_end<T>(word, low);
  const T far = (T)1 - end;
  return word >> 31 ? (far < real::Float<T>::BELOW_ONE ? far : real::Float<T>::BELOW_ONE) : end;
}

template <typename T> __device__ __forceinline__ T sign(uint32_t word) { return word & 1 ? (T)-1 : (T)1; }

// Soft uniform 2b + half.
template <typename T> __device__ __forceinline__ T soft_uniform(const Block<T> &block, int half, T width, T scale) {
  const uint32_t flat_word = half ? block.high.at[2] : block.high.at[0], flat_low = half ? block.low.at[2] : block.low.at[0];
  const uint32_t soft_word = half ? block.high.at[3] : block.high.at[1], soft_low = half ? block.low.at[3] : block.low.at[1];
  const T flat = nearer_end<T>(flat_word, flat_low), soft = nearer_end<T>(soft_word, soft_low);
  const T middle = flat_word >> 31 ? (T)0.5 - flat : flat - (T)0.5;
  const T log = real::ln(soft / ((T)1 - soft));
  const T logistic = soft_word >> 31 ? -log : log;
  return real::fma(width, middle, logistic * scale);
}

} // namespace noise
