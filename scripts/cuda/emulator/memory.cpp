// The allocator of device memory, its guards against stray accesses, and the message for a host that reads it.
#include "memory.h"
#include "block.h"
#include "fibers.h"
#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <map>
#include <set>
#include <sys/mman.h>
#include <unistd.h>

namespace emulated {
namespace {

constexpr size_t ALIGNMENT = 512; // as cuMemAllocAsync
constexpr size_t CANARY = 512;    // bytes before and after each allocation that nobody may write
constexpr size_t PAGE = 4096;
constexpr unsigned char GARBAGE = 0xFF; // NaN as a float, -1 or the largest number as an integer

size_t round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }

struct Block { // of the arena, with the canaries around the allocation that it holds
  size_t offset, size;
  Allocation allocation;
};

struct Arena {
  size_t size = 0;
  unsigned char *device = nullptr; // PROT_NONE, but for a Window
  unsigned char *seen = nullptr;
  size_t used_to = 0; // no byte from here on has ever been handed out
  size_t in_use = 0, most_in_use = 0;
  bool guard_pages = setting("EMULATED_CUDA_GUARD", "0") == "1";
  std::map<CUdeviceptr, Block> live;
  std::map<size_t, size_t> holes;                   // offset to size
  std::set<std::pair<size_t, size_t>> holes_by_size; // size and offset

  Arena() {
    size = round_up(std::stoull(setting("EMULATED_CUDA_MEMORY_MIB", "512")) << 20, PAGE);
    int file = memfd_create("emulated-cuda", MFD_CLOEXEC);
    if (file < 0 || ftruncate(file, static_cast<off_t>(size)) != 0) fail("no memory for the device");
    void *first = mmap(nullptr, size, PROT_NONE, MAP_SHARED | MAP_NORESERVE, file, 0);
    void *second = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, file, 0);
    if (first == MAP_FAILED || second == MAP_FAILED) fail("no addresses for the device's memory");
    close(file);
    device = static_cast<unsigned char *>(first);
    seen = static_cast<unsigned char *>(second);
  }

  bool take(size_t want, Block &block) {
    auto hole = holes_by_size.lower_bound({want, 0});
    if (hole != holes_by_size.end()) {
      auto [hole_size, offset] = *hole;
      holes_by_size.erase(hole);
      holes.erase(offset);
      if (hole_size > want) add_hole(offset + want, hole_size - want);
      block.offset = offset;
    } else {
      if (size - used_to < want) return false;
      block.offset = used_to;
      used_to += want;
    }
    block.size = want;
    return true;
  }

  void add_hole(size_t offset, size_t hole_size) {
    auto after = holes.lower_bound(offset);
    if (after != holes.end() && after->first == offset + hole_size) {
      hole_size += after->second;
      holes_by_size.erase({after->second, after->first});
      after = holes.erase(after);
    }
    if (after != holes.begin()) {
      auto before = std::prev(after);
      if (before->first + before->second == offset) {
        offset = before->first;
        hole_size += before->second;
        holes_by_size.erase({before->second, before->first});
        holes.erase(before);
      }
    }
    holes[offset] = hole_size;
    holes_by_size.insert({hole_size, offset});
  }
};

struct sigaction previous_handler;

Arena &arena();

// A fault in the arena gets a line that says what it was; then the fault takes its usual course.
void on_fault(int signal, siginfo_t *info, void *) {
  auto *at = static_cast<unsigned char *>(info->si_addr);
  Arena &a = arena();
  const char *what = nullptr;
  if (at >= a.device && at < a.device + a.size)
    what = "device memory was read or written through its device address by the host, or by a kernel that got the address in a "
           "way that the emulator does not see";
  else if (at >= a.seen && at < a.seen + a.size)
    what = "a kernel left its allocation and met a guard page";
  else if (is_below_stack(at))
    what = "a thread of a kernel has more local variables than its stack of 64 KiB holds";
  if (what)
    for (const char *part : {"emulated CUDA: ", what, " (last kernel: ", running_kernel(), ")\n"})
      (void)!write(STDERR_FILENO, part, strlen(part));
  sigaction(signal, &previous_handler, nullptr); // the instruction runs again and meets the former handler
}

Arena &arena() {
  static Arena *only = [] {
    auto *made = new Arena; // never freed: kernels may run until the very end
    return made;
  }();
  return *only;
}

void catch_faults() {
  static bool done = [] {
    arena();
    struct sigaction handler {};
    handler.sa_sigaction = on_fault;
    handler.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&handler.sa_mask);
    sigaction(SIGSEGV, &handler, &previous_handler);
    return true;
  }();
  (void)done;
}

