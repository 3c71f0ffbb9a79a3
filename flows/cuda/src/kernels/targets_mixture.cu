// Equal mixtures whose components are one density, shifted, with independent coordinates; means [K, d].
//
// With uₖ = x − μₖ: aₖ = Σᵢ ℓ(uₖᵢ), pₖ = softmaxₖ(a), log γ = log Σₖ exp aₖ + c, ∇ = Σₖ pₖ sₖ with sₖᵢ = ℓ'(uₖᵢ), and
// Hv = Σₖ pₖ [ℓ''(uₖ) ⊙ v + (sₖ − s̄)(tₖ − t̄)], tₖ = sₖ·v: as on the processor. A row has as many lanes as leave four
// coordinates to each, up to 32; its components' weights stand in shared memory, a column a row. x, v, ∇ and products [n, d],
// log γ [n]; a null pointer is not asked for. Deviation: none.
// Bound by arithmetic: K (5 d + 20) operations a row for the value (Student's: a logarithm a number), 5 K d more for the
// gradient, against d numbers in and d + 1 out. Means are read from the first cache.

#include "rows.cuh"

/// Coordinates that a lane keeps in registers.
#define KEPT 4

/// ℓ = −½ p u².
template <typename T>
struct Normal {
    T precision;
    __device__ explicit Normal(double precision) : precision(T(precision)) {}
    __device__ T log_density(T u) const { return (u * u) * (T(-0.5) * precision); }
    __device__ T slope(T u) const { return u * -precision; }
    __device__ T second(T) const { return -precision; }
};

/// ℓ = −3/2 log(1 + u²/2).
template <typename T>
struct Student {
    __device__ explicit Student(double) {}
    __device__ T log_density(T u) const { return log1p(T(0.5) * u * u) * T(-1.5); }
    __device__ T slope(T u) const { return T(-3) * u / fma(u, u, T(2)); }
    __device__ T second(T u) const {
        T inverse = T(1) / fma(u, u, T(2));
        return T(-3) * inverse * fma(T(4), inverse, T(-1));
    }
};

extern __shared__ double shared_numbers[];

/// A row with the weights of all components there. All threads of a block go through each of its functions together.
template <typename T, typename Component>
struct Mixture {
    Row row;
    Component component;
    const T* means;
    int d, count, rows, column;
    bool inside;
    const T* x;
    T kept[KEPT];
    T* weights;

    __device__ Mixture(const T* points, const T* means, size_t n, int d, int count, int lanes, double number)
        : row(lanes), component(number), means(means), d(d), count(count), rows(blockDim.x / lanes),
          column(threadIdx.x / lanes), inside(row.index < n), x(points + (inside ? row.index : 0) * d),
          weights(reinterpret_cast<T*>(shared_numbers)) {
#pragma unroll
        for (int j = 0; j < KEPT; j++) {
            int i = row.lane + j * row.lanes;
            kept[j] = i < d ? x[i] : T(0);
        }
    }

    __device__ T mean(int k, int i) const { return __ldg(means + (size_t)k * d + i); }
    __device__ T& weight(int k) const { return weights[k * rows + column]; }
    /// t, behind the weights.
    __device__ T& along(int k) const { return weights[(count + k) * rows + column]; }

    /// Σᵢ of f(i, uₖᵢ) over the row.
    template <typename F>
    __device__ T over_coordinates(int k, F f) const {
        T sum = 0;
#pragma unroll
        for (int j = 0; j < KEPT; j++) {
            int i = row.lane + j * row.lanes;
            if (i < d) sum = f(i, kept[j] - mean(k, i), sum);
        }
        for (int i = row.lane + KEPT * row.lanes; i < d; i += row.lanes) sum = f(i, x[i] - mean(k, i), sum);
        return row.sum(sum);
    }

