// The force of a learnt energy at a tile of points: flow-kernels' `mlp/field.rs`, whose notation this is.
//
// δ_l = σ′(z_l) ⊙ e_l, e_L = w, e_{l−1} = W_lᵀ δ_l, ∇E = W_1ᵀ δ_1. A record keeps z of every layer and e of all but the last:
// what a reverse pass reads instead of multiplying again. Activations are computed anew from z wherever they are needed.
// Deviation: none.
#pragma once

#include "trajectory_activation.cuh"
#include "trajectory_plan.cuh"
#include "trajectory_tile.cuh"

namespace trajectory {

// What a block works with. Arrays are [m, stride] in shared memory, states [m, state_stride].
template <typename T> struct Block {
  Plan plan;
  const T *packed;
  T *panels, *sums, *arrays;
  int points, stride, state_stride;

  __device__ T *array(int i) const { return arrays + static_cast<size_t>(i) * points * stride; }
};

// Columns [rows, width] one after the other, of which a tile's begin at `first`.
template <typename T> struct Record {
  T *base;
  size_t rows, first;

  __device__ T *row(u32 column, u32 width, int point) const { return base + column * rows + (first + point) * width; }
};

// A first layer this narrow is multiplied and accumulated by loops of its own.
constexpr u32 FEW = 16;

// into += scale·W_1ᵀ y for an array y.
template <int TM, typename T>
__device__ __forceinline__ void add_to_state(const Block<T> &block, const Layer &layer, const T *y, T scale, T *into) {
  const T *w = block.packed + layer.down;
  auto add = [&](int point, int i, T value) {
    T *x = into + point * block.state_stride + i;
    *x = fused(scale, value, *x);
  };
  if (layer.inputs <= FEW) {
    narrow_product<TM>(y, block.stride, w, layer.inputs_width, layer.outputs_depth, layer.inputs, add);
    return;
  }
  each_run<T>(layer.inputs_width, [&](auto count, int first) {
    constexpr int J = decltype(count)::value, V = LANES<T>;
    T sum[TM][J * V];
    product<TM, J>(sum, y, block.stride, w + first, layer.inputs_width, layer.outputs_depth, block.panels);
#pragma unroll
    for (int t = 0; t < TM; ++t)
#pragma unroll
      for (int c = 0; c < J * V; ++c) {
        const int i = first + (own_features() + SIDE * (c / V)) * V + c % V;
        if (i < layer.inputs) add(own_points() + SIDE * t, i, sum[t][c]);
      }
  });
}

// into += scale·∇E(x), x and into halves of the state; with `keep` the record gets all that it can have, otherwise what this
// pass reads again. Arrays 0 and 1 are used.
template <int TM, typename T>
__device__ __forceinline__ void add_force(const Block<T> &block, const Energy &energy, const T *x, T *into, T scale,
                                          const Record<T> &record, bool keep) {
  constexpr int V = LANES<T>;
  const Layer *layers = block.plan.layers + energy.layers;
  const int last = energy.depth - 1, f = own_features(), g = own_points();
  for (int l = 0; l <= last; ++l) {
    const Layer layer = layers[l];
    const T *below = l == 0 ? x : block.array((l - 1) % 2);
    const int stride = l == 0 ? block.state_stride : block.stride;
    T *out = block.array(l % 2);
    each_run<T>(layer.outputs_width, [&](auto count, int first) {
      constexpr int J = decltype(count)::value;
      T sum[TM][J * V];
      product<TM, J>(sum, below, stride, block.packed + layer.up + first, layer.outputs_width, layer.inputs_depth,
                     block.panels);
      put<TM, J>(sum, out, block.stride, first);
#pragma unroll 1
      for (int own = 0; own < J * TM; ++own) {
        const int column = first + (f + SIDE * (own / TM)) * V, point = g + SIDE * (own % TM);
        const Vec<T> bias = load(block.packed + layer.bias + column);
        Vec<T> z = load(out + point * block.stride + column), next;
#pragma unroll
        for (int c = 0; c < V; ++c) z.at[c] += bias.at[c];
        if (keep || l < last) store(record.row(layer.z, layer.outputs_width, point) + column, z);
        if (l == last) {
          const Vec<T> w = load(block.packed + energy.out + column);
#pragma unroll
          for (int c = 0; c < V; ++c) next.at[c] = slope(energy.activation, z.at[c]) * w.at[c];
        } else {
#pragma unroll
          for (int c = 0; c < V; ++c) next.at[c] = activate(energy.activation, z.at[c]).value;
        }
        store(out + point * block.stride + column, next);
      }
    });
  }
  for (int l = last; l > 0; --l) {
    const Layer layer = layers[l], under = layers[l - 1];
    const T *delta = block.array(l % 2);
    T *out = block.array((l - 1) % 2);
    each_run<T>(layer.inputs_width, [&](auto count, int first) {
      constexpr int J = decltype(count)::value;
      T sum[TM][J * V];
      product<TM, J>(sum, delta, block.stride, block.packed + layer.down + first, layer.inputs_width, layer.outputs_depth,
                     block.panels);
      put<TM, J>(sum, out, block.stride, first);
#pragma unroll 1
      for (int own = 0; own < J * TM; ++own) {
        const int column = first + (f + SIDE * (own / TM)) * V, point = g + SIDE * (own % TM);
        const Vec<T> z = load(record.row(under.z, under.outputs_width, point) + column);
        const Vec<T> e = load(out + point * block.stride + column);
        Vec<T> next;
#pragma unroll
        for (int c = 0; c < V; ++c) next.at[c] = slope(energy.activation, z.at[c]) * e.at[c];
        if (keep) store(record.row(under.e, under.outputs_width, point) + column, e);
        store(out + point * block.stride + column, next);
      }
    });
  }
  add_to_state<TM>(block, layers[0], block.array(0), scale, into);
}

}  // namespace trajectory
