/* SPDX-License-Identifier: Apache-2.0 */
/* Attention on the CPU in fp32: the kernel that all of Ratchet runs on where there is no
 * GPU. Owns its threads for the length of one call and nothing else. See attention.h for
 * the ABI.
 *
 * Every matrix is handled transposed, sixteen query rows (a strip) side by side in the lanes of
 * two vectors. Then
 *     qk_gemm       S' = K Q'     [key][row]   K is read as it lies, one number at a time
 *     softmax_step  down the columns of S': row_max and row_sum are vertical vector operations
 *     pv_gemm       O' = V' P'    [dim][row]   V is read as it lies
 * so that only Q is packed, once per block, and both products are the same micro-kernel:
 * six numbers of the left side against sixteen lanes of the right. The softmax is the online
 * one of FlashAttention: a tile of keys at a time, O' and row_sum rescaled when row_max grows.
 * Scores are kept in units of log 2, so that the exponential is 2^x.
 *
 * Build: gcc -O3 -std=gnu17 -shared -fPIC -fvisibility=hidden -fno-gnu-unique -pthread
 *        -o attention_cpu.so attention_cpu.c -lm     (clang: without -fno-gnu-unique)
 * AVX2 and FMA are used where the processor has them; -DATTENTION_CPU_PORTABLE leaves
 * them out. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* pthread_setaffinity_np; the build line does not pass it */
#endif

#include "attention.h"

#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__) && !defined(ATTENTION_CPU_PORTABLE)
#define USE_AVX2 1
#include <immintrin.h>
#else
#define USE_AVX2 0
#endif

/* Numbers that `ratchet autotune` may change: [tune] of ci/ratchet.conf says to what. */
#define STRIPS 4  /* strips of a block, which share each tile of K and V */
#define TILE_K 96 /* keys of a tile; a multiple of MICRO, so none are left over */

enum {
    LANES = 16, /* query rows of a strip: two AVX vectors */
    MICRO = 6,  /* rows: 6 x 2 sums, 2 lanes and 1 broadcast fill 16 registers */
    BLOCK_Q = STRIPS * LANES,
    HEAD_DIM_MAX = 256,
    THREADS_MAX = 256
};

#define LOG2_E 1.44269504088896340736f
#define LN_2 0.69314718055994530942f

/* 2^f on [-1/2, 1/2] as 1 + f (C1 + f (C2 + ...)): minimax fit of the relative error,
 * 9.2e-8 (1.5 units of roundoff), with 2^0 = 1 kept exact for the row's largest score. */
#define EXP2_C1 0.69314698f
#define EXP2_C2 0.24022242f
#define EXP2_C3 0.055507337f
#define EXP2_C4 0.0096715126f
#define EXP2_C5 0.0013264728f
/* Below this 2^x is taken as 0, so that no exponent leaves the normal range. */
#define EXP2_LOWEST -125.0f

typedef float lanes[LANES];

/* Sixteen query rows on their way through the keys: o and row_sum are relative to 2^row_max. */
struct strip {
    lanes q[HEAD_DIM_MAX]; /* scaled by scale * log2(e) */
    lanes o[HEAD_DIM_MAX]; /* O', not yet divided by row_sum */
    lanes row_max;         /* in units of log 2; -inf before the first visible key */
    lanes row_sum;
};

/* The scratch memory of one thread, about 150 KiB of its stack. */
struct block {
    struct strip strips[STRIPS];
    lanes s[TILE_K]; /* S', then P', of one strip and one tile of keys: 6 KiB, stays in L1 */
    lanes rescale;   /* of the strip's o, before P' of this tile counts */
} __attribute__((aligned(64)));

/* The three steps of a strip and a tile, once per instruction set. `dim` is head_dim. */
struct engine {
    const char *name;
    void (*qk_gemm)(int keys, int dim, const float *k, const lanes *q, lanes *s);
    void (*softmax_step)(int keys, lanes *s, float *row_max, float *row_sum, float *rescale);
    void (*pv_gemm)(int keys, int dim, const float *v, const lanes *s, const float *rescale,
                    lanes *o);
};

