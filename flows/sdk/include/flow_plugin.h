// The C ABI between harness and plugin: plain data, and functions over borrowed tensor views.
//
// A plugin exports one function, `harness_plugin`, which returns a `FlowPlugin`. Everything is `#[repr(C)]`, so a plugin may be
// built by another compiler, against another candle, or written in C. Rules:
// - views are borrowed for the length of a call; inputs are read only; outputs are allocated by the host;
// - tensors are row-major and contiguous; `strides` may be null;
// - on a CUDA device views carry device pointers of its primary context, and the stream of the call orders them: whoever is
//   called may return while work for its outputs is still in that stream, and finds work for its inputs there;
// - every function returns a status code (`FLOW_OK`, `FLOW_FAILED`, `FLOW_PANICKED`) and writes a message for the others;
// - text is UTF-8. An answer longer than the host's buffer sets `length` to what it needs; the host asks again;
// - an instance is used by one thread at a time, but for functions on rows; target call-backs are valid until it is
//   destroyed, and may be called by the threads that the instance is used by;
// - tables may grow at their end: `struct_size` says how far the plugin's reaches.
//
// Made from flows/sdk/src/abi by cbindgen: change it there. A test holds the two equal.

#ifndef FLOW_PLUGIN_H
#define FLOW_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// First word of a `FlowPlugin`: the bytes `FLOWABI` and a zero, little-endian.
#define FLOW_MAGIC 20620521705000006

// Raised by incompatible changes; the host refuses any other.
#define FLOW_MAJOR 1

// Raised by compatible additions; recorded only. 1: samplers, and the target's value and gradient in one call.
// 2: rows of a flow or of chains, by several threads at once, and gradients in one pass.
#define FLOW_MINOR 2

// The call did what it should.
#define FLOW_OK 0

// The call failed; the message says why.
#define FLOW_FAILED 1

// The call panicked; the panic was caught at the edge and the message is the panic's.
#define FLOW_PANICKED 2

// Since minor 2. A function on rows has no way for this instance: the host goes by those on whole batches.
#define FLOW_DECLINED 3

// DLPack device type of the processor.
#define FLOW_DEVICE_CPU 1

// DLPack device type of a CUDA device.
#define FLOW_DEVICE_CUDA 2

// DLPack type code of IEEE floats.
#define FLOW_TYPE_FLOAT 2

// A text buffer that the host provides and the plugin fills.
typedef struct FlowText {
    // `capacity` writable bytes.
    uint8_t *data;
    // Bytes that fit.
    size_t capacity;
    // Bytes of the whole text; more than `capacity` when it was cut.
    size_t length;
} FlowText;

// What accompanies every call.
typedef struct FlowCall {
    // Size of this struct as the host knows it.
    size_t struct_size;
    // CUDA stream that orders the views of this call, where they are on a CUDA device.
    void *stream;
    // Receives the message of a call that fails.
    struct FlowText message;
} FlowCall;

// DLPack's `DLDataType`.
typedef struct DLDataType {
    // `FLOW_TYPE_FLOAT`.
    uint8_t code;
    // 32 or 64.
    uint8_t bits;
    // 1.
    uint16_t lanes;
} DLDataType;

// DLPack's `DLDevice`.
typedef struct DLDevice {
    // `FLOW_DEVICE_CPU` or `FLOW_DEVICE_CUDA`.
    int32_t device_type;
    // Ordinal among devices of that type.
    int32_t device_id;
} DLDevice;

// DLPack's `DLTensor`: a borrowed view.
typedef struct DLTensor {
    // First element, before `byte_offset`; a device pointer where the device is one.
    void *data;
    // Where the data is.
    struct DLDevice device;
    // Number of dimensions.
    int32_t ndim;
    // Element type.
    struct DLDataType dtype;
    // `ndim` extents.
    int64_t *shape;
    // `ndim` strides in elements, or null for row-major.
    int64_t *strides;
    // Bytes from `data` to the first element.
    uint64_t byte_offset;
} DLTensor;