    /// Finds the weights, and returns log γ − c. A lane has every `lanes`-th of the components.
    __device__ T weigh() const {
        for (int k = 0; k < count; k++) {
            T log = over_coordinates(k, [&](int, T u, T sum) { return sum + component.log_density(u); });
            if (k % row.lanes == row.lane) weight(k) = log;
        }
        // A lane without a component of its own has the first one's, which is its neighbour's.
        __syncthreads();
        T top = weight(row.lane < count ? row.lane : 0);
        for (int k = row.lane + row.lanes; k < count; k += row.lanes) top = weight(k) > top ? weight(k) : top;
        top = row.largest(top);
        __syncthreads();
        T sum = 0;
        for (int k = row.lane; k < count; k += row.lanes) {
            T exponential = exp(weight(k) - top);
            weight(k) = exponential;
            sum += exponential;
        }
        sum = row.sum(sum);
        for (int k = row.lane; k < count; k += row.lanes) weight(k) = weight(k) / sum;
        __syncthreads();
        return log(sum) + top;
    }

    /// s̄ᵢ.
    __device__ T mean_slope(int i, T xi) const {
        T sum = 0;
        for (int k = 0; k < count; k++) sum = fma(weight(k), component.slope(xi - mean(k, i)), sum);
        return sum;
    }
};

template <typename T, typename Component>
__device__ void evaluate(
    const T* x, const T* means, T* value, T* grad, size_t n, int d, int count, int lanes, double constant, double number) {
    Mixture<T, Component> at(x, means, n, d, count, lanes, number);
    T log = at.weigh();
    if (!at.inside) return;
    if (value && at.row.lane == 0) value[at.row.index] = log + T(constant);
    if (!grad) return;
    for (int i = at.row.lane; i < d; i += lanes) grad[at.row.index * d + i] = at.mean_slope(i, at.x[i]);
}

template <typename T, typename Component>
__device__ void bend(
    const T* x, const T* v, const T* means, T* out, size_t n, int d, int count, int lanes, double number) {
    Mixture<T, Component> at(x, means, n, d, count, lanes, number);
    at.weigh();
    v += (at.inside ? at.row.index : 0) * d;
    T average = 0;
    for (int k = 0; k < count; k++) {
        T along = at.over_coordinates(k, [&](int i, T u, T sum) { return fma(at.component.slope(u), v[i], sum); });
        // Every lane has the sum, so all of them add the same.
        average = fma(at.weight(k), along, average);
        if (k % lanes == at.row.lane) at.along(k) = along;
    }
    __syncthreads();
    if (!at.inside) return;
    for (int i = at.row.lane; i < d; i += lanes) {
        T slope = at.mean_slope(i, at.x[i]), sum = 0;
        for (int k = 0; k < count; k++) {
            T u = at.x[i] - at.mean(k, i);
            T turn = (at.component.slope(u) - slope) * (at.along(k) - average);
            sum = fma(at.weight(k), fma(at.component.second(u), v[i], turn), sum);
        }
        out[at.row.index * d + i] = sum;
    }
}

#define MIXTURE_OF(NAME, T, SUFFIX, COMPONENT)                                                                     \
    extern "C" __global__ void target_##NAME##_##SUFFIX(                                                           \
        const T* x, const T* means, T* value, T* grad, size_t n, int d, int count, int lanes, double first,        \
        double second) {                                                                                           \
        evaluate<T, COMPONENT<T>>(x, means, value, grad, n, d, count, lanes, first, second);                       \
    }                                                                                                              \
    extern "C" __global__ void target_##NAME##_hvp_##SUFFIX(                                                       \
        const T* x, const T* v, const T* means, T* out, size_t n, int d, int count, int lanes, double,             \
        double second) {                                                                                           \
        bend<T, COMPONENT<T>>(x, v, means, out, n, d, count, lanes, second);                                       \
    }

MIXTURE_OF(normals, float, f32, Normal)
MIXTURE_OF(normals, double, f64, Normal)
MIXTURE_OF(students, float, f32, Student)
MIXTURE_OF(students, double, f64, Student)
