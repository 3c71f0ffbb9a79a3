// Densities in the plane: a point is a thread, which holds what value and derivatives share.
//
// Formulas are those of the targets' own files and of the processor's loops. x, v, ∇ and products [n, 2], log γ [n]; a null
// pointer is not asked for. Numbers: curvature of the banana; width and softness of the window of U2, U3, U4. Deviation: none.
// Value and gradient are 12 bytes in, 12 out in f32, at some 20 operations (scg, banana) to 200 (u4): the first are bound by
// memory, the last are about even.

#include <math.h>
#include <stddef.h>

/// Two numbers in one access.
template <typename T>
struct alignas(2 * sizeof(T)) Pair {
    T a, b;
};

__device__ inline void sine_and_cosine(float x, float& sine, float& cosine) { sincosf(x, &sine, &cosine); }
__device__ inline void sine_and_cosine(double x, double& sine, double& cosine) { sincos(x, &sine, &cosine); }

/// σ(t) and σ(−t), from one e^{−|t|} and one division.
template <typename T>
__device__ Pair<T> both(T t) {
    T e = exp(-fabs(t));
    T larger = T(1) / (T(1) + e), smaller = e * larger;
    return t < T(0) ? Pair<T>{smaller, larger} : Pair<T>{larger, smaller};
}

/// log(1 + eᵗ).
template <typename T>
__device__ T softplus(T t) {
    return (t > T(0) ? t : T(0)) + log1p(exp(-fabs(t)));
}

/// The soft uniform on an interval of some width.
template <typename T>
struct Window {
    T softness, left, right;
    __device__ Window(T z, double width, double softness)
        : softness(T(softness)),
          left(fma(z, T(softness), T(softness * width / 2))),
          right(fma(z, T(softness), T(-softness * width / 2))) {}
    __device__ T value() const { return -(softplus(-left) + softplus(right)); }
    __device__ T score() const { return (both(left).b - both(right).a) * softness; }
    __device__ T bend() const {
        Pair<T> l = both(left), r = both(right);
        return -(l.a * l.b + r.a * r.b) * (softness * softness);
    }
};

/// A curve with two derivatives at a point.
template <typename T>
struct Curve {
    T value, slope, bend;
};

#define QUARTER 1.57079632679489661923

/// sin(2πz/4).
template <typename T>
__device__ Curve<T> sine_wave(T z) {
    T sine, cosine;
    sine_and_cosine(z * T(QUARTER), sine, cosine);
    return {sine, cosine * T(QUARTER), -(sine * T(QUARTER * QUARTER))};
}

/// 3 exp(−½((z − 1)/.6)²).
template <typename T>
struct Bump {
    __device__ static Curve<T> at(T z) {
        T t = (z - T(1)) * T(1.0 / 0.6);
        T value = exp(-(T(0.5) * t * t)) * T(3);
        return {value, (value * t) * T(-1.0 / 0.6), (t * t - T(1)) * (value * T(1.0 / (0.6 * 0.6)))};
    }
    static constexpr double upper = 0.35, lower = 0.35;
};

/// 3 σ((z − 1)/.3).
template <typename T>
struct Step {
    __device__ static Curve<T> at(T z) {
        Pair<T> s = both((z - T(1)) * T(1.0 / 0.3));
        T slope = (s.a * s.b) * T(3.0 / 0.3);
        return {s.a * T(3), slope, (s.b - s.a) * (slope * T(1.0 / 0.3))};
    }
    static constexpr double upper = 0.4, lower = 0.35;
};

template <typename T>
struct Scg {
    T z1, z2;
    __device__ Scg(T z1, T z2, double, double) : z1(z1), z2(z2) {}
    __device__ T value() const {
        T u = (z1 + z2) * T(0.70710678118654752440 / 10), v = (z2 - z1) * T(0.70710678118654752440 / 0.1);
        return fma(T(-0.5), fma(u, u, v * v), T(-1.83787706640934548356)); // log 2π
    }
    __device__ Pair<T> slope() const {
        T u = (z1 + z2) * T(-0.005), v = (z2 - z1) * T(-50.0);
        return {u - v, u + v};
    }
    __device__ Curve<T> hessian() const { return {T(-50.005), T(49.995), T(-50.005)}; }
};

