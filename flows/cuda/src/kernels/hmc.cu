// Hamiltonian Monte Carlo between two gradients: momenta and first move, kick and drift, acceptance and choice.
//
// H = ½ pᵀp − log γ(q), q in units of the scales s; a kick is p ← p + c ε s ⊙ ∇, a drift q ← q + c ε s ⊙ p, with ε of each chain
// its own (Neal, "MCMC using Hamiltonian dynamics", 2011, sections 3.2 and 4.1). Random numbers are those of the definition, made
// here from their streams. q, p, ∇ [n, d], s [d], a chain a row on the lanes of a warp; a lane takes a block of Philox, which is
// four numbers of the whole matrix in one access. Deviation: kicks at one place are one kick, as on the processor.
// Bound by memory, in numbers a chain: start 2d in, 2d out (and d/2 pairs of normals, some 150 operations each); a kick with its
// drift 3d in, 2d out; end 2d in, then d of where the chain goes (and d of its gradient, which it has read if it goes), 2d out.

#include "random.cuh"
#include "rows.cuh"

/// Four numbers in one access, two in double precision.
template <typename T>
struct alignas(16) Four {
    T at[4];
};

/// The four numbers of a block that are the row's: from `low` to `high`, the first at `index` of the matrix.
struct Block {
    size_t index;
    int low, high;

    __device__ bool whole() const { return low == 0 && high == 4; }

    template <typename T>
    __device__ Four<T> load(const T* from) const {
        if (whole()) return *reinterpret_cast<const Four<T>*>(from + index);
        Four<T> four = {};
#pragma unroll
        for (int j = 0; j < 4; j++) {
            if (j >= low && j < high) four.at[j] = from[index + j];
        }
        return four;
    }

    template <typename T>
    __device__ void store(const Four<T>& four, T* to) const {
        if (whole()) {
            *reinterpret_cast<Four<T>*>(to + index) = four;
            return;
        }
#pragma unroll
        for (int j = 0; j < 4; j++) {
            if (j >= low && j < high) to[index + j] = four.at[j];
        }
    }
};

/// A chain on its lanes.
template <typename T>
struct Chain {
    Row row;
    bool inside;
    int d;
    size_t first;

    __device__ Chain(size_t n, int d, int lanes) : row(lanes), inside(row.index < n), d(d), first(row.index * d) {}

    /// Gives each block of the lane to `f`.
    template <typename F>
    __device__ void blocks(F f) const {
        if (!inside) return;
        for (size_t index = (first / 4 + row.lane) * 4; index < first + d; index += 4 * row.lanes) {
            size_t before = first > index ? first - index : 0, rest = first + d - index;
            f(Block{index, (int)before, rest < 4 ? (int)rest : 4});
        }
    }

    /// ε s of a number of a block.
    __device__ T scale(const Block& block, int j, T factor, const T* sd) const {
        return j >= block.low && j < block.high ? factor * __ldg(sd + (block.index + j - first)) : T(0);
    }
};

/// Word `place` of a block, without an index that would take it out of registers.
__device__ inline uint32_t word(const philox::Words& words, int place) {
    return place < 2 ? (place == 0 ? words.at[0] : words.at[1]) : (place == 2 ? words.at[2] : words.at[3]);
}

/// The uniform of a row.
template <typename T>
__device__ T uniform_of(uint64_t seed, size_t row) {
    noise::Block<T> block = noise::block<T>(seed, row / 4);
    return noise::uniform<T>(word(block.high, row % 4), word(block.low, row % 4));
}

/// p ~ N(0, I), H, the chain's ε, then a kick and a drift, each unless its coefficient is zero.
template <typename T>
__device__ void start(
    const T* x, const T* grad, const T* log_density, const T* sd, const T* log_step, T* q, T* p, T* factors, T* before,
    size_t n, int d, int lanes, uint64_t momentum, uint64_t jitters, double step_size, double first_log_step, double jitter,
    double kick, double drift) {
    Chain<T> chain(n, d, lanes);
    T u = uniform_of<T>(jitters, chain.row.index);
    // A step size that was not tuned is what it was said to be, to the last bit.
    T step = *log_step == T(first_log_step) ? T(step_size) : T(exp((double)*log_step));
    T factor = step * (T(1) + T(jitter) * (u + u - T(1)));
    T square = 0;
    chain.blocks([&](Block block) {
        noise::Block<T> words = noise::block<T>(momentum, block.index / 4);
        Four<T> xi = {}, at = block.load(x), slope = {};
        if (block.low < 2) noise::normals(words, 0, xi.at[0], xi.at[1]);
        if (block.high > 2) noise::normals(words, 1, xi.at[2], xi.at[3]);
        if (kick != 0) slope = block.load(grad);
#pragma unroll
        for (int j = 0; j < 4; j++) {
            if (j >= block.low && j < block.high) square = fma(xi.at[j], xi.at[j], square);
            T scale = chain.scale(block, j, factor, sd);
            if (kick != 0) xi.at[j] = fma(slope.at[j] * scale, T(kick), xi.at[j]);
            if (drift != 0) at.at[j] = fma(xi.at[j] * scale, T(drift), at.at[j]);
        }
        block.store(xi, p);
        block.store(at, q);
    });
    square = chain.row.sum(square);
    if (chain.inside && chain.row.lane == 0) {
        factors[chain.row.index] = factor;
        before[chain.row.index] = fma(square, T(0.5), -log_density[chain.row.index]);
    }
}

