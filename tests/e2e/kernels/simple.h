/* SPDX-License-Identifier: Apache-2.0 */
/* Attention in its plainest form, for the end-to-end tests: one thread, one row of scores at a
 * time in the workspace. A kernel defines `dot` and includes this, and can say what is done to
 * a row's result (ROW_DONE), how many keys are left out (KEYS_LEFT_OUT), or what comes first
 * in a launch (LAUNCH_BEGINS). */
#include <math.h>

#ifndef KEYS_LEFT_OUT
#define KEYS_LEFT_OUT 0
#endif
#ifndef LAUNCH_BEGINS
#define LAUNCH_BEGINS(stream) (void)(stream) /* one thread whatever is allowed */
#endif
#ifndef ROW_DONE
#define ROW_DONE(out)
#endif
#ifndef SIMPLE_NAME
#define SIMPLE_NAME "simple"
#endif

static int supports(const struct attention_problem *p)
{
    return p->dtype == ATTENTION_FP32;
}

static size_t workspace_bytes(const struct attention_problem *p)
{
    return supports(p) ? (size_t)p->seq_k * sizeof(float) : 0;
}

/* One query against the first `keys` keys. Returns the row's log-sum-exp. */
static float attend(const float *q, const float *k, const float *v, float *out, float *scores,
                    int keys, int head_dim, float scale)
{
    for (int e = 0; e < head_dim; e++)
        out[e] = 0.0f;
    if (keys <= 0)
        return -INFINITY;
    float most = -INFINITY, sum = 0.0f;
    for (int j = 0; j < keys; j++) {
        scores[j] = scale * dot(q, k + (size_t)j * (size_t)head_dim, head_dim);
        most = scores[j] > most ? scores[j] : most;
    }
    for (int j = 0; j < keys; j++) {
        float weight = expf(scores[j] - most);
        sum += weight;
        for (int e = 0; e < head_dim; e++)
            out[e] += weight * v[(size_t)j * (size_t)head_dim + (size_t)e];
    }
    for (int e = 0; e < head_dim; e++)
        out[e] /= sum;
    return most + logf(sum);
}

static int forward(const struct attention_problem *p, const void *q, const void *k,
                   const void *v, void *out, float *lse, void *workspace, void *stream)
{
    LAUNCH_BEGINS(stream);
    if (!supports(p))
        return ATTENTION_UNSUPPORTED;
    float scale = p->scale != 0.0f ? p->scale : 1.0f / sqrtf((float)p->head_dim);
    size_t dim = (size_t)p->head_dim;
    int group = p->heads / p->heads_kv;
    for (int b = 0; b < p->batch; b++)
        for (int h = 0; h < p->heads; h++) {
            size_t rows = ((size_t)b * (size_t)p->heads + (size_t)h) * (size_t)p->seq_q;
            size_t keys_at =
                ((size_t)b * (size_t)p->heads_kv + (size_t)(h / group)) * (size_t)p->seq_k;
            for (int i = 0; i < p->seq_q; i++) {
                int keys = p->causal ? i + p->seq_k - p->seq_q + 1 : p->seq_k;
                size_t row = rows + (size_t)i;
                float *to = (float *)out + row * dim;
                float value = attend((const float *)q + row * dim,
                                     (const float *)k + keys_at * dim,
                                     (const float *)v + keys_at * dim, to, workspace,
                                     keys - KEYS_LEFT_OUT, p->head_dim, scale);
                if (lse != NULL)
                    lse[row] = value;
                ROW_DONE(to);
            }
        }
    return ATTENTION_OK;
}

static const struct attention_kernel table = {.abi = ATTENTION_ABI,
                                              .device = ATTENTION_CPU,
                                              .name = SIMPLE_NAME,
                                              .supports = supports,
                                              .workspace_bytes = workspace_bytes,
                                              .forward = forward};

ATTENTION_EXPORT const struct attention_kernel *attention_kernel(void)
{
    return &table;
}
