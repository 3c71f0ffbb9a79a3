// Trajectories of kicks and drifts through learnt energies, with their reverse pass: flow-kernels' `trajectory/` on a device.
//
// A block takes 16·TM points from start to end in one launch; in reverse likewise, from end to start, with gradients of its own
// that a last kernel adds up, block by block in one order: no atomic functions, the same bits every time. The reverse pass reads
// what the forward one recorded, or undoes each move and records that move alone, in memory which its block uses again and again.
//
// Bound, for networks 2-128-128-1 in single precision: a force takes 66 thousand operations a point, its reverse pass 133, so a
// trajectory of twenty forces 1.3 and 2.7 million (rebuilding: 1.3 more); it reads and writes 16 bytes a point, and 31 KiB of
// records each way. 8192 points: 33 GFLOP, 0.5 GB of records, 0.07 GB of gradients twice: 50 operations a byte of device memory,
// above the 20 where an H100 is bound by multiply-adds in single precision (67 TFLOP/s, 3.35 TB/s), so 0.5 ms at the least.
// Tensor cores are not used. 64 to 512 points: few blocks, bound by the length of one block's chain of products.
// Deviation: none.

#pragma once

#include "trajectory_reverse.cuh"

namespace trajectory {

// Copies rows [points, 2d] of global memory into the two halves of a state; beyond the last point stands the last one, or zeros.
template <typename T>
__device__ void read_state(const Block<T> &block, const T *rows, size_t first, size_t count, bool zeros, T *const halves[2]) {
  const int dim = block.plan.header->dim, depth = block.plan.header->state_depth;
  for (int at = threadIdx.x; at < block.points * 2 * depth; at += THREADS) {
    const int point = at / (2 * depth), half = at / depth % 2, i = at % depth;
    const size_t row = first + point;
    T value = T(0);
    if (i < dim && (row < count || !zeros)) value = rows[min(row, count - 1) * 2 * dim + half * dim + i];
    halves[half][point * block.state_stride + i] = value;
  }
}

template <typename T>
__device__ void write_state(const Block<T> &block, T *const halves[2], size_t first, size_t count, T *rows) {
  const int dim = block.plan.header->dim;
  for (int at = threadIdx.x; at < block.points * 2 * dim; at += THREADS) {
    const int point = at / (2 * dim), half = at / dim % 2, i = at % dim;
    if (first + point < count) rows[first * 2 * dim + at] = halves[half][point * block.state_stride + i];
  }
}

// into += scale·rates ⊙ x, for energies that are no networks.
template <typename T>
__device__ void add_scaled(const Block<T> &block, const Energy &energy, const T *x, T *into, T scale) {
  const int dim = block.plan.header->dim;
  for (int at = threadIdx.x; at < block.points * dim; at += THREADS) {
    const int i = at % dim, place = at / dim * block.state_stride + i;
    const T rate = energy.kind == QUADRATIC ? block.packed[energy.out + i] : T(1);
    into[place] += scale * (rate * x[place]);
  }
}

// The reverse pass of [`add_scaled`]: ∂/∂λᵢ = −Σ e^{−λᵢ} vᵢ xᵢ.
template <typename T>
__device__ double reverse_scaled(const Block<T> &block, const Energy &energy, const T *x, const T *v, T *into, T scale, T *grads,
                                 bool fresh) {
  double along = 0.0;
  for (int i = threadIdx.x; i < static_cast<int>(block.plan.header->dim); i += THREADS) {
    const T rate = energy.kind == QUADRATIC ? block.packed[energy.out + i] : T(1);
    T sum = T(0);
    for (int p = 0; p < block.points; ++p) sum = fused(v[p * block.state_stride + i], x[p * block.state_stride + i], sum);
    along += static_cast<double>(rate) * sum;
    T *slot = grads + energy.grad + i;
    if (energy.kind == QUADRATIC) *slot = grown(fresh ? T(0) : *slot, -scale, rate * sum, fresh);
  }
  add_scaled(block, energy, v, into, scale);
  return along;
}

// The parts of shared memory that both passes have, in the order of `shared_bytes` in `passes.rs`; then follow states.
template <int TM, typename T>
__device__ Block<T> block_of(const void *tables, const T *packed, int arrays, T *&states) {
  extern __shared__ double dynamic[];
  const Plan plan(tables);
  Block<T> block = {plan, packed, reinterpret_cast<T *>(dynamic)};
  block.sums = block.panels + PANELS<T>;
  block.arrays = block.sums + 2 * 4 * 2 * SIDE * LANES<T>;
  block.points = SIDE * TM;
  block.stride = plan.header->stride;
  block.state_stride = plan.header->state_stride;
  states = block.array(arrays);
  return block;
}

template <int TM, typename T>
__device__ void forward(const void *tables, const T *packed, const T *steps, const T *start, T *end, T *kept, T *scratch,
                        size_t count, size_t rows) {
  T *states;
  const Block<T> block = block_of<TM>(tables, packed, 2, states);
  const Header &header = *block.plan.header;
  const int half = block.points * block.state_stride;
  T *const state[2] = {states, states + half};
  const Record<T> own = {scratch + static_cast<size_t>(blockIdx.x) * block.points * header.scratch, (size_t)block.points, 0};
  for (size_t first = static_cast<size_t>(blockIdx.x) * block.points; first < count;
       first += static_cast<size_t>(gridDim.x) * block.points) {
    read_state(block, start, first, count, false, state);
    for (u32 index = 0; index < header.moves; ++index) {
      const Move move = block.plan.moves[index];
      const Energy energy = block.plan.energies[move.energy];
      const T *x = state[move.kick ? 0 : 1];
      T *into = state[move.kick ? 1 : 0];
      const T scale = T(move.sign) * steps[move.step];
      Record<T> record = own;
      __syncthreads();
      if (kept != nullptr) {
        record = {kept + move.record * rows, rows, first};
        for (int at = threadIdx.x; at < block.points * static_cast<int>(header.state_depth); at += THREADS) {
          const int point = at / header.state_depth, i = at % header.state_depth;
          record.row(0, header.state_depth, point)[i] = x[point * block.state_stride + i];
        }
      }
      if (energy.kind == NETWORK) {
        add_force<TM>(block, energy, x, into, scale, record, kept != nullptr);
      } else {
        add_scaled(block, energy, x, into, scale);
      }
    }
    __syncthreads();
    write_state(block, state, first, count, end);
    __syncthreads();
  }
}

template <int TM, typename T>
__device__ void reverse(const void *tables, const T *packed, const T *steps, const T *end, const T *kept, T *scratch,
                        const T *cotangent, T *grad_start, T *gradients, size_t count, size_t rows) {
  T *states;
  const Block<T> block = block_of<TM>(tables, packed, Plan(tables).header->arrays, states);
  const Header &header = *block.plan.header;
  const int half = block.points * block.state_stride;
  T *const state[2] = {states, states + half}, *const bar[2] = {states + 2 * half, states + 3 * half};
  double *const parts = reinterpret_cast<double *>(states + 4 * half), *const of_steps = parts + THREADS / 32;
  T *const grads = gradients + static_cast<size_t>(blockIdx.x) * header.row;
  T *const own = scratch + static_cast<size_t>(blockIdx.x) * block.points * (header.scratch + header.scratch_bend);
  const Record<T> once = {own, (size_t)block.points, 0};
  const Record<T> bends = {own + static_cast<size_t>(block.points) * header.scratch, (size_t)block.points, 0};
  for (int i = threadIdx.x; i < static_cast<int>(header.steps); i += THREADS) of_steps[i] = 0.0;
  for (size_t first = static_cast<size_t>(blockIdx.x) * block.points; first < count;
       first += static_cast<size_t>(gridDim.x) * block.points) {
    if (kept == nullptr) read_state(block, end, first, count, false, state);
    read_state(block, cotangent, first, count, true, bar);
    for (u32 left = header.moves; left > 0; --left) {
      const Move move = block.plan.moves[left - 1];
      const Energy energy = block.plan.energies[move.energy];
      const int from = move.kick ? 0 : 1;
      T *const x = state[from];
      const T scale = T(move.sign) * steps[move.step];
      const bool fresh = move.fresh && first < static_cast<size_t>(gridDim.x) * block.points;
      Record<T> record = once;
      __syncthreads();
      if (kept != nullptr) {
        record = {const_cast<T *>(kept) + move.record * rows, rows, first};
        for (int at = threadIdx.x; at < block.points * static_cast<int>(header.state_depth); at += THREADS) {
          const int point = at / header.state_depth, i = at % header.state_depth;
          x[point * block.state_stride + i] = record.row(0, header.state_depth, point)[i];
        }
        __syncthreads();
      } else if (energy.kind == NETWORK) {
        add_force<TM>(block, energy, x, state[1 - from], -scale, record, true);
      } else {
        add_scaled(block, energy, x, state[1 - from], -scale);
      }
      double along = 0.0;
      if (energy.kind == NETWORK) {
        along = reverse_force<TM>(block, energy, x, bar[1 - from], bar[from], scale, record, bends, grads, fresh);
      } else {
        along = reverse_scaled(block, energy, x, bar[1 - from], bar[from], scale, grads, fresh);
      }
      for (int other = 16; other > 0; other /= 2) along += __shfl_xor_sync(0xffffffffu, along, other);
      if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = along;
      __syncthreads();
      if (threadIdx.x == 0) {
        double sum = 0.0;
        for (int warp = 0; warp < THREADS / 32; ++warp) sum += parts[warp];
        of_steps[move.step] += move.sign * sum;
      }
    }
    __syncthreads();
    write_state(block, bar, first, count, grad_start);
    __syncthreads();
  }
  for (int i = threadIdx.x; i < static_cast<int>(header.steps); i += THREADS) grads[header.gradients + i] = T(of_steps[i]);
}

// Parameters as products read them, padded with zeros: a layer or an energy a row of blocks.
template <typename T> __device__ void pack(const void *tables, const T *params, T *packed) {
  const Plan plan(tables);
  const size_t thread = static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  const size_t threads = static_cast<size_t>(gridDim.x) * blockDim.x;
  if (blockIdx.y >= plan.header->layers) {
    const Energy energy = plan.energies[blockIdx.y - plan.header->layers];
    const bool network = energy.kind == NETWORK;
    if (energy.kind == UNIT) return;
    const Layer *top = plan.layers + energy.layers + energy.depth - 1;
    const u32 used = network ? top->outputs : plan.header->dim, width = network ? top->outputs_width : used;
    for (size_t i = thread; i < width; i += threads) {
      const T value = i < used ? params[energy.out_source + i] : T(0);
      packed[energy.out + i] = network ? value : exp(-value);
    }
    return;
  }
  const Layer layer = plan.layers[blockIdx.y];
  const T *w = params + layer.source, *b = w + static_cast<size_t>(layer.inputs) * layer.outputs;
  const size_t up = static_cast<size_t>(layer.inputs_depth) * layer.outputs_width;
  const size_t down = static_cast<size_t>(layer.outputs_depth) * layer.inputs_width;
  for (size_t at = thread; at < up; at += threads) {
    const u32 i = at / layer.outputs_width, o = at % layer.outputs_width;
    packed[layer.up + at] = i < layer.inputs && o < layer.outputs ? w[static_cast<size_t>(o) * layer.inputs + i] : T(0);
  }
  for (size_t at = thread; at < down; at += threads) {
    const u32 o = at / layer.inputs_width, i = at % layer.inputs_width;
    packed[layer.down + at] = i < layer.inputs && o < layer.outputs ? w[static_cast<size_t>(o) * layer.inputs + i] : T(0);
  }
  for (size_t o = thread; o < layer.outputs_width; o += threads) packed[layer.bias + o] = o < layer.outputs ? b[o] : T(0);
}

// The blocks' gradients, added up in their order: those of an energy a row of blocks, in the last row those of the step sizes.
template <typename T>
__device__ void fold(const void *tables, const T *gradients, size_t blocks, T *params, T *steps) {
  const Plan plan(tables);
  const size_t stride = plan.header->row;
  const bool of_steps = blockIdx.y == plan.header->energies;
  const Energy *energy = plan.energies + (of_steps ? 0 : blockIdx.y);
  const size_t from = of_steps ? plan.header->gradients : energy->grad;
  const size_t count = of_steps ? plan.header->steps : energy->count;
  T *into = of_steps ? steps : params + energy->source;
  for (size_t at = static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x; at < count;
       at += static_cast<size_t>(gridDim.x) * blockDim.x) {
    double sum = 0.0;
#pragma unroll 4
    for (size_t block = 0; block < blocks; ++block) sum += gradients[block * stride + from + at];
    into[at] = T(sum);
  }
}

}  // namespace trajectory

