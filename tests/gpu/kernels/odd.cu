// SPDX-License-Identifier: Apache-2.0
// A plain, slow and right attention kernel for CUDA, one warp a row, and what can be wrong with
// one, by macro: ODD_WRONG a row, ODD_UNWRITTEN a row, ODD_BEHIND the end, ODD_NAN, ODD_ADDRESS
// an illegal one, ODD_HANG, ODD_ERROR=n returned, ODD_SYNC while captured, ODD_INPUTS written
// to, ODD_LATE=n right for n launches only, ODD_WORKSPACE=n bytes asked for.
#include "attention.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

static __device__ float get(const void *tensor, size_t at, int dtype)
{
    return dtype == ATTENTION_FP16 ? __half2float(((const __half *)tensor)[at])
                                   : __bfloat162float(((const __nv_bfloat16 *)tensor)[at]);
}

static __device__ void put(void *tensor, size_t at, int dtype, float value)
{
    if (dtype == ATTENTION_FP16)
        ((__half *)tensor)[at] = __float2half(value);
    else
        ((__nv_bfloat16 *)tensor)[at] = __float2bfloat16(value);
}

static __device__ float warp_sum(float value)
{
    for (int lane = 16; lane > 0; lane /= 2)
        value += __shfl_xor_sync(0xffffffffu, value, lane);
    return value;
}

#ifdef ODD_LATE
static __device__ unsigned launches_done;
#endif

enum { DIM_MAX = 256, PER_LANE = DIM_MAX / 32 };

static __global__ void plain(attention_problem p, const void *q, const void *k, const void *v,
                             void *out, float *lse)
{
    size_t row = (size_t)blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    int lane = (int)(threadIdx.x % 32);
    if (row >= (size_t)p.batch * (size_t)p.heads * (size_t)p.seq_q)
        return;
#ifdef ODD_ADDRESS
    if (row == 0)
        *(volatile int *)16 = 1;
#endif
#ifdef ODD_HANG
    while (row == 0 && *(volatile const short *)q != 0x7fff) {
    }
#endif
    size_t head = row / (size_t)p.seq_q;
    int i = (int)(row % (size_t)p.seq_q);
    size_t kv = head / (size_t)p.heads * (size_t)p.heads_kv +
                head % (size_t)p.heads / (size_t)(p.heads / p.heads_kv);
    int visible = p.causal ? i + p.seq_k - p.seq_q + 1 : p.seq_k;
    float scale = p.scale != 0.0F ? p.scale : rsqrtf((float)p.head_dim);
    float top = -INFINITY, sum = 0.0F, mixed[PER_LANE] = {0.0F};
    for (int j = 0; j < visible; j++) {
        size_t key = (kv * (size_t)p.seq_k + (size_t)j) * (size_t)p.head_dim;
        float dot = 0.0F;
        for (int e = lane; e < p.head_dim; e += 32)
            dot += get(q, row * (size_t)p.head_dim + (size_t)e, p.dtype) *
                   get(k, key + (size_t)e, p.dtype);
        float score = scale * warp_sum(dot);
        float next = fmaxf(top, score);
        float keep = expf(top - next), weight = expf(score - next);
        sum = sum * keep + weight;
        for (int n = 0; n < PER_LANE && lane + 32 * n < p.head_dim; n++)
            mixed[n] = mixed[n] * keep +
                       weight * get(v, key + (size_t)(lane + 32 * n), p.dtype);
        top = next;
    }
    bool wrong = false;
#ifdef ODD_WRONG
    wrong = row % 2 == 1;
#endif
#ifdef ODD_LATE
    wrong = launches_done > ODD_LATE;
    if (row == 0 && lane == 0)
        launches_done++;
#endif
#ifdef ODD_UNWRITTEN
    if (row == 1)
        return;
#endif
    for (int n = 0; n < PER_LANE && lane + 32 * n < p.head_dim; n++) {
        float value = visible > 0 ? mixed[n] / sum : 0.0F;
#ifdef ODD_NAN
        value = row == 3 ? NAN : value;
#endif
        put(out, row * (size_t)p.head_dim + (size_t)(lane + 32 * n), p.dtype,
            wrong ? 0.5F * value : value);
    }
    if (lse != nullptr && lane == 0)
        lse[row] = visible > 0 ? top + logf(sum) : -INFINITY;
#ifdef ODD_BEHIND
    size_t rows = (size_t)p.batch * (size_t)p.heads * (size_t)p.seq_q;
    put(out, rows * (size_t)p.head_dim + (size_t)lane, p.dtype, 0.0F);
#endif
#ifdef ODD_INPUTS
    put((void *)v, (size_t)lane, p.dtype, 3.0F);
#endif
}

static int supports(const attention_problem *p)
{
    return p->head_dim <= DIM_MAX && (p->dtype == ATTENTION_FP16 || p->dtype == ATTENTION_BF16);
}

static size_t workspace_bytes(const attention_problem *)
{
#ifdef ODD_WORKSPACE
    return (size_t)(ODD_WORKSPACE);
#else
    return 0;
#endif
}

static int forward(const attention_problem *p, const void *q, const void *k, const void *v,
                   void *out, float *lse, void *, void *stream)
{
    size_t rows = (size_t)p->batch * (size_t)p->heads * (size_t)p->seq_q;
#ifdef ODD_ERROR
    return ODD_ERROR;
#endif
    plain<<<(unsigned)((rows + 7) / 8), 256, 0, (cudaStream_t)stream>>>(*p, q, k, v, out, lse);
#ifdef ODD_SLOW
    plain<<<(unsigned)((rows + 7) / 8), 256, 0, (cudaStream_t)stream>>>(*p, q, k, v, out, lse);
#endif
#ifdef ODD_SYNC
    cudaStreamSynchronize((cudaStream_t)stream);
#endif
    return cudaGetLastError() == cudaSuccess ? ATTENTION_OK : ATTENTION_LAUNCH;
}

static const struct attention_kernel table = {ATTENTION_ABI, ATTENTION_CUDA, "odd", supports,
                                       workspace_bytes, forward};

extern "C" ATTENTION_EXPORT const struct attention_kernel *attention_kernel(void)
{
    return &table;
}
