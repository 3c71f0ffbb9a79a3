// Gradients of weights: sums over a tile's points of two outer products, added to a block's own gradients in global memory.
//
// ∂W = Σ_p y₁ x₁ᵀ + y₂ x₂ᵀ [O, I]. A thread has up to 8 × 8 of the sums in registers: 64 multiply-adds for four vector loads.
// A block's gradients stay in the second-level cache from one move with an energy to the next.
// Bound: multiply-adds; 128 KiB of cache traffic for 2·128·128·64 of them, 8 bytes a cycle.
#pragma once

#include "trajectory_tile.cuh"

namespace trajectory {

// Arrays of adjoints y (rows of y_stride) and of inputs x (rows of x_stride), in shared memory.
template <typename T> struct Pairs {
  const T *y[2], *x[2];
  int y_stride, x_stride, points;
};

// What was there, unless it is fresh, plus scale·value.
template <typename T> __device__ __forceinline__ T grown(T before, T scale, T value, bool fresh) {
  return fresh ? scale * value : fused(scale, value, before);
}

template <int JO, int JI, typename T>
__device__ __forceinline__ void outer_run(const Pairs<T> &pairs, T *grad, int outputs, int inputs, int first_output,
                                          int first_input, T scale, bool fresh, bool whole) {
  constexpr int V = LANES<T>;
  const int f = own_features(), g = own_points();
  T sum[JO * V][JI * V];
#pragma unroll
  for (int a = 0; a < JO * V; ++a)
#pragma unroll
    for (int b = 0; b < JI * V; ++b) sum[a][b] = T(0);
#pragma unroll 1
  for (int p = 0; p < pairs.points; ++p)
#pragma unroll
    for (int pair = 0; pair < 2; ++pair) {
      Vec<T> y[JO], x[JI];
#pragma unroll
      for (int j = 0; j < JO; ++j) y[j] = load(pairs.y[pair] + p * pairs.y_stride + first_output + (g + SIDE * j) * V);
#pragma unroll
      for (int j = 0; j < JI; ++j) x[j] = load(pairs.x[pair] + p * pairs.x_stride + first_input + (f + SIDE * j) * V);
#pragma unroll
      for (int a = 0; a < JO * V; ++a)
#pragma unroll
        for (int b = 0; b < JI * V; ++b) sum[a][b] = fused(y[a / V].at[a % V], x[b / V].at[b % V], sum[a][b]);
    }
#pragma unroll
  for (int a = 0; a < JO * V; ++a) {
    const int output = first_output + (g + SIDE * (a / V)) * V + a % V;
    if (output >= outputs) continue;
#pragma unroll
    for (int j = 0; j < JI; ++j) {
      const int input = first_input + (f + SIDE * j) * V;
      T *slot = grad + static_cast<size_t>(output) * inputs + input;
      if (whole && input < inputs) {
        Vec<T> vec = {};
        if (!fresh) vec = load(slot);
#pragma unroll
        for (int b = 0; b < V; ++b) vec.at[b] = grown(vec.at[b], scale, sum[a][j * V + b], fresh);
        store(slot, vec);
      } else {
#pragma unroll
        for (int b = 0; b < V; ++b)
          if (input + b < inputs) slot[b] = grown(fresh ? T(0) : slot[b], scale, sum[a][j * V + b], fresh);
      }
    }
  }
}

// For few inputs: an element of the gradient a thread.
template <typename T>
__device__ __forceinline__ void narrow_outer(const Pairs<T> &pairs, T *grad, int outputs, int inputs, T scale, bool fresh) {
  for (int at = threadIdx.x; at < outputs * inputs; at += THREADS) {
    const int output = at / inputs, input = at % inputs;
    T sum = T(0);
#pragma unroll 4
    for (int p = 0; p < pairs.points; ++p)
#pragma unroll
      for (int pair = 0; pair < 2; ++pair)
        sum = fused(pairs.y[pair][p * pairs.y_stride + output], pairs.x[pair][p * pairs.x_stride + input], sum);
    grad[at] = grown(fresh ? T(0) : grad[at], scale, sum, fresh);
  }
}

// All of a layer's weights; rows of the inputs are at least `inputs_width` long.
template <typename T>
__device__ __forceinline__ void outer(const Pairs<T> &pairs, T *grad, int outputs, int outputs_width, int inputs,
                                      int inputs_width, T scale, bool fresh) {
  const bool whole = inputs % LANES<T> == 0 && reinterpret_cast<size_t>(grad) % sizeof(Vec<T>) == 0;
  each_run<T>(outputs_width, [&](auto rows, int first_output) {
    each_run<T>(inputs_width, [&](auto columns, int first_input) {
      outer_run<decltype(rows)::value, decltype(columns)::value>(pairs, grad, outputs, inputs, first_output, first_input,
                                                                 scale, fresh, whole);
    });
  });
}

}  // namespace trajectory
