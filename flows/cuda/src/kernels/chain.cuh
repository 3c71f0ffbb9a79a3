// A base pushed through a chain of K layers and back, forward and inverse: log q(x) = log π(z) − Σ log |det|.
//
// One launch a pass: a point stays with its thread (or its warp, see point.cuh) through noise and all layers. The layers come
// constrained from the parameters into shared memory at the start of each block, or from a table that `constrain` made where
// they do not fit. Of each layer one number a point is kept, [K, n], from which the reverse pass rebuilds the rest, last layer
// first. It leaves sums over points in slots, [slots, K, sums], one slot a block; `finish` adds these up in double precision, in
// their order, and applies the chain rule of the constraints. Nothing depends on the order in which blocks run.
// Bound, f32, d = 2, K layers: sampling writes 4(d + 1 + K) bytes a point for 250 + 60K operations, its reverse pass reads
// 4(2d + 1 + K) for 120K: both end at arithmetic and its latency, not at memory.
// Deviation: dets of four layers are multiplied before their logarithm is taken, as the processor's kernels do.
#pragma once

#include "base.cuh"
#include "point.cuh"

extern __shared__ double shared_memory[];

// softplus and its slope, of what is computed once a layer: a call, not inlined.
struct Ramp {
  double value, slope;
};
__device__ __noinline__ inline Ramp ramp(double x) { return Ramp{real::softplus(x), real::sigmoid(x)}; }

// How layers are read: from shared memory after `L::constrain`, or from the table given. What is left of shared memory follows.
template <template <typename> class L, typename T, int D>
__device__ __forceinline__ const T *layers_of(const T *params, const T *table, int layers, int dim, T *&rest) {
  if (D == 0) return table;
  T *constrained = reinterpret_cast<T *>(shared_memory);
  for (int k = threadIdx.x; k < layers; k += THREADS) {
    L<T>::template constrain<Point<T, D>>(params, k, layers, dim, D, constrained + k * L<T>::table(D));
  }
  rest = constrained + layers * L<T>::table(D);
  __syncthreads();
  return constrained;
}

// Points that a block has at a time, and the one of this thread.
template <int D> constexpr int TILE = D ? THREADS : 1;

template <int D> __device__ __forceinline__ size_t tile_row(size_t tile) { return tile * TILE<D> + (D ? threadIdx.x : 0); }

// Whether the logarithm of the dets so far is due after layer number `done` on the way through.
__device__ __forceinline__ bool logarithm_is_due(int done, int layers) { return done % 4 == 3 || done + 1 == layers; }

// x and log q of rows 0 … n − 1 under `seed`; `kept` may be null.
template <template <typename> class L, typename T, int D>
__device__ __forceinline__ void sample(const T *params, const T *table, Base base, uint64_t seed, T *x, T *log_q, T *kept,
                                       size_t n, int layers, int dim) {
  const int stride = D ? D : dim;
  T *rest = nullptr;
  const T *constrained = layers_of<L, T, D>(params, table, layers, dim, rest);
  for (size_t tile = blockIdx.x; tile * TILE<D> < n; tile += gridDim.x) {
    const size_t row = tile_row<D>(tile);
    if (row >= n) return;
    Point<T, D> z(x + row * dim, dim);
    T sum = (T)0;
    base.template draw<T, Point<T, D>::LANES, D>(seed, row, dim, z.lane(), [&](int i, T value) {
      z[i] = value;
      sum = base.gather(sum, value);
    });
    const T at_base = base.log_density(Point<T, D>::total(sum));
    T log_det = (T)0;
    L<T> layer(dim);
    for (int k = 0; k < layers; ++k) {
      layer.load(constrained + (size_t)k * L<T>::table(stride), stride);
      const T number = layer.forward(z);
      if (kept && z.leads()) kept[(size_t)k * n + row] = number;
      if (logarithm_is_due(k, layers)) log_det = layer.take_logarithm(log_det);
    }
    if (D) z.each([&](int i) { if (i < dim) x[row * dim + i] = z[i]; });
    if (z.leads()) log_q[row] = at_base - log_det;
  }
}

