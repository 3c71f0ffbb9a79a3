// The threads of one block: barriers, exchanges within warps, and the order in which threads take turns.
//
// A thread runs on until it has to wait for others. One that never waits leaves its fiber to the next thread, so that kernels
// without barriers run in a plain loop on one fiber, and only threads that do wait keep a stack of their own.
#include "block.h"
#include "common.h"
#include "fibers.h"
#include <algorithm>
#include <cstring>
#include <numeric>
#include <vector>

EmulatedPosition emulated_position;

namespace emulated {
namespace {

enum class State : unsigned char { Running, AtBarrier, InExchange, Done };

struct Thread {
  uint3 index;
  Fiber *fiber;
  State state;
  unsigned mask; // of the exchange it waits in
  uint64_t value;
  uint64_t *values; // where it wants those of the others
  unsigned present;
};

struct Warp {
  unsigned alive, waiting; // lanes that have not returned, and of those the ones in an exchange
};

struct Shared {
  void *variable;
  size_t size;
};

// What is known of the block that runs.
const EmulatedKernel *kernel;
void *const *arguments;
std::vector<Thread> threads;
std::vector<Warp> warps;
std::vector<unsigned> order; // in which threads start and go on after a barrier
std::vector<unsigned> ready; // threads that can go on, from ready_next
size_t ready_next, fresh_next;
unsigned count, alive, at_barrier;
int predicates, predicates_released;
Thread *current;
Fiber scheduler, *starting;
std::vector<Fiber *> idle;
size_t fibers_made;
std::vector<Shared> touched;
bool backward;

// Threads take turns in the order of their numbers, backwards or in a shuffled order: a kernel whose results depend on it lacks
// a barrier. The order of a shuffle is repeatable, but another one for every block.
void make_order() {
  static const std::string wish = setting("EMULATED_CUDA_ORDER", "forward");
  static uint64_t block = 0;
  backward = wish == "reverse";
  bool shuffled = wish == "shuffled";
  if (order.size() == count && !shuffled) return;
  order.resize(count);
  std::iota(order.begin(), order.end(), 0u);
  if (backward) std::reverse(order.begin(), order.end());
  if (!shuffled) return;
  uint64_t state = ++block * 0x9E3779B97F4A7C15u;
  for (unsigned i = count; i > 1; i--) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    std::swap(order[i - 1], order[(state >> 33) % i]);
  }
}

void place(Thread &thread) {
  current = &thread;
  emulated_position.thread = thread.index;
}

unsigned number_of(const Thread &thread) { return static_cast<unsigned>(&thread - threads.data()); }

void make_ready(unsigned number) {
  threads[number].state = State::Running;
  ready.push_back(number);
}

void release_barrier() {
  predicates_released = predicates;
  predicates = 0;
  at_barrier = 0;
  for (unsigned number : order)
    if (threads[number].state == State::AtBarrier) make_ready(number);
}

// Completes the exchange of the lanes in the mask if all of them that are left have come.
void try_exchange(unsigned warp_number, unsigned mask) {
  Warp &warp = warps[warp_number];
  unsigned present = mask & warp.alive;
  if (!present || (present & ~warp.waiting)) return;
  Thread *lanes = &threads[warp_number * 32];
  uint64_t all[32];
  memset(all, 0xFF, sizeof all); // what lanes that take no part would give is undefined
  for (unsigned rest = present; rest; rest &= rest - 1) {
    Thread &lane = lanes[__builtin_ctz(rest)];
    if ((lane.mask & warp.alive) != present) return; // it waits with others first
    all[__builtin_ctz(rest)] = lane.value;
  }
  for (unsigned rest = present; rest; rest &= rest - 1) {
    Thread &lane = lanes[__builtin_ctz(rest)];
    memcpy(lane.values, all, sizeof all);
    lane.present = present;
  }
  warp.waiting &= ~present;
  for (unsigned i = 0; i < 32; i++) {
    unsigned lane = backward ? 31 - i : i;
    if (present >> lane & 1) make_ready(warp_number * 32 + lane);
  }
}

[[noreturn]] void fail_stuck() {
  unsigned exchanging = 0;
  for (unsigned i = 0; i < count; i++) exchanging += threads[i].state == State::InExchange;
  std::string text = std::to_string(at_barrier) + " threads of the block wait at __syncthreads and " +
                     std::to_string(exchanging) + " for other lanes of their warps, for ever (" +
                     std::to_string(count - alive) + " have returned)";
  emulated_fail(text.c_str());
}

void run_threads();

// Goes on with a thread that can, with a fresh one, or out of the block.
void leave(Fiber *from) {
  if (ready_next < ready.size()) {
    Thread &next = threads[ready[ready_next++]];
    if (ready_next == ready.size()) ready.clear(), ready_next = 0;
    place(next);
    if (next.fiber != from) emulated_switch(from, next.fiber);
  } else if (fresh_next < count) {
    if (idle.empty()) idle.push_back(make_fiber(fibers_made++, run_threads));
    starting = idle.back();
    idle.pop_back();
    if (starting != from) emulated_switch(from, starting);
  } else if (alive == 0) {
    emulated_switch(from, &scheduler);
  } else {
    fail_stuck();
  }
}

void end_thread(Thread &thread) {
  thread.state = State::Done;
  alive--;
  unsigned number = number_of(thread);
  Warp &warp = warps[number / 32];
  warp.alive &= ~(1u << number % 32);
  if (at_barrier && at_barrier == alive) release_barrier();
  for (unsigned waiting = warp.waiting; waiting; waiting &= waiting - 1)
    try_exchange(number / 32, threads[number / 32 * 32 + __builtin_ctz(waiting)].mask);
}

// The life of a fiber: one fresh thread after another, for as long as there are no others to go on with.
void run_threads() {
  Fiber *me = starting;
  for (;;) {
    while (fresh_next < count && ready_next == ready.size()) {
      Thread &thread = threads[order[fresh_next++]];
      thread.state = State::Running;
      thread.fiber = me;
      place(thread);
      kernel->thread(arguments);
      end_thread(thread);
    }
    idle.push_back(me);
    leave(me);
  }
}

// Sets the numbers of the threads, which only change with the shape of blocks.
void set_shape(dim3 shape) {
  static dim3 known(0, 0, 0);
  if (known.x == shape.x && known.y == shape.y && known.z == shape.z) return;
  known = shape;
  count = shape.x * shape.y * shape.z;
  threads.resize(count + 32);
  warps.resize((count + 31) / 32);
  unsigned number = 0;
  for (unsigned z = 0; z < shape.z; z++)
    for (unsigned y = 0; y < shape.y; y++)
      for (unsigned x = 0; x < shape.x; x++) threads[number++].index = {x, y, z};
}

constexpr size_t SHARED_LIMIT = 227 << 10, STATIC_LIMIT = 48 << 10, SHARED_CANARY = 64;

} // namespace

