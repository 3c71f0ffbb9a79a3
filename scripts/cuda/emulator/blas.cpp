// cuBLAS: matrix products as candle and cudarc ask for them, in plain loops that are read from left to right.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <algorithm>
#include <type_traits>
#include <vector>

#define EXPORT extern "C" __attribute__((visibility("default")))

extern "C" void *emulated_view(unsigned long long address, size_t size); // in libcuda

namespace {

enum Status { SUCCESS = 0, INVALID_VALUE = 7, NOT_SUPPORTED = 15 };
enum Type { F32 = 0, F64 = 1, F16 = 2, BF16 = 14 };
enum Compute { COMPUTE_16F = 64, COMPUTE_16F_PEDANTIC = 65, COMPUTE_64F = 70, COMPUTE_64F_PEDANTIC = 71 };

struct Handle {
  void *stream = nullptr;
  int device_scalars = 0, math = 0;
};

struct Shape {
  bool transpose_a, transpose_b;
  int m, n, k, lda, ldb, ldc;
  long long stride_a, stride_b, stride_c;
  int batch;
};

[[noreturn]] void fail(const char *what) {
  fprintf(stderr, "emulated CUDA: cuBLAS: %s\n", what);
  abort();
}

size_t extent(int rows, int columns, int leading) {
  return rows && columns ? static_cast<size_t>(columns - 1) * static_cast<size_t>(leading) + static_cast<size_t>(rows) : 0;
}

// The bytes of all matrices of a batch, which must lie in one allocation of the device.
template <typename T> T *matrices(const void *address, size_t elements, long long stride, int batch, const char *which) {
  if (!elements) return nullptr;
  size_t all = elements + static_cast<size_t>(stride) * static_cast<size_t>(batch - 1);
  void *seen = emulated_view(reinterpret_cast<unsigned long long>(address), all * sizeof(T));
  if (!seen) {
    fprintf(stderr, "emulated CUDA: cuBLAS: matrix %s (%zu bytes at %p) is not within one allocation of device memory\n", which,
            all * sizeof(T), address);
    abort();
  }
  return static_cast<T *>(seen);
}

// C := alpha op(A) op(B) + beta C, in columns. Sums are kept in `Sum`; where beta is 0, C is not read.
template <typename T, typename Sum> void product(const Shape &s, Sum alpha, const T *a, const T *b, Sum beta, T *c) {
  const size_t m = static_cast<size_t>(s.m), n = static_cast<size_t>(s.n), k = static_cast<size_t>(s.k);
  const size_t lda = static_cast<size_t>(s.lda), ldb = static_cast<size_t>(s.ldb), ldc = static_cast<size_t>(s.ldc);
  std::vector<Sum> packed(m * k); // op(A), in columns
  for (size_t p = 0; p < k; p++)
    for (size_t i = 0; i < m; i++) packed[p * m + i] = static_cast<Sum>(s.transpose_a ? a[i * lda + p] : a[p * lda + i]);
  constexpr size_t WIDTH = 4;
  std::vector<Sum> sums(WIDTH * m);
  for (size_t j = 0; j < n; j += WIDTH) {
    const size_t width = std::min(WIDTH, n - j);
    std::fill(sums.begin(), sums.end(), Sum(0));
    Sum *s0 = sums.data(), *s1 = s0 + m, *s2 = s1 + m, *s3 = s2 + m;
    for (size_t p = 0; p < k; p++) {
      Sum weight[WIDTH] = {};
      for (size_t w = 0; w < width; w++) weight[w] = static_cast<Sum>(s.transpose_b ? b[p * ldb + j + w] : b[(j + w) * ldb + p]);
      const Sum *column = &packed[p * m];
      const Sum w0 = weight[0], w1 = weight[1], w2 = weight[2], w3 = weight[3];
      for (size_t i = 0; i < m; i++) {
        const Sum x = column[i];
        s0[i] += x * w0;
        s1[i] += x * w1;
        s2[i] += x * w2;
        s3[i] += x * w3;
      }
    }
    for (size_t w = 0; w < width; w++)
      for (size_t i = 0; i < m; i++) {
        T &out = c[(j + w) * ldc + i];
        Sum value = alpha * sums[w * m + i];
        if (beta != Sum(0)) value += beta * static_cast<Sum>(out);
        out = static_cast<T>(value);
      }
  }
}

template <typename T, typename Sum>
int gemm(const Handle *handle, const Shape &s, Sum alpha, const void *a, const void *b, Sum beta, void *c) {
  if (!handle || s.m < 0 || s.n < 0 || s.k < 0 || s.batch < 0) return INVALID_VALUE;
  if (s.lda < std::max(1, s.transpose_a ? s.k : s.m) || s.ldb < std::max(1, s.transpose_b ? s.n : s.k) ||
      s.ldc < std::max(1, s.m))
    return INVALID_VALUE;
  if (!s.m || !s.n || !s.batch) return SUCCESS;
  const T *from_a = matrices<T>(a, s.transpose_a ? extent(s.k, s.m, s.lda) : extent(s.m, s.k, s.lda), s.stride_a, s.batch, "A");
  const T *from_b = matrices<T>(b, s.transpose_b ? extent(s.n, s.k, s.ldb) : extent(s.k, s.n, s.ldb), s.stride_b, s.batch, "B");
  T *to = matrices<T>(c, extent(s.m, s.n, s.ldc), s.stride_c, s.batch, "C");
  for (long long i = 0; i < s.batch; i++)
    product<T, Sum>(s, alpha, from_a + i * s.stride_a, from_b + i * s.stride_b, beta, to + i * s.stride_c);
  return SUCCESS;
}

// alpha or beta, on the host or on the device as the handle says.
template <typename T> T scalar(const Handle *handle, const void *address) {
  if (handle && handle->device_scalars) {
    address = emulated_view(reinterpret_cast<unsigned long long>(address), sizeof(T));
    if (!address) fail("alpha or beta is not in device memory");
  }
  return *static_cast<const T *>(address);
}

int gemm_of_types(Handle *h, const Shape &s, const void *alpha, const void *a, int type_a, const void *b, int type_b,
                  const void *beta, void *c, int type_c, int compute) {
  if (type_a != type_b || type_a != type_c) return NOT_SUPPORTED;
  if (type_a == F64) {
    if (compute != COMPUTE_64F && compute != COMPUTE_64F_PEDANTIC) return NOT_SUPPORTED;
    return gemm<double, double>(h, s, scalar<double>(h, alpha), a, b, scalar<double>(h, beta), c);
  }
  float x, y;
  if (compute == COMPUTE_16F || compute == COMPUTE_16F_PEDANTIC) {
    x = __half2float(scalar<__half>(h, alpha)), y = __half2float(scalar<__half>(h, beta));
  } else {
    x = scalar<float>(h, alpha), y = scalar<float>(h, beta);
  }
  switch (type_a) {
  case F32: return gemm<float, float>(h, s, x, a, b, y, c);
  case F16: return gemm<__half, float>(h, s, x, a, b, y, c);
  case BF16: return gemm<__nv_bfloat16, float>(h, s, x, a, b, y, c);
  default: return NOT_SUPPORTED;
  }
}

Shape shape(int ta, int tb, int m, int n, int k, int lda, int ldb, int ldc, long long sa, long long sb, long long sc, int batch) {
  return {ta != 0, tb != 0, m, n, k, lda, ldb, ldc, sa, sb, sc, batch};
}

} // namespace