/* ---- portable ---- */

/* Four floats are a register on every 64-bit machine. */
typedef float quad __attribute__((vector_size(16)));
enum { QUADS = LANES / 4, PORTABLE_ROWS = 2 };

/* c = c * rescale + A b for `rows` rows of A, whose element (r, i) is a[r * row + i *
 * step]; without `rescale`, c = A b. */
static inline __attribute__((always_inline)) void
portable_micro(int rows, int depth, const float *a, ptrdiff_t row, ptrdiff_t step,
               const lanes *b, const float *rescale, lanes *c)
{
    quad sums[PORTABLE_ROWS][QUADS];
    memset(sums, 0, sizeof sums);
    for (int r = 0; rescale != NULL && r < rows; r++)
        for (int n = 0; n < QUADS; n++)
            sums[r][n] = ((const quad *)c[r])[n] * ((const quad *)rescale)[n];
    for (int i = 0; i < depth; i++)
        for (int r = 0; r < rows; r++) {
            float left = a[r * row + i * step];
            for (int n = 0; n < QUADS; n++)
                sums[r][n] += left * ((const quad *)b[i])[n];
        }
    for (int r = 0; r < rows; r++)
        memcpy(c[r], sums[r], sizeof(lanes));
}

/* The product for any number of rows of A. */
static inline __attribute__((always_inline)) void portable_gemm(int rows, int depth,
                                                                const float *a, ptrdiff_t row,
                                                                ptrdiff_t step, const lanes *b,
                                                                const float *rescale, lanes *c)
{
    int r = 0;
    for (; r + PORTABLE_ROWS <= rows; r += PORTABLE_ROWS)
        portable_micro(PORTABLE_ROWS, depth, a + r * row, row, step, b, rescale, c + r);
    for (; r < rows; r++)
        portable_micro(1, depth, a + r * row, row, step, b, rescale, c + r);
}

static void portable_qk_gemm(int keys, int dim, const float *k, const lanes *q, lanes *s)
{
    portable_gemm(keys, dim, k, dim, 1, q, NULL, s);
}

static void portable_pv_gemm(int keys, int dim, const float *v, const lanes *s,
                             const float *rescale, lanes *o)
{
    portable_gemm(dim, keys, v, 1, dim, s, rescale, o);
}

/* 2^x for x <= 0, and 0 for -inf. */
static inline float portable_exp2(float x)
{
    float clamped = x < EXP2_LOWEST ? EXP2_LOWEST : x;
    float magic = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer */
    float shifted = clamped + magic;
    float f = clamped - (shifted - magic);
    float power = EXP2_C4 + f * EXP2_C5;
    power = EXP2_C3 + f * power;
    power = EXP2_C2 + f * power;
    power = EXP2_C1 + f * power;
    power = 1.0f + f * power;
    uint32_t bits, whole;
    memcpy(&bits, &power, sizeof bits);
    memcpy(&whole, &shifted, sizeof whole);
    bits += whole << 23; /* the integer is in the low bits; magic's own drop out */
    memcpy(&power, &bits, sizeof power);
    return x < EXP2_LOWEST ? 0.0f : power;
}

static void portable_softmax_step(int keys, lanes *s, float *row_max, float *row_sum,
                                  float *rescale)
{
    for (int i = 0; i < LANES; i++) {
        float new_max = row_max[i];
        for (int j = 0; j < keys; j++)
            new_max = s[j][i] > new_max ? s[j][i] : new_max;
        /* A row that has seen no key yet keeps -inf, and -inf - -inf is NaN. */
        float safe_max = new_max == -INFINITY ? 0.0f : new_max;
        float added = 0.0f;
        for (int j = 0; j < keys; j++) {
            s[j][i] = portable_exp2(s[j][i] - safe_max);
            added += s[j][i];
        }
        rescale[i] = portable_exp2(row_max[i] - safe_max);
        row_sum[i] = row_sum[i] * rescale[i] + added;
        row_max[i] = new_max;
    }
}

