// Full-rank Gaussian: a flow of one affine layer, and an example of a plugin in C.
//
//     x = L z + b,  z ~ N(0, I),    log q(x) = -|z|^2/2 - sum_i l_i - d/2 log(2 pi)
//
// L is lower triangular with the diagonal exp(l_i) (Kucukelbir, Tran, Ranganath, Gelman & Blei, "Automatic Differentiation
// Variational Inference", JMLR 18(14), 2017, section 2.4, arXiv 1603.00788). Shapes: x [n, d], log q [n].
// Deviation: the paper leaves the diagonal without a sign; exp makes L invertible, so that log |det L| is the sum of l.
//
// Build, from the root of the repository:
//
//     cc -std=c99 -O2 -Wall -Wextra -pedantic -shared -fPIC -I flows/sdk/include flows/affine/affine.c -lm -o target/release/libaffine.so
//
// The file reads from the bottom up: `harness_plugin` returns the table of functions, which stand above it in the order
// in which the host calls them. What a flow must do is in the comments of flow_plugin.h. Numbers are computed in double
// whatever they are stored in, so f32 and f64 are one code.

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flow_plugin.h"

#define TWO_PI 6.283185307179586
#define LOG_TWO_PI 1.8378770664093453
#define ANY (-1)           // a number of rows that is not known beforehand
#define START_SD 0.01      // of the first parameters: almost a unit Gaussian
#define MOST_DIM (1 << 20) // no count of parameters overflows; memory is gone long before

// An instance: made once, never changed, so that threads can share it.
typedef struct {
    size_t d; // dimension
    int diagonal;
    DLDataType type; // of all tensors
} Affine;

// Parameters as they are used, and the noise of some rows: the tape of a pass, and its working memory.
typedef struct {
    int of_density;
    size_t n;
    double log_det;  // NaN where exp(l) is no positive number: there is no density then
    double values[]; // b [d], exp(l) [d], L below its diagonal row by row, z [n, d]
} Tape;

// Elements of L on the left of its diagonal, in row i and above row i.
static size_t left(const Affine *flow, size_t i) { return flow->diagonal ? 0 : i; }
static size_t above(const Affine *flow, size_t i) { return flow->diagonal ? 0 : i * (i - 1) / 2; }
static size_t n_params(const Affine *flow) { return 2 * flow->d + above(flow, flow->d); }

// Writes as much as fits, and the length that all of it has.
static void answer(FlowText *out, const char *text) {
    size_t length = strlen(text), fits = length < out->capacity ? length : out->capacity;
    if (out->data != NULL && fits > 0) memcpy(out->data, text, fits);
    out->length = length;
}

static int32_t fail(FlowCall *call, const char *format, ...) {
    char text[256];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    if (call != NULL) answer(&call->message, text);
    return FLOW_FAILED;
}

// ---- Tensors

// Whether a view is none that can be used here: not of this type, these extents, on the processor and contiguous.
static int bad(const Affine *flow, const char *name, const DLTensor *view, int ndim, int64_t rows, int64_t columns,
               FlowCall *call) {
    int64_t expected[2] = {rows, columns}, stride = 1;
    if (flow == NULL) return fail(call, "null instance");
    if (view == NULL || view->device.device_type != FLOW_DEVICE_CPU)
        return fail(call, "%s: null, or not on the processor", name);
    if (view->dtype.code != flow->type.code || view->dtype.bits != flow->type.bits || view->dtype.lanes != 1)
        return fail(call, "%s: its type (code %d, %d bits, %d lanes) is not the instance's (%d bits)", name,
                    view->dtype.code, view->dtype.bits, view->dtype.lanes, flow->type.bits);
    if (view->ndim != ndim || view->shape == NULL)
        return fail(call, "%s: expected %d dimensions, got %d", name, ndim, (int)view->ndim);
    for (int k = ndim - 1; k >= 0; k--) {
        int64_t extent = view->shape[k];
        if (extent < 0 || extent > INT64_MAX / 8 / (stride + !stride) || (expected[k] != ANY && extent != expected[k]))
            return fail(call, "%s: extent %lld of dimension %d, expected %lld%s", name, (long long)extent, k,
                        (long long)(expected[k] == ANY ? 0 : expected[k]), expected[k] == ANY ? " or more" : "");
        if (view->strides != NULL && extent > 1 && view->strides[k] != stride)
            return fail(call, "%s: its strides are not row-major", name);
        stride *= extent;
    }
    if (view->data == NULL && stride > 0) return fail(call, "%s: no data", name);
    return FLOW_OK;
}

