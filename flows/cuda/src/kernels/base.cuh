// Base distributions on ℝᵈ with independent coordinates: draws, log-densities and scores.
//
// The standard normal, and the soft uniform of Toth et al. (2019, arXiv 1909.13789) as flow-sdk's `Base` has it: log π(x) =
// log(1 − e^{−βs}) − log s + log σ(β(x + s/2)) + log σ(−β(x − s/2)) a coordinate, width s, softness β. Deviation: none.
// What a coordinate takes is a call, not inlined: sixteen copies of it in each kernel would be compiled for seconds when a module
// is loaded.
#pragma once

#include "random.cuh"

// Two numbers in registers.
template <typename T> struct Pair {
  T first, second;
};

// Normals number 2·pair and its neighbour under `seed`.
template <typename T> __device__ __noinline__ Pair<T> normal_pair(uint64_t seed, uint64_t pair) {
  Pair<T> pair_of;
  noise::normals(noise::block<T>(seed, pair >> 1), (int)(pair & 1), pair_of.first, pair_of.second);
  return pair_of;
}

// Soft uniform number `number` under `seed`.
template <typename T> __device__ __noinline__ T soft_uniform(uint64_t seed, uint64_t number, T width, T scale) {
  return noise::soft_uniform(noise::block<T>(seed, number >> 1), (int)(number & 1), width, scale);
}

// −log of both edges' σ.
template <typename T> __device__ __noinline__ T outside(T z, T beta, T edge) {
  return real::softplus(-real::fma(z, beta, edge)) + real::softplus(real::fma(z, beta, -edge));
}

template <typename T> __device__ __noinline__ T soft_score(T z, T beta, T edge) {
  return beta * (real::sigmoid(-real::fma(z, beta, edge)) - real::sigmoid(real::fma(z, beta, -edge)));
}

// `log_norm` is that of all coordinates together; width and softness are those of a soft uniform, whatever a normal has there.
struct Base {
  int soft;
  double width, softness, log_norm;

  // Calls put(i, value) for the coordinates i = lane, lane + LANES, … of row `row` of a sample in `dim` dimensions; BOUND is
  // `dim` or more where the compiler should know it.
  template <typename T, int LANES, int BOUND, typename Put>
  __device__ __forceinline__ void draw(uint64_t seed, size_t row, int dim, int lane, Put put) const {
    const uint64_t start = (uint64_t)row * dim;
    Pair<T> pair{};
#pragma unroll
    for (int i = lane; i < (BOUND ? BOUND : dim); i += LANES) {
      if (i >= dim) continue;
      const uint64_t number = start + i;
      if (soft) {
        put(i, soft_uniform(seed, number, (T)width, (T)(1.0 / softness)));
      } else {
        const bool second = number & 1;
        // Neighbours in a thread come in pairs.
        if (LANES > 1 || i == 0 || !second) pair = normal_pair<T>(seed, number >> 1);
        put(i, second ? pair.second : pair.first);
      }
    }
  }

  // What coordinate z adds to a sum that `log_density` finishes.
  template <typename T> __device__ __forceinline__ T gather(T sum, T z) const {
    return soft ? sum + outside(z, (T)softness, (T)(softness * width / 2.0)) : real::fma(z, z, sum);
  }

  template <typename T> __device__ __forceinline__ T log_density(T sum) const {
    return soft ? (T)log_norm - sum : real::fma(sum, (T)-0.5, (T)log_norm);
  }

  // ∂ log π/∂z.
  template <typename T> __device__ __forceinline__ T score(T z) const {
    return soft ? soft_score(z, (T)softness, (T)(softness * width / 2.0)) : -z;
  }
};