// The target density, as call-backs into the host, which counts every row it evaluates.
typedef struct FlowTarget {
    // Size of this struct as the host knows it.
    size_t struct_size;
    // Passed back to each call-back.
    void *context;
    // log γ: x `[n, dim]` → out `[n]`.
    int32_t (*log_density)(void *context, const struct DLTensor *x, struct DLTensor *out, struct FlowCall *call);
    // ∇ log γ: x `[n, dim]` → out `[n, dim]`.
    int32_t (*grad)(void *context, const struct DLTensor *x, struct DLTensor *out, struct FlowCall *call);
    // Hessian of log γ at x times v: x, v `[n, dim]` → out `[n, dim]`.
    int32_t (*hvp)(void *context,
                   const struct DLTensor *x,
                   const struct DLTensor *v,
                   struct DLTensor *out,
                   struct FlowCall *call);
    // Since minor 1. log γ and ∇ log γ together, counted as one evaluation a row: x `[n, dim]` → out `[n]`, `[n, dim]`.
    int32_t (*log_density_and_grad)(void *context,
                                    const struct DLTensor *x,
                                    struct DLTensor *log_density,
                                    struct DLTensor *grad,
                                    struct FlowCall *call);
} FlowTarget;

// What an instance is created for.
typedef struct FlowSetup {
    // Size of this struct as the host knows it.
    size_t struct_size;
    // Dimension d of the target's space.
    uint64_t dim;
    // Element type of parameters and draws.
    struct DLDataType dtype;
    // Device of parameters and draws.
    struct DLDevice device;
    // The target, valid until the instance is destroyed.
    const struct FlowTarget *target;
} FlowSetup;

// The host's answer to rows that were just computed: their cotangents.
typedef struct FlowPull {
    // Passed back to the call-back.
    void *context;
    // x `[m, d]`, log q `[m]` → ∂/∂x `[m, d]`, ∂/∂log q `[m]`. For `density_gradient` the third is null.
    int32_t (*cotangents)(void *context,
                          const struct DLTensor *x,
                          const struct DLTensor *log_q,
                          struct DLTensor *grad_x,
                          struct DLTensor *grad_log_q,
                          struct FlowCall *call);
} FlowPull;

// Functions of a flow. P is the number of parameters, d the dimension.
typedef struct FlowTable {
    // Size of this struct as the plugin knows it.
    size_t struct_size;
    // Makes an instance from its parameters (JSON, validated by the host against the schema).
    int32_t (*create)(const uint8_t *config,
                      size_t config_length,
                      const struct FlowSetup *setup,
                      void **instance,
                      struct FlowCall *call);
    // Ends an instance. Its tapes have been freed before.
    void (*destroy)(void *instance);
    // Writes the named slices of the flat parameter vector as JSON: `[{"name", "offset", "shape"}, …]`.
    int32_t (*layout)(void *instance, struct FlowText *out, struct FlowCall *call);
    // Fills `params` `[P]` with initial values that depend on `seed` alone.
    int32_t (*init)(void *instance, uint64_t seed, struct DLTensor *params, struct FlowCall *call);
    // Draws x `[n, d]` and log q(x) `[n]`. Where `tape` is not null it receives what `backward` needs.
    int32_t (*sample)(void *instance,
                      const struct DLTensor *params,
                      uint64_t seed,
                      struct DLTensor *x,
                      struct DLTensor *log_q,
                      void **tape,
                      struct FlowCall *call);
    // log q `[n]` at given x `[n, d]`; null where the flow has no density.
    int32_t (*density)(void *instance,
                       const struct DLTensor *params,
                       const struct DLTensor *x,
                       uint64_t seed,
                       struct DLTensor *log_q,
                       void **tape,
                       struct FlowCall *call);
    // Gradient `[P]` of Σ x·grad_x + Σ log_q·grad_log_q. `grad_x` is null for a tape of `density`.
    int32_t (*backward)(void *instance,
                        void *tape,
                        const struct DLTensor *grad_x,
                        const struct DLTensor *grad_log_q,
                        struct DLTensor *grad_params,
                        struct FlowCall *call);
    // Frees a tape.
    void (*free_tape)(void *tape);
    // Stability figures over about `n` draws, in the order of the descriptor's `probes`; null where there are none.
    int32_t (*probe)(void *instance,
                     const struct DLTensor *params,
                     uint64_t seed,
                     uint64_t n,
                     double *figures,
                     struct FlowCall *call);
    // Since minor 2. Rows `first..` of what `sample` draws for `seed`, as many as `log_q` has; null where only whole
    // samples can be had. May be called by several threads at once.
    int32_t (*sample_rows)(void *instance,
                           const struct DLTensor *params,
                           uint64_t seed,
                           uint64_t first,
                           struct DLTensor *x,
                           struct DLTensor *log_q,
                           struct FlowCall *call);
    // Since minor 2. Draws rows `first..first + n` as `sample` does, asks `pull` for their cotangents, a few rows at a time
    // while they are in cache, and adds the gradient of their share to `grad_params` `[P]`. May be called by several
    // threads at once. Null where `sample` and `backward` are the only way.
    int32_t (*sample_gradient)(void *instance,
                               const struct DLTensor *params,
                               uint64_t seed,
                               uint64_t first,
                               uint64_t n,
                               const struct FlowPull *pull,
                               struct DLTensor *grad_params,
                               struct FlowCall *call);
    // Since minor 2. Likewise for `density` at `x` `[n, d]`, which are rows `first..` of a larger batch. May decline too.
    int32_t (*density_gradient)(void *instance,
                                const struct DLTensor *params,
                                const struct DLTensor *x,
                                uint64_t seed,
                                uint64_t first,
                                const struct FlowPull *pull,
                                struct DLTensor *grad_params,
                                struct FlowCall *call);
} FlowTable;

