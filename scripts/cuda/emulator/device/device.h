// What nvcc knows without any header, for kernels that are compiled for the processor: included before their first line.
#pragma once
#include <assert.h>
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmath>
#include <limits>
#include <type_traits>

// CUDA's own headers first, as a compiler for the host sees them: their other side is PTX.
#include <vector_types.h>
#include <vector_functions.h>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>
#if __has_include(<cuda/std/limits>)
#include <cuda/std/limits>
#endif

#include "../kernel.h"

// From here on this is a compiler for the device. `__global__`, `__shared__` and `__launch_bounds__` are left for rewrite.py.
#undef __device__
#undef __host__
#undef __global__
#undef __shared__
#undef __constant__
#undef __managed__
#undef __grid_constant__
#undef __launch_bounds__
#undef __forceinline__
#undef __noinline__
#undef __noinline__
#undef __align__
#undef __restrict__
#define __device__
#define __host__
#define __constant__
#define __grid_constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__
#define __align__(n) __attribute__((aligned(n)))
#define __restrict__ __restrict
#define __CUDA_ARCH__ EMULATED_CUDA_ARCH
#define __CUDACC_VER_MAJOR__ 13
#define __CUDACC_VER_MINOR__ 0

// References and not macros, since CUDA's headers have parameters with these names.
static const uint3 &threadIdx = emulated_position.thread;
static const uint3 &blockIdx = emulated_position.block;
static const dim3 &blockDim = emulated_position.block_dim;
static const dim3 &gridDim = emulated_position.grid_dim;
static constexpr int warpSize = 32;

// assert() says which thread it was.
extern "C" __attribute__((visibility("hidden"))) void __assert_fail(const char *what, const char *file, unsigned line,
                                                                    const char *) noexcept {
  char text[1024];
  snprintf(text, sizeof text, "%s:%u: assert(%s)", file, line, what);
  emulated_fail(text);
}

#include "arithmetic.h"
#include "atomics.h"
#include "halves.h"
#include "intrinsics.h"
#include "threads.h"
#include "table.h"
