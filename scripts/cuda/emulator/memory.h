// Device memory: an arena seen twice, once under device addresses that nobody can read, once by the driver and kernels.
#pragma once
#include "common.h"
#include <cstddef>

namespace emulated {

struct Allocation {
  CUdeviceptr address;
  size_t size;
};

size_t memory_total();
size_t memory_free();
size_t memory_most_used();

// A new allocation full of 0xFF, or 0 when memory is short.
CUdeviceptr allocate(size_t size);
// False where no live allocation begins at the address.
bool release(CUdeviceptr address);
// The live allocation that holds the address (its end included), or null.
const Allocation *find(CUdeviceptr address);
// Where the driver and kernels see the bytes, or null unless all lie within one live allocation.
void *view(CUdeviceptr address, size_t size);
// What to add to a device address to get the address under which kernels see it.
ptrdiff_t view_offset();

// Ends the program if the bytes around an allocation (or around any) have changed.
void check(const Allocation &allocation, const char *when, const char *which = "");
void check_all(const char *when);

// While one lives, device addresses can be read and written as they are.
class Window {
public:
  Window();
  ~Window();
};

} // namespace emulated
