// The optimiser's kernels: sums of squares of a gradient's slices, and Adam's update in place.
//
// Adam: Kingma & Ba (ICLR 2015), algorithm 1, with decoupled weight decay (Loshchilov & Hutter, ICLR 2019, algorithm 2).
// Bound by memory: 7 words a parameter for the update (4 read, 3 written), 1 for the norms; at some 10⁵ parameters by the launch.

constexpr int BLOCK = 256;

// Sum of squares of slice b = blockIdx.x, which is gradient[bounds[b] .. bounds[b + 1]], in f64: partial sums of the threads,
// then halves, so that the order of additions is always the same.
template <typename T>
__device__ void sums_of_squares(const T *__restrict__ gradient, const unsigned *__restrict__ bounds, double *__restrict__ out) {
  __shared__ double sums[BLOCK];
  const size_t from = bounds[blockIdx.x], to = bounds[blockIdx.x + 1];
  double sum = 0;
  for (size_t i = from + threadIdx.x; i < to; i += BLOCK) {
    const double value = gradient[i];
    sum = fma(value, value, sum);
  }
  sums[threadIdx.x] = sum;
  for (int width = BLOCK / 2; width > 0; width /= 2) {
    __syncthreads();
    if (threadIdx.x < width) sums[threadIdx.x] += sums[threadIdx.x + width];
  }
  if (threadIdx.x == 0) out[blockIdx.x] = sums[0];
}

// m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g², θ ← keep·θ − rate·m/(√v·root + ε), with g the gradient times `scale`. The moments
// are m, then v.
template <typename T>
__device__ void adam(size_t count, const T *__restrict__ gradient, T *__restrict__ moments, T *__restrict__ parameters, T beta1,
                     T rest1, T beta2, T rest2, T scale, T rate, T root, T eps, T keep) {
  const size_t i = blockIdx.x * size_t(blockDim.x) + threadIdx.x;
  if (i >= count) return;
  const T g = gradient[i] * scale;
  const T m = fma(moments[i], beta1, rest1 * g);
  const T v = fma(moments[count + i], beta2, rest2 * g * g);
  moments[i] = m;
  moments[count + i] = v;
  parameters[i] = fma(parameters[i], keep, -(rate * m / fma(sqrt(v), root, eps)));
}

#define KERNELS(T, SUFFIX)                                                                                                       \
  extern "C" __global__ void sums_of_squares_##SUFFIX(const T *gradient, const unsigned *bounds, double *out) {                  \
    sums_of_squares<T>(gradient, bounds, out);                                                                                   \
  }                                                                                                                              \
  extern "C" __global__ void adam_##SUFFIX(size_t count, const T *gradient, T *moments, T *parameters, T beta1, T rest1,         \
                                           T beta2, T rest2, T scale, T rate, T root, T eps, T keep) {                           \
    adam<T>(count, gradient, moments, parameters, beta1, rest1, beta2, rest2, scale, rate, root, eps, keep);                     \
  }

KERNELS(float, f32)
KERNELS(double, f64)
