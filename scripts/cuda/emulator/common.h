// What all parts of the emulated driver share: its lock, its settings and its way to report a mistake.
#pragma once
#include <cuda.h>
#include <mutex>
#include <string>

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace emulated {

// One lock for everything: calls and kernels of all host threads run one after the other.
extern std::recursive_mutex lock;
using Locked = std::lock_guard<std::recursive_mutex>;

// A mistake of the program that a real device would answer with a sticky error or silence: told on stderr, then abort.
[[noreturn]] void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
// Something worth a line on stderr that the call itself answers with an error code.
void warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

// A setting from the environment.
std::string setting(const char *name, const char *otherwise);

// Whether launches and copies are to be told on stderr.
bool is_logging();

bool has_context();
bool is_stream(CUstream stream);

} // namespace emulated

// The start of every function that needs a context, as the driver asks of the calling thread.
#define ENTER                                                                                                          \
  emulated::Locked locked(emulated::lock);                                                                             \
  if (!emulated::has_context()) return CUDA_ERROR_INVALID_CONTEXT
#define NEED(condition, error)                                                                                         \
  if (!(condition)) return error
