// cuRAND: random numbers of the asked distributions. The numbers themselves are not those of NVIDIA's generators.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#define EXPORT extern "C" __attribute__((visibility("default")))

extern "C" void *emulated_view(unsigned long long address, size_t size); // in libcuda

namespace {

enum Status { SUCCESS = 0, OUT_OF_RANGE = 104, LENGTH_NOT_MULTIPLE = 105 };

// A counter hashed by SplitMix64, so that a seed and an offset name a place in the sequence.
struct Generator {
  uint64_t seed = 0, place = 0;
  uint64_t next() {
    uint64_t x = mix(seed) + ++place * 0x9E3779B97F4A7C15u;
    return mix(x);
  }
  static uint64_t mix(uint64_t x) {
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
  }
  // In (0, 1], as cuRAND has it.
  double uniform() { return static_cast<double>((next() >> 11) + 1) * 0x1p-53; }
  float uniform_float() { return static_cast<float>((next() >> 40) + 1) * 0x1p-24f; }
};

template <typename T> T *output(T *address, size_t count) {
  void *seen = emulated_view(reinterpret_cast<unsigned long long>(address), count * sizeof(T));
  if (seen) return static_cast<T *>(seen);
  fprintf(stderr, "emulated CUDA: cuRAND: %zu numbers at %p are not within one allocation of device memory\n", count,
          static_cast<void *>(address));
  abort();
}

// Box and Muller's pairs, for which the count must be even (as cuRAND asks of pseudorandom generators).
template <typename T, typename F> int normal(Generator *g, T *address, size_t count, T mean, T deviation, F finish) {
  if (count % 2) return LENGTH_NOT_MULTIPLE;
  if (!count) return SUCCESS;
  T *out = output(address, count);
  for (size_t i = 0; i < count; i += 2) {
    double radius = std::sqrt(-2 * std::log(g->uniform())), angle = 2 * M_PI * g->uniform();
    out[i] = static_cast<T>(finish(static_cast<double>(mean) + static_cast<double>(deviation) * radius * std::cos(angle)));
    out[i + 1] = static_cast<T>(finish(static_cast<double>(mean) + static_cast<double>(deviation) * radius * std::sin(angle)));
  }
  return SUCCESS;
}

template <typename T, typename F> int each(T *address, size_t count, F number) {
  if (!count) return SUCCESS;
  T *out = output(address, count);
  for (size_t i = 0; i < count; i++) out[i] = number();
  return SUCCESS;
}

double same(double x) { return x; }
double exponential(double x) { return std::exp(x); }

} // namespace

EXPORT int curandCreateGenerator(Generator **generator, int) {
  *generator = new Generator;
  return SUCCESS;
}

EXPORT int curandDestroyGenerator(Generator *generator) {
  delete generator;
  return SUCCESS;
}

EXPORT int curandSetStream(Generator *, void *) { return SUCCESS; }

EXPORT int curandSetPseudoRandomGeneratorSeed(Generator *generator, unsigned long long seed) {
  *generator = {seed, 0};
  return SUCCESS;
}

EXPORT int curandSetGeneratorOffset(Generator *generator, unsigned long long offset) {
  generator->place = offset;
  return SUCCESS;
}

EXPORT int curandGenerate(Generator *g, unsigned *to, size_t count) {
  return each(to, count, [g] { return static_cast<unsigned>(g->next() >> 32); });
}

EXPORT int curandGenerateLongLong(Generator *g, unsigned long long *to, size_t count) {
  return each(to, count, [g] { return static_cast<unsigned long long>(g->next()); });
}

EXPORT int curandGenerateUniform(Generator *g, float *to, size_t count) {
  return each(to, count, [g] { return g->uniform_float(); });
}

EXPORT int curandGenerateUniformDouble(Generator *g, double *to, size_t count) {
  return each(to, count, [g] { return g->uniform(); });
}

EXPORT int curandGenerateNormal(Generator *g, float *to, size_t count, float mean, float deviation) {
  return normal(g, to, count, mean, deviation, same);
}

EXPORT int curandGenerateNormalDouble(Generator *g, double *to, size_t count, double mean, double deviation) {
  return normal(g, to, count, mean, deviation, same);
}

EXPORT int curandGenerateLogNormal(Generator *g, float *to, size_t count, float mean, float deviation) {
  return normal(g, to, count, mean, deviation, exponential);
}

EXPORT int curandGenerateLogNormalDouble(Generator *g, double *to, size_t count, double mean, double deviation) {
  return normal(g, to, count, mean, deviation, exponential);
}
