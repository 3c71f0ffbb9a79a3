// A tile of points in a block, and products of it with packed weights.
//
// 256 threads take m = 16·TM points (TM = 1, 2 or 4) through a layer: a thread has TM points and J vectors of 16 bytes of their
// features (8 features in single precision for J = 2). Points are rows in shared memory, a vector longer than their width, so
// that the rows which a warp reads lie in different banks. Weights come from the second-level cache in panels of 16 rows, one
// while the one before is used; 8 × 4 threads of a warp read two runs of 128 bytes and four vectors a step.
//
// Bound: for TM = 4 in single precision 12 loads of shared memory serve 128 fused multiply-adds, 0.55 of the load units' time
// for all of the multipliers'. A product streams its weights once a tile: 64 KiB a 128 × 128 × 64 multiply-adds, 8 bytes a cycle.
#pragma once

namespace trajectory {

constexpr int THREADS = 256, SIDE = 16, PANEL = 16;

template <typename T> constexpr int LANES = 16 / sizeof(T);  // of a vector

template <typename T> struct alignas(16) Vec { T at[LANES<T>]; };

template <typename T> __device__ __forceinline__ Vec<T> load(const T *from) {
  return *reinterpret_cast<const Vec<T> *>(from);
}
template <typename T> __device__ __forceinline__ void store(T *to, const Vec<T> &vec) {
  *reinterpret_cast<Vec<T> *>(to) = vec;
}

__device__ __forceinline__ float fused(float a, float b, float c) { return fmaf(a, b, c); }
__device__ __forceinline__ double fused(double a, double b, double c) { return fma(a, b, c); }

// Which features and which points of a tile are this thread's: vectors f, f + 16 of a run, points g, g + 16, ….
__device__ __forceinline__ int own_features() { return threadIdx.x % 8 + 8 * (threadIdx.x / 32 % 2); }
__device__ __forceinline__ int own_points() { return threadIdx.x % 32 / 8 + 4 * (threadIdx.x / 64); }

template <int N> struct Count { static constexpr int value = N; };

// Calls `body(Count<J>, first)` for every run of features of a padded width, J vectors a thread.
template <typename T, typename F> __device__ __forceinline__ void each_run(int width, F body) {
  constexpr int RUN = SIDE * LANES<T>;
  int first = 0;
  for (; first + 2 * RUN <= width; first += 2 * RUN) body(Count<2>(), first);
  if (first < width) body(Count<1>(), first);
}

// Room for two panels, in elements.
template <typename T> constexpr int PANELS = 2 * PANEL * 2 * SIDE * LANES<T>;

// sum[t][·] = Σ_k x[point][k] w[k][·] over k < depth, for this thread's points and features of a run.
//
// x: rows in shared memory; w: rows of `width` in global memory, from the run's first feature on. All threads call it; what
// they wrote to shared memory before is seen.
template <int TM, int J, typename T>
__device__ __forceinline__ void product(T (&sum)[TM][J * LANES<T>], const T *x, int stride, const T *__restrict__ w, int width,
                                        int depth, T *panels) {
  constexpr int V = LANES<T>, RUN = SIDE * J * V;
  const int f = own_features(), g = own_points();
#pragma unroll
  for (int t = 0; t < TM; ++t)
#pragma unroll
    for (int c = 0; c < J * V; ++c) sum[t][c] = T(0);

  Vec<T> next[J];
  auto fetch = [&](int first) {
#pragma unroll
    for (int j = 0; j < J; ++j) {
      const int place = threadIdx.x + j * THREADS, row = first + place / (SIDE * J), column = place % (SIDE * J) * V;
      if (row < depth) next[j] = load(w + static_cast<size_t>(row) * width + column);
    }
  };
  fetch(0);
  __syncthreads();
  for (int first = 0, half = 0; first < depth; first += PANEL, half ^= 1) {
    T *panel = panels + half * PANEL * RUN;
#pragma unroll
    for (int j = 0; j < J; ++j) store(panel + (threadIdx.x + j * THREADS) * V, next[j]);
    // One wait a panel: who writes this half again has met all others at the next one.
    __syncthreads();
    if (first + PANEL < depth) fetch(first + PANEL);
    const int rows = min(PANEL, depth - first);
    // Long enough as it is: unrolled by the compiler, kernels would be megabytes.
#pragma unroll 1
    for (int k = 0; k < rows; k += V) {
      Vec<T> left[TM];
#pragma unroll
      for (int t = 0; t < TM; ++t) left[t] = load(x + (g + SIDE * t) * stride + first + k);
#pragma unroll
      for (int l = 0; l < V; ++l) {
        Vec<T> right[J];
#pragma unroll
        for (int j = 0; j < J; ++j) right[j] = load(panel + (k + l) * RUN + (f + SIDE * j) * V);
#pragma unroll
        for (int t = 0; t < TM; ++t)
#pragma unroll
          for (int c = 0; c < J * V; ++c) sum[t][c] = fused(left[t].at[l], right[c / V].at[c % V], sum[t][c]);
      }
    }
  }
}

// `add(point, i, Σ_k x[point][k] w[k][i])` for every i < few: for so few outputs the threads share out the sums instead.
template <int TM, typename T, typename F>
__device__ __forceinline__ void narrow_product(const T *x, int stride, const T *__restrict__ w, int width, int depth, int few,
                                               F add) {
  constexpr int V = LANES<T>, PARTS = THREADS / (SIDE * TM);
  const int point = threadIdx.x / PARTS, part = threadIdx.x % PARTS;
  __syncthreads();
  for (int first = 0; first < few; first += V) {
    T sum[V] = {};
    for (int k = part; k < depth; k += PARTS) {
      const T left = x[point * stride + k];
      const Vec<T> right = load(w + static_cast<size_t>(k) * width + first);
#pragma unroll
      for (int c = 0; c < V; ++c) sum[c] = fused(left, right.at[c], sum[c]);
    }
#pragma unroll
    for (int c = 0; c < V; ++c) {
#pragma unroll
      for (int other = PARTS / 2; other > 0; other /= 2) sum[c] += __shfl_xor_sync(0xffffffffu, sum[c], other);
      if (part == 0 && first + c < few) add(point, first + c, sum[c]);
    }
  }
}

// Stores a product's sums where they belong in an array's rows, for the thread that has them to go through one by one.
template <int TM, int J, typename T>
__device__ __forceinline__ void put(const T (&sum)[TM][J * LANES<T>], T *out, int stride, int first) {
  constexpr int V = LANES<T>;
#pragma unroll
  for (int t = 0; t < TM; ++t)
#pragma unroll
    for (int j = 0; j < J; ++j) {
      Vec<T> vec;
#pragma unroll
      for (int c = 0; c < V; ++c) vec.at[c] = sum[t][j * V + c];
      store(out + (own_points() + SIDE * t) * stride + first + (own_features() + SIDE * j) * V, vec);
    }
}

// The sum of a vector over the tile's points, when each thread has summed over its own: a row of `sums` for every 16 threads
// that share points' quarter, which `column_sum` adds up after a wait.
template <typename T> __device__ __forceinline__ void put_sums(Vec<T> vec, T *sums, int column) {
#pragma unroll
  for (int c = 0; c < LANES<T>; ++c) {
    vec.at[c] += __shfl_xor_sync(0xffffffffu, vec.at[c], 8);
    vec.at[c] += __shfl_xor_sync(0xffffffffu, vec.at[c], 16);
  }
  constexpr int RUN = 2 * SIDE * LANES<T>;
  if (threadIdx.x % 32 < 8) store(sums + threadIdx.x / 64 * RUN + column, vec);
}
template <typename T> __device__ __forceinline__ T column_sum(const T *sums, int column) {
  constexpr int RUN = 2 * SIDE * LANES<T>;
  return (sums[column] + sums[RUN + column]) + (sums[2 * RUN + column] + sums[3 * RUN + column]);
}

}  // namespace trajectory
