/* SPDX-License-Identifier: Apache-2.0 */
/* The device side of the harness: holding the queue, keeping the device busy, making inputs,
 * looking at every element of an output, and the reference in fp64. Compiled once to PTX,
 * which is carried in ratchet-bench (cuda_helpers.sh makes cuda_helpers_ptx.h). What inputs
 * are is said in inputs.c, what an answer is in verify.c: this is the same arithmetic again,
 * and every turn of a measurement compares one row of it with theirs. Loops are not unrolled:
 * the driver compiles all this at every start, and speed is of no matter here. */
#include "attention.h"

#include <cuda_fp16.h>

typedef unsigned long long u64;
typedef unsigned int u32;
typedef unsigned short u16;

static __device__ u64 now_ns()
{
    u64 ns;
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(ns));
    return ns;
}

/* Keep the stream's queue back until the host says `until`; gives up after `limit_ns`, and
 * says so in `late`. */
extern "C" __global__ void ratchet_hold(const volatile u32 *flag, u32 until,
                                        volatile u32 *late, u64 limit_ns)
{
    u64 start = now_ns();
    while (*flag != until) {
        if (now_ns() - start < limit_ns)
            continue;
        *late = until;
        return;
    }
}

/* Keep the device busy. */
extern "C" __global__ void ratchet_spin(u64 ns)
{
    u64 start = now_ns();
    while (now_ns() - start < ns) {
    }
}

/* ---- inputs ---- */

static __device__ u64 mix(u64 x)
{
    x += 0x9e3779b97f4a7c15ull;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
}

static __constant__ float scales[3][8] = {
    {1.0F, 1.0F, 1.0F, 2.0F, 4.0F, 16.0F, 64.0F, 0.0F},
    {1.0F, 1.0F, 1.0F, 1.0F, 1.0F, 1.0F, 2.0F, 8.0F},
    {1.0F, 1.0F, 1.0F, 1.0F, 1.0F, 4.0F, 0.015625F, 256.0F},
};

struct row {
    u64 state;
    float scale;
};

static __device__ row row_of(u64 seed, int kind, int tensor, u64 index)
{
    row row;
    row.state = mix(seed ^ mix(3 * index + (u64)tensor));
    u64 bits = mix(row.state ^ 0xff);
    row.scale = kind == 0 && (bits & 31) != 0 ? 1.0F : scales[tensor][bits >> 61];
    return row;
}

/* The two elements of pair `pair`, before they are stored. */
static __device__ float2 pair_of(row row, int pair)
{
    u32 x = (u32)row.state + (u32)pair * 0x9e3779b9u;
    x = (x ^ x >> 16) * 0x85ebca6bu;
    x = (x ^ x >> 13) * 0xc2b2ae35u;
    x ^= x >> 16 ^ (u32)(row.state >> 32);
    float scale = row.scale / 32768.0F;
    return make_float2(scale * (float)((int)(x & 0xffff) - 32768),
                       scale * (float)((int)(x >> 16) - 32768));
}

