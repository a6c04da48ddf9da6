/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel ABI: what a shared library must export so that Ratchet can verify and time
 * it. Public; C, C++ and nvcc; knows nothing of the service and includes nothing of it.
 *
 * The problem is scaled dot-product attention, forward only:
 *
 *     out = softmax(scale Q K^T + mask) V       lse = log(sum(exp(scale Q K^T + mask)))
 *
 *     q, out   [batch, heads,    seq_q, head_dim]    storage type `dtype`
 *     k, v     [batch, heads_kv, seq_k, head_dim]    storage type `dtype`
 *     lse      [batch, heads,    seq_q]              always float, natural logarithm
 *
 * all contiguous, the last index fastest. Query head h reads head h / (heads / heads_kv)
 * of K and V. With `causal`, key j is visible to query i iff  j <= i + seq_k - seq_q: the
 * mask is aligned to the bottom right corner, as in FlashAttention-2. Where seq_k < seq_q
 * the first queries see no key at all: their `out` is 0 in every element and their lse is
 * -infinity.
 *
 * A library exports one function, attention_kernel, and nothing else: build it with
 * -fvisibility=hidden -fno-gnu-unique and define the function with ATTENTION_EXPORT. */
#ifndef ATTENTION_H
#define ATTENTION_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Grows when a field or a promise below changes; a loader refuses any other number. */
#define ATTENTION_ABI 1u

/* Every buffer handed to forward (q, k, v, out, lse, workspace) starts at a multiple of
 * this many bytes. Nothing is promised about what lies behind a buffer's end. */
#define ATTENTION_ALIGNMENT 256u

#define ATTENTION_EXPORT __attribute__((visibility("default")))

enum attention_dtype {
    ATTENTION_FP16 = 0, /* IEEE binary16 */
    ATTENTION_BF16 = 1, /* bfloat16 */
    ATTENTION_FP32 = 2, /* IEEE binary32 */
    ATTENTION_DTYPES = 3
};

enum attention_device {
    ATTENTION_CPU = 0, /* host memory; stream is a struct attention_cpu_stream * */
    ATTENTION_CUDA = 1 /* device memory; stream is a cudaStream_t (CUstream) */
};

/* What forward returns; any value but 0 is a failure and is reported with its number. */
enum attention_error {
    ATTENTION_OK = 0,
    ATTENTION_UNSUPPORTED = 1, /* supports() says no to this problem */
    ATTENTION_INVALID = 2,     /* an argument is wrong: NULL for data, 0 threads */
    ATTENTION_LAUNCH = 3       /* the device or system refused to run it */
};

/* One problem. Numbers are counts, each at least 1; heads is a multiple of heads_kv. */
struct attention_problem {
    int32_t batch;
    int32_t heads;
    int32_t heads_kv;
    int32_t seq_q;
    int32_t seq_k;
    int32_t head_dim;
    int32_t dtype;       /* enum attention_dtype */
    int32_t causal;      /* 0 or 1 */
    float scale;         /* finite; 0 means 1 / sqrt(head_dim) */
    int32_t reserved[3]; /* 0 */
};

/* What `stream` points to on the CPU. NULL means one thread. The calling thread does a
 * share of the work itself, where it stands; threads - 1 helpers are started for one call
 * and have ended when it returns. Helper t (1 <= t < threads) is pinned to logical
 * processor cpus[t] where the system allows that; cpus[0] is for the caller to pin
 * itself. */
struct attention_cpu_stream {
    int32_t threads;     /* at least 1 */
    const int32_t *cpus; /* `threads` numbers, or NULL: not pinned */
};

/* The table. It and the strings in it belong to the library, are never written, and live
 * until the library is unloaded. All functions may be called from several threads at
 * once, as long as no two calls of forward share an out, lse or workspace buffer. */
struct attention_kernel {
    uint32_t abi;     /* ATTENTION_ABI */
    uint32_t device;  /* enum attention_device */
    const char *name; /* 1 to 63 of [A-Za-z0-9_.-] */

    /* Can forward do this problem? 1 or 0. Touches no device. */
    int (*supports)(const struct attention_problem *problem);

    /* Bytes of scratch memory that forward needs; 0 for none, or for an unsupported
     * problem. Its contents mean nothing before and after a call. */
    size_t (*workspace_bytes)(const struct attention_problem *problem);

    /* Compute every element of `out`, and of `lse` unless it is NULL. `workspace` may be
     * NULL where workspace_bytes is 0. The inputs are not written and overlap no output.
     * q, k, v hold finite numbers whose scaled scores are finite in float; anything else
     * gives an unspecified result but stays within the buffers.
     *
     * CUDA: enqueues on `stream` and returns. It allocates nothing, does not synchronise,
     * and can be captured into a graph: the same arguments may be replayed many times.
     * CPU: has finished when it returns. Allocates nothing the caller must free, leaves
     * no thread behind, and gives the same bits for any number of threads. */
    int (*forward)(const struct attention_problem *problem, const void *q, const void *k,
                   const void *v, void *out, float *lse, void *workspace, void *stream);
};