template <typename T>
__device__ void kick_and_drift(
    const T* grad, const T* sd, const T* factors, T* q, T* p, size_t n, int d, int lanes, double kick, double drift) {
    Chain<T> chain(n, d, lanes);
    if (!chain.inside) return;
    T factor = factors[chain.row.index];
    chain.blocks([&](Block block) {
        Four<T> slope = block.load(grad), momentum = block.load(p), at = block.load(q);
#pragma unroll
        for (int j = 0; j < 4; j++) {
            T scale = chain.scale(block, j, factor, sd);
            momentum.at[j] = fma(slope.at[j] * scale, T(kick), momentum.at[j]);
            at.at[j] = fma(momentum.at[j] * scale, T(drift), at.at[j]);
        }
        block.store(momentum, p);
        block.store(at, q);
    });
}

/// A last kick, unless its coefficient is zero; min(1, e^{H − H′}), 0 where that is not a number; the choice by the uniform.
template <typename T>
__device__ void end(
    const T* x, const T* x_grad, const T* x_log, const T* q, const T* p, const T* q_grad, const T* q_log, const T* sd,
    const T* factors, const T* before, T* next, T* next_grad, T* next_log, T* accept, size_t n, int d, int lanes,
    uint64_t acceptance, double kick) {
    Chain<T> chain(n, d, lanes);
    size_t row = chain.inside ? chain.row.index : 0;
    T factor = factors[row], square = 0;
    chain.blocks([&](Block block) {
        Four<T> momentum = block.load(p), slope = {};
        if (kick != 0) slope = block.load(q_grad);
#pragma unroll
        for (int j = 0; j < 4; j++) {
            if (kick != 0) momentum.at[j] = fma(slope.at[j] * chain.scale(block, j, factor, sd), T(kick), momentum.at[j]);
            if (j >= block.low && j < block.high) square = fma(momentum.at[j], momentum.at[j], square);
        }
    });
    square = chain.row.sum(square);
    T ratio = before[row] - fma(square, T(0.5), -q_log[row]);
    T probability = ratio == ratio ? real::exp(ratio < T(0) ? ratio : T(0)) : T(0);
    // Compared in double precision: in single a probability below its spacing could never be drawn. One lane asks.
    int goes = chain.row.lane == 0 && uniform_of<double>(acceptance, chain.row.index) < (double)probability;
    goes = chain.row.sum(goes);
    if (!chain.inside) return;
    const T *there = goes ? q : x, *slope = goes ? q_grad : x_grad;
    chain.blocks([&](Block block) {
        block.store(block.load(there), next);
        block.store(block.load(slope), next_grad);
    });
    if (chain.row.lane == 0) {
        next_log[row] = goes ? q_log[row] : x_log[row];
        accept[row] = probability;
    }
}

#define HMC(T, SUFFIX)                                                                                                  \
    extern "C" __global__ void hmc_start_##SUFFIX(                                                                      \
        const T* x, const T* grad, const T* log_density, const T* sd, const T* log_step, T* q, T* p, T* factors,        \
        T* before, size_t n, int d, int lanes, uint64_t momentum, uint64_t jitters, double step_size,                   \
        double first_log_step, double jitter, double kick, double drift) {                                              \
        start(x, grad, log_density, sd, log_step, q, p, factors, before, n, d, lanes, momentum, jitters, step_size,     \
              first_log_step, jitter, kick, drift);                                                                     \
    }                                                                                                                   \
    extern "C" __global__ void hmc_kick_and_drift_##SUFFIX(                                                             \
        const T* grad, const T* sd, const T* factors, T* q, T* p, size_t n, int d, int lanes, double kick,              \
        double drift) {                                                                                                 \
        kick_and_drift(grad, sd, factors, q, p, n, d, lanes, kick, drift);                                              \
    }                                                                                                                   \
    extern "C" __global__ void hmc_end_##SUFFIX(                                                                        \
        const T* x, const T* x_grad, const T* x_log, const T* q, const T* p, const T* q_grad, const T* q_log,           \
        const T* sd, const T* factors, const T* before, T* next, T* next_grad, T* next_log, T* accept, size_t n, int d, \
        int lanes, uint64_t acceptance, double kick) {                                                                  \
        end(x, x_grad, x_log, q, p, q_grad, q_log, sd, factors, before, next, next_grad, next_log, accept, n, d, lanes, \
            acceptance, kick);                                                                                          \
    }

HMC(float, f32)
HMC(double, f64)