EXPORT int cublasCreate_v2(Handle **handle) {
  if (!handle) return INVALID_VALUE;
  *handle = new Handle;
  return SUCCESS;
}

EXPORT int cublasDestroy_v2(Handle *handle) {
  delete handle;
  return SUCCESS;
}

EXPORT int cublasSetStream_v2(Handle *handle, void *stream) {
  handle->stream = stream;
  return SUCCESS;
}

EXPORT int cublasGetStream_v2(Handle *handle, void **stream) {
  *stream = handle->stream;
  return SUCCESS;
}

EXPORT int cublasSetPointerMode_v2(Handle *handle, int mode) {
  handle->device_scalars = mode;
  return SUCCESS;
}

EXPORT int cublasGetPointerMode_v2(Handle *handle, int *mode) {
  *mode = handle->device_scalars;
  return SUCCESS;
}

EXPORT int cublasSetMathMode(Handle *handle, int mode) {
  handle->math = mode;
  return SUCCESS;
}

EXPORT int cublasGetMathMode(Handle *handle, int *mode) {
  *mode = handle->math;
  return SUCCESS;
}

EXPORT int cublasSetWorkspace_v2(Handle *, void *, size_t) { return SUCCESS; }

EXPORT int cublasGetVersion_v2(Handle *, int *version) {
  *version = 130000;
  return SUCCESS;
}

