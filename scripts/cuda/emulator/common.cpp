// Messages, settings and the lock; and the answer of every function that the emulator only has a name for.
#include "common.h"
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <set>

namespace emulated {

std::recursive_mutex lock;

void warn(const char *format, ...) {
  va_list list;
  va_start(list, format);
  fputs("emulated CUDA: ", stderr);
  vfprintf(stderr, format, list);
  fputc('\n', stderr);
  va_end(list);
}

void fail(const char *format, ...) {
  va_list list;
  va_start(list, format);
  fputs("emulated CUDA: ", stderr);
  vfprintf(stderr, format, list);
  fputc('\n', stderr);
  va_end(list);
  abort();
}

std::string setting(const char *name, const char *otherwise) {
  const char *value = getenv(name);
  return value && *value ? value : otherwise;
}

bool is_logging() {
  static const bool wanted = setting("EMULATED_CUDA_LOG", "0") == "1";
  return wanted;
}

} // namespace emulated

// The driver's own tables are not taken down when the program ends: other threads may still be at work then. This stands before
// the C library's function of the same name, for this library alone, and forgets the destructors that it is given.
extern "C" __attribute__((visibility("hidden"))) int __cxa_atexit(void (*)(void *), void *, void *) { return 0; }

EXPORT int emulated_missing(const char *name, int answer) {
  emulated::Locked locked(emulated::lock);
  static std::set<std::string> told;
  if (told.insert(name).second) emulated::warn("%s is not emulated", name);
  return answer;
}