const Block *find_block(CUdeviceptr address) {
  auto &live = arena().live;
  auto after = live.upper_bound(address);
  if (after == live.begin()) return nullptr;
  const Block &block = std::prev(after)->second;
  return address <= block.allocation.address + block.allocation.size ? &block : nullptr;
}

// The bytes of a block before and after its allocation.
struct Margins {
  unsigned char *before, *after;
  size_t before_size, after_size;
};

Margins margins(const Block &block) {
  Arena &a = arena();
  size_t start = block.allocation.address - reinterpret_cast<CUdeviceptr>(a.device);
  size_t end = start + block.allocation.size;
  size_t block_end = block.offset + block.size - (a.guard_pages ? PAGE : 0);
  return {a.seen + block.offset, a.seen + end, start - block.offset, block_end - end};
}

long changed(const unsigned char *bytes, size_t size) {
  for (size_t i = 0; i < size; i++)
    if (bytes[i] != GARBAGE) return static_cast<long>(i);
  return -1;
}

void check_block(const Block &block, const char *when, const char *which) {
  Margins m = margins(block);
  long after = changed(m.after, m.after_size);
  long before = changed(m.before, m.before_size);
  size_t size = block.allocation.size;
  if (after >= 0)
    fail("noticed %s%s: byte %zu of an allocation of %zu bytes was written", when, which, size + static_cast<size_t>(after), size);
  if (before >= 0)
    fail("noticed %s%s: byte -%zu of an allocation of %zu bytes was written", when, which,
         m.before_size - static_cast<size_t>(before), size);
}

} // namespace

size_t memory_total() { return arena().size; }
size_t memory_most_used() { return arena().most_in_use; }
size_t memory_free() { return arena().size - arena().in_use; }
ptrdiff_t view_offset() { return arena().seen - arena().device; }

CUdeviceptr allocate(size_t size) {
  catch_faults();
  Arena &a = arena();
  if (size > a.size) return 0;
  Block block{};
  size_t start;
  if (a.guard_pages) { // the end meets an inaccessible page, as nearly as the alignment of vectors allows
    size_t body = round_up(round_up(size, 16) + CANARY, PAGE);
    if (!a.take(body + PAGE, block)) return 0;
    start = block.offset + body - round_up(size, 16);
    mprotect(a.seen + block.offset + body, PAGE, PROT_NONE);
  } else {
    if (!a.take(CANARY + round_up(size, ALIGNMENT) + CANARY, block)) return 0;
    start = block.offset + CANARY;
  }
  block.allocation = {reinterpret_cast<CUdeviceptr>(a.device) + start, size};
  memset(a.seen + block.offset, GARBAGE, block.size - (a.guard_pages ? PAGE : 0));
  a.in_use += block.size;
  a.most_in_use = std::max(a.most_in_use, a.in_use);
  a.live.emplace(block.allocation.address, block);
  return block.allocation.address;
}

bool release(CUdeviceptr address) {
  Arena &a = arena();
  auto found = a.live.find(address);
  if (found == a.live.end()) return false;
  Block block = found->second;
  check_block(block, "when memory was freed", "");
  if (a.guard_pages) mprotect(a.seen + block.offset + block.size - PAGE, PAGE, PROT_READ | PROT_WRITE);
  a.live.erase(found);
  a.in_use -= block.size;
  a.add_hole(block.offset, block.size);
  return true;
}

const Allocation *find(CUdeviceptr address) {
  const Block *block = find_block(address);
  return block ? &block->allocation : nullptr;
}

void *view(CUdeviceptr address, size_t size) {
  const Allocation *in = find(address);
  if (!in || size > in->size - (address - in->address)) return nullptr;
  return reinterpret_cast<unsigned char *>(address) + view_offset();
}

void check(const Allocation &allocation, const char *when, const char *which) {
  if (const Block *block = find_block(allocation.address)) check_block(*block, when, which);
}

void check_all(const char *when) {
  for (auto &[address, block] : arena().live) check_block(block, when, "");
}

Window::Window() { mprotect(arena().device, round_up(arena().used_to, PAGE), PROT_READ | PROT_WRITE); }
Window::~Window() { mprotect(arena().device, round_up(arena().used_to, PAGE), PROT_NONE); }

} // namespace emulated

EXPORT void *emulated_view(CUdeviceptr address, size_t size) {
  emulated::Locked locked(emulated::lock);
  return emulated::view(address, size);
}
