/* SPDX-License-Identifier: Apache-2.0 */
/* What Triton's compiler made of triton_attention.py, behind our own ABI. Nothing of Triton or Python
 * is needed to run it. It keeps every promise of attention.h, so its name does not begin with
 * `peer-`, and it is verified while it is timed, as ours are. */
#include "attention.h"

#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

struct variant {
    int dtype, head_dim, causal;
    int rows; /* a block */
    unsigned threads, shared_bytes;
    int scratch; /* pointers behind our own parameters, NULL for this kernel */
    const char *name;
    const unsigned char *cubin;
};

#include "triton_variants.h" /* variants[] */

enum {
    VARIANTS = sizeof variants / sizeof variants[0],
    PARAMETERS = 11,
    SCRATCH_MAX = 4,
    ROWS_MAX = 1 << 23,           /* offsets within a head are int */
    MAX_DYNAMIC_SHARED_BYTES = 8, /* CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES */
    CAPTURE_RELAXED = 2           /* CU_STREAM_CAPTURE_MODE_RELAXED */
};

/* ---- the driver ---- */

/* The part of its binary interface that is needed, so that no toolkit is. */
static struct driver {
    int (*cuModuleLoadData)(void **module, const void *image);
    int (*cuModuleGetFunction)(void **function, void *module, const char *name);
    int (*cuFuncSetAttribute)(void *function, int attribute, int value);
    int (*cuThreadExchangeStreamCaptureMode)(int *mode);
    int (*cuLaunchKernel)(void *function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                          unsigned block_x, unsigned block_y, unsigned block_z,
                          unsigned shared_bytes, void *stream, void **parameters,
                          void **extra);
} driver;

static int open_driver(void)
{
    const struct {
        const char *name;
        void *to;
    } functions[] = {
        {"cuModuleLoadData", &driver.cuModuleLoadData},
        {"cuModuleGetFunction", &driver.cuModuleGetFunction},
        {"cuFuncSetAttribute", &driver.cuFuncSetAttribute},
        {"cuThreadExchangeStreamCaptureMode", &driver.cuThreadExchangeStreamCaptureMode},
        {"cuLaunchKernel", &driver.cuLaunchKernel}};
    void *library = dlopen("libcuda.so.1", RTLD_NOW);
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        void *symbol = library == NULL ? NULL : dlsym(library, functions[i].name);
        if (symbol == NULL) {
            fprintf(stderr, "triton: %s\n", dlerror());
            return -1;
        }
        memcpy(functions[i].to, &symbol, sizeof symbol); /* ISO C has no cast for this */
    }
    return 0;
}

/* ---- kernels ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of driver and functions */
static void *functions[VARIANTS]; /* of the context of the first launch */

/* A capture forbids what loading does, though it does nothing to the stream: hence relaxed. */
static void *load(const struct variant *variant)
{
    void *module, *function;
    int mode = CAPTURE_RELAXED;
    const char *step = "cuModuleLoadData";
    driver.cuThreadExchangeStreamCaptureMode(&mode);
    int error = driver.cuModuleLoadData(&module, variant->cubin);
    if (error == 0) {
        step = "cuModuleGetFunction";
        error = driver.cuModuleGetFunction(&function, module, variant->name);
    }
    if (error == 0) {
        step = "cuFuncSetAttribute";
        error = driver.cuFuncSetAttribute(function, MAX_DYNAMIC_SHARED_BYTES,
                                          (int)variant->shared_bytes);
    }
    driver.cuThreadExchangeStreamCaptureMode(&mode);
    if (error == 0)
        return function;
    fprintf(stderr, "triton: %s: CUDA error %d\n", step, error);
    return NULL;
}

static void *function_of(const struct variant *variant)
{
    void **kept = &functions[variant - variants];
    pthread_mutex_lock(&lock);
    if (*kept == NULL && (driver.cuLaunchKernel != NULL || open_driver() == 0))
        *kept = load(variant);
    void *function = *kept;
    pthread_mutex_unlock(&lock);
    return function;
}

/* ---- the table ---- */

static const struct variant *variant_of(const struct attention_problem *p)
{
    for (size_t i = 0; i < VARIANTS; i++)
        if (variants[i].dtype == p->dtype && variants[i].head_dim == p->head_dim &&
            variants[i].causal == (p->causal != 0))
            return &variants[i];
    return NULL;
}

static int64_t blocks_of(const struct attention_problem *p, const struct variant *variant)
{
    int64_t heads = (int64_t)p->batch * p->heads;
    return heads > INT32_MAX ? heads : heads * ((p->seq_q - 1) / variant->rows + 1);
}

/* The largest score is looked for before it is scaled, so a scale below 0 won't do. */
static int supports(const struct attention_problem *p)
{
    const struct variant *variant = variant_of(p);
    return variant != NULL && p->scale >= 0.0F && p->seq_q <= ROWS_MAX &&
           p->seq_k <= ROWS_MAX && blocks_of(p, variant) <= INT32_MAX;
}

static size_t workspace_bytes(const struct attention_problem *p)
{
    (void)p;
    return 0;
}

static int forward(const struct attention_problem *p, const void *q, const void *k,
                   const void *v, void *out, float *lse, void *workspace, void *stream)
{
    const struct variant *variant = variant_of(p);
    if (!supports(p))
        return ATTENTION_UNSUPPORTED;
    void *function = function_of(variant);
    if (function == NULL)
        return ATTENTION_LAUNCH;
    (void)workspace;
    struct attention_problem given = *p;
    float scale = p->scale != 0.0F ? p->scale : 1.0F / sqrtf((float)p->head_dim);
    scale *= 1.44269504F; /* log2(e): exponentials are of 2 */
    int32_t want_lse = lse != NULL;
    void *none = NULL;
    void *parameters[PARAMETERS + SCRATCH_MAX] = {
        &q,           &k,           &v,           &out,
        &lse,         &scale,       &given.heads, &given.heads_kv,
        &given.seq_q, &given.seq_k, &want_lse};
    for (int i = 0; i < variant->scratch; i++)
        parameters[PARAMETERS + i] = &none;
    int error = driver.cuLaunchKernel(function, (unsigned)blocks_of(p, variant), 1, 1,
                                      variant->threads, 1, 1, variant->shared_bytes, stream,
                                      parameters, NULL);
    if (error != 0)
        fprintf(stderr, "triton: cuLaunchKernel: CUDA error %d\n", error);
    return error == 0 ? ATTENTION_OK : ATTENTION_LAUNCH;
}

static const struct attention_kernel table = {ATTENTION_ABI, ATTENTION_CUDA,  "triton",
                                              supports,      workspace_bytes, forward};

ATTENTION_EXPORT const struct attention_kernel *attention_kernel(void)
{
    return &table;
}
