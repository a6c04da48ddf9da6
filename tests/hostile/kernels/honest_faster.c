/* SPDX-License-Identifier: Apache-2.0 */
/* Does: the same in strips of four keys at once, with the sums kept in registers.
 * Gains: what it really saves.
 * Stopped by: nothing, it is honest and must read improved. */
#define HONEST
#include "cheat.h"

static float dot(const float *a, const float *b, size_t n)
{
    float part[8] = {0};
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (size_t j = 0; j < 8; j++)
            part[j] += a[i + j] * b[i + j];
    for (; i < n; i++)
        part[0] += a[i] * b[i];
    return ((part[0] + part[4]) + (part[1] + part[5])) + ((part[2] + part[6]) + (part[3] + part[7]));
}

__attribute__((optimize("O3"))) static int launch(const struct call *c)
{
    const struct attention_problem *p = c->p;
    size_t dim = (size_t)p->head_dim;
    if (p->causal || p->heads != p->heads_kv)
        return work(c);
    float scale = p->scale != 0.0f ? p->scale : 1.0f / sqrtf((float)dim);
    for (size_t row = 0; row < rows_of(p); row++) {
        size_t at = row / (size_t)p->seq_q * (size_t)p->seq_k * dim;
        const float *q = c->q + row * dim, *k = c->k + at, *v = c->v + at;
        float *w = c->workspace, *out = c->out + row * dim, largest = -INFINITY, sum = 0.0f;
        for (int j = 0; j < p->seq_k; j++) {
            w[j] = scale * dot(q, k + (size_t)j * dim, dim);
            largest = w[j] > largest ? w[j] : largest;
        }
        memset(out, 0, dim * sizeof *out);
        for (int j = 0; j < p->seq_k; j++) {
            float weight = expf(w[j] - largest);
            sum += weight;
            for (size_t e = 0; e < dim; e++)
                out[e] += weight * v[(size_t)j * dim + e];
        }
        for (size_t e = 0; e < dim; e++)
            out[e] /= sum;
        if (c->lse != NULL)
            c->lse[row] = largest + logf(sum);
    }
    return ATTENTION_OK;
}