static const struct engine portable_engine = {"portable", portable_qk_gemm,
                                              portable_softmax_step, portable_pv_gemm};

/* ---- AVX2 and FMA ---- */

#if USE_AVX2
#define AVX2 __attribute__((target("avx2,fma")))
#define AVX2_INLINE static inline __attribute__((always_inline, target("avx2,fma")))

/* The micro-kernel; as portable_micro. `rows` is a constant at every call, so that the
 * accumulators live in registers. */
AVX2_INLINE void avx2_micro(int rows, int depth, const float *a, ptrdiff_t row, ptrdiff_t step,
                            const lanes *b, const float *rescale, lanes *c)
{
    __m256 sums[MICRO > 4 ? MICRO : 4][2];
    for (int r = 0; r < rows; r++)
        for (int n = 0; n < 2; n++)
            sums[r][n] = rescale == NULL ? _mm256_setzero_ps()
                                         : _mm256_mul_ps(_mm256_load_ps(c[r] + 8 * n),
                                                         _mm256_load_ps(rescale + 8 * n));
    for (int i = 0; i < depth; i++) {
        __m256 low = _mm256_load_ps(b[i]);
        __m256 high = _mm256_load_ps(b[i] + 8);
        for (int r = 0; r < rows; r++) {
            __m256 left = _mm256_broadcast_ss(a + r * row + i * step);
            sums[r][0] = _mm256_fmadd_ps(left, low, sums[r][0]);
            sums[r][1] = _mm256_fmadd_ps(left, high, sums[r][1]);
        }
    }
    for (int r = 0; r < rows; r++)
        for (int n = 0; n < 2; n++)
            _mm256_store_ps(c[r] + 8 * n, sums[r][n]);
}

/* The product for any number of rows: head_dim 64 is 10 times MICRO, and 4. */
AVX2_INLINE void avx2_gemm(int rows, int depth, const float *a, ptrdiff_t row, ptrdiff_t step,
                           const lanes *b, const float *rescale, lanes *c)
{
    int r = 0;
    for (; r + MICRO <= rows; r += MICRO)
        avx2_micro(MICRO, depth, a + r * row, row, step, b, rescale, c + r);
    for (; r + 4 <= rows; r += 4)
        avx2_micro(4, depth, a + r * row, row, step, b, rescale, c + r);
    for (; r < rows; r++)
        avx2_micro(1, depth, a + r * row, row, step, b, rescale, c + r);
}

AVX2 static void avx2_qk_gemm(int keys, int dim, const float *k, const lanes *q, lanes *s)
{
    avx2_gemm(keys, dim, k, dim, 1, q, NULL, s);
}

AVX2 static void avx2_pv_gemm(int keys, int dim, const float *v, const lanes *s,
                              const float *rescale, lanes *o)
{
    avx2_gemm(dim, keys, v, 1, dim, s, rescale, o);
}

AVX2_INLINE __m256 avx2_exp2(__m256 x)
{
    __m256 lowest = _mm256_set1_ps(EXP2_LOWEST);
    __m256 zeroed = _mm256_cmp_ps(x, lowest, _CMP_LT_OQ);
    x = _mm256_max_ps(lowest, x); /* in this order a NaN stays one */
    __m256 whole = _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m256 f = _mm256_sub_ps(x, whole);
    __m256 power = _mm256_set1_ps(EXP2_C5);
    power = _mm256_fmadd_ps(power, f, _mm256_set1_ps(EXP2_C4));
    power = _mm256_fmadd_ps(power, f, _mm256_set1_ps(EXP2_C3));
    power = _mm256_fmadd_ps(power, f, _mm256_set1_ps(EXP2_C2));
    power = _mm256_fmadd_ps(power, f, _mm256_set1_ps(EXP2_C1));
    power = _mm256_fmadd_ps(power, f, _mm256_set1_ps(1.0f));
    __m256i exponent = _mm256_slli_epi32(_mm256_cvtps_epi32(whole), 23);
    __m256i bits = _mm256_add_epi32(_mm256_castps_si256(power), exponent);
    return _mm256_andnot_ps(zeroed, _mm256_castsi256_ps(bits));
}