#define TRAJECTORY_PASSES(POINTS, TM, NAME, T)                                                                              \
  extern "C" __global__ void __launch_bounds__(256)                                                                         \
      trajectory_forward_##POINTS##_##NAME(const void *tables, const T *packed, const T *steps, const T *start, T *end,     \
                                           T *kept, T *scratch, size_t count, size_t rows) {                                \
    trajectory::forward<TM>(tables, packed, steps, start, end, kept, scratch, count, rows);                                 \
  }                                                                                                                         \
  extern "C" __global__ void __launch_bounds__(256)                                                                         \
      trajectory_reverse_##POINTS##_##NAME(const void *tables, const T *packed, const T *steps, const T *end,               \
                                           const T *kept, T *scratch, const T *cotangent, T *grad_start, T *gradients,      \
                                           size_t count, size_t rows) {                                                     \
    trajectory::reverse<TM>(tables, packed, steps, end, kept, scratch, cotangent, grad_start, gradients, count, rows);      \
  }

#define TRAJECTORY(NAME, T)                                                                                                 \
  TRAJECTORY_PASSES(16, 1, NAME, T)                                                                                         \
  TRAJECTORY_PASSES(32, 2, NAME, T)                                                                                         \
  TRAJECTORY_PASSES(64, 4, NAME, T)                                                                                         \
  extern "C" __global__ void trajectory_pack_##NAME(const void *tables, const T *params, T *packed) {                       \
    trajectory::pack(tables, params, packed);                                                                               \
  }                                                                                                                         \
  extern "C" __global__ void trajectory_fold_##NAME(const void *tables, const T *gradients, size_t blocks, T *params,       \
                                                    T *steps) {                                                             \
    trajectory::fold(tables, gradients, blocks, params, steps);                                                             \
  }
