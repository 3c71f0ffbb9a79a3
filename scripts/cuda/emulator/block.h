// Runs the threads of a block of a kernel.
#pragma once
#include "kernel.h"

namespace emulated {

// Runs the threads of a block whose place is in emulated_position to their ends.
void run_block(const EmulatedKernel &kernel, void *const *parameters);

// The name of the kernel that was last started.
const char *running_kernel();

} // namespace emulated