AVX2 static void avx2_softmax_step(int keys, lanes *s, float *row_max, float *row_sum,
                                   float *rescale)
{
    for (int n = 0; n < LANES; n += 8) {
        __m256 old_max = _mm256_load_ps(row_max + n);
        __m256 new_max = old_max;
        for (int j = 0; j < keys; j++)
            new_max = _mm256_max_ps(new_max, _mm256_load_ps(s[j] + n));
        /* A row that has seen no key yet keeps -inf, and -inf - -inf is NaN. */
        __m256 unseen = _mm256_cmp_ps(new_max, _mm256_set1_ps(-INFINITY), _CMP_EQ_OQ);
        __m256 safe_max = _mm256_andnot_ps(unseen, new_max);
        __m256 added = _mm256_setzero_ps();
        for (int j = 0; j < keys; j++) {
            __m256 score = _mm256_load_ps(s[j] + n);
            __m256 p = avx2_exp2(_mm256_sub_ps(score, safe_max));
            _mm256_store_ps(s[j] + n, p);
            added = _mm256_add_ps(added, p);
        }
        __m256 keep = avx2_exp2(_mm256_sub_ps(old_max, safe_max));
        _mm256_store_ps(rescale + n, keep);
        _mm256_store_ps(row_sum + n,
                        _mm256_fmadd_ps(_mm256_load_ps(row_sum + n), keep, added));
        _mm256_store_ps(row_max + n, new_max);
    }
}

static const struct engine avx2_engine = {"avx2", avx2_qk_gemm, avx2_softmax_step,
                                          avx2_pv_gemm};
#endif

static const struct engine *choose_engine(void)
{
#if USE_AVX2
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return &avx2_engine;
#endif
    return &portable_engine;
}

/* ---- a block of query rows ---- */

/* One call of forward, shared by its threads. */
struct work {
    const struct attention_problem *problem;
    const struct engine *engine;
    const float *q, *k, *v;
    float *out, *lse;
    float scale;        /* scale * log2(e) */
    size_t blocks;      /* of one head */
    size_t total;       /* of all heads */
    atomic_size_t next; /* blocks taken */
};

static int min_int(int a, int b)
{
    return a < b ? a : b;
}

/* Keys that row `row` can see: the first so many. At most 0 means none. */
static int64_t visible_keys(const struct attention_problem *problem, int row)
{
    if (!problem->causal)
        return problem->seq_k;
    return (int64_t)row + problem->seq_k - problem->seq_q + 1;
}

/* Rows beyond the end of the sequence become zeros; nobody reads what comes of them. */
static void load_strip(struct strip *strip, const float *q, int rows, int dim, float scale)
{
    for (int i = 0; i < LANES; i++) {
        for (int e = 0; e < dim; e++)
            strip->q[e][i] = i < rows ? q[(ptrdiff_t)i * dim + e] * scale : 0.0f;
        strip->row_max[i] = -INFINITY;
        strip->row_sum[i] = 0.0f;
    }
    memset(strip->o, 0, (size_t)dim * sizeof(lanes));
}

static void store_strip(const struct strip *strip, float *out, float *lse, int rows, int dim)
{
    for (int i = 0; i < rows; i++) {
        float inverse = strip->row_sum[i] == 0.0f ? 0.0f : 1.0f / strip->row_sum[i];
        for (int e = 0; e < dim; e++)
            out[(ptrdiff_t)i * dim + e] = strip->o[e][i] * inverse;
        if (lse != NULL)
            lse[i] = (strip->row_max[i] + log2f(strip->row_sum[i])) * LN_2;
    }
}

