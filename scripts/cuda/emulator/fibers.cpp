// The stacks and the switch of fibers.h, for x86-64 with the System V convention.
#include "fibers.h"
#include "common.h"
#include <cstdint>
#include <sys/mman.h>
#include <vector>

// Only what a called function must preserve is kept: everything else is the caller's, who knows that it calls.
asm(R"(
.text
.globl emulated_switch
.hidden emulated_switch
.type emulated_switch, @function
emulated_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq (%rsi), %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size emulated_switch, .-emulated_switch
)");

namespace emulated {
namespace {

constexpr size_t STACK = 64 << 10, GUARD = 4096;
// Stacks that start at the same place of a page would compete for the same lines of the cache.
constexpr size_t COLOURS = 24, COLOUR = 320;

struct Stack {
  unsigned char *guard, *top;
  Fiber fiber;
};
std::vector<Stack *> stacks;

} // namespace

Fiber *make_fiber(size_t number, void (*body)()) {
  while (stacks.size() <= number) {
    void *memory = mmap(nullptr, GUARD + STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) fail("no memory for the stack of a kernel's thread");
    auto *bottom = static_cast<unsigned char *>(memory);
    mprotect(memory, GUARD, PROT_NONE);
    size_t colour = stacks.size() % COLOURS * COLOUR;
    stacks.push_back(new Stack{bottom, bottom + GUARD + STACK - colour, {}});
  }
  Stack &stack = *stacks[number];
  auto *words = reinterpret_cast<uintptr_t *>(reinterpret_cast<uintptr_t>(stack.top) & ~uintptr_t{63});
  *--words = 0; // the return address of `body`, which also leaves the stack aligned as after a call
  *--words = reinterpret_cast<uintptr_t>(body);
  for (int i = 0; i < 6; i++) *--words = 0; // the registers that the switch restores
  stack.fiber.stack_pointer = words;
  return &stack.fiber;
}

bool is_below_stack(const void *address) {
  auto *at = static_cast<const unsigned char *>(address);
  for (const Stack *stack : stacks)
    if (at >= stack->guard && at < stack->guard + GUARD) return true;
  return false;
}

} // namespace emulated