/* Round to nearest even, as inputs_store does; inputs are finite. */
static __device__ u16 to_bf16(float value)
{
    u32 bits = __float_as_uint(value);
    return (u16)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static __device__ u16 to_16(float value, int dtype)
{
    return dtype == ATTENTION_FP16 ? __half_as_ushort(__float2half_rn(value)) : to_bf16(value);
}

static __device__ float from_16(u16 bits, int dtype)
{
    return dtype == ATTENTION_FP16 ? __half2float(__ushort_as_half(bits))
                                   : __uint_as_float((u32)bits << 16);
}

static __device__ float stored(float value, int dtype)
{
    return dtype == ATTENTION_FP32 ? value : from_16(to_16(value, dtype), dtype);
}

enum { FILL_PAIRS = 4 /* of a thread at a time: 16 bytes of a 16-bit type */ };

/* Pairs `pair` to `pair` + 3 of a row; the largest |element| of them. */
static __device__ float fill_pairs(row row, int pair, int dim, int dtype, void *to)
{
    union {
        u16 elements[2 * FILL_PAIRS];
        uint4 all;
    } narrow;
    float most = 0.0F;
    bool whole = dtype != ATTENTION_FP32 && dim % (2 * FILL_PAIRS) == 0;
    for (int i = 0; i < FILL_PAIRS; i++) {
        float2 two = pair_of(row, pair + i);
        float values[2] = {two.x, two.y};
        for (int half = 0; half < 2; half++) {
            int e = 2 * (pair + i) + half;
            if (e >= dim)
                break;
            if (dtype == ATTENTION_FP32)
                ((float *)to)[e] = values[half];
            else if (whole)
                narrow.elements[2 * i + half] = to_16(values[half], dtype);
            else
                ((u16 *)to)[e] = to_16(values[half], dtype);
            most = fmaxf(most, fabsf(stored(values[half], dtype)));
        }
    }
    if (whole)
        ((uint4 *)to)[pair / FILL_PAIRS] = narrow.all;
    return most;
}

/* Blocks (x, s) make the tensor of set s, `stride` bytes behind the one before, from seed + s.
 * `largest`: bits of the largest |element| of all, not negative: ordered alike; NULL: not asked. */
extern "C" __global__ void ratchet_fill(char *to, u64 stride, u64 rows, int dim, u64 seed,
                                        int kind, int tensor, int dtype, u32 *largest)
{
    u32 chunks = (u32)(dim + 2 * FILL_PAIRS - 1) / (2 * FILL_PAIRS); /* of a row */
    u32 thread = blockIdx.x * blockDim.x + threadIdx.x;
    u32 abreast = gridDim.x * blockDim.x / chunks; /* rows at a time */
    u32 chunk = thread % chunks;
    u64 bytes = (u64)dim * (dtype == ATTENTION_FP32 ? 4 : 2);
    float most = 0.0F;
    to += blockIdx.y * stride;
    if (thread < abreast * chunks)
#pragma unroll 1
        for (u64 index = thread / chunks; index < rows; index += abreast)
            most = fmaxf(most, fill_pairs(row_of(seed + blockIdx.y, kind, tensor, index),
                                          (int)chunk * FILL_PAIRS, dim, dtype,
                                          to + index * bytes));
    if (largest == nullptr)
        return;
    for (int lane = 16; lane > 0; lane /= 2)
        most = fmaxf(most, __shfl_xor_sync(0xffffffffu, most, lane));
    if (threadIdx.x % 32 == 0)
        atomicMax(largest, __float_as_uint(most));
}

/* Read through memory that nobody else uses: what the caches held before is gone from them. It
 * holds zeros, so that nothing is ever written. */
extern "C" __global__ void ratchet_sweep(const uint4 *from, u64 count, u32 *sink)
{
    u32 seen = 0;
#pragma unroll 1
    for (u64 i = (u64)blockIdx.x * blockDim.x + threadIdx.x; i < count;
         i += (u64)gridDim.x * blockDim.x) {
        uint4 four = from[i];
        seen |= four.x | four.y | four.z | four.w;
    }
    if (seen != 0)
        *sink = seen;
}

/* ---- outputs ---- */

/* Put a row by, as it stands now: its lse, and 16 bytes on `bytes` of out. One block. */
extern "C" __global__ void ratchet_keep(const u16 *out, u32 bytes, const float *lse, char *to)
{
    u16 *row = (u16 *)(to + 16);
    for (u32 i = threadIdx.x; i < bytes / 2; i += blockDim.x)
        row[i] = out[i];
    if (threadIdx.x == 0)
        *(float *)to = *lse;
}

/* ---- outputs ---- */

static __device__ u64 visible_keys(const attention_problem &problem, u64 i)
{
    if (!problem.causal)
        return (u64)problem.seq_k;
    long long seen = (long long)i + problem.seq_k - problem.seq_q + 1;
    return seen > 0 ? (u64)seen : 0;
}

/* bad[0]: the first element of out beyond `bound` or not a number; bad[1]: the first row
 * whose lse cannot be; bad[2]: a byte written behind out, bad[3]: behind lse. Each holds
 * its index, or stays as it was, all ones. */
extern "C" __global__ void ratchet_scan(attention_problem problem, const void *out,
                                        const float *lse, float bound, u32 guard_bytes,
                                        u32 poison, u64 *bad)
{
    u64 step = (u64)gridDim.x * blockDim.x;
    u64 first = (u64)blockIdx.x * blockDim.x + threadIdx.x;
    u64 rows = (u64)problem.batch * (u64)problem.heads * (u64)problem.seq_q;
    u64 all = rows * (u64)problem.head_dim;
    bool wide = problem.dtype == ATTENTION_FP32;
#pragma unroll 1
    for (u64 i = first; i < all; i += step) {
        float value = wide ? ((const float *)out)[i]
                           : from_16(((const u16 *)out)[i], problem.dtype);
        if (!(fabsf(value) <= bound))
            atomicMin(&bad[0], i);
    }
#pragma unroll 1
    for (u64 i = first; i < rows; i += step) {
        bool masked = visible_keys(problem, i % (u64)problem.seq_q) == 0;
        if (masked ? lse[i] != -INFINITY : !isfinite(lse[i]))
            atomicMin(&bad[1], i);
    }
#pragma unroll 1
    for (u64 i = first; i < guard_bytes / 2; i += step) {
        const u16 *guard = (const u16 *)out + (wide ? 2 : 1) * all;
        u16 pattern = wide && i % 2 == 0 ? (u16)poison : (u16)(poison >> 16);
        if (guard[i] != pattern)
            atomicMin(&bad[2], i);
    }
#pragma unroll 1
    for (u64 i = first; i < guard_bytes / 4; i += step)
        if (((const u32 *)lse)[rows + i] != poison)
            atomicMin(&bad[3], i);
}

/* ---- the reference ---- */

enum { REFERENCE_THREADS = 128 };

static __device__ double reduce(double value, bool sum, double *shared)
{
    shared[threadIdx.x] = value;
    __syncthreads();
    for (int half = REFERENCE_THREADS / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) {
            double other = shared[threadIdx.x + half];
            shared[threadIdx.x] = sum ? shared[threadIdx.x] + other
                                      : fmax(shared[threadIdx.x], other);
        }
        __syncthreads();
    }
    double result = shared[0];
    __syncthreads();
    return result;
}

