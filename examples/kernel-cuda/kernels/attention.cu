/* SPDX-License-Identifier: Apache-2.0 */
/* The smallest kernel for a GPU: one warp a query, key after key, with the online softmax. Right, and
 * slow: no tensor cores, no shared memory. attention.h (ratchet-kernel(7)) says what each function
 * promises. */
#include "attention.h"

#include <cmath>
#include <cuda_bf16.h>
#include <cuda_fp16.h>

enum { WARP = 32, WARPS = 4, HEAD_DIM_MAX = 256, EACH = HEAD_DIM_MAX / WARP };

struct arrays {
    const void *q, *k, *v;
    void *out;
    float *lse;
};

static __device__ float sum_over_warp(float x)
{
    for (int step = WARP / 2; step > 0; step /= 2)
        x += __shfl_xor_sync(0xffffffffu, x, step);
    return x;
}

/* Lane l has the elements l, l + 32, … of the row's q and out. */
template <typename T>
static __global__ void attend(attention_problem p, arrays at, float scale, int64_t rows)
{
    int64_t row = (int64_t)blockIdx.x * WARPS + threadIdx.y;
    if (row >= rows)
        return;
    int dim = p.head_dim, lane = (int)threadIdx.x, i = (int)(row % p.seq_q);
    int64_t before = row / p.seq_q / (p.heads / p.heads_kv) * p.seq_k * dim;
    const T *k = (const T *)at.k + before, *v = (const T *)at.v + before;
    float q[EACH], out[EACH] = {}, largest = -INFINITY, sum = 0.0f;
    for (int n = 0; n < EACH; n++)
        q[n] = n * WARP + lane < dim
                   ? scale * (float)((const T *)at.q)[row * dim + n * WARP + lane]
                   : 0.0f;
    int keys = p.causal ? min(p.seq_k, i + 1 + p.seq_k - p.seq_q) : p.seq_k;
    for (int j = 0; j < keys; j++, k += dim, v += dim) {
        float score = 0.0f;
        for (int n = 0; n < EACH; n++)
            if (n * WARP + lane < dim)
                score += q[n] * (float)k[n * WARP + lane];
        score = sum_over_warp(score);
        float larger = fmaxf(largest, score);
        float rescale = expf(largest - larger), weight = expf(score - larger);
        largest = larger;
        sum = sum * rescale + weight;
        for (int n = 0; n < EACH; n++)
            if (n * WARP + lane < dim)
                out[n] = out[n] * rescale + weight * (float)v[n * WARP + lane];
    }
    for (int n = 0; n < EACH; n++)
        if (n * WARP + lane < dim)
            ((T *)at.out)[row * dim + n * WARP + lane] = (T)(keys > 0 ? out[n] / sum : 0.0f);
    if (lane == 0 && at.lse != nullptr)
        at.lse[row] = keys > 0 ? largest + logf(sum) : -INFINITY;
}

static int64_t rows_of(const attention_problem *p)
{
    return (int64_t)p->batch * p->heads * p->seq_q;
}

static int supports(const attention_problem *p)
{
    return p->head_dim <= HEAD_DIM_MAX && p->dtype >= 0 && p->dtype < ATTENTION_DTYPES &&
           rows_of(p) <= (int64_t)WARPS * INT32_MAX;
}

static size_t workspace_bytes(const attention_problem *)
{
    return 0;
}

static int forward(const attention_problem *p, const void *q, const void *k, const void *v,
                   void *out, float *lse, void *, void *stream)
{
    if (!supports(p))
        return ATTENTION_UNSUPPORTED;
    int64_t rows = rows_of(p);
    float scale = p->scale != 0.0f ? p->scale : 1.0f / std::sqrt((float)p->head_dim);
    arrays at = {q, k, v, out, lse};
    dim3 blocks((unsigned)((rows + WARPS - 1) / WARPS)), threads(WARP, WARPS);
    cudaStream_t on = (cudaStream_t)stream;
    if (p->dtype == ATTENTION_FP16)
        attend<__half><<<blocks, threads, 0, on>>>(*p, at, scale, rows);
    else if (p->dtype == ATTENTION_BF16)
        attend<__nv_bfloat16><<<blocks, threads, 0, on>>>(*p, at, scale, rows);
    else
        attend<float><<<blocks, threads, 0, on>>>(*p, at, scale, rows);
    return cudaGetLastError() == cudaSuccess ? ATTENTION_OK : ATTENTION_LAUNCH;
}

const struct attention_kernel *attention_kernel(void)
{
    static const struct attention_kernel kernel = {
        ATTENTION_ABI, ATTENTION_CUDA, "smallest-cuda", supports, workspace_bytes, forward};
    return &kernel;
}
