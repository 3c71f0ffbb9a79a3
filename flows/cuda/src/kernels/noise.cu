// Base noise: elements `first`, `first + 1`, … of the row under `seed`, a Philox block a thread.
//
// A thread reads nothing and writes four numbers (two soft uniforms): 16 bytes of f32 for about 300 operations, so that it is
// bound by arithmetic as much as by memory. Deviation: none.

#include "random.cuh"

namespace {

template <typename T, int M> struct alignas(M * sizeof(T)) Together {
  T at[M];
};

// Writes the elements of block `block` that were asked for.
template <typename T, int M>
__device__ __forceinline__ void put(T *out, uint64_t first, uint64_t count, uint64_t block, const Together<T, M> &values) {
  const uint64_t start = block * M - first; // wraps where the block begins before what was asked for
  if (first % M == 0 && start + M <= count) {
    *reinterpret_cast<Together<T, M> *>(out + start) = values;
    return;
  }
#pragma unroll
  for (int i = 0; i < M; ++i) {
    if (start + i < count) out[start + i] = values.at[i];
  }
}

__device__ __forceinline__ uint64_t thread() { return (uint64_t)blockIdx.x * blockDim.x + threadIdx.x; }

template <typename T> __device__ void normals(T *out, uint64_t seed, uint64_t first, uint64_t count) {
  const uint64_t block = first / 4 + thread();
  const noise::Block<T> words = noise::block<T>(seed, block);
  Together<T, 4> values;
  noise::normals(words, 0, values.at[0], values.at[1]);
  noise::normals(words, 1, values.at[2], values.at[3]);
  put(out, first, count, block, values);
}

template <typename T> __device__ void uniforms(T *out, uint64_t seed, uint64_t first, uint64_t count) {
  const uint64_t block = first / 4 + thread();
  const noise::Block<T> words = noise::block<T>(seed, block);
  Together<T, 4> values;
#pragma unroll
  for (int i = 0; i < 4; ++i) values.at[i] = noise::uniform<T>(words.high.at[i], words.low.at[i]);
  put(out, first, count, block, values);
}

template <typename T> __device__ void signs(T *out, uint64_t seed, uint64_t first, uint64_t count) {
  const uint64_t block = first / 4 + thread();
  const philox::Words words = philox::words(seed, block, 0);
  Together<T, 4> values;
#pragma unroll
  for (int i = 0; i < 4; ++i) values.at[i] = noise::sign<T>(words.at[i]);
  put(out, first, count, block, values);
}

template <typename T>
__device__ void soft_uniforms(T *out, uint64_t seed, uint64_t first, uint64_t count, double width, double softness) {
  const uint64_t block = first / 2 + thread();
  const noise::Block<T> words = noise::block<T>(seed, block);
  Together<T, 2> values;
#pragma unroll
  for (int i = 0; i < 2; ++i) values.at[i] = noise::soft_uniform(words, i, (T)width, (T)(1.0 / softness));
  put(out, first, count, block, values);
}

} // namespace

#define ENTRIES(T, suffix)                                                                                               \
  extern "C" __global__ void normals_##suffix(T *out, uint64_t seed, uint64_t first, uint64_t count) {                   \
    normals(out, seed, first, count);                                                                                    \
  }                                                                                                                      \
  extern "C" __global__ void uniforms_##suffix(T *out, uint64_t seed, uint64_t first, uint64_t count) {                  \
    uniforms(out, seed, first, count);                                                                                   \
  }                                                                                                                      \
  extern "C" __global__ void signs_##suffix(T *out, uint64_t seed, uint64_t first, uint64_t count) {                     \
    signs(out, seed, first, count);                                                                                      \
  }                                                                                                                      \
  extern "C" __global__ void soft_uniforms_##suffix(T *out, uint64_t seed, uint64_t first, uint64_t count, double width, \
                                                    double softness) {                                                  \
    soft_uniforms(out, seed, first, count, width, softness);                                                             \
  }

ENTRIES(float, f32)
ENTRIES(double, f64)