/// The ring has radius 2 and deviation .4; the sides are at ±2 with deviation .6.
#define TILT (2.0 / (0.6 * 0.6))
#define RING (1.0 / (0.4 * 0.4))

template <typename T>
struct U1 {
    T z1, z2, r;
    __device__ U1(T z1, T z2, double, double) : z1(z1), z2(z2), r(sqrt(fma(z1, z1, fma(z2, z2, T(1e-24))))) {}
    __device__ T value() const {
        T ring = (r - T(2)) * T(1.0 / 0.4), side = fabs(z1);
        T offset = (side - T(2)) * T(1.0 / 0.6);
        return fma(T(-0.5), fma(ring, ring, offset * offset), log1p(exp(-(side * T(2 * TILT)))));
    }
    __device__ Pair<T> slope() const {
        T pull = (T(2) / r - T(1)) * T(RING);
        T side = fma(tanh(z1 * T(TILT)), T(TILT), -(z1 * T(1.0 / (0.6 * 0.6))));
        return {fma(z1, pull, side), z2 * pull};
    }
    __device__ Curve<T> hessian() const {
        T turn = T(2 * RING) / r, pull = turn - T(RING);
        T n1 = z1 / r, n2 = z2 / r, tilt = tanh(z1 * T(TILT));
        T side = fma(T(1) - tilt * tilt, T(TILT * TILT), T(-1.0 / (0.6 * 0.6)));
        return {pull - turn * n1 * n1 + side, -(turn * n1 * n2), pull - turn * n2 * n2};
    }
};

template <typename T>
struct U2 {
    Window<T> window;
    Curve<T> wave;
    T r;
    __device__ U2(T z1, T z2, double width, double softness)
        : window(z1, width, softness), wave(sine_wave(z1)), r(z2 - wave.value) {}
    __device__ T value() const {
        T t = r * T(1.0 / 0.4);
        return fma(T(-0.5), t * t, window.value());
    }
    __device__ Pair<T> slope() const {
        T pull = r * T(1.0 / (0.4 * 0.4));
        return {fma(pull, wave.slope, window.score()), -pull};
    }
    __device__ Curve<T> hessian() const {
        T precision = T(1.0 / (0.4 * 0.4));
        T ridge = precision * fma(r, wave.bend, -(wave.slope * wave.slope));
        return {ridge + window.bend(), precision * wave.slope, -precision};
    }
};

/// U3 and U4; the Hessian is that of the processor's file.
template <typename T, typename Gap>
struct TwoRidges {
    Window<T> window;
    Curve<T> wave, gap;
    T r[2];
    __device__ TwoRidges(T z1, T z2, double width, double softness)
        : window(z1, width, softness), wave(sine_wave(z1)), gap(Gap::at(z1)) {
        r[0] = z2 - wave.value;
        r[1] = r[0] + gap.value;
    }
    __device__ Pair<T> logs() const {
        T upper = r[0] * T(1.0 / Gap::upper), lower = r[1] * T(1.0 / Gap::lower);
        return {-(T(0.5) * upper * upper), -(T(0.5) * lower * lower)};
    }
    __device__ T value() const {
        Pair<T> log = logs();
        T larger = log.a > log.b ? log.a : log.b;
        return (larger + log1p(exp(-fabs(log.a - log.b)))) + window.value();
    }
    __device__ Pair<T> slope() const {
        Pair<T> log = logs(), p = both(log.a - log.b);
        T k0 = (p.a * r[0]) * T(1.0 / (Gap::upper * Gap::upper)), k1 = (p.b * r[1]) * T(1.0 / (Gap::lower * Gap::lower));
        T along = fma(k0 + k1, wave.slope, -(k1 * gap.slope));
        return {along + window.score(), -(k0 + k1)};
    }
    __device__ Curve<T> hessian() const {
        Pair<T> log = logs(), p = both(log.a - log.b);
        T precision[2] = {T(1.0 / (Gap::upper * Gap::upper)), T(1.0 / (Gap::lower * Gap::lower))};
        T tilt[2] = {-wave.slope, gap.slope - wave.slope}, bend[2] = {-wave.bend, gap.bend - wave.bend};
        T q[2] = {r[0] * precision[0], r[1] * precision[1]}, own[2] = {p.a * precision[0], p.b * precision[1]};
        T odds = p.a * p.b, along = q[1] * tilt[1] - q[0] * tilt[0], across = q[1] - q[0];
        T upper = fma(own[0], tilt[0] * tilt[0], (p.a * q[0]) * bend[0]);
        T lower = fma(own[1], tilt[1] * tilt[1], (p.b * q[1]) * bend[1]);
        T h11 = fma(odds * along, along, -(upper + lower));
        T h12 = fma(odds * along, across, -fma(own[0], tilt[0], own[1] * tilt[1]));
        T h22 = fma(odds * across, across, -(own[0] + own[1]));
        return {h11 + window.bend(), h12, h22};
    }
};

