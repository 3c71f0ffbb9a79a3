// What the driver and the compiled kernels know of each other.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector_types.h>

struct EmulatedParameter {
  unsigned size;
  bool pointer; // a pointer that the driver checks against the live allocations
  bool plain;   // no pointers are hidden inside it, nor in what it points to
};

struct EmulatedKernel {
  const char *name;
  void (*thread)(void *const *parameters); // runs one thread to its end
  const EmulatedParameter *parameters;
  unsigned parameter_count;
  unsigned max_threads; // of __launch_bounds__, or 0
};

// Every kernel library exports one, under the name `emulated_kernels`.
struct EmulatedKernels {
  const EmulatedKernel *first;
  unsigned count;
};

struct EmulatedPosition {
  uint3 thread, block;
  dim3 block_dim, grid_dim;
};

#pragma GCC visibility push(default)
extern "C" {
// Where the running thread is. Blocks run one after the other, so that one place serves all.
extern EmulatedPosition emulated_position;
// Dynamic shared memory, and what the launch asked for of it.
extern unsigned char emulated_dynamic_shared[];
extern unsigned emulated_dynamic_shared_size;

// __syncthreads: returns the number of threads whose predicate is not 0.
int emulated_barrier(int predicate);
// Waits for the lanes of the mask and hands the values of all of them to each; returns the lanes that take part.
unsigned emulated_exchange(unsigned mask, uint64_t value, uint64_t values[32]);
// The lanes of this warp that have not returned yet.
unsigned emulated_alive();
// Fills a static shared variable with garbage when the first thread of a block reaches its declaration.
bool emulated_touch(void *variable, size_t size);
// Says what the running kernel did wrong, and where, and ends the program.
[[noreturn]] void emulated_fail(const char *what);
}
#pragma GCC visibility pop