/* One block a row: `sums` as in verify.h. `scratch`: seq_k doubles a row. Shared memory:
 * head_dim doubles for the query. The inputs are made again from the seed, so that a kernel
 * that wrote to them does not change what is right. */
extern "C" __global__ void ratchet_reference(attention_problem problem, u64 seed, int kind,
                                             const u64 *rows, double *scratch, double *sums)
{
    extern __shared__ double query[];
    __shared__ double shared[REFERENCE_THREADS];
    int dim = problem.head_dim;
    int dtype = problem.dtype;
    u64 index = rows[blockIdx.x];
    u64 head = index / (u64)problem.seq_q;
    u64 visible = visible_keys(problem, index % (u64)problem.seq_q);
    u64 kv = head / (u64)problem.heads * (u64)problem.heads_kv +
             head % (u64)problem.heads / (u64)(problem.heads / problem.heads_kv);
    u64 first_key = kv * (u64)problem.seq_k;
    double *weights = scratch + (u64)blockIdx.x * (u64)problem.seq_k;
    double *result = sums + (u64)blockIdx.x * (u64)(4 * dim + 4);
    double scale = problem.scale != 0.0F ? (double)problem.scale : 1.0 / sqrt((double)dim);

    row mine = row_of(seed, kind, 0, index);
#pragma unroll 1
    for (int e = (int)threadIdx.x; e < dim; e += REFERENCE_THREADS) {
        float2 two = pair_of(mine, e / 2);
        query[e] = (double)stored(e % 2 == 0 ? two.x : two.y, dtype);
    }
    __syncthreads();
    double row_max = -INFINITY;
    double largest = 0.0;
#pragma unroll 1
    for (u64 j = threadIdx.x; j < visible; j += REFERENCE_THREADS) {
        row key = row_of(seed, kind, 1, first_key + j);
        double dot = 0.0;
        double terms = 0.0;
#pragma unroll 1
        for (int e = 0; e < dim; e += 2) {
            float2 two = pair_of(key, e / 2);
            double term = query[e] * (double)stored(two.x, dtype);
            dot += term;
            terms += fabs(term);
            if (e + 1 < dim) {
                term = query[e + 1] * (double)stored(two.y, dtype);
                dot += term;
                terms += fabs(term);
            }
        }
        weights[j] = scale * dot;
        row_max = fmax(row_max, scale * dot);
        largest = fmax(largest, fabs(scale) * terms);
    }
    row_max = reduce(row_max, false, shared);
    largest = reduce(largest, false, shared);
    double sum = 0.0;
#pragma unroll 1
    for (u64 j = threadIdx.x; j < visible; j += REFERENCE_THREADS) {
        weights[j] = exp(weights[j] - row_max);
        sum += weights[j];
    }
    sum = reduce(sum, true, shared);
#pragma unroll 1
    for (int e = (int)threadIdx.x; e < dim; e += REFERENCE_THREADS) {
        double out = 0.0;
        double spread = 0.0;
        double mass = 0.0;
        double squares = 0.0;
#pragma unroll 1
        for (u64 j = 0; j < visible; j++) {
            float2 two = pair_of(row_of(seed, kind, 2, first_key + j), e / 2);
            double value = (double)stored(e % 2 == 0 ? two.x : two.y, dtype);
            double term = weights[j] / sum * value;
            out += term;
            spread += term * term;
            mass += fabs(term);
            squares += value * value;
        }
        result[4 + e] = out;
        result[4 + dim + e] = spread;
        result[4 + 2 * dim + e] = mass;
        result[4 + 3 * dim + e] = squares;
    }
    if (threadIdx.x == 0) {
        result[0] = visible > 0 ? 1.0 : 0.0;
        result[1] = visible > 0 ? row_max + log(sum) : -INFINITY;
        result[2] = largest;
        result[3] = visible > 0 ? 1.0 / sum : 0.0;
    }
}
