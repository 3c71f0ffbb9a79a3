// The reverse pass of a learnt force at a tile of points: flow-kernels' `mlp/field_reverse.rs`, whose notation this is.
//
// Tangents forward, ż_l = W_l ȧ_{l−1}, ȧ_l = σ′ ż_l (Pearlmutter, "Fast exact multiplication by the Hessian", Neural Computation
// 6, 1994, section 3), then their reverse: γ_l = σ″ e_l ż_l + σ′ W_{l+1}ᵀ γ_{l+1}, ∂W_l = δ_l ȧ_{l−1}ᵀ + γ_l a_{l−1}ᵀ, ∂b_l = γ_l,
// ∂w = ȧ_L, Hv = W_1ᵀ γ_1. Of 2L arrays in shared memory each holds what the next product or sum needs: δ_L and γ_L, then a
// pair (ȧ_l, a_l) a lower layer, of which a_l gives way to δ_l and δ_L to γ_{L−1}. σ″ e ż waits in global memory ("bend"),
// where a thread finds what it left itself.
// Deviation: none.
#pragma once

#include "trajectory_field.cuh"
#include "trajectory_outer.cuh"

namespace trajectory {

// grads[column of a layer] grows by scale·(the column's sum), for the columns of a run; `also(column, sum)` is told of each.
template <typename T, typename F>
__device__ __forceinline__ void add_column_sums(const T *sums, int run, int first, int columns, T *grads, T scale, bool fresh,
                                                F also) {
  __syncthreads();
  const int i = first + threadIdx.x;
  if (static_cast<int>(threadIdx.x) < run && i < columns) {
    const T total = column_sum(sums, threadIdx.x);
    grads[i] = grown(fresh ? T(0) : grads[i], scale, total, fresh);
    also(i, total);
  }
  __syncthreads();
}

// Tangents: ȧ and a of a lower layer into their two arrays and its bends into memory; δ and γ of the last one.
//
// Returns this thread's part of Σ vᵀ∇E.
template <int TM, typename T>
__device__ __forceinline__ double tangents(const Block<T> &block, const Energy &energy, const T *v, T scale,
                                           const Record<T> &record, const Record<T> &bends, T *grads, bool fresh) {
  constexpr int V = LANES<T>;
  const Layer *layers = block.plan.layers + energy.layers;
  const int last = energy.depth - 1, f = own_features(), g = own_points();
  double along = 0.0;
  for (int l = 0; l <= last; ++l) {
    const Layer layer = layers[l];
    const T *below = l == 0 ? v : block.array(2 * l);
    const int stride = l == 0 ? block.state_stride : block.stride;
    T *out = block.array(l == last ? 0 : 2 * l + 2), *other_out = block.array(l == last ? 1 : 2 * l + 3);
    each_run<T>(layer.outputs_width, [&](auto count, int first) {
      constexpr int J = decltype(count)::value;
      T sum[TM][J * V];
      product<TM, J>(sum, below, stride, block.packed + layer.up + first, layer.outputs_width, layer.inputs_depth,
                     block.panels);
      put<TM, J>(sum, out, block.stride, first);
      Vec<T> of_tangents = {}, of_bends = {};
#pragma unroll 1
      for (int own = 0; own < J * TM; ++own) {
        const int column = first + (f + SIDE * (own / TM)) * V, point = g + SIDE * (own % TM);
        T *at = out + point * block.stride + column, *other = other_out + point * block.stride + column;
        const Vec<T> z = load(record.row(layer.z, layer.outputs_width, point) + column);
        const Vec<T> e = load(l == last ? block.packed + energy.out + column
                                        : record.row(layer.e, layer.outputs_width, point) + column);
        Vec<T> tangent = load(at), value, delta, bend;
#pragma unroll
        for (int c = 0; c < V; ++c) {
          const Activated<T> a = activate(energy.activation, z.at[c]);
          bend.at[c] = a.curvature * e.at[c] * tangent.at[c];
          tangent.at[c] *= a.slope;
          value.at[c] = a.value;
          delta.at[c] = a.slope * e.at[c];
        }
        if (l < last) {
          store(at, tangent);
          store(other, value);
          store(bends.row(layer.bend, layer.outputs_width, point) + column, bend);
          continue;
        }
        store(at, delta);
        store(other, bend);
#pragma unroll
        for (int c = 0; c < V; ++c) {
          of_tangents.at[c] = own % TM == 0 ? tangent.at[c] : of_tangents.at[c] + tangent.at[c];
          of_bends.at[c] = own % TM == 0 ? bend.at[c] : of_bends.at[c] + bend.at[c];
        }
        if (own % TM == TM - 1) {
          put_sums(of_tangents, block.sums, column - first);
          put_sums(of_bends, block.sums + 4 * 2 * SIDE * V, column - first);
        }
      }
      if (l < last) return;
      constexpr int RUN = SIDE * J * V;
      add_column_sums(block.sums, RUN, first, layer.outputs, grads + energy.out_grad, scale, fresh, [&](int i, T total) {
        along += static_cast<double>(total) * block.packed[energy.out + i];
      });
      add_column_sums(block.sums + 4 * 2 * SIDE * V, RUN, first, layer.outputs, grads + layer.bias_grad, scale, fresh,
                      [](int, T) {});
    });
  }
  return along;
}

// γ and δ of the layer below `layer` from γ of this one, with that layer's bias.
template <int TM, typename T>
__device__ __forceinline__ void adjoints(const Block<T> &block, const Energy &energy, const Layer &layer, const Layer &under,
                                         const T *gamma, T *gamma_out, T *delta_out, T scale, const Record<T> &record,
                                         const Record<T> &bends, T *grads, bool fresh) {
  constexpr int V = LANES<T>;
  const int f = own_features(), g = own_points();
  each_run<T>(layer.inputs_width, [&](auto count, int first) {
    constexpr int J = decltype(count)::value;
    T sum[TM][J * V];
    product<TM, J>(sum, gamma, block.stride, block.packed + layer.down + first, layer.inputs_width, layer.outputs_depth,
                   block.panels);
    put<TM, J>(sum, gamma_out, block.stride, first);
    Vec<T> of_gamma = {};
#pragma unroll 1
    for (int own = 0; own < J * TM; ++own) {
      const int column = first + (f + SIDE * (own / TM)) * V, point = g + SIDE * (own % TM);
      const Vec<T> z = load(record.row(under.z, under.outputs_width, point) + column);
      const Vec<T> e = load(record.row(under.e, under.outputs_width, point) + column);
      const Vec<T> bend = load(bends.row(under.bend, under.outputs_width, point) + column);
      T *at = gamma_out + point * block.stride + column;
      Vec<T> gamma_vec = load(at), delta_vec;
#pragma unroll
      for (int c = 0; c < V; ++c) {
        const T rise = slope(energy.activation, z.at[c]);
        gamma_vec.at[c] = fused(rise, gamma_vec.at[c], bend.at[c]);
        delta_vec.at[c] = rise * e.at[c];
        of_gamma.at[c] = own % TM == 0 ? gamma_vec.at[c] : of_gamma.at[c] + gamma_vec.at[c];
      }
      store(at, gamma_vec);
      store(delta_out + point * block.stride + column, delta_vec);
      if (own % TM == TM - 1) put_sums(of_gamma, block.sums, column - first);
    }
    add_column_sums(block.sums, SIDE * J * V, first, under.outputs, grads + under.bias_grad, scale, fresh, [](int, T) {});
  });
}

// Adds scale·∂(Σ vᵀ∇E)/∂params to the block's gradients, scale·Hv to `into`; returns this thread's part of Σ vᵀ∇E.
template <int TM, typename T>
__device__ __forceinline__ double reverse_force(const Block<T> &block, const Energy &energy, const T *x, const T *v, T *into,
                                                T scale, const Record<T> &record, const Record<T> &bends, T *grads,
                                                bool fresh) {
  const Layer *layers = block.plan.layers + energy.layers;
  const int last = energy.depth - 1;
  const double along = tangents<TM>(block, energy, v, scale, record, bends, grads, fresh);
  int at = 1;
  for (int l = last; l >= 0; --l) {
    const Layer layer = layers[l];
    const T *delta = block.array(l == last ? 0 : 2 * l + 3), *gamma = block.array(at);
    const T *tangent = l == 0 ? v : block.array(2 * l), *value = l == 0 ? x : block.array(2 * l + 1);
    const int stride = l == 0 ? block.state_stride : block.stride;
    const Pairs<T> pairs = {{delta, gamma}, {tangent, value}, block.stride, stride, block.points};
    T *weights = grads + layer.weights_grad;
    if (l == 0 && layer.inputs <= FEW) {
      narrow_outer(pairs, weights, layer.outputs, layer.inputs, scale, fresh);
    } else {
      outer(pairs, weights, layer.outputs, layer.outputs_width, layer.inputs, layer.inputs_width, scale, fresh);
    }
    if (l == 0) break;
    at = 1 - at;
    adjoints<TM>(block, energy, layer, layers[l - 1], gamma, block.array(at), block.array(2 * l + 1), scale, record, bends,
                 grads, fresh);
  }
  add_to_state<TM>(block, layers[0], block.array(at), scale, into);
  return along;
}

}  // namespace trajectory
