// The one device, its attributes, its contexts and the names of errors.
#include "memory.h"
#include <cstring>

namespace emulated {
namespace {

struct Context {
  int retained;
  unsigned flags;
};
Context primary, others; // contexts share everything, and only need to be told apart
bool initialised;
thread_local CUcontext current;

CUcontext handle(Context &context) { return reinterpret_cast<CUcontext>(&context); }

int attribute(CUdevice_attribute which) {
  switch (which) {
  case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: return 9;
  case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: return 0;
  case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK: return 1024;
  case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X: return 1024;
  case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y: return 1024;
  case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z: return 64;
  case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X: return 0x7FFFFFFF;
  case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y: return 65535;
  case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z: return 65535;
  case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK: return 48 << 10;
  case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN: return 227 << 10;
  case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR: return 228 << 10;
  case CU_DEVICE_ATTRIBUTE_TOTAL_CONSTANT_MEMORY: return 64 << 10;
  case CU_DEVICE_ATTRIBUTE_WARP_SIZE: return 32;
  case CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK: return 65536;
  case CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR: return 65536;
  case CU_DEVICE_ATTRIBUTE_CLOCK_RATE: return 1000000;
  case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: return 2;
  case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR: return 2048;
  case CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR: return 32;
  case CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE: return 1 << 20;
  case CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING: return 1;
  case CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED: return 1;
  case CU_DEVICE_ATTRIBUTE_CONCURRENT_KERNELS: return 1;
  case CU_DEVICE_ATTRIBUTE_STREAM_PRIORITIES_SUPPORTED: return 1;
  default: return 0;
  }
}

struct ErrorName {
  CUresult error;
  const char *name, *text;
};
#define NAMED(error, text) {error, #error, text}
const ErrorName ERRORS[] = {
    NAMED(CUDA_SUCCESS, "no error"),
    NAMED(CUDA_ERROR_INVALID_VALUE, "invalid argument"),
    NAMED(CUDA_ERROR_OUT_OF_MEMORY, "out of memory"),
    NAMED(CUDA_ERROR_NOT_INITIALIZED, "initialization error"),
    NAMED(CUDA_ERROR_INVALID_DEVICE, "invalid device ordinal"),
    NAMED(CUDA_ERROR_INVALID_IMAGE, "device kernel image is invalid"),
    NAMED(CUDA_ERROR_INVALID_CONTEXT, "invalid device context"),
    NAMED(CUDA_ERROR_INVALID_PTX, "a PTX JIT compilation failed"),
    NAMED(CUDA_ERROR_INVALID_HANDLE, "invalid resource handle"),
    NAMED(CUDA_ERROR_NOT_FOUND, "named symbol not found"),
    NAMED(CUDA_ERROR_NOT_READY, "device not ready"),
    NAMED(CUDA_ERROR_NOT_SUPPORTED, "operation not supported"),
};

CUresult error_text(CUresult error, const char **text, const char *ErrorName::*which) {
  NEED(text, CUDA_ERROR_INVALID_VALUE);
  for (const ErrorName &known : ERRORS)
    if (known.error == error) {
      *text = known.*which;
      return CUDA_SUCCESS;
    }
  *text = "unrecognized error code";
  return CUDA_ERROR_INVALID_VALUE;
}

} // namespace

bool has_context() { return current != nullptr; }

} // namespace emulated

using namespace emulated;

