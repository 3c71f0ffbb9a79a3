// Densities whose coordinates are independent, log γ(x) = c + Σᵢ f(xᵢ; aᵢ) with coefficients a [2, d], and Neal's funnel.
//
// Formulas are those of the targets' own files and of the processor's loops. Lanes of a warp take the coordinates of a row.
// x, v, ∇ and products [n, d], log γ [n]; a null pointer is not asked for. Deviation: none.
// Bound by memory: value and gradient of a row are d numbers in, d + 1 out, at some 5 operations a number (50 with a cosine).

#include "rows.cuh"

/// −½ p (x − m)².
template <typename T>
struct Gaussian {
    __device__ explicit Gaussian(double) {}
    __device__ void at(T x, T mean, T precision, T& value, T& slope) const {
        slope = (mean - x) * precision;
        value = ((mean - x) * (x - mean)) * (T(0.5) * precision);
    }
    __device__ T second(T, T, T precision) const { return -precision; }
};

/// q x⁴ + s x² − ½ q x.
template <typename T>
struct Wells {
    __device__ explicit Wells(double) {}
    __device__ void at(T x, T q, T s, T& value, T& slope) const {
        T square = x * x;
        value = fma(square, fma(square, q, s), -(T(0.5) * q * x));
        slope = fma(fma(T(4) * q, square, T(2) * s), x, -(T(0.5) * q));
    }
    __device__ T second(T x, T q, T s) const { return fma(T(12) * q, x * x, T(2) * s); }
};

__device__ inline void sine_and_cosine(float x, float& sine, float& cosine) { sincosf(x, &sine, &cosine); }
__device__ inline void sine_and_cosine(double x, double& sine, double& cosine) { sincos(x, &sine, &cosine); }

/// −½ x² − η cos(x/η).
template <typename T>
struct Rough {
    T eta, inverse;
    __device__ explicit Rough(double eta) : eta(T(eta)), inverse(T(1.0 / eta)) {}
    __device__ void at(T x, T, T, T& value, T& slope) const {
        T sine, cosine;
        sine_and_cosine(x * inverse, sine, cosine);
        value = -fma(T(0.5) * x, x, cosine * eta);
        slope = sine - x;
    }
    __device__ T second(T x, T, T) const { return fma(T(cos(x * inverse)), inverse, T(-1)); }
};

template <typename T, typename Density>
__device__ void evaluate_separable(
    const T* x, const T* a, T* value, T* grad, size_t n, int d, int lanes, double constant, double number) {
    Density density(number);
    Row row(lanes);
    T sum = 0;
    if (row.index < n) {
        size_t first = row.index * d;
        for (int i = row.lane; i < d; i += lanes) {
            T term, slope;
            density.at(x[first + i], __ldg(a + i), __ldg(a + d + i), term, slope);
            sum += term;
            if (grad) grad[first + i] = slope;
        }
    }
    if (!value) return;
    sum = row.sum(sum);
    if (row.index < n && row.lane == 0) value[row.index] = T(constant) + sum;
}

template <typename T, typename Density>
__device__ void bend_separable(const T* x, const T* v, const T* a, T* out, size_t n, int d, int lanes, double number) {
    Density density(number);
    Row row(lanes);
    if (row.index >= n) return;
    size_t first = row.index * d;
    for (int i = row.lane; i < d; i += lanes) {
        out[first + i] = density.second(x[first + i], __ldg(a + i), __ldg(a + d + i)) * v[first + i];
    }
}

/// Variance of the funnel's neck.
#define NECK_VARIANCE 9.0

/// Exponents that rounding cannot lift to infinity: ln of the largest number, less a thousandth.
__device__ inline float tamed(float t) { return t < 88.7218390f ? t : 88.7218390f; }
__device__ inline double tamed(double t) { return t < 709.7817128933840 ? t : 709.7817128933840; }

