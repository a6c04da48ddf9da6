/* SPDX-License-Identifier: Apache-2.0 */
/* The numbers a kernel is fed. Any row of any tensor is a function of the seed alone, so the
 * reference makes its rows afresh and needs no copy that a kernel could have changed. */
#ifndef RATCHET_HARNESS_INPUTS_H
#define RATCHET_HARNESS_INPUTS_H

#include "base/err.h"

#include "attention.h"
#include <stddef.h>
#include <stdint.h>

/* splitmix64 (Steele, Lea, Flood 2014): the next of a sequence, or a mix of one number. */
static inline uint64_t inputs_mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* Bits that follow from nothing else. ERR_HOST. */
MUST_CHECK int inputs_secret(uint64_t *out, struct err *err);

/* A number below `count` (which is far below 2^32) from 64 random bits. */
static inline size_t inputs_below(uint64_t bits, size_t count)
{
    return (size_t)(((bits >> 32) * (uint64_t)count) >> 32);
}

/* Elements are uniform in [-1, 1), times a factor of their row. Some rows are zero, tiny or large:
 * scores go into the hundreds, so that a kernel that does not subtract the row's maximum overflows.
 * Both kinds have them: a kernel that was right only for tame numbers, once it is timed, would be
 * seen. */
enum inputs_kind {
    INPUTS_TIMING, /* one row in 32 */
    INPUTS_VERIFY  /* every row may be one */
};

enum inputs_tensor { INPUTS_Q, INPUTS_K, INPUTS_V };

struct inputs {
    const struct attention_problem *problem;
    uint64_t seed[3]; /* by enum inputs_tensor */
    enum inputs_kind kind;
};

/* All three tensors from one seed. */
static inline struct inputs inputs_alike(const struct attention_problem *problem,
                                         uint64_t seed, enum inputs_kind kind)
{
    return (struct inputs){problem, {seed, seed, seed}, kind};
}

/* Rows of head_dim elements of a tensor: batch * heads * seq. */
size_t inputs_rows(const struct attention_problem *problem, enum inputs_tensor tensor);

/* One row, head_dim floats, each as it reads once it is stored. The device makes the same
 * by itself (cuda_helpers.cu): both change together. */
void inputs_row(const struct inputs *inputs, enum inputs_tensor tensor, size_t row,
                float *out);

#endif
