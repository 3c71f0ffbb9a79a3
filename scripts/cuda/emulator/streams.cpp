// Streams and events. Work is done when it is asked for, so that both are little more than handles that are checked.
#include "memory.h"
#include <chrono>
#include <vector>

namespace emulated {
namespace {

// Handles are never given back to the system: a stale one can be read, and is known by its state.
struct Handle {
  bool live;
  double recorded; // milliseconds, or negative
};

class Handles {
public:
  Handle *make() {
    Handle *handle;
    if (spare.empty()) {
      handle = new Handle;
      all.push_back(handle);
    } else {
      handle = spare.back();
      spare.pop_back();
    }
    *handle = {true, -1};
    return handle;
  }
  void end(Handle *handle) {
    handle->live = false;
    spare.push_back(handle);
  }

private:
  std::vector<Handle *> spare, all;
};

Handles streams, events;

Handle *of(CUstream stream) { return reinterpret_cast<Handle *>(stream); }
Handle *of(CUevent event) { return reinterpret_cast<Handle *>(event); }

bool is_special(CUstream stream) { return !stream || stream == CU_STREAM_LEGACY || stream == CU_STREAM_PER_THREAD; }
bool is_event(CUevent event) { return event && of(event)->live; }

double now() {
  using namespace std::chrono;
  return duration<double, std::milli>(steady_clock::now().time_since_epoch()).count();
}

} // namespace

bool is_stream(CUstream stream) { return is_special(stream) || of(stream)->live; }

} // namespace emulated

using namespace emulated;

EXPORT CUresult cuStreamCreate(CUstream *stream, unsigned) {
  ENTER;
  NEED(stream, CUDA_ERROR_INVALID_VALUE);
  *stream = reinterpret_cast<CUstream>(streams.make());
  return CUDA_SUCCESS;
}

EXPORT CUresult cuStreamCreateWithPriority(CUstream *stream, unsigned flags, int) { return cuStreamCreate(stream, flags); }

EXPORT CUresult cuStreamDestroy(CUstream stream) {
  ENTER;
  NEED(!is_special(stream) && is_stream(stream), CUDA_ERROR_INVALID_HANDLE);
  streams.end(of(stream));
  return CUDA_SUCCESS;
}

EXPORT CUresult cuStreamSynchronize(CUstream stream) {
  ENTER;
  NEED(is_stream(stream), CUDA_ERROR_INVALID_HANDLE);
  check_all("at a synchronisation");
  return CUDA_SUCCESS;
}

EXPORT CUresult cuStreamQuery(CUstream stream) {
  ENTER;
  return is_stream(stream) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

EXPORT CUresult cuStreamWaitEvent(CUstream stream, CUevent event, unsigned) {
  ENTER;
  return is_stream(stream) && is_event(event) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

EXPORT CUresult cuStreamIsCapturing(CUstream stream, CUstreamCaptureStatus *status) {
  ENTER;
  NEED(status, CUDA_ERROR_INVALID_VALUE);
  NEED(is_stream(stream), CUDA_ERROR_INVALID_HANDLE);
  *status = CU_STREAM_CAPTURE_STATUS_NONE;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuLaunchHostFunc(CUstream stream, CUhostFn function, void *argument) {
  NEED(function, CUDA_ERROR_INVALID_VALUE);
  NEED(is_stream(stream), CUDA_ERROR_INVALID_HANDLE);
  function(argument);
  return CUDA_SUCCESS;
}

EXPORT CUresult cuEventCreate(CUevent *event, unsigned) {
  ENTER;
  NEED(event, CUDA_ERROR_INVALID_VALUE);
  *event = reinterpret_cast<CUevent>(events.make());
  return CUDA_SUCCESS;
}

EXPORT CUresult cuEventDestroy(CUevent event) {
  ENTER;
  NEED(is_event(event), CUDA_ERROR_INVALID_HANDLE);
  events.end(of(event));
  return CUDA_SUCCESS;
}

EXPORT CUresult cuEventRecord(CUevent event, CUstream stream) {
  ENTER;
  NEED(is_event(event) && is_stream(stream), CUDA_ERROR_INVALID_HANDLE);
  of(event)->recorded = now();
  return CUDA_SUCCESS;
}

EXPORT CUresult cuEventQuery(CUevent event) {
  ENTER;
  return is_event(event) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

EXPORT CUresult cuEventSynchronize(CUevent event) { return cuEventQuery(event); }

static CUresult elapsed(float *milliseconds, CUevent start, CUevent end) {
  ENTER;
  NEED(milliseconds, CUDA_ERROR_INVALID_VALUE);
  NEED(is_event(start) && is_event(end), CUDA_ERROR_INVALID_HANDLE);
  NEED(of(start)->recorded >= 0 && of(end)->recorded >= 0, CUDA_ERROR_INVALID_HANDLE);
  *milliseconds = static_cast<float>(of(end)->recorded - of(start)->recorded);
  return CUDA_SUCCESS;
}

EXPORT CUresult cuEventElapsedTime(float *milliseconds, CUevent start, CUevent end) { return elapsed(milliseconds, start, end); }
#undef cuEventElapsedTime
EXPORT CUresult cuEventElapsedTime(float *milliseconds, CUevent start, CUevent end) { return elapsed(milliseconds, start, end); }