EXPORT int cublasSgemmStridedBatched(Handle *h, int ta, int tb, int m, int n, int k, const float *alpha, const float *a, int lda,
                                     long long sa, const float *b, int ldb, long long sb, const float *beta, float *c, int ldc,
                                     long long sc, int batch) {
  return gemm<float, float>(h, shape(ta, tb, m, n, k, lda, ldb, ldc, sa, sb, sc, batch), scalar<float>(h, alpha), a, b,
                            scalar<float>(h, beta), c);
}

EXPORT int cublasDgemmStridedBatched(Handle *h, int ta, int tb, int m, int n, int k, const double *alpha, const double *a, int lda,
                                     long long sa, const double *b, int ldb, long long sb, const double *beta, double *c,
                                     int ldc, long long sc, int batch) {
  return gemm<double, double>(h, shape(ta, tb, m, n, k, lda, ldb, ldc, sa, sb, sc, batch), scalar<double>(h, alpha), a, b,
                              scalar<double>(h, beta), c);
}

EXPORT int cublasSgemm_v2(Handle *h, int ta, int tb, int m, int n, int k, const float *alpha, const float *a, int lda,
                          const float *b, int ldb, const float *beta, float *c, int ldc) {
  return cublasSgemmStridedBatched(h, ta, tb, m, n, k, alpha, a, lda, 0, b, ldb, 0, beta, c, ldc, 0, 1);
}

EXPORT int cublasDgemm_v2(Handle *h, int ta, int tb, int m, int n, int k, const double *alpha, const double *a, int lda,
                          const double *b, int ldb, const double *beta, double *c, int ldc) {
  return cublasDgemmStridedBatched(h, ta, tb, m, n, k, alpha, a, lda, 0, b, ldb, 0, beta, c, ldc, 0, 1);
}

EXPORT int cublasGemmStridedBatchedEx(Handle *h, int ta, int tb, int m, int n, int k, const void *alpha, const void *a, int type_a,
                                      int lda, long long sa, const void *b, int type_b, int ldb, long long sb, const void *beta,
                                      void *c, int type_c, int ldc, long long sc, int batch, int compute, int) {
  return gemm_of_types(h, shape(ta, tb, m, n, k, lda, ldb, ldc, sa, sb, sc, batch), alpha, a, type_a, b, type_b, beta, c, type_c,
                       compute);
}

EXPORT int cublasGemmEx(Handle *h, int ta, int tb, int m, int n, int k, const void *alpha, const void *a, int type_a, int lda,
                        const void *b, int type_b, int ldb, const void *beta, void *c, int type_c, int ldc, int compute, int) {
  return gemm_of_types(h, shape(ta, tb, m, n, k, lda, ldb, ldc, 0, 0, 0, 1), alpha, a, type_a, b, type_b, beta, c, type_c,
                       compute);
}
