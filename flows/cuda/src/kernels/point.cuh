// Where a point is while it goes through a chain, and how sums over points and coordinates are made.
//
// Of D > 0 a point is in the registers of one thread, D coordinates of which those beyond the d that there are stay zero; layers
// have zeros there, too. Of D = 0 a warp shares a point, d of any size: lane l has coordinates l, l + 32, …, in a row of memory
// that no other lane looks into, so that nothing is synchronised. All sums are made in a fixed order.
#pragma once

#include <stddef.h>

constexpr unsigned ALL_LANES = 0xffffffffu;

// Threads of a block whose threads have a point each.
constexpr int THREADS = 128;
constexpr int WARPS = THREADS / 32;

// The sum over a warp, in every lane.
template <typename T> __device__ __forceinline__ T warp_sum(T part) {
#pragma unroll
  for (int mask = 16; mask > 0; mask /= 2) part += __shfl_xor_sync(ALL_LANES, part, mask);
  return part;
}

// Halves the values of a lane by exchanging the other half with its partner, until one is left.
template <int HALF, typename T> __device__ __forceinline__ void exchange_halves(T *values) {
  if constexpr (HALF > 0) {
    const bool upper = threadIdx.x & HALF;
#pragma unroll
    for (int j = 0; j < HALF; ++j) {
      const T kept = upper ? values[j + HALF] : values[j];
      const T given = upper ? values[j] : values[j + HALF];
      values[j] = kept + __shfl_xor_sync(ALL_LANES, given, HALF);
    }
    exchange_halves<HALF / 2>(values);
  }
}

// Sums of M values over a warp, M a power of two up to 32: lane l gets that of value l mod M, by M + 4 − log₂ M exchanges.
template <typename T, int M> __device__ __forceinline__ T warp_sums(T (&values)[M]) {
  exchange_halves<M / 2>(values);
  T sum = values[0];
#pragma unroll
  for (int mask = M; mask < 32; mask *= 2) sum += __shfl_xor_sync(ALL_LANES, sum, mask);
  return sum;
}

template <typename T, int D> struct Point {
  static constexpr int LANES = 1;
  T at[D];

  __device__ __forceinline__ explicit Point(T *, int) {
#pragma unroll
    for (int i = 0; i < D; ++i) at[i] = (T)0;
  }
  static __device__ __forceinline__ int lane() { return 0; }
  static __device__ __forceinline__ bool leads() { return true; }
  static __device__ __forceinline__ T total(T part) { return part; }
  __device__ __forceinline__ T &operator[](int i) { return at[i]; }
  // f(i) for every coordinate.
  template <typename F> __device__ __forceinline__ void each(F f) const {
#pragma unroll
    for (int i = 0; i < D; ++i) f(i);
  }
};

template <typename T> struct Point<T, 0> {
  static constexpr int LANES = 32;
  T *row;
  int dim;

  __device__ __forceinline__ Point(T *row, int dim) : row(row), dim(dim) {}
  static __device__ __forceinline__ int lane() { return threadIdx.x % 32; }
  static __device__ __forceinline__ bool leads() { return threadIdx.x % 32 == 0; }
  static __device__ __forceinline__ T total(T part) { return warp_sum(part); }
  __device__ __forceinline__ T &operator[](int i) { return row[i]; }
  template <typename F> __device__ __forceinline__ void each(F f) const {
    for (int i = lane(); i < dim; i += 32) f(i);
  }
};

// start + Σ f(i, …) over the coordinates of a point, `step` folding one in.
template <typename T, int D, typename F> __device__ __forceinline__ T fold(const Point<T, D> &point, T start, F step) {
  T sum = D ? start : (T)0;
  point.each([&](int i) { sum = step(i, sum); });
  return D ? sum : start + Point<T, D>::total(sum);
}

// Sums over points of a layer's numbers: one of each of the N coordinates' E numbers, and two of the whole layer. They go to this
// block's slot of partial sums; the first points that come there find it uninitialised.
template <typename T, int D, int E> struct Sums {
  static constexpr int COUNT = E * D;
  T coordinates[COUNT], scalars[2];
  T *shared; // [2, WARPS, COUNT + 2]
  T *slot = nullptr;
  bool first = true;
  int flips = 0;

  static constexpr size_t shared_elements() { return 2 * WARPS * (COUNT + 2); }
  __device__ __forceinline__ Sums(T *shared, int) : shared(shared) {}
  // Opens a layer, whose sums are at `to`, `first` to come there or not.
  __device__ __forceinline__ void open(T *to, bool is_first) { slot = to, first = is_first; }
  __device__ __forceinline__ void coordinate(int e, int i, T value) { coordinates[e * D + i] = value; }
  __device__ __forceinline__ void both(T first, T second) { scalars[0] = first, scalars[1] = second; }
  // Adds the layer's numbers, all of which are told; all threads of the block come here.
  __device__ __forceinline__ void close() {
    constexpr int WIDTH = COUNT + 2;
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    // Two buffers: who writes the one again has passed the barrier behind which the other was read.
    T *buffer = shared + flips * WARPS * WIDTH;
    flips ^= 1;
    const T of_coordinates = warp_sums(coordinates);
    const T of_scalars = warp_sums(scalars);
    if (lane < COUNT) buffer[warp * WIDTH + lane] = of_coordinates;
    if (lane < 2) buffer[warp * WIDTH + COUNT + lane] = of_scalars;
    __syncthreads();
    if ((int)threadIdx.x < WIDTH) {
      T sum = buffer[threadIdx.x];
#pragma unroll
      for (int other = 1; other < WARPS; ++other) sum += buffer[other * WIDTH + threadIdx.x];
      slot[threadIdx.x] = first ? sum : slot[threadIdx.x] + sum;
    }
  }
};

template <typename T, int E> struct Sums<T, 0, E> {
  int dim;
  T *slot = nullptr;
  bool first = true;

  __device__ __forceinline__ Sums(T *, int dim) : dim(dim) {}
  __device__ __forceinline__ void open(T *to, bool is_first) { slot = to, first = is_first; }
  __device__ __forceinline__ void add(int index, T value) { slot[index] = first ? value : slot[index] + value; }
  __device__ __forceinline__ void coordinate(int e, int i, T value) { add(e * dim + i, value); }
  __device__ __forceinline__ void both(T one, T other) {
    if (threadIdx.x % 32 == 0) add(E * dim, one), add(E * dim + 1, other);
  }
  __device__ __forceinline__ void close() {}
};