/* Hide what a causal row may not see: lane i keeps the first `visible + i` keys. */
static void mask_tile(lanes *s, int keys, int64_t visible)
{
    for (int i = 0; i < LANES; i++)
        for (int64_t j = visible + i < 0 ? 0 : visible + i; j < keys; j++)
            s[j][i] = -INFINITY;
}

/* One strip against the tile of keys that starts at `key`; `row` is its first query. */
static void run_tile(const struct work *work, struct block *block, struct strip *strip,
                     int row, int key, const float *k, const float *v)
{
    const struct attention_problem *problem = work->problem;
    int dim = problem->head_dim;
    int last = min_int(row + LANES, problem->seq_q) - 1;
    int64_t end = visible_keys(problem, last);
    int keys = min_int(TILE_K, problem->seq_k - key);
    if (end <= key)
        return;
    if (end - key < keys)
        keys = (int)(end - key);
    work->engine->qk_gemm(keys, dim, k + (ptrdiff_t)key * dim, strip->q, block->s);
    int64_t visible = visible_keys(problem, row) - key;
    if (problem->causal && visible < keys)
        mask_tile(block->s, keys, visible);
    work->engine->softmax_step(keys, block->s, strip->row_max, strip->row_sum, block->rescale);
    work->engine->pv_gemm(keys, dim, v + (ptrdiff_t)key * dim, block->s, block->rescale,
                          strip->o);
}

static void run_block(const struct work *work, struct block *block, size_t index)
{
    const struct attention_problem *problem = work->problem;
    int dim = problem->head_dim;
    size_t head = index / work->blocks; /* of all batches, as q is laid out */
    size_t group = (size_t)(problem->heads / problem->heads_kv);
    size_t keys_before = head / group * (size_t)problem->seq_k;
    const float *k = work->k + keys_before * (size_t)dim;
    const float *v = work->v + keys_before * (size_t)dim;
    int first = (int)(index % work->blocks) * BLOCK_Q;
    int rows = min_int(BLOCK_Q, problem->seq_q - first);
    size_t rows_before = head * (size_t)problem->seq_q + (size_t)first;

    int strips = (rows + LANES - 1) / LANES;
    for (int s = 0; s < strips; s++)
        load_strip(&block->strips[s],
                   work->q + (rows_before + (size_t)(s * LANES)) * (size_t)dim,
                   min_int(LANES, rows - s * LANES), dim, work->scale);
    int64_t end = visible_keys(problem, first + rows - 1);
    for (int key = 0; key < problem->seq_k && key < end; key += TILE_K)
        for (int s = 0; s < strips; s++)
            run_tile(work, block, &block->strips[s], first + s * LANES, key, k, v);
    for (int s = 0; s < strips; s++) {
        size_t row = rows_before + (size_t)(s * LANES);
        store_strip(&block->strips[s], work->out + row * (size_t)dim,
                    work->lse == NULL ? NULL : work->lse + row,
                    min_int(LANES, rows - s * LANES), dim);
    }
}

/* ---- threads ---- */

/* Take blocks until none is left. From the last to the first: under a causal mask the
 * last are the longest, and a long one should not be what the others wait for. */
static void *work_run(void *argument)
{
    struct work *work = argument;
    struct block block;
    for (;;) {
        size_t taken = atomic_fetch_add_explicit(&work->next, 1, memory_order_relaxed);
        if (taken >= work->total)
            return NULL;
        run_block(work, &block, work->total - 1 - taken);
    }
}

struct helper {
    pthread_t thread;
    struct work *work;
    int32_t cpu; /* -1: anywhere */
};

static void *helper_run(void *argument)
{
    struct helper *helper = argument;
    if (helper->cpu >= 0 && helper->cpu < CPU_SETSIZE) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET((size_t)helper->cpu, &set);
        /* Not allowed there: then wherever it is. */
        (void)pthread_setaffinity_np(pthread_self(), sizeof set, &set);
    }
    return work_run(helper->work);
}

