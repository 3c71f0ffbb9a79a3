// Stacks that take turns on one processor thread, with a switch of a few nanoseconds.
#pragma once
#include <cstddef>

namespace emulated {

struct Fiber {
  void *stack_pointer = nullptr;
};

// Leaves `from` where it is and goes on where `to` was left.
extern "C" void emulated_switch(Fiber *from, const Fiber *to);

// The fiber with this number, that runs `body` from its start when first switched to; `body` must not return.
Fiber *make_fiber(size_t number, void (*body)());

// Whether the address lies in the guard page below one of the stacks.
bool is_below_stack(const void *address);

} // namespace emulated