// Where n chains are, and what the target says there. `grad` is null for samplers with the capability `gradient-free`.
//
// log γ and its gradient are those at the β of the call, as the call-backs give them.
typedef struct PointIn {
    // `[n, d]`.
    const struct DLTensor *x;
    // log γ(x), `[n]`.
    const struct DLTensor *log_density;
    // ∇ log γ(x), `[n, d]`, or null.
    const struct DLTensor *grad;
} PointIn;

// Where n chains are, and what the target says there. `grad` is null for samplers with the capability `gradient-free`.
//
// log γ and its gradient are those at the β of the call, as the call-backs give them.
typedef struct PointOut {
    // `[n, d]`.
    struct DLTensor *x;
    // log γ(x), `[n]`.
    struct DLTensor *log_density;
    // ∇ log γ(x), `[n, d]`, or null.
    struct DLTensor *grad;
} PointOut;

// Type of `SamplerTable::transition_rows`.
typedef int32_t (*FlowTransitionRowsFn)(void *instance,
                                        const struct DLTensor *params,
                                        const struct PointIn *from,
                                        uint64_t seed,
                                        double beta,
                                        uint64_t first,
                                        const struct PointOut *next,
                                        struct DLTensor *proposal,
                                        struct DLTensor *accept,
                                        struct FlowCall *call);

// Type of `SamplerTable::transition_gradient`.
typedef int32_t (*FlowTransitionGradientFn)(void *instance,
                                            const struct DLTensor *params,
                                            const struct PointIn *from,
                                            uint64_t seed,
                                            double beta,
                                            uint64_t first,
                                            const struct PointOut *next,
                                            struct DLTensor *proposal,
                                            struct DLTensor *accept,
                                            const struct FlowPull *pull,
                                            struct DLTensor *grad_params,
                                            struct FlowCall *call);