/* A helper that cannot be started is no failure: the others take its blocks. */
static void run_threads(struct work *work, const struct attention_cpu_stream *stream)
{
    struct helper helpers[THREADS_MAX];
    size_t wanted = stream == NULL ? 1 : (size_t)min_int(stream->threads, THREADS_MAX);
    if (wanted > work->total)
        wanted = work->total;
    size_t started = 1; /* the caller is number 0 */
    for (; started < wanted; started++) {
        struct helper *helper = &helpers[started];
        helper->work = work;
        helper->cpu = stream->cpus == NULL ? -1 : stream->cpus[started];
        if (pthread_create(&helper->thread, NULL, helper_run, helper) != 0)
            break;
    }
    work_run(work);
    for (size_t t = 1; t < started; t++)
        pthread_join(helpers[t].thread, NULL);
}

/* ---- the table ---- */

/* Can `a * b * c * d` floats be addressed? */
static bool fits(int32_t a, int32_t b, int32_t c, int32_t d)
{
    size_t bytes = sizeof(float);
    return !__builtin_mul_overflow(bytes, (size_t)a, &bytes) &&
           !__builtin_mul_overflow(bytes, (size_t)b, &bytes) &&
           !__builtin_mul_overflow(bytes, (size_t)c, &bytes) &&
           !__builtin_mul_overflow(bytes, (size_t)d, &bytes) && bytes <= PTRDIFF_MAX;
}

static int cpu_supports(const struct attention_problem *p)
{
    if (p == NULL || p->dtype != ATTENTION_FP32 || !isfinite(p->scale))
        return 0;
    if (p->batch < 1 || p->heads < 1 || p->heads_kv < 1 || p->heads % p->heads_kv != 0)
        return 0;
    if (p->seq_q < 1 || p->seq_k < 1 || p->head_dim < 1 || p->head_dim > HEAD_DIM_MAX)
        return 0;
    /* Row and key numbers are ints and run up to one tile past the end. */
    if (p->seq_q > INT32_MAX - BLOCK_Q || p->seq_k > INT32_MAX - TILE_K)
        return 0;
    if ((p->causal != 0 && p->causal != 1) ||
        (p->reserved[0] | p->reserved[1] | p->reserved[2]) != 0)
        return 0;
    return fits(p->batch, p->heads, p->seq_q, p->head_dim) &&
           fits(p->batch, p->heads_kv, p->seq_k, p->head_dim);
}

static size_t cpu_workspace_bytes(const struct attention_problem *problem)
{
    (void)problem;
    return 0;
}

static int cpu_forward(const struct attention_problem *problem, const void *q, const void *k,
                       const void *v, void *out, float *lse, void *workspace, void *stream)
{
    (void)workspace;
    const struct attention_cpu_stream *threads = stream;
    if (!cpu_supports(problem))
        return ATTENTION_UNSUPPORTED;
    if (q == NULL || k == NULL || v == NULL || out == NULL)
        return ATTENTION_INVALID;
    if (threads != NULL && threads->threads < 1)
        return ATTENTION_INVALID;
    float scale = problem->scale != 0.0f ? problem->scale
                                         : 1.0f / sqrtf((float)problem->head_dim);
    size_t blocks = ((size_t)problem->seq_q + BLOCK_Q - 1) / BLOCK_Q;
    struct work work = {
        .problem = problem,
        .engine = choose_engine(),
        .q = q,
        .k = k,
        .v = v,
        .out = out,
        .lse = lse,
        .scale = scale * LOG2_E,
        .blocks = blocks,
        .total = blocks * (size_t)problem->batch * (size_t)problem->heads,
    };
    run_threads(&work, threads);
    return ATTENTION_OK;
}

const struct attention_kernel *attention_kernel(void)
{
    static const struct attention_kernel kernel = {
        .abi = ATTENTION_ABI,
        .device = ATTENTION_CPU,
        .name = "attention_cpu",
        .supports = cpu_supports,
        .workspace_bytes = cpu_workspace_bytes,
        .forward = cpu_forward,
    };
    return &kernel;
}