// log q of x [n, d]; z where x comes from. `kept` may be null.
template <template <typename> class L, typename T, int D>
__device__ __forceinline__ void density(const T *params, const T *table, Base base, const T *x, T *z, T *log_q, T *kept,
                                        size_t n, int layers, int dim) {
  const int stride = D ? D : dim;
  T *rest = nullptr;
  const T *constrained = layers_of<L, T, D>(params, table, layers, dim, rest);
  for (size_t tile = blockIdx.x; tile * TILE<D> < n; tile += gridDim.x) {
    const size_t row = tile_row<D>(tile);
    if (row >= n) return;
    Point<T, D> point(z + row * dim, dim);
    point.each([&](int i) { if (i < dim) point[i] = x[row * dim + i]; });
    T log_det = (T)0;
    L<T> layer(dim);
    for (int k = layers - 1; k >= 0; --k) {
      layer.load(constrained + (size_t)k * L<T>::table(stride), stride);
      const T number = layer.inverse(point);
      if (kept && point.leads()) kept[(size_t)k * n + row] = number;
      if (logarithm_is_due(layers - 1 - k, layers)) log_det = layer.take_logarithm(log_det);
    }
    T sum = (T)0;
    point.each([&](int i) { if (i < dim) sum = base.gather(sum, point[i]); });
    if (D) point.each([&](int i) { if (i < dim) z[row * dim + i] = point[i]; });
    const T at_base = base.log_density(Point<T, D>::total(sum));
    if (point.leads()) log_q[row] = -log_det + at_base;
  }
}

// Reverse pass of `sample` from where it ended, x, given the cotangents of x (none: zero) and of log q. `scratch` [slots, 2, d] is
// for points in memory.
template <template <typename> class L, typename T, int D>
__device__ __forceinline__ void sample_backward(const T *params, const T *table, const T *x, const T *kept, const T *grad_x,
                                                const T *grad_log_q, T *scratch, T *slots, size_t n, int layers, int dim) {
  const int stride = D ? D : dim;
  T *rest = nullptr;
  const T *constrained = layers_of<L, T, D>(params, table, layers, dim, rest);
  Sums<T, D, L<T>::PER_COORDINATE> sums(rest, dim);
  T *slot = slots + (size_t)blockIdx.x * layers * L<T>::sums(stride);
  for (size_t tile = blockIdx.x; tile * TILE<D> < n; tile += gridDim.x) {
    const bool is_row = tile_row<D>(tile) < n;
    // A thread without a row repeats the last one, and weighs nothing.
    const size_t row = is_row ? tile_row<D>(tile) : n - 1;
    T *memory = D ? nullptr : scratch + (size_t)blockIdx.x * 2 * dim;
    Point<T, D> point(memory, dim), grad(memory + (D ? 0 : dim), dim);
    point.each([&](int i) {
      if (i >= dim) return;
      point[i] = x[row * dim + i];
      grad[i] = is_row && grad_x ? grad_x[row * dim + i] : (T)0;
    });
    // Of log |det|, which log q has with a minus.
    const T of_det = is_row ? -grad_log_q[row] : (T)0;
    L<T> layer(dim);
    for (int k = layers - 1; k >= 0; --k) {
      layer.load(constrained + (size_t)k * L<T>::table(stride), stride);
      sums.open(slot + (size_t)k * L<T>::sums(stride), tile == blockIdx.x);
      layer.pull_forward(point, grad, kept[(size_t)k * n + row], of_det, sums);
      sums.close();
    }
  }
}

// Reverse pass of `density` from where it ended, z, given the cotangent of log q.
template <template <typename> class L, typename T, int D>
__device__ __forceinline__ void density_backward(const T *params, const T *table, Base base, const T *z, const T *kept,
                                                 const T *grad_log_q, T *scratch, T *slots, size_t n, int layers, int dim) {
  const int stride = D ? D : dim;
  T *rest = nullptr;
  const T *constrained = layers_of<L, T, D>(params, table, layers, dim, rest);
  Sums<T, D, L<T>::PER_COORDINATE> sums(rest, dim);
  T *slot = slots + (size_t)blockIdx.x * layers * L<T>::sums(stride);
  for (size_t tile = blockIdx.x; tile * TILE<D> < n; tile += gridDim.x) {
    const bool is_row = tile_row<D>(tile) < n;
    const size_t row = is_row ? tile_row<D>(tile) : n - 1;
    T *memory = D ? nullptr : scratch + (size_t)blockIdx.x * 2 * dim;
    Point<T, D> point(memory, dim), grad(memory + (D ? 0 : dim), dim);
    const T weight = is_row ? grad_log_q[row] : (T)0;
    point.each([&](int i) {
      if (i >= dim) return;
      const T value = z[row * dim + i];
      point[i] = value;
      grad[i] = weight * base.score(value);
    });
    L<T> layer(dim);
    for (int k = 0; k < layers; ++k) {
      layer.load(constrained + (size_t)k * L<T>::table(stride), stride);
      sums.open(slot + (size_t)k * L<T>::sums(stride), tile == blockIdx.x);
      layer.pull_inverse(point, grad, kept[(size_t)k * n + row], -weight, sums);
      sums.close();
    }
  }
}

