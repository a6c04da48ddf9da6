/* SPDX-License-Identifier: Apache-2.0 */
/* The smallest kernel that Ratchet takes: attention on the CPU in fp32, one row after the other, on
 * one thread. attention.h (ratchet-kernel(7)) says what each function promises. */
#include "attention.h"

#include <math.h>

static int supports(const struct attention_problem *p)
{
    return p->dtype == ATTENTION_FP32;
}

/* The weights of one row. */
static size_t workspace_bytes(const struct attention_problem *p)
{
    return supports(p) ? (size_t)p->seq_k * sizeof(float) : 0;
}

/* One query's out; returns its lse. `keys` are visible to it. */
static float attend(int keys, int dim, float scale, const float *q, const float *k,
                    const float *v, float *weights, float *out)
{
    float largest = -INFINITY, sum = 0.0f;
    for (int j = 0; j < keys; j++) {
        weights[j] = 0.0f;
        for (int e = 0; e < dim; e++)
            weights[j] += scale * q[e] * k[(size_t)j * (size_t)dim + (size_t)e];
        largest = fmaxf(largest, weights[j]);
    }
    for (int e = 0; e < dim; e++)
        out[e] = 0.0f;
    for (int j = 0; j < keys; j++) {
        weights[j] = expf(weights[j] - largest);
        sum += weights[j];
        for (int e = 0; e < dim; e++)
            out[e] += weights[j] * v[(size_t)j * (size_t)dim + (size_t)e];
    }
    for (int e = 0; e < dim && keys > 0; e++)
        out[e] /= sum;
    return keys > 0 ? largest + logf(sum) : -INFINITY;
}

/* How many keys query i sees: under a causal mask the last query sees all of them. */
static int visible(const struct attention_problem *p, int i)
{
    int keys = i + 1 + p->seq_k - p->seq_q;
    return !p->causal || keys > p->seq_k ? p->seq_k : keys < 0 ? 0 : keys;
}

static int forward(const struct attention_problem *p, const void *q, const void *k,
                   const void *v, void *out, float *lse, void *workspace, void *stream)
{
    (void)stream; /* threads and processors to run on: this one needs none */
    if (!supports(p))
        return ATTENTION_UNSUPPORTED;
    float scale = p->scale != 0.0f ? p->scale : 1.0f / sqrtf((float)p->head_dim);
    size_t dim = (size_t)p->head_dim, seq_q = (size_t)p->seq_q;
    size_t group = (size_t)(p->heads / p->heads_kv); /* heads that share one of K and V */
    for (size_t head = 0; head < (size_t)p->batch * (size_t)p->heads; head++) {
        size_t keys_before = head / group * (size_t)p->seq_k * dim;
        for (size_t i = 0; i < seq_q; i++) {
            size_t row = head * seq_q + i;
            float one = attend(visible(p, (int)i), p->head_dim, scale,
                               (const float *)q + row * dim, (const float *)k + keys_before,
                               (const float *)v + keys_before, workspace,
                               (float *)out + row * dim);
            if (lse != NULL)
                lse[row] = one;
        }
    }
    return ATTENTION_OK;
}

const struct attention_kernel *attention_kernel(void)
{
    static const struct attention_kernel kernel = {.abi = ATTENTION_ABI,
                                                   .device = ATTENTION_CPU,
                                                   .name = "smallest",
                                                   .supports = supports,
                                                   .workspace_bytes = workspace_bytes,
                                                   .forward = forward};
    return &kernel;
}
