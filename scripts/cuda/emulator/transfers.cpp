// Allocations, copies and fills as the driver's calls name them; each address must be of the kind that the call expects.
#include "memory.h"
#include <cstdlib>
#include <cstring>
#include <set>

namespace emulated {
namespace {

std::set<void *> pinned;

// A host address must not be one of the device's, whose bytes the host could not read.
bool is_host(const void *address) { return address && !find(reinterpret_cast<CUdeviceptr>(address)); }

CUresult to_device(CUdeviceptr to, const void *from, size_t size) {
  if (!size) return CUDA_SUCCESS;
  void *bytes = view(to, size);
  NEED(bytes && is_host(from), CUDA_ERROR_INVALID_VALUE);
  if (is_logging()) warn("copy %zu bytes to the device", size);
  memcpy(bytes, from, size);
  return CUDA_SUCCESS;
}

CUresult to_host(void *to, CUdeviceptr from, size_t size) {
  if (!size) return CUDA_SUCCESS;
  void *bytes = view(from, size);
  NEED(bytes && is_host(to), CUDA_ERROR_INVALID_VALUE);
  if (is_logging()) warn("copy %zu bytes to the host", size);
  memcpy(to, bytes, size);
  return CUDA_SUCCESS;
}

CUresult within_device(CUdeviceptr to, CUdeviceptr from, size_t size) {
  if (!size) return CUDA_SUCCESS;
  void *target = view(to, size), *source = view(from, size);
  NEED(target && source, CUDA_ERROR_INVALID_VALUE);
  memmove(target, source, size);
  return CUDA_SUCCESS;
}

template <typename T> CUresult fill(CUdeviceptr to, T value, size_t count) {
  if (!count) return CUDA_SUCCESS;
  auto *bytes = static_cast<T *>(view(to, count * sizeof(T)));
  NEED(bytes && to % sizeof(T) == 0, CUDA_ERROR_INVALID_VALUE);
  for (size_t i = 0; i < count; i++) bytes[i] = value;
  return CUDA_SUCCESS;
}

} // namespace
} // namespace emulated

using namespace emulated;

#define ENTER_STREAM                                                                                                   \
  ENTER;                                                                                                               \
  NEED(is_stream(stream), CUDA_ERROR_INVALID_HANDLE)

EXPORT CUresult cuMemGetInfo(size_t *free_bytes, size_t *total) {
  ENTER;
  NEED(free_bytes && total, CUDA_ERROR_INVALID_VALUE);
  *free_bytes = memory_free();
  *total = memory_total();
  return CUDA_SUCCESS;
}