EXPORT CUresult cuInit(unsigned) {
  initialised = true;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuDriverGetVersion(int *version) {
  NEED(version, CUDA_ERROR_INVALID_VALUE);
  *version = CUDA_VERSION;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuGetErrorName(CUresult error, const char **name) { return error_text(error, name, &ErrorName::name); }
EXPORT CUresult cuGetErrorString(CUresult error, const char **text) { return error_text(error, text, &ErrorName::text); }

EXPORT CUresult cuDeviceGetCount(int *count) {
  NEED(initialised, CUDA_ERROR_NOT_INITIALIZED);
  NEED(count, CUDA_ERROR_INVALID_VALUE);
  *count = 1;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceGet(CUdevice *device, int ordinal) {
  NEED(initialised, CUDA_ERROR_NOT_INITIALIZED);
  NEED(device, CUDA_ERROR_INVALID_VALUE);
  NEED(ordinal == 0, CUDA_ERROR_INVALID_DEVICE);
  *device = 0;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceGetName(char *name, int length, CUdevice device) {
  NEED(name && length > 0, CUDA_ERROR_INVALID_VALUE);
  NEED(device == 0, CUDA_ERROR_INVALID_DEVICE);
  strncpy(name, "Emulated CUDA device (processor)", static_cast<size_t>(length) - 1);
  name[length - 1] = 0;
  return CUDA_SUCCESS;
}

static CUresult uuid_of(CUuuid *uuid, CUdevice device) {
  NEED(uuid, CUDA_ERROR_INVALID_VALUE);
  NEED(device == 0, CUDA_ERROR_INVALID_DEVICE);
  memcpy(uuid->bytes, "emulated-device", sizeof uuid->bytes);
  return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceGetUuid(CUuuid *uuid, CUdevice device) { return uuid_of(uuid, device); }
#undef cuDeviceGetUuid
EXPORT CUresult cuDeviceGetUuid(CUuuid *uuid, CUdevice device) { return uuid_of(uuid, device); }

EXPORT CUresult cuDeviceTotalMem(size_t *bytes, CUdevice device) {
  NEED(bytes, CUDA_ERROR_INVALID_VALUE);
  NEED(device == 0, CUDA_ERROR_INVALID_DEVICE);
  *bytes = memory_total();
  return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceGetAttribute(int *value, CUdevice_attribute which, CUdevice device) {
  NEED(value, CUDA_ERROR_INVALID_VALUE);
  NEED(device == 0, CUDA_ERROR_INVALID_DEVICE);
  *value = attribute(which);
  return CUDA_SUCCESS;
}

EXPORT CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device) {
  Locked locked(lock);
  NEED(initialised, CUDA_ERROR_NOT_INITIALIZED);
  NEED(context, CUDA_ERROR_INVALID_VALUE);
  NEED(device == 0, CUDA_ERROR_INVALID_DEVICE);
  primary.retained++;
  *context = handle(primary);
  return CUDA_SUCCESS;
}

EXPORT CUresult cuDevicePrimaryCtxRelease(CUdevice device) {
  Locked locked(lock);
  NEED(device == 0, CUDA_ERROR_INVALID_DEVICE);
  NEED(primary.retained > 0, CUDA_ERROR_INVALID_CONTEXT);
  primary.retained--;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuCtxCreate(CUcontext *context, CUctxCreateParams *, unsigned, CUdevice device) {
  NEED(context, CUDA_ERROR_INVALID_VALUE);
  NEED(device == 0, CUDA_ERROR_INVALID_DEVICE);
  *context = current = handle(others);
  return CUDA_SUCCESS;
}

EXPORT CUresult cuCtxDestroy(CUcontext context) {
  NEED(context == handle(others), CUDA_ERROR_INVALID_CONTEXT);
  if (current == context) current = nullptr;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuCtxGetCurrent(CUcontext *context) {
  NEED(context, CUDA_ERROR_INVALID_VALUE);
  *context = current;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuCtxSetCurrent(CUcontext context) {
  NEED(!context || context == handle(primary) || context == handle(others), CUDA_ERROR_INVALID_CONTEXT);
  current = context;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuCtxGetDevice(CUdevice *device) {
  ENTER;
  NEED(device, CUDA_ERROR_INVALID_VALUE);
  *device = 0;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuCtxSynchronize() {
  ENTER;
  check_all("at a synchronisation");
  return CUDA_SUCCESS;
}

EXPORT CUresult cuCtxSetFlags(unsigned flags) {
  ENTER;
  primary.flags = flags;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuCtxGetLimit(size_t *value, CUlimit limit) {
  ENTER;
  NEED(value, CUDA_ERROR_INVALID_VALUE);
  *value = limit == CU_LIMIT_STACK_SIZE ? 48 << 10 : 8 << 20;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuCtxSetLimit(CUlimit, size_t) {
  ENTER;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuCtxGetStreamPriorityRange(int *least, int *greatest) {
  ENTER;
  if (least) *least = 0;
  if (greatest) *greatest = 0;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuProfilerStart() { return CUDA_SUCCESS; }
EXPORT CUresult cuProfilerStop() { return CUDA_SUCCESS; }
