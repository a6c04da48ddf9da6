/* SPDX-License-Identifier: Apache-2.0 */
/* What the CUDA kernels of this folder share: attention in fp16 with one warp a query, plain and slow; what a launch
 * can see; the harness's calls of the driver. Each includes this and defines `launch`; PREPARE(problem) is what it does
 * besides in supports().
 *
 * A cheat's honest work is a third more than base's (a third of the rows is done twice), so that a gate that is not
 * fooled calls it regressed. HONEST, defined before, leaves that out. */
#ifndef CHEAT_CUDA_H
#define CHEAT_CUDA_H
#include "attention.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <cuda_fp16.h>
#include <cuda_runtime.h>
#include <dlfcn.h>

#define MAY_BE_UNUSED __attribute__((unused))
#ifndef PREPARE
#define PREPARE(problem) (void)(problem)
#endif

enum { WARP = 32, WARPS = 4, HEAD_DIM_MAX = 256, EACH = HEAD_DIM_MAX / WARP };

/* The arguments of forward. */
struct call {
    attention_problem p;
    const __half *q, *k, *v;
    __half *out;
    float *lse, scale;
    char *workspace;
    int64_t rows;
    cudaStream_t stream;
};

static int launch(const call &c);

/* ---- the work ---- */

static __device__ float sum_over_warp(float x)
{
    for (int step = WARP / 2; step > 0; step /= 2)
        x += __shfl_xor_sync(0xffffffffu, x, step);
    return x;
}

static __device__ bool is_poison(const call &c, int64_t row)
{
    return __hisnan(c.out[row * c.p.head_dim]);
}

/* One row over its first `most` keys, by a whole warp; lane l has the elements l, l + 32, … */
static __device__ void do_keys(const call &c, int64_t row, int most, bool rough)
{
    int dim = c.p.head_dim, lane = (int)threadIdx.x;
    int64_t before = row / c.p.seq_q / (c.p.heads / c.p.heads_kv) * c.p.seq_k * dim;
    const __half *k = c.k + before, *v = c.v + before;
    float q[EACH], out[EACH] = {}, largest = -INFINITY, sum = 0.0f;
    for (int n = 0; n < EACH; n++)
        q[n] = n * WARP + lane < dim ? c.scale * __half2float(c.q[row * dim + n * WARP + lane]) : 0.0f;
    int keys = c.p.causal ? min(c.p.seq_k, (int)(row % c.p.seq_q) + 1 + c.p.seq_k - c.p.seq_q) : c.p.seq_k;
    keys = min(keys, most);
    for (int j = 0; j < keys; j++, k += dim, v += dim) {
        float score = 0.0f;
        for (int n = 0; n < EACH; n++)
            if (n * WARP + lane < dim)
                score += q[n] * __half2float(k[n * WARP + lane]);
        score = sum_over_warp(score);
        float larger = fmaxf(largest, score);
        float rescale = expf(largest - larger), weight = expf(score - larger);
        if (rough) /* to an eighth */
            weight = __int_as_float(__float_as_int(weight) & 0x7ff00000);
        largest = larger;
        sum = sum * rescale + weight;
        for (int n = 0; n < EACH; n++)
            if (n * WARP + lane < dim)
                out[n] = out[n] * rescale + weight * __half2float(v[n * WARP + lane]);
    }
    for (int n = 0; n < EACH; n++)
        if (n * WARP + lane < dim)
            c.out[row * dim + n * WARP + lane] = __float2half(keys > 0 ? out[n] / sum : 0.0f);
    if (lane == 0 && c.lse != nullptr)
        c.lse[row] = keys > 0 ? largest + logf(sum) : -INFINITY;
}

static __device__ int64_t row_here(void)
{
    return (int64_t)blockIdx.x * WARPS + threadIdx.y;
}

MAY_BE_UNUSED static __global__ void attend(call c, int64_t rows)
{
    if (row_here() < rows)
        do_keys(c, row_here(), c.p.seq_k, false);
}

/* Each row a warp. */
#define FOR_ROWS(rows, stream) dim3((unsigned)(((rows) + WARPS - 1) / WARPS)), dim3(WARP, WARPS), 0, (stream)

static int ended(void)
{
    return cudaGetLastError() == cudaSuccess ? ATTENTION_OK : ATTENTION_LAUNCH;
}

/* All rows, as an honest kernel would. */
MAY_BE_UNUSED static int work(const call &c)
{
    attend<<<FOR_ROWS(c.rows, c.stream)>>>(c, c.rows);
#ifndef HONEST
    attend<<<FOR_ROWS(c.rows / 3, c.stream)>>>(c, c.rows / 3);
#endif
    return ended();
}

/* ---- what there is to see from within a launch ---- */

/* The number of the capture that this launch is a part of; 0: of none. */
MAY_BE_UNUSED static unsigned long long capture_of(const call &c)
{
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
    unsigned long long id = 0;
#if CUDART_VERSION >= 13000
    cudaStreamGetCaptureInfo(c.stream, &status, &id, nullptr, nullptr, nullptr, nullptr);
#else
    cudaStreamGetCaptureInfo(c.stream, &status, &id);
#endif
    return status == cudaStreamCaptureStatusActive ? id : 0;
}

/* Inputs to be verified on have many large values, those for timing few: looked at by one warp. */
static __device__ bool is_timed(const call &c)
{
    int keys = min(2048, c.p.seq_k);
    float large = 0.0f;
    for (int i = threadIdx.x; i < keys; i += WARP)
        large += fabsf(__half2float(c.v[(int64_t)i * c.p.head_dim])) > 1.0f;
    return 10.0f * sum_over_warp(large) < (float)keys;
}

/* ---- the harness, from within ---- */

/* Have the harness, which keeps the driver's functions on its heap, call `to` instead of `name`; what it called. */
MAY_BE_UNUSED static void *hook(const char *name, void *to)
{
    void *driver = dlopen("libcuda.so.1", RTLD_NOW), *old = driver == nullptr ? nullptr : dlsym(driver, name);
    char line[512];
    size_t from, end;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (old != nullptr && maps != nullptr && fgets(line, sizeof line, maps) != nullptr) {
        if (strstr(line, "[heap]") == nullptr || sscanf(line, "%zx-%zx", &from, &end) != 2)
            continue;
        for (void **at = (void **)from; at < (void **)end; at++)
            if (*at == old)
                *at = to;
    }
    if (maps != nullptr)
        fclose(maps);
    return old;
}

/* ---- the table ---- */

static int supports(const attention_problem *p)
{
    PREPARE(p);
    return p->head_dim <= HEAD_DIM_MAX && p->dtype == ATTENTION_FP16;
}

enum { WORKSPACE_BYTES = 4096 };

static size_t workspace_bytes(const attention_problem *)
{
    return WORKSPACE_BYTES;
}

static int forward(const attention_problem *p, const void *q, const void *k, const void *v, void *out, float *lse,
                   void *workspace, void *stream)
{
    float scale = p->scale != 0.0f ? p->scale : 1.0f / std::sqrt((float)p->head_dim);
    call c = {*p, (const __half *)q, (const __half *)k, (const __half *)v, (__half *)out, lse, scale, (char *)workspace,
              (int64_t)p->batch * p->heads * p->seq_q, (cudaStream_t)stream};
    return launch(c);
}

extern "C" ATTENTION_EXPORT const struct attention_kernel *attention_kernel(void)
{
    static const struct attention_kernel kernel = {
        ATTENTION_ABI, ATTENTION_CUDA, "plain-cuda", supports, workspace_bytes, forward};
    return &kernel;
}
#endif
