/* SPDX-License-Identifier: Apache-2.0 */
/* One right kernel and, by -DODD_…, the many ways to be wrong that tests/e2e/test_harness.py and
 * test_sweep.py go through: what is not written, written elsewhere, done late, said, forged, refused. */
#include "attention.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int calls; /* of forward, in this copy of the library */

static int supports(const struct attention_problem *p)
{
#ifdef ODD_UNSUPPORTED /* from so many queries on */
    if (p->seq_q >= ODD_UNSUPPORTED)
        return 0;
#endif
    return p->dtype == ATTENTION_FP32;
}

static size_t workspace_bytes(const struct attention_problem *p)
{
    return (size_t)p->seq_k * sizeof(float);
}

static float row(const struct attention_problem *p, const float *q, const float *k,
                 const float *v, float *out, float *weights, int keys)
{
    int dim = p->head_dim;
    float scale = 1.0f / sqrtf((float)dim);
    float most = -INFINITY, sum = 0.0f;
    float total[512] = {0};
    for (int j = 0; j < keys; j++) {
        float score = 0.0f;
        for (int e = 0; e < dim; e++)
            score += q[e] * k[(size_t)j * (size_t)dim + (size_t)e];
        weights[j] = scale * score;
        most = fmaxf(most, weights[j]);
    }
    for (int j = 0; j < keys; j++) {
#ifdef ODD_NO_MAXIMUM
        most = 0.0f; /* overflows where scores are large, and nowhere else */
#endif
        float weight = expf(weights[j] - most);
        sum += weight;
        for (int e = 0; e < dim; e++)
            total[e] += weight * v[(size_t)j * (size_t)dim + (size_t)e];
    }
    for (int e = 0; e < dim; e++)
        out[e] = keys > 0 ? total[e] / sum : 0.0f;
    return keys > 0 ? most + logf(sum) : -INFINITY;
}

/* All rows of one head of queries. */
static void head(const struct attention_problem *p, const float *q, const float *k,
                 const float *v, float *out, float *lse, float *weights)
{
    for (int i = 0; i < p->seq_q; i++) {
        size_t at = (size_t)i * (size_t)p->head_dim;
        int keys = p->causal ? i + p->seq_k - p->seq_q + 1 : p->seq_k;
        float value = row(p, q + at, k, v, out + at, weights, keys > 0 ? keys : 0);
#ifdef ODD_SLOWER /* per cent: so many rows of a hundred are done twice */
        if (i % 100 < ODD_SLOWER)
            value = row(p, q + at, k, v, out + at, weights, keys > 0 ? keys : 0);
#endif
#ifdef ODD_LATE_LARGE /* wrong after so many calls, on numbers that timing never has */
        if (calls > ODD_LATE_LARGE && fabsf(q[at]) > 1.5f)
            out[at] *= 1.5f;
#endif
#ifdef ODD_LSE
        if (i == p->seq_q / 2)
            continue;
#endif
        if (lse != NULL)
            lse[i] = value;
    }
}

/* What is done to a right result, or instead of it. Nonzero: forward returns that. */
static int odd(const struct attention_problem *p, float *out, size_t count, const void *k)
{
    (void)p, (void)out, (void)count, (void)k;
#ifdef ODD_BEHIND
    out[count] = 1.0f;
#endif
#ifdef ODD_WHEN /* wrong from the moment on when there is such a file */
    if (access(ODD_WHEN, F_OK) == 0)
        out[0] = NAN;
#endif
#ifdef ODD_INPUTS
    memset((void *)(size_t)k, 0, 64);
#endif
#ifdef ODD_LATE /* right for so many calls, then wrong by a little in every row */
    for (size_t i = 0; calls > ODD_LATE && i < count; i += (size_t)p->head_dim)
        out[i] += 0.001f;
#endif
#ifdef ODD_PRINT
    printf("sample head 1 0\n");
    fflush(stdout);
    for (int fd = 0; fd <= 2; fd++)
        if (write(fd, "right head 256 0\ndone\n", 22) < 0)
            calls++;
#endif
#ifdef ODD_FORGE
    for (int fd = 3; fd < 20; fd++)
        if (write(fd, "sample head 1 0\n", 16) < 0)
            calls++;
#endif
#ifdef ODD_RANT
    for (int fd = 3; fd < 20; fd++)
        for (int i = 0; i < 100; i++)
            if (write(fd, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 30) < 0)
                break;
#endif
#ifdef ODD_EXIT
    _exit(0);
#endif
#ifdef ODD_ABORT_LATE
    if (calls > ODD_ABORT_LATE)
        abort();
#endif
#ifdef ODD_KILL /* as the OOM killer would */
    raise(SIGKILL);
#endif
#ifdef ODD_ERROR
    return ATTENTION_LAUNCH;
#endif
    return 0;
}

static int forward(const struct attention_problem *p, const void *q, const void *k,
                   const void *v, void *out, float *lse, void *workspace, void *stream)
{
    (void)stream;
    calls++;
#ifdef ODD_LAZY /* does nothing after the first calls, which are those that are verified */
    if (calls > ODD_LAZY)
        return 0;
#endif
    size_t dim = (size_t)p->head_dim;
    size_t queries = (size_t)p->seq_q * dim;
    size_t keys = (size_t)p->seq_k * dim;
#ifdef ODD_PEER /* keeps its output to itself while it is timed, as peers do */
    static float own[1 << 20];
    if (out == NULL)
        out = own;
#endif
    int heads = p->batch * p->heads;
    int group = p->heads / p->heads_kv;
#ifdef ODD_UNWRITTEN
    float kept = ((float *)out)[queries - 1];
#endif
    for (int h = 0; h < heads; h++) {
        size_t kv = (size_t)(h / p->heads * p->heads_kv + h % p->heads / group);
        head(p, (const float *)q + (size_t)h * queries, (const float *)k + kv * keys,
             (const float *)v + kv * keys, (float *)out + (size_t)h * queries,
             lse == NULL ? NULL : lse + (size_t)h * (size_t)p->seq_q, workspace);
    }
#ifdef ODD_UNWRITTEN
    ((float *)out)[queries - 1] = kept;
#endif
    return odd(p, out, (size_t)heads * queries, k);
}

#ifdef ODD_CONSTRUCTOR
__attribute__((constructor)) static void early(void)
{
    abort();
}
#endif

#ifdef ODD_EXPORT
ATTENTION_EXPORT int malloc_usable_size_of_mine(void);
ATTENTION_EXPORT int malloc_usable_size_of_mine(void)
{
    return calls;
}
#endif

#ifndef ODD_ABI
#define ODD_ABI ATTENTION_ABI
#endif
#ifdef ODD_PEER
#define ODD_NAME "peer-odd"
#else
#define ODD_NAME "odd"
#endif
static const struct attention_kernel table = {.abi = ODD_ABI,
                                              .device = ATTENTION_CPU,
                                              .name = ODD_NAME,
                                              .supports = supports,
                                              .workspace_bytes = workspace_bytes,
                                              .forward = forward};

ATTENTION_EXPORT const struct attention_kernel *attention_kernel(void)
{
    return &table;
}