static char *first_byte(const DLTensor *view) { return (char *)view->data + view->byte_offset; }

// Elements are copied byte by byte, so that no view can be misaligned.
static double get(const DLTensor *view, size_t k) {
    float single;
    double value;
    if (view->dtype.bits == 64) return memcpy(&value, first_byte(view) + 8 * k, sizeof value), value;
    return memcpy(&single, first_byte(view) + 4 * k, sizeof single), single;
}

// Returns what was stored, which an f32 rounds.
static double put(DLTensor *view, size_t k, double value) {
    float single = (float)value;
    if (view->dtype.bits == 64) return memcpy(first_byte(view) + 8 * k, &value, sizeof value), value;
    return memcpy(first_byte(view) + 4 * k, &single, sizeof single), single;
}

// ---- Noise: a number depends on (seed, index) alone, so any rows can be drawn, in any order, by any thread

// Finaliser of splitmix64 (Steele, Lea & Flood, OOPSLA 2014).
static uint64_t mix(uint64_t word) {
    word = (word ^ (word >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    word = (word ^ (word >> 27)) * UINT64_C(0x94d049bb133111eb);
    return word ^ (word >> 31);
}

// In (0, 1], so that its logarithm is finite.
static double uniform(uint64_t seed, uint64_t index) {
    const uint64_t golden = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t word = mix(mix(seed + golden) + (index + 1) * golden);
    return (double)((word >> 11) + 1) * 0x1p-53;
}

// Row `row` of a matrix of normals with `d` columns: two of each pair of uniforms (Box & Muller 1958).
static void normals(uint64_t seed, uint64_t row, size_t d, double *z) {
    uint64_t index = row * (d + d % 2);
    for (size_t j = 0; j < d; j += 2, index += 2) {
        double radius = sqrt(-2 * log(uniform(seed, index))), angle = TWO_PI * uniform(seed, index + 1);
        z[j] = radius * cos(angle);
        if (j + 1 < d) z[j + 1] = radius * sin(angle);
    }
}

// Row i of L, up to its diagonal, times z.
static double mixed(const Affine *flow, const Tape *tape, const double *z, size_t i) {
    const double *row = tape->values + 2 * flow->d + above(flow, i);
    double sum = 0;
    for (size_t j = 0; j < left(flow, i); j++) sum += row[j] * z[j];
    return sum;
}

// w = L^-T z.
static void inverse_transposed(const Affine *flow, const Tape *tape, const double *z, double *w) {
    memcpy(w, z, flow->d * sizeof *w);
    for (size_t i = flow->d; i-- > 0;) {
        const double *row = tape->values + 2 * flow->d + above(flow, i);
        w[i] /= tape->values[flow->d + i];
        for (size_t j = 0; j < left(flow, i); j++) w[j] -= row[j] * w[i];
    }
}

static double log_density(const Affine *flow, const Tape *tape, const double *z) {
    double square = 0;
    for (size_t i = 0; i < flow->d; i++) square += z[i] * z[i];
    return -0.5 * square - tape->log_det - 0.5 * LOG_TWO_PI * (double)flow->d;
}

// A tape with the parameters in it and room for the noise of n rows; null where there is no memory for it.
static Tape *new_tape(const Affine *flow, const DLTensor *params, size_t n) {
    size_t d = flow->d, p = n_params(flow);
    Tape *tape = malloc(sizeof *tape + (p + n * d) * sizeof(double));
    if (tape == NULL) return NULL;
    *tape = (Tape){.n = n};
    for (size_t k = 0; k < p; k++) tape->values[k] = get(params, k);
    for (double *value = tape->values + d; value < tape->values + 2 * d; value++) {
        double scale = exp(*value);
        tape->log_det += scale > 0 && isfinite(scale) ? *value : NAN;
        *value = scale;
    }
    return tape;
}

// Rows `first..`: draws them, or takes given ones; keeps a tape where there is a place for one.
static int32_t pass(const Affine *flow, const DLTensor *params, uint64_t seed, uint64_t first, DLTensor *drawn,
                    const DLTensor *given, DLTensor *log_q, void **to, FlowCall *call) {
    if (bad(flow, "log_q", log_q, 1, ANY, 0, call)) return FLOW_FAILED;
    size_t n = (size_t)log_q->shape[0], d = flow->d, p = n_params(flow);
    if (bad(flow, "params", params, 1, (int64_t)p, 0, call)) return FLOW_FAILED;
    if (bad(flow, "x", given != NULL ? given : drawn, 2, (int64_t)n, (int64_t)d, call)) return FLOW_FAILED;
    Tape *tape = new_tape(flow, params, to != NULL ? n : 1);
    if (tape == NULL) return fail(call, "out of memory");
    tape->of_density = given != NULL;
    const double *bias = tape->values, *scale = bias + d;
    for (size_t row = 0; row < n; row++) {
        double *z = tape->values + p + (to != NULL ? row * d : 0);
        int finite = 1;
        if (given == NULL) normals(seed, first + row, d, z);
        for (size_t i = 0, k = row * d; i < d; i++, k++) {
            double middle = bias[i] + mixed(flow, tape, z, i);
            if (given != NULL) z[i] = (get(given, k) - middle) / scale[i];
            else finite &= isfinite(put(drawn, k, middle + scale[i] * z[i])) != 0;
        }
        // A draw that is not a number, or beyond all of them, is no draw of a density.
        put(log_q, row, finite ? log_density(flow, tape, z) : NAN);
    }
    if (to != NULL) *to = tape;
    else free(tape);
    return FLOW_OK;
}

// ---- What the host calls

static int32_t describe(FlowText *out, FlowCall *call) {
    if (out == NULL) return fail(call, "describe: null");
    answer(out, "{\"id\": \"affine\", \"version\": \"0.1.0\", \"kind\": \"flow\","
                "\"summary\": \"full-rank Gaussian: x = L z + b, L lower triangular\","
                "\"reference\": \"Kucukelbir et al. 2017, JMLR 18(14), arXiv 1603.00788\","
                "\"devices\": [\"cpu\"], \"dtypes\": [\"f32\", \"f64\"], \"capabilities\": [\"density\"], \"probes\": [],"
                "\"build\": \"cc " __VERSION__ "\"," // of GCC and Clang
                "\"parameters\": {\"$schema\": \"https://json-schema.org/draft/2020-12/schema\", \"title\": \"Config\","
                "\"description\": \"Parameters of an affine flow.\", \"type\": \"object\", \"additionalProperties\": false,"
                "\"properties\": {\"diagonal\": {\"type\": \"boolean\", \"default\": false, \"description\":"
                "\"Whether L is diagonal: independent coordinates, the mean-field Gaussian.\"}}}}");
    return FLOW_OK;
}

// Skips white space, then the word if it is there.
static int eat(const char **at, const char *end, const char *word) {
    size_t length = strlen(word);
    while (*at < end && strchr(" \t\r\n", **at) != NULL && **at != '\0') ++*at;
    if ((size_t)(end - *at) < length || memcmp(*at, word, length) != 0) return 0;
    *at += length;
    return 1;
}

// Reads `{"diagonal": true}`: a JSON parser for objects with one known boolean.
static int parse(const char *at, const char *end, int *diagonal) {
    if (!eat(&at, end, "{")) return 0;
    if (!eat(&at, end, "}")) {
        do {
            if (!eat(&at, end, "\"diagonal\"") || !eat(&at, end, ":")) return 0;
            *diagonal = eat(&at, end, "true");
            if (!*diagonal && !eat(&at, end, "false")) return 0;
        } while (eat(&at, end, ","));
        if (!eat(&at, end, "}")) return 0;
    }
    eat(&at, end, "");
    return at == end;
}

static int32_t create(const uint8_t *config, size_t config_length, const FlowSetup *setup, void **instance, FlowCall *call) {
    int diagonal = 0;
    if (setup == NULL || instance == NULL || (config == NULL && config_length > 0)) return fail(call, "create: null");
    if (setup->device.device_type != FLOW_DEVICE_CPU) return fail(call, "affine computes on the processor only");
    DLDataType type = setup->dtype;
    if (type.code != FLOW_TYPE_FLOAT || (type.bits != 32 && type.bits != 64) || type.lanes != 1)
        return fail(call, "affine computes in f32 and f64 only");
    if (setup->dim < 1 || setup->dim > MOST_DIM) return fail(call, "dimension must be in 1..=%d", MOST_DIM);
    if (config_length > 0 && !parse((const char *)config, (const char *)config + config_length, &diagonal))
        return fail(call, "parameters must be a JSON object with nothing but a boolean `diagonal`");
    Affine *flow = malloc(sizeof *flow);
    if (flow == NULL) return fail(call, "out of memory");
    *flow = (Affine){.d = (size_t)setup->dim, .diagonal = diagonal, .type = type};
    *instance = flow;
    return FLOW_OK;
}

static void destroy(void *instance) { free(instance); }
static void free_tape(void *tape) { free(tape); }

static int32_t layout(void *instance, FlowText *out, FlowCall *call) {
    const Affine *flow = instance;
    char text[256], below[96] = "";
    if (flow == NULL || out == NULL) return fail(call, "layout: null");
    unsigned long long d = flow->d, b = above(flow, flow->d);
    if (b > 0) snprintf(below, sizeof below, ", {\"name\": \"below\", \"offset\": %llu, \"shape\": [%llu]}", 2 * d, b);
    snprintf(text, sizeof text, "[{\"name\": \"bias\", \"offset\": 0, \"shape\": [%llu]},"
             "{\"name\": \"log_diagonal\", \"offset\": %llu, \"shape\": [%llu]}%s]", d, d, d, below);
    answer(out, text);
    return FLOW_OK;
}

static int32_t init(void *instance, uint64_t seed, DLTensor *params, FlowCall *call) {
    const Affine *flow = instance;
    if (flow == NULL) return fail(call, "null instance");
    if (bad(flow, "params", params, 1, (int64_t)n_params(flow), 0, call)) return FLOW_FAILED;
    for (size_t k = 0; k < n_params(flow); k++) {
        double value;
        normals(seed, k, 1, &value);
        put(params, k, START_SD * value);
    }
    return FLOW_OK;
}

static int32_t sample(void *instance, const DLTensor *params, uint64_t seed, DLTensor *x, DLTensor *log_q, void **tape,
                      FlowCall *call) {
    return pass(instance, params, seed, 0, x, NULL, log_q, tape, call);
}

static int32_t sample_rows(void *instance, const DLTensor *params, uint64_t seed, uint64_t first, DLTensor *x,
                           DLTensor *log_q, FlowCall *call) {
    return pass(instance, params, seed, first, x, NULL, log_q, NULL, call);
}

// The seed is of use to flows that estimate their density.
static int32_t density(void *instance, const DLTensor *params, const DLTensor *x, uint64_t seed, DLTensor *log_q,
                       void **tape, FlowCall *call) {
    return pass(instance, params, seed, 0, NULL, x, log_q, tape, call);
}

// Both passes have one formula. With u = dx of a draw, or u = L^-T z dlog_q at a given point,
//
//     db_i = sum u_i,   dL_ij = sum u_i z_j,   dl_i = sum u_i z_i exp(l_i) - dlog_q     (sums over rows)
//
// since in the density z = L^-1 (x - b) moves by -L^-1 (dL z + db).
static int32_t backward(void *instance, void *taped, const DLTensor *grad_x, const DLTensor *grad_log_q,
                        DLTensor *grad_params, FlowCall *call) {
    const Affine *flow = instance;
    const Tape *tape = taped;
    if (flow == NULL || tape == NULL) return fail(call, "backward: null instance or tape");
    size_t n = tape->n, d = flow->d, p = n_params(flow);
    if (bad(flow, "grad_log_q", grad_log_q, 1, (int64_t)n, 0, call)) return FLOW_FAILED;
    if (bad(flow, "grad_params", grad_params, 1, (int64_t)p, 0, call)) return FLOW_FAILED;
    if (!tape->of_density && bad(flow, "grad_x", grad_x, 2, (int64_t)n, (int64_t)d, call)) return FLOW_FAILED;
    double *sum = calloc(p + d, sizeof *sum), *u = sum + p;
    if (sum == NULL) return fail(call, "out of memory");
    for (size_t row = 0; row < n; row++) {
        const double *z = tape->values + p + row * d, *scale = tape->values + d;
        double grad = get(grad_log_q, row), *below = sum + 2 * d;
        if (tape->of_density) inverse_transposed(flow, tape, z, u);
        for (size_t i = 0; i < d; i++) {
            u[i] = tape->of_density ? u[i] * grad : get(grad_x, row * d + i);
            sum[i] += u[i];
            sum[d + i] += u[i] * z[i] * scale[i] - grad;
            for (size_t j = 0; j < left(flow, i); j++) *below++ += u[i] * z[j];
        }
    }
    for (size_t k = 0; k < p; k++) put(grad_params, k, sum[k]);
    free(sum);
    return FLOW_OK;
}

// Functions that are not named here are null: the host does without.
static const FlowTable FLOW = {
    .struct_size = sizeof(FlowTable), .create = create, .destroy = destroy, .layout = layout, .init = init,
    .sample = sample, .density = density, .backward = backward, .free_tape = free_tape, .sample_rows = sample_rows,
};

static const FlowPlugin PLUGIN = {
    .magic = FLOW_MAGIC, .major = FLOW_MAJOR, .minor = FLOW_MINOR, .struct_size = sizeof(FlowPlugin), .describe = describe,
    .flow = &FLOW,
};

const FlowPlugin *harness_plugin(void) { return &PLUGIN; }
