// SPDX-License-Identifier: Apache-2.0
// A plain and right attention kernel for CUDA, one warp for eight rows, and four ways to make it
// slower, by macro, each with its own trace in the machine code: WHY_REGISTERS keeps values
// alive that nobody needs, WHY_SPILLS allows a thread 32 registers, WHY_SHARED takes shared
// memory that it hardly uses, WHY_INSTRUCTIONS does more for each key.
#include "attention.h"

#include <cuda_fp16.h>

#if defined WHY_SPILLS
#define BOUNDS __launch_bounds__(1024, 2)
#else
#define BOUNDS __launch_bounds__(128)
#endif

enum { DIM = 64, ROWS = 8, PER_LANE = DIM / 32, THREADS = 128, KEPT = 128, SHARED_WORDS = 12000 };
#ifdef WHY_SHARED
enum { MORE_SHARED = 52000 }; // bytes, set at launch
#else
enum { MORE_SHARED = 0 };
#endif

static __device__ float warp_sum(float value)
{
    for (int lane = 16; lane > 0; lane /= 2)
        value += __shfl_xor_sync(0xffffffffu, value, lane);
    return value;
}

// What the compiler has to leave where it stands.
#ifdef WHY_INSTRUCTIONS
static __device__ float fixed_fma(float a, float b, float c)
{
    float out;
    asm volatile("fma.rn.f32 %0, %1, %2, %3;" : "=f"(out) : "f"(a), "f"(b), "f"(c));
    return out;
}
#endif

#ifdef WHY_REGISTERS
static __device__ float fixed_load(const float *from)
{
    float out;
    asm volatile("ld.volatile.global.f32 %0, [%1];" : "=f"(out) : "l"(from));
    return out;
}
#endif

static __global__ void BOUNDS why(attention_problem p, const __half *q, const __half *k,
                                  const __half *v, __half *out, float *lse)
{
    size_t rows = (size_t)p.batch * (size_t)p.heads * (size_t)p.seq_q;
    size_t first = ((size_t)blockIdx.x * (THREADS / 32) + threadIdx.x / 32) * ROWS;
    int lane = (int)(threadIdx.x % 32);
    if (first >= rows)
        return;
    size_t head = first / (size_t)p.seq_q; // the rows of a warp are of one head: see supports
    size_t kv = head / (size_t)p.heads * (size_t)p.heads_kv +
                head % (size_t)p.heads / (size_t)(p.heads / p.heads_kv);
    float scale = p.scale != 0.0F ? p.scale : 0.125F;
#ifdef WHY_REGISTERS
    float kept[KEPT];
#pragma unroll
    for (int i = 0; i < KEPT; i++)
        kept[i] = fixed_load((const float *)q + (lane + i) % 64);
#endif
#ifdef WHY_SHARED
    __shared__ volatile float large[SHARED_WORDS];
    large[threadIdx.x] = scale;
    scale = large[threadIdx.x];
#endif
    float mine[ROWS][PER_LANE], mixed[ROWS][PER_LANE], top[ROWS], sum[ROWS];
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
        top[r] = -INFINITY;
        sum[r] = 0.0F;
#pragma unroll
        for (int n = 0; n < PER_LANE; n++) {
            mine[r][n] = __half2float(q[(first + r) * DIM + lane + 32 * n]);
            mixed[r][n] = 0.0F;
        }
    }
    for (int j = 0; j < p.seq_k; j++) {
        size_t key = (kv * (size_t)p.seq_k + (size_t)j) * DIM;
        float a[PER_LANE], b[PER_LANE];
#pragma unroll
        for (int n = 0; n < PER_LANE; n++) {
            a[n] = __half2float(k[key + lane + 32 * n]);
            b[n] = __half2float(v[key + lane + 32 * n]);
        }
#pragma unroll
        for (int r = 0; r < ROWS; r++) {
            float dot = 0.0F;
#pragma unroll
            for (int n = 0; n < PER_LANE; n++)
                dot += mine[r][n] * a[n];
#ifdef WHY_INSTRUCTIONS
#pragma unroll
            for (int n = 0; n < 32; n++)
                dot = fixed_fma(1.0F, dot, 0.0F);
#endif
            float score = scale * warp_sum(dot);
            float next = fmaxf(top[r], score);
            float keep = __expf(top[r] - next), weight = __expf(score - next);
            sum[r] = sum[r] * keep + weight;
#pragma unroll
            for (int n = 0; n < PER_LANE; n++)
                mixed[r][n] = mixed[r][n] * keep + weight * b[n];
            top[r] = next;
        }
    }
#ifdef WHY_REGISTERS
    if (scale == 12345.678F) // alive up to here
#pragma unroll
        for (int i = 0; i < KEPT; i++)
            out[lane + i] = __float2half(kept[i]);
#endif
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
#pragma unroll
        for (int n = 0; n < PER_LANE; n++)
            out[(first + r) * DIM + lane + 32 * n] = __float2half(mixed[r][n] / sum[r]);
        if (lse != nullptr && lane == 0)
            lse[first + r] = top[r] + logf(sum[r]);
    }
}

static int supports(const attention_problem *p)
{
    return p->head_dim == DIM && p->dtype == ATTENTION_FP16 && p->causal == 0 && p->seq_q % ROWS == 0;
}

static size_t workspace_bytes(const attention_problem *)
{
    return 0;
}

static int forward(const attention_problem *p, const void *q, const void *k, const void *v,
                   void *out, float *lse, void *, void *stream)
{
    const unsigned per_block = ROWS * THREADS / 32;
    unsigned rows = (unsigned)p->batch * (unsigned)p->heads * (unsigned)p->seq_q;
#ifdef WHY_SHARED
    cudaFuncSetAttribute(why, cudaFuncAttributeMaxDynamicSharedMemorySize, MORE_SHARED);
#endif
    why<<<(rows + per_block - 1) / per_block, THREADS, MORE_SHARED, (cudaStream_t)stream>>>(
        *p, (const __half *)q, (const __half *)k, (const __half *)v, (__half *)out, lse);
    return cudaGetLastError() == cudaSuccess ? ATTENTION_OK : ATTENTION_LAUNCH;
}

static const struct attention_kernel table = {ATTENTION_ABI, ATTENTION_CUDA, "why", supports,
                                       workspace_bytes, forward};

extern "C" ATTENTION_EXPORT const struct attention_kernel *attention_kernel(void)
{
    return &table;
}