// The sums of layer `blockIdx.x` over all slots into `total` [sums], which is shared memory, as is `parts` [blockDim.x].
template <typename T>
__device__ __forceinline__ void total_of_slots(const T *slots, int count, int layers, int sums, double *total, double *parts) {
  // Neighbouring threads read neighbouring sums; rows of threads take slots in turn.
  int columns = 1;
  while (columns < sums && columns < 32) columns *= 2;
  const int column = threadIdx.x % columns, row = threadIdx.x / columns, rows = blockDim.x / columns;
  for (int start = 0; start < sums; start += columns) {
    double part = 0.0;
    if (start + column < sums) {
      const T *from = slots + (size_t)blockIdx.x * sums + start + column;
      for (int slot = row; slot < count; slot += rows) part += (double)from[(size_t)slot * layers * sums];
    }
    parts[threadIdx.x] = part;
    for (int half = rows / 2; half > 0; half /= 2) {
      __syncthreads();
      if (row < half) parts[threadIdx.x] += parts[threadIdx.x + half * columns];
    }
    __syncthreads();
    if (row == 0 && start + column < sums) total[start + column] = parts[column];
    __syncthreads();
  }
}

// Entry points of a kind of layers, for a capacity D in registers or points in memory.
#define PASSES(L, name, T, suffix, D, capacity)                                                                           \
  extern "C" __global__ void __launch_bounds__(THREADS) name##_sample_##capacity##_##suffix(                              \
      const T *params, const T *table, int soft, double width, double softness, double log_norm, uint64_t seed, T *x,     \
      T *log_q, T *kept, size_t n, int layers, int dim) {                                                                 \
    sample<L, T, D>(params, table, Base{soft, width, softness, log_norm}, seed, x, log_q, kept, n, layers, dim);          \
  }                                                                                                                       \
  extern "C" __global__ void __launch_bounds__(THREADS) name##_density_##capacity##_##suffix(                             \
      const T *params, const T *table, int soft, double width, double softness, double log_norm, const T *x, T *z,        \
      T *log_q, T *kept, size_t n, int layers, int dim) {                                                                 \
    density<L, T, D>(params, table, Base{soft, width, softness, log_norm}, x, z, log_q, kept, n, layers, dim);            \
  }                                                                                                                       \
  extern "C" __global__ void __launch_bounds__(THREADS) name##_sample_backward_##capacity##_##suffix(                     \
      const T *params, const T *table, const T *x, const T *kept, const T *grad_x, const T *grad_log_q, T *scratch,       \
      T *slots, size_t n, int layers, int dim) {                                                                          \
    sample_backward<L, T, D>(params, table, x, kept, grad_x, grad_log_q, scratch, slots, n, layers, dim);                 \
  }                                                                                                                       \
  extern "C" __global__ void __launch_bounds__(THREADS) name##_density_backward_##capacity##_##suffix(                    \
      const T *params, const T *table, int soft, double width, double softness, const T *z, const T *kept,                \
      const T *grad_log_q, T *scratch, T *slots, size_t n, int layers, int dim) {                                         \
    density_backward<L, T, D>(params, table, Base{soft, width, softness, 0.0}, z, kept, grad_log_q, scratch, slots, n,    \
                              layers, dim);                                                                               \
  }

#define LAYERS(L, name, T, suffix)                                                                                        \
  PASSES(L, name, T, suffix, 2, 2)                                                                                        \
  PASSES(L, name, T, suffix, 4, 4)                                                                                        \
  PASSES(L, name, T, suffix, 8, 8)                                                                                        \
  PASSES(L, name, T, suffix, 16, 16)                                                                                      \
  PASSES(L, name, T, suffix, 0, wide)                                                                                     \
  /* A warp a layer. */                                                                                                   \
  extern "C" __global__ void name##_constrain_##suffix(const T *params, T *table, int layers, int dim) {                  \
    L<T>::template constrain<Point<T, 0>>(params, blockIdx.x, layers, dim, dim,                                           \
                                          table + (size_t)blockIdx.x * L<T>::table(dim));                                 \
  }                                                                                                                       \
  /* A block a layer; `stride` coordinates of a layer are in the slots. */                                                \
  extern "C" __global__ void name##_finish_##suffix(const T *params, const T *slots, T *grad, int count, int layers,      \
                                                    int dim, int stride) {                                                \
    double *total = shared_memory, *parts = shared_memory + L<T>::sums(stride);                                           \
    total_of_slots(slots, count, layers, L<T>::sums(stride), total, parts);                                               \
    L<T>::finish(params, total, grad, layers, dim, stride);                                                               \
  }
