/* SPDX-License-Identifier: Apache-2.0 */
/* What a CPU can do at most, behind our own ABI, so that it is timed like any kernel: same processes, same
 * threads, same clock. Define CEILING as copy or matrix (build.py does it).
 *
 * Asked for a result it computes attention, with attention_cpu.c, and so it can be verified. Where nobody takes the
 * result, as while it is timed (attention.h on peers), it does this instead:
 *     copy     copies Q and V: as many bytes are read and written as Q, K, V and O have
 *     matrix   as many multiplications and additions as attention has, in registers alone */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* as attention_cpu.c has it */
#endif
#include "attention.h"

static const struct attention_kernel *attention(void);
#define attention_kernel(...) attention(__VA_ARGS__)
#include "../attention_cpu.c"
#undef attention_kernel

#define CEILING_copy 0
#define CEILING_matrix 1
#define PASTE2(a, b) a##b
#define PASTE(a, b) PASTE2(a, b)
enum { MULTIPLIES = PASTE(CEILING_, CEILING) };

/* As wide as a register, and as many chains as hide a multiply-add's latency and fit into registers. */
#if defined(__AVX512F__)
enum { SUMS = 12, WIDTH = 16 };
#elif defined(__AVX__)
enum { SUMS = 12, WIDTH = 8 };
#else
enum { SUMS = 12, WIDTH = 4 };
#endif
typedef float numbers __attribute__((vector_size(4 * WIDTH)));

/* What one thread does of a launch. */
struct share {
    pthread_t thread;
    const char *q, *v; /* copied from… */
    char *to;          /* …to here, V behind Q */
    size_t q_bytes, v_bytes;
    double operations;
    int32_t cpu; /* -1: anywhere */
};

static void copy_share(const struct share *share)
{
    memcpy(share->to, share->q, share->q_bytes);
    memcpy(share->to + share->q_bytes, share->v, share->v_bytes);
}

/* The sums are kept apart, so none can be left out; all end in one place that the compiler may not
 * leave out either. Every loop over them is unrolled, or they would live in memory. */
static void multiply_share(const struct share *share)
{
    numbers sums[SUMS], factor = {0}, step = {0};
    factor += 0.999f;
    step += 0.001f;
#pragma GCC unroll 12
    for (int s = 0; s < SUMS; s++)
        sums[s] = factor * (float)s;
    long rounds = (long)(share->operations / (2.0 * SUMS * WIDTH));
    for (long round = 0; round < rounds; round++) {
#pragma GCC unroll 12
        for (int s = 0; s < SUMS; s++)
            sums[s] = sums[s] * factor + step;
    }
    numbers total = {0};
#pragma GCC unroll 12
    for (int s = 0; s < SUMS; s++)
        total += sums[s];
    __asm__ volatile("" : : "m"(total));
}

static void *share_run(void *argument)
{
    const struct share *share = argument;
    if (share->cpu >= 0 && share->cpu < CPU_SETSIZE) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET((size_t)share->cpu, &set);
        (void)pthread_setaffinity_np(pthread_self(), sizeof set, &set);
    }
    if (share->operations > 0)
        multiply_share(share);
    else
        copy_share(share);
    return NULL;
}

static size_t tensor_bytes(const struct attention_problem *p, int32_t heads, int32_t rows)
{
    return sizeof(float) * (size_t)p->batch * (size_t)heads * (size_t)rows *
           (size_t)p->head_dim;
}

static size_t ceiling_workspace_bytes(const struct attention_problem *p)
{
    return MULTIPLIES
               ? 0
               : tensor_bytes(p, p->heads, p->seq_q) + tensor_bytes(p, p->heads_kv, p->seq_k);
}

/* Without a mask: that is how it is asked. */
static double operations_of(const struct attention_problem *p)
{
    return 4.0 * p->batch * p->heads * p->head_dim * (double)p->seq_q * (double)p->seq_k;
}

static void fill(struct share *share, const struct attention_problem *p, const char *q,
                 const char *v, char *to, size_t t, size_t threads)
{
    size_t q_bytes = tensor_bytes(p, p->heads, p->seq_q) / threads;
    size_t v_bytes = tensor_bytes(p, p->heads_kv, p->seq_k) / threads;
    share->q = q + t * q_bytes;
    share->v = v + t * v_bytes;
    share->to = to + t * (q_bytes + v_bytes);
    share->q_bytes = q_bytes;
    share->v_bytes = v_bytes;
    share->operations = MULTIPLIES ? operations_of(p) / (double)threads : 0;
}

static int ceiling_forward(const struct attention_problem *p, const void *q, const void *k,
                           const void *v, void *out, float *lse, void *workspace, void *stream)
{
    const struct attention_cpu_stream *threads = stream;
    struct share shares[THREADS_MAX];
    if (out != NULL)
        return cpu_forward(p, q, k, v, out, lse, NULL, stream);
    if (!cpu_supports(p) || p->causal)
        return ATTENTION_UNSUPPORTED;
    if (threads != NULL && threads->threads < 1)
        return ATTENTION_INVALID;
    size_t count = threads == NULL ? 1 : (size_t)min_int(threads->threads, THREADS_MAX);
    for (size_t t = 0; t < count; t++) {
        fill(&shares[t], p, q, v, workspace, t, count);
        shares[t].cpu = t == 0 || threads->cpus == NULL ? -1 : threads->cpus[t];
        if (t > 0 && pthread_create(&shares[t].thread, NULL, share_run, &shares[t]) != 0) {
            while (--t > 0)
                pthread_join(shares[t].thread, NULL);
            return ATTENTION_LAUNCH;
        }
    }
    share_run(&shares[0]);
    for (size_t t = 1; t < count; t++)
        pthread_join(shares[t].thread, NULL);
    return ATTENTION_OK;
}

const struct attention_kernel *attention_kernel(void)
{
    static const struct attention_kernel kernel = {
        .abi = ATTENTION_ABI,
        .device = ATTENTION_CPU,
        .name = MULTIPLIES ? "peer-matrix" : "peer-copy",
        .supports = cpu_supports,
        .workspace_bytes = ceiling_workspace_bytes,
        .forward = ceiling_forward,
    };
    (void)attention;
    return &kernel;
}
