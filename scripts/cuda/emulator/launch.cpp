// Launches: what the driver checks of them, what a real device would not notice, and the loop over blocks.
#include "launch.h"
#include "block.h"
#include "memory.h"
#include <algorithm>
#include <cstring>

namespace emulated {
namespace {

bool is_shape(const EmulatedKernel &kernel, dim3 grid, dim3 block) {
  if (!grid.x || !grid.y || !grid.z || !block.x || !block.y || !block.z) return false;
  if (grid.x > 0x7FFFFFFF || grid.y > 65535 || grid.z > 65535) return false;
  if (block.x > 1024 || block.y > 1024 || block.z > 64) return false;
  size_t threads = size_t{block.x} * block.y * block.z;
  return threads <= (kernel.max_threads ? kernel.max_threads : 1024u);
}

// The allocation that a pointer among the parameters points into. Null points nowhere, and that is the kernel's affair.
const Allocation *target(const EmulatedKernel &kernel, unsigned number, CUdeviceptr pointer) {
  if (!pointer) return nullptr;
  const Allocation *in = find(pointer);
  if (!in)
    fail("kernel %s: parameter %u (from 0) is 0x%llx, which is in no live allocation of device memory", kernel.name, number,
         pointer);
  return in;
}

// Blocks in the order of their numbers, or backwards where threads go backwards too.
void run_grid(const EmulatedKernel &kernel, dim3 grid, void *const *parameters) {
  static const bool backward = setting("EMULATED_CUDA_ORDER", "forward") == "reverse";
  const size_t blocks = size_t{grid.x} * grid.y * grid.z;
  for (size_t i = 0; i < blocks; i++) {
    size_t number = backward ? blocks - 1 - i : i;
    emulated_position.block = {static_cast<unsigned>(number % grid.x), static_cast<unsigned>(number / grid.x % grid.y),
                               static_cast<unsigned>(number / grid.x / grid.y)};
    run_block(kernel, parameters);
  }
}

// Kernels see device memory elsewhere than under its addresses, which stay unreadable: pointers among the parameters are moved
// there. Where pointers may be hidden deeper, in a structure or in memory, the addresses themselves are opened for the launch.
void launch(const EmulatedKernel &kernel, dim3 grid, dim3 block, unsigned shared, void **given) {
  const unsigned n = kernel.parameter_count;
  std::vector<void *> parameters(given, given + n);
  std::vector<CUdeviceptr> moved(n);
  std::vector<Allocation> touched;
  bool plain = true;
  for (unsigned i = 0; i < n; i++) plain = plain && kernel.parameters[i].plain;
  for (unsigned i = 0; i < n; i++) {
    if (!kernel.parameters[i].pointer) continue;
    memcpy(&moved[i], given[i], sizeof moved[i]);
    if (const Allocation *in = target(kernel, i, moved[i])) {
      touched.push_back(*in);
      if (plain) moved[i] += static_cast<CUdeviceptr>(view_offset());
      parameters[i] = &moved[i];
    }
  }
  if (is_logging())
    warn("launch %s, grid (%u, %u, %u), block (%u, %u, %u), %u bytes shared", kernel.name, grid.x, grid.y, grid.z, block.x,
         block.y, block.z, shared);
  emulated_position.block_dim = block;
  emulated_position.grid_dim = grid;
  emulated_dynamic_shared_size = shared;
  if (plain) {
    run_grid(kernel, grid, parameters.data());
  } else {
    Window open;
    run_grid(kernel, grid, parameters.data());
  }
  for (const Allocation &allocation : touched) check(allocation, "after the kernel ", kernel.name);
}

} // namespace
} // namespace emulated

using namespace emulated;

EXPORT CUresult cuLaunchKernel(CUfunction function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                               unsigned block_y, unsigned block_z, unsigned shared, CUstream stream, void **parameters,
                               void **extra) {
  ENTER;
  NEED(is_function(function) && is_stream(stream), CUDA_ERROR_INVALID_HANDLE);
  NEED(!extra, CUDA_ERROR_NOT_SUPPORTED);
  auto &f = *reinterpret_cast<Function *>(function);
  dim3 grid(grid_x, grid_y, grid_z), block(block_x, block_y, block_z);
  NEED(is_shape(*f.kernel, grid, block), CUDA_ERROR_INVALID_VALUE);
  NEED(shared <= static_cast<unsigned>(f.dynamic_shared_limit), CUDA_ERROR_INVALID_VALUE);
  NEED(parameters || !f.kernel->parameter_count, CUDA_ERROR_INVALID_VALUE);
  launch(*f.kernel, grid, block, shared, parameters);
  return CUDA_SUCCESS;
}

EXPORT CUresult cuLaunchKernelEx(const CUlaunchConfig *config, CUfunction function, void **parameters, void **extra) {
  NEED(config, CUDA_ERROR_INVALID_VALUE);
  return cuLaunchKernel(function, config->gridDimX, config->gridDimY, config->gridDimZ, config->blockDimX, config->blockDimY,
                        config->blockDimZ, config->sharedMemBytes, config->hStream, parameters, extra);
}

EXPORT CUresult cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *blocks, CUfunction function, int block_size, size_t,
                                                                     unsigned) {
  ENTER;
  NEED(blocks && block_size > 0, CUDA_ERROR_INVALID_VALUE);
  NEED(is_function(function), CUDA_ERROR_INVALID_HANDLE);
  *blocks = block_size > 1024 ? 0 : std::min(32, 2048 / block_size);
  return CUDA_SUCCESS;
}

EXPORT CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, CUfunction function, int block_size, size_t shared) {
  return cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(blocks, function, block_size, shared, 0);
}

EXPORT CUresult cuOccupancyMaxPotentialBlockSizeWithFlags(int *grid, int *block, CUfunction function, CUoccupancyB2DSize,
                                                          size_t, int limit, unsigned) {
  ENTER;
  NEED(grid && block, CUDA_ERROR_INVALID_VALUE);
  NEED(is_function(function), CUDA_ERROR_INVALID_HANDLE);
  unsigned most = reinterpret_cast<Function *>(function)->kernel->max_threads;
  *block = most ? static_cast<int>(most) : 1024;
  if (limit > 0 && limit < *block) *block = limit;
  *grid = 2;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuOccupancyMaxPotentialBlockSize(int *grid, int *block, CUfunction function, CUoccupancyB2DSize size_of,
                                                 size_t shared, int limit) {
  return cuOccupancyMaxPotentialBlockSizeWithFlags(grid, block, function, size_of, shared, limit, 0);
}