/* A library whose name begins with ATTENTION_PEER is somebody else's kernel behind this table,
 * timed beside ours by those who trust it (kernels/peers): its forward takes `out` and `lse`
 * of NULL, computes all the same, and keeps the result to itself. It is verified before and
 * after timing, but not while timed. A check refuses such a library. */
#define ATTENTION_PEER "peer-"

/* The one exported function; never NULL. */
ATTENTION_EXPORT const struct attention_kernel *attention_kernel(void);
typedef const struct attention_kernel *attention_kernel_function(void);

/* ---- how far from the truth a right answer may be ---- */

/* Unit roundoff of a storage type: half the distance from 1 to the next number. */
static inline double attention_roundoff(int dtype)
{
    return dtype == ATTENTION_FP16   ? 1.0 / 2048.0      /* 2^-11 */
           : dtype == ATTENTION_BF16 ? 1.0 / 256.0       /* 2^-8 */
                                     : 1.0 / 16777216.0; /* 2^-24 */
}

/* Roundings of float arithmetic, in units of the quantity they act on: 32 for the
 * exponential, the division and blocked sums; seq_k / 16 for a long serial sum (its worst
 * case is seq_k, its usual size the root of that); 16 per unit of score, because an error
 * of the exponent's argument, which grows with the terms of q.k, is a relative error of
 * the weight, and tensor cores cut off, not round, what they add up 16 at a time. */
static inline double attention_float_error(int seq_k, double score)
{
    return (32.0 + (double)seq_k / 16.0 + 16.0 * score) / 16777216.0;
}

/* Largest allowed |out - reference| of one element of out, to be refused with
 * !(error <= tolerance), so that NaN fails. With p_j the weights of the row and v_j the
 * values of that column, all in fp64 from the very inputs the kernel got (already rounded
 * to dtype):
 *
 *     reference  sum p_j v_j
 *     spread     sqrt(sum (p_j v_j)^2)
 *     mass       sum p_j |v_j|
 *     reach      max p_j * sqrt(sum v_j^2)
 *     score      the largest over visible j of |scale| * sum_e |q_e k_je|
 *
 * Four terms. Storing the result rounds it once: u |reference|. Kernels on tensor cores
 * also round every weight to the storage type: independent errors, each at most u p_j
 * |v_j| and about 0.4 of that in the root mean square, so their sum has a standard
 * deviation of 0.4 u spread; the allowance of 4 is ten of those (or six where scale * q
 * is rounded as well). It is taken from the root of squares and not from u mass, since
 * that bound grows past the weight of a key: this way one key left out of n with values
 * of unit size, an error near |v| / n, is seen up to some thousand keys even in bf16.
 *
 * The third is fp16's alone. A weight is rounded relative to the largest of its row, and
 * below 2^-14 of that fp16 has no more than its subnormal step of 2^-24: an error of at
 * most 2^-25 of the largest weight, however small this one is, times a value that may be
 * large. Again independent, 0.29 steps in the root mean square; 3 steps are ten of those.
 *
 * Last, float arithmetic. The smallest term is for results that are subnormal in fp16. A
 * row without visible keys has reference = spread = mass = reach = 0 and must be 0
 * exactly: the caller checks that by itself. */
static inline double attention_tolerance(int dtype, int seq_k, double reference, double spread,
                                         double mass, double reach, double score)
{
    double roundoff = attention_roundoff(dtype);
    double size = reference < 0.0 ? -reference : reference;
    double step = dtype == ATTENTION_FP16 ? 1.0 / 16777216.0 : 0.0;   /* 2^-24 */
    double tiny = dtype == ATTENTION_FP16 ? 1.0 / 33554432.0 : 1e-38; /* 2^-25 */
    return roundoff * (size + 4.0 * spread) + 3.0 * step * reach +
           attention_float_error(seq_k, score) * mass + tiny;
}

/* The same for an element of lse, which is kept in float throughout: its own rounding,
 * the arithmetic above, and u where scale * q is rounded to a narrow storage type.
 * -infinity must be met exactly. */
static inline double attention_lse_tolerance(int dtype, int seq_k, double reference,
                                             double score)
{
    double size = reference < 0.0 ? -reference : reference;
    double narrow = dtype == ATTENTION_FP32 ? 0.0 : attention_roundoff(dtype);
    return narrow + size / 16777216.0 + attention_float_error(seq_k, score);
}

#ifdef __cplusplus
}
#endif

#endif