template <typename T>
struct Banana {
    T z1, curvature, r;
    __device__ Banana(T z1, T z2, double curvature, double)
        : z1(z1), curvature(T(curvature)), r(z2 - fma(z1 * z1, T(curvature), -(T(curvature) * T(100)))) {}
    __device__ T value() const {
        T u = z1 * T(0.1);
        return fma(T(-0.5), fma(u, u, r * r), T(-4.14046215940339141847)); // log 20π
    }
    __device__ Pair<T> slope() const { return {z1 * fma(r, T(2) * curvature, T(-0.01)), -r}; }
    __device__ Curve<T> hessian() const {
        T tilt = z1 * (T(2) * curvature);
        return {fma(r, T(2) * curvature, T(-0.01)) - tilt * tilt, tilt, T(-1)};
    }
};

template <typename T, typename Density>
__device__ void evaluate(const Pair<T>* x, T* value, Pair<T>* grad, size_t n, double first, double second) {
    size_t row = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (row >= n) return;
    Pair<T> z = x[row];
    Density density(z.a, z.b, first, second);
    if (value) value[row] = density.value();
    if (grad) grad[row] = density.slope();
}

template <typename T, typename Density>
__device__ void bend(const Pair<T>* x, const Pair<T>* v, Pair<T>* out, size_t n, double first, double second) {
    size_t row = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (row >= n) return;
    Pair<T> z = x[row], along = v[row];
    Curve<T> h = Density(z.a, z.b, first, second).hessian(); // ∂₁₁, ∂₁₂, ∂₂₂
    out[row] = {fma(h.value, along.a, h.slope * along.b), fma(h.slope, along.a, h.bend * along.b)};
}

#define PLANE_OF(NAME, T, SUFFIX, ...)                                                                             \
    extern "C" __global__ void target_##NAME##_##SUFFIX(                                                           \
        const Pair<T>* x, const T*, T* value, Pair<T>* grad, size_t n, int, int, int, double first, double second) { \
        evaluate<T, __VA_ARGS__>(x, value, grad, n, first, second);                                                \
    }                                                                                                              \
    extern "C" __global__ void target_##NAME##_hvp_##SUFFIX(                                                       \
        const Pair<T>* x, const Pair<T>* v, const T*, Pair<T>* out, size_t n, int, int, int, double first,         \
        double second) {                                                                                           \
        bend<T, __VA_ARGS__>(x, v, out, n, first, second);                                                         \
    }

PLANE_OF(scg, float, f32, Scg<float>)
PLANE_OF(scg, double, f64, Scg<double>)
PLANE_OF(u1, float, f32, U1<float>)
PLANE_OF(u1, double, f64, U1<double>)
PLANE_OF(u2, float, f32, U2<float>)
PLANE_OF(u2, double, f64, U2<double>)
PLANE_OF(u3, float, f32, TwoRidges<float, Bump<float>>)
PLANE_OF(u3, double, f64, TwoRidges<double, Bump<double>>)
PLANE_OF(u4, float, f32, TwoRidges<float, Step<float>>)
PLANE_OF(u4, double, f64, TwoRidges<double, Step<double>>)
PLANE_OF(banana, float, f32, Banana<float>)
PLANE_OF(banana, double, f64, Banana<double>)