/// What the rows of a funnel need: x₀, e^{−x₀/2} and Σ zᵢ².
template <typename T>
struct Neck {
    T neck, inverse_sd, square;
    __device__ Neck(const Row& row, const T* x, size_t n, int d) : neck(0), inverse_sd(0), square(0) {
        if (row.index < n) {
            neck = x[0];
            inverse_sd = exp(tamed(T(-0.5) * neck));
            for (int i = row.lane; i < d; i += row.lanes) {
                T z = i == 0 ? T(0) : x[i] * inverse_sd;
                square = fma(z, z, square);
            }
        }
        square = row.sum(square);
    }
};

template <typename T>
__device__ void evaluate_funnel(
    const T* x, const T*, T* value, T* grad, size_t n, int d, int lanes, double constant, double) {
    Row row(lanes);
    x += (row.index < n ? row.index : 0) * d;
    Neck<T> at(row, x, n, d);
    if (row.index >= n) return;
    T others = T(d - 1);
    if (value && row.lane == 0) {
        T t = at.neck * T(1.0 / 3.0);
        value[row.index] = fma(T(-0.5), fma(at.neck, others, fma(t, t, at.square)), T(constant));
    }
    if (!grad) return;
    grad += row.index * d;
    for (int i = row.lane; i < d; i += lanes) {
        T pull = -(x[i] * at.inverse_sd) * at.inverse_sd;
        grad[i] = i == 0 ? fma(at.neck, T(-1.0 / NECK_VARIANCE), T(0.5) * (at.square - others)) : pull;
    }
}

/// H₀₀ = −1/9 − ½ Σ zᵢ², H₀ᵢ = zᵢ e^{−x₀/2}, Hᵢᵢ = −e^{−x₀}.
template <typename T>
__device__ void bend_funnel(const T* x, const T* v, const T*, T* out, size_t n, int d, int lanes, double) {
    Row row(lanes);
    size_t first = (row.index < n ? row.index : 0) * d;
    x += first;
    v += first;
    Neck<T> at(row, x, n, d);
    T neck_v = v[0], sum = 0;
    for (int i = row.lane; i < d && row.index < n; i += lanes) {
        if (i == 0) continue;
        T pull = (x[i] * at.inverse_sd) * at.inverse_sd;
        sum = fma(pull, v[i], sum);
        out[first + i] = pull * neck_v - (v[i] * at.inverse_sd) * at.inverse_sd;
    }
    sum = row.sum(sum);
    T own = T(-1.0 / NECK_VARIANCE) - T(0.5) * at.square;
    if (row.index < n && row.lane == 0) out[first] = fma(own, neck_v, sum);
}

#define DENSITY(NAME, T, SUFFIX, EVALUATE, BEND)                                                                       \
    extern "C" __global__ void target_##NAME##_##SUFFIX(                                                               \
        const T* x, const T* table, T* value, T* grad, size_t n, int d, int, int lanes, double first, double second) { \
        EVALUATE(x, table, value, grad, n, d, lanes, first, second);                                                   \
    }                                                                                                                  \
    extern "C" __global__ void target_##NAME##_hvp_##SUFFIX(                                                           \
        const T* x, const T* v, const T* table, T* out, size_t n, int d, int, int lanes, double, double second) {      \
        BEND(x, v, table, out, n, d, lanes, second);                                                                   \
    }

#define SEPARABLE(NAME, DENSITY_OF)                                                                                       \
    DENSITY(NAME, float, f32, (evaluate_separable<float, DENSITY_OF<float>>), (bend_separable<float, DENSITY_OF<float>>)) \
    DENSITY(NAME, double, f64, (evaluate_separable<double, DENSITY_OF<double>>),                                          \
            (bend_separable<double, DENSITY_OF<double>>))

SEPARABLE(gaussian, Gaussian)
SEPARABLE(wells, Wells)
SEPARABLE(rough, Rough)
DENSITY(funnel, float, f32, evaluate_funnel<float>, bend_funnel<float>)
DENSITY(funnel, double, f64, evaluate_funnel<double>, bend_funnel<double>)