EXPORT CUresult cuMemAlloc(CUdeviceptr *address, size_t size) {
  ENTER;
  NEED(address && size, CUDA_ERROR_INVALID_VALUE);
  *address = allocate(size);
  return *address ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

EXPORT CUresult cuMemAllocAsync(CUdeviceptr *address, size_t size, CUstream stream) {
  ENTER_STREAM;
  NEED(address, CUDA_ERROR_INVALID_VALUE);
  *address = allocate(size);
  return *address ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

EXPORT CUresult cuMemFree(CUdeviceptr address) {
  ENTER;
  return !address || release(address) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

EXPORT CUresult cuMemFreeAsync(CUdeviceptr address, CUstream stream) {
  ENTER_STREAM;
  return release(address) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

EXPORT CUresult cuMemHostAlloc(void **address, size_t size, unsigned) {
  ENTER;
  NEED(address, CUDA_ERROR_INVALID_VALUE);
  *address = aligned_alloc(4096, (size + 4095) / 4096 * 4096);
  NEED(*address, CUDA_ERROR_OUT_OF_MEMORY);
  pinned.insert(*address);
  return CUDA_SUCCESS;
}

EXPORT CUresult cuMemFreeHost(void *address) {
  ENTER;
  NEED(pinned.erase(address), CUDA_ERROR_INVALID_VALUE);
  free(address);
  return CUDA_SUCCESS;
}

EXPORT CUresult cuMemcpyHtoD(CUdeviceptr to, const void *from, size_t size) {
  ENTER;
  return to_device(to, from, size);
}

EXPORT CUresult cuMemcpyHtoDAsync(CUdeviceptr to, const void *from, size_t size, CUstream stream) {
  ENTER_STREAM;
  return to_device(to, from, size);
}

EXPORT CUresult cuMemcpyDtoH(void *to, CUdeviceptr from, size_t size) {
  ENTER;
  return to_host(to, from, size);
}

EXPORT CUresult cuMemcpyDtoHAsync(void *to, CUdeviceptr from, size_t size, CUstream stream) {
  ENTER_STREAM;
  return to_host(to, from, size);
}

EXPORT CUresult cuMemcpyDtoD(CUdeviceptr to, CUdeviceptr from, size_t size) {
  ENTER;
  return within_device(to, from, size);
}

EXPORT CUresult cuMemcpyDtoDAsync(CUdeviceptr to, CUdeviceptr from, size_t size, CUstream stream) {
  ENTER_STREAM;
  return within_device(to, from, size);
}

EXPORT CUresult cuMemcpyPeerAsync(CUdeviceptr to, CUcontext, CUdeviceptr from, CUcontext, size_t size, CUstream stream) {
  ENTER_STREAM;
  return within_device(to, from, size);
}

EXPORT CUresult cuMemsetD8(CUdeviceptr to, unsigned char value, size_t count) {
  ENTER;
  return fill(to, value, count);
}

EXPORT CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t count, CUstream stream) {
  ENTER_STREAM;
  return fill(to, value, count);
}

EXPORT CUresult cuMemsetD16(CUdeviceptr to, unsigned short value, size_t count) {
  ENTER;
  return fill(to, value, count);
}

EXPORT CUresult cuMemsetD16Async(CUdeviceptr to, unsigned short value, size_t count, CUstream stream) {
  ENTER_STREAM;
  return fill(to, value, count);
}

EXPORT CUresult cuMemsetD32(CUdeviceptr to, unsigned value, size_t count) {
  ENTER;
  return fill(to, value, count);
}

EXPORT CUresult cuMemsetD32Async(CUdeviceptr to, unsigned value, size_t count, CUstream stream) {
  ENTER_STREAM;
  return fill(to, value, count);
}

EXPORT CUresult cuMemGetAddressRange(CUdeviceptr *start, size_t *size, CUdeviceptr address) {
  ENTER;
  const Allocation *in = find(address);
  NEED(in, CUDA_ERROR_NOT_FOUND);
  if (start) *start = in->address;
  if (size) *size = in->size;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuPointerGetAttribute(void *value, CUpointer_attribute attribute, CUdeviceptr address) {
  ENTER;
  NEED(value, CUDA_ERROR_INVALID_VALUE);
  const Allocation *in = find(address);
  NEED(in, CUDA_ERROR_INVALID_VALUE);
  switch (attribute) {
  case CU_POINTER_ATTRIBUTE_MEMORY_TYPE: *static_cast<CUmemorytype *>(value) = CU_MEMORYTYPE_DEVICE; return CUDA_SUCCESS;
  case CU_POINTER_ATTRIBUTE_DEVICE_POINTER: *static_cast<CUdeviceptr *>(value) = address; return CUDA_SUCCESS;
  case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL: *static_cast<int *>(value) = 0; return CUDA_SUCCESS;
  case CU_POINTER_ATTRIBUTE_IS_MANAGED: *static_cast<unsigned *>(value) = 0; return CUDA_SUCCESS;
  case CU_POINTER_ATTRIBUTE_RANGE_START_ADDR: *static_cast<CUdeviceptr *>(value) = in->address; return CUDA_SUCCESS;
  case CU_POINTER_ATTRIBUTE_RANGE_SIZE: *static_cast<size_t *>(value) = in->size; return CUDA_SUCCESS;
  default: return CUDA_ERROR_NOT_SUPPORTED;
  }
}

// Memory that is freed is free at once: pools have nothing to keep.
static char pool;

EXPORT CUresult cuDeviceGetDefaultMemPool(CUmemoryPool *out, CUdevice device) {
  NEED(out, CUDA_ERROR_INVALID_VALUE);
  NEED(device == 0, CUDA_ERROR_INVALID_DEVICE);
  *out = reinterpret_cast<CUmemoryPool>(&pool);
  return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceGetMemPool(CUmemoryPool *out, CUdevice device) { return cuDeviceGetDefaultMemPool(out, device); }
EXPORT CUresult cuMemPoolSetAttribute(CUmemoryPool, CUmemPool_attribute, void *) { return CUDA_SUCCESS; }
EXPORT CUresult cuMemPoolGetAttribute(CUmemoryPool, CUmemPool_attribute which, void *value) {
  ENTER;
  NEED(value, CUDA_ERROR_INVALID_VALUE);
  NEED(which == CU_MEMPOOL_ATTR_USED_MEM_HIGH, CUDA_ERROR_NOT_SUPPORTED);
  *static_cast<cuuint64_t *>(value) = memory_most_used();
  return CUDA_SUCCESS;
}

EXPORT CUresult cuMemPoolTrimTo(CUmemoryPool, size_t) { return CUDA_SUCCESS; }