// Functions of a Markov-chain sampler. P is the number of parameters, d the dimension; rows are chains.
//
// The first functions are those of a flow. Everything that a transition depends on crosses as an argument: parameters,
// trained or tuned, where the chains are, and a seed. A call for β tempers the call-backs of the target too.
typedef struct SamplerTable {
    // Size of this struct as the plugin knows it.
    size_t struct_size;
    // As `FlowTable::create`.
    int32_t (*create)(const uint8_t *config,
                      size_t config_length,
                      const struct FlowSetup *setup,
                      void **instance,
                      struct FlowCall *call);
    // As `FlowTable::destroy`.
    void (*destroy)(void *instance);
    // As `FlowTable::layout`; a slice with `"tuned": true` is written by `adapt`, not by the optimiser.
    int32_t (*layout)(void *instance, struct FlowText *out, struct FlowCall *call);
    // As `FlowTable::init`.
    int32_t (*init)(void *instance, uint64_t seed, struct DLTensor *params, struct FlowCall *call);
    // Moves each of n chains once, leaving the target at inverse temperature `beta` invariant.
    //
    // `next` is where they are then, `proposal` `[n, d]` where they were asked to go, `accept` `[n]` the probability of
    // going there. Where `tape` is not null it receives what `backward` needs. Row i depends on row i of `from`, on
    // `params`, `seed`, `beta` and i alone.
    int32_t (*transition)(void *instance,
                          const struct DLTensor *params,
                          const struct PointIn *from,
                          uint64_t seed,
                          double beta,
                          const struct PointOut *next,
                          struct DLTensor *proposal,
                          struct DLTensor *accept,
                          void **tape,
                          struct FlowCall *call);
    // Gradient `[P]` of Σ proposal·grad_proposal + Σ accept·grad_accept; null for samplers that are not trained.
    int32_t (*backward)(void *instance,
                        void *tape,
                        const struct DLTensor *grad_proposal,
                        const struct DLTensor *grad_accept,
                        struct DLTensor *grad_params,
                        struct FlowCall *call);
    // Frees a tape.
    void (*free_tape)(void *tape);
    // The parameters `[P]` after transition number `step` of a warm-up of `steps`, which led to `x` `[n, d]` and was
    // accepted with probability `accept` `[n]`; null for samplers that tune nothing.
    int32_t (*adapt)(void *instance,
                     const struct DLTensor *params,
                     const struct DLTensor *x,
                     const struct DLTensor *accept,
                     uint64_t step,
                     uint64_t steps,
                     struct DLTensor *out,
                     struct FlowCall *call);
    // Stability figures at the chains' `x` `[n, d]`, in the order of the descriptor's `probes`; null where there are
    // none.
    int32_t (*probe)(void *instance,
                     const struct DLTensor *params,
                     const struct DLTensor *x,
                     uint64_t seed,
                     double *figures,
                     struct FlowCall *call);
    // Since minor 2. As `transition` without a tape, for rows `first..` of a larger number of chains: its views have those
    // rows only. May be called by several threads at once; null where only all chains can be moved.
    FlowTransitionRowsFn transition_rows;
    // Since minor 2. As `transition_rows`; then asks `pull` for the cotangents of proposals and of their acceptance, in the
    // place of x and log q, a few chains at a time while they are in cache, and adds the gradient of their share to
    // `grad_params` `[P]`. May be called by several threads at once. Null where `transition` and `backward` are the only way.
    FlowTransitionGradientFn transition_gradient;
} SamplerTable;

// What the entry function returns: lives as long as the process.
typedef struct FlowPlugin {
    // `FLOW_MAGIC`.
    uint64_t magic;
    // `FLOW_MAJOR` of the plugin.
    uint32_t major;
    // `FLOW_MINOR` of the plugin.
    uint32_t minor;
    // Size of this struct as the plugin knows it.
    size_t struct_size;
    // Writes the descriptor as JSON.
    int32_t (*describe)(struct FlowText *out, struct FlowCall *call);
    // Functions of kind `flow`; null for other kinds.
    const struct FlowTable *flow;
    // Since minor 1. Functions of kind `sampler`; null for other kinds. Tables of further kinds follow here.
    const struct SamplerTable *sampler;
} FlowPlugin;

// The one function that a plugin exports: the table of all others.
const FlowPlugin *harness_plugin(void);

#ifdef __cplusplus
}
#endif

#endif