void run_block(const EmulatedKernel &which, void *const *parameters) {
  kernel = &which;
  arguments = parameters;
  set_shape(emulated_position.block_dim);
  make_order();
  for (unsigned w = 0; w < warps.size(); w++) {
    unsigned lanes = std::min(32u, count - w * 32);
    warps[w] = {lanes == 32 ? ~0u : (1u << lanes) - 1, 0};
  }
  alive = count;
  fresh_next = 0;
  at_barrier = 0;
  predicates = 0;
  touched.clear();
  unsigned char *canary = emulated_dynamic_shared + emulated_dynamic_shared_size;
  memset(emulated_dynamic_shared, 0xFF, emulated_dynamic_shared_size + SHARED_CANARY);

  leave(&scheduler);

  for (size_t i = 0; i < SHARED_CANARY; i++)
    if (canary[i] != 0xFF) emulated_fail("something wrote past the end of the dynamic shared memory");
}

} // namespace emulated

using namespace emulated;

alignas(1024) unsigned char emulated_dynamic_shared[SHARED_LIMIT + SHARED_CANARY];
unsigned emulated_dynamic_shared_size;

int emulated_barrier(int predicate) {
  Thread &me = *current;
  predicates += predicate != 0;
  me.state = State::AtBarrier;
  if (++at_barrier == alive) release_barrier();
  leave(me.fiber);
  return predicates_released;
}

unsigned emulated_exchange(unsigned mask, uint64_t value, uint64_t values[32]) {
  Thread &me = *current;
  unsigned number = number_of(me), lane = 1u << number % 32;
  if (!(mask & lane)) emulated_fail("a lane is not in the mask that it gives to an operation of its warp");
  me.mask = mask;
  me.value = value;
  me.values = values;
  me.state = State::InExchange;
  warps[number / 32].waiting |= lane;
  try_exchange(number / 32, mask);
  leave(me.fiber);
  return me.present;
}

const char *emulated::running_kernel() { return kernel ? kernel->name : "(none)"; }

unsigned emulated_alive() { return warps[number_of(*current) / 32].alive; }

bool emulated_touch(void *variable, size_t size) {
  if (!kernel) return true;
  size_t total = size;
  for (const Shared &known : touched) {
    if (known.variable == variable) return true;
    total += known.size;
  }
  if (total > STATIC_LIMIT) emulated_fail("a block has more than 48 KiB of static shared memory");
  memset(variable, 0xFF, size);
  touched.push_back({variable, size});
  return true;
}

void emulated_fail(const char *what) {
  const EmulatedPosition &at = emulated_position;
  fail("kernel %s, block (%u, %u, %u), thread (%u, %u, %u): %s", running_kernel(), at.block.x, at.block.y,
       at.block.z, at.thread.x, at.thread.y, at.thread.z, what);
}
