/* SPDX-License-Identifier: Apache-2.0 */
/* Is an output right? Attention in fp64, one row at a time, against the tolerance that
 * attention.h promises. Knows no device and no protocol. */
#ifndef RATCHET_HARNESS_VERIFY_H
#define RATCHET_HARNESS_VERIFY_H

#include "base/err.h"
#include "harness/inputs.h"

#include <stdbool.h>

/* The right answer for one row of out, with the tolerance of each element. */
struct verify_reference {
    bool masked; /* the row sees no key: zeros and -infinity, exactly */
    double *out; /* head_dim numbers */
    double *tolerance;
    double lse, lse_tolerance;
};

/* Memory for references of one problem; keeps the keys and values of the last head. */
struct verifier;
MUST_CHECK int verifier_open(const struct attention_problem *problem, struct verifier **out,
                             struct err *err);
void verifier_close(struct verifier *verifier); /* NULL is fine */

/* `row` counts over batch * heads * seq_q. The result lives until the next call. */
const struct verify_reference *verifier_reference(struct verifier *verifier,
                                                  const struct inputs *inputs, size_t row);

/* The same from sums that a device has made, VERIFY_SUMS(head_dim) numbers a row: 1, or 0 where
 * the row sees no key; its lse; the largest sum of |terms| of a score; the largest p; and for
 * each column sum p v, sum (p v)^2, sum |p v| and sum v^2, one kind after the other. */
#define VERIFY_SUMS(dim) (4 + 4 * (size_t)(dim))
const struct verify_reference *verifier_from_sums(struct verifier *verifier,
                                                  const double *sums);

/* Compare one row. On a difference: false and what is wrong in `text`. `worst` grows to the
 * largest error seen, as a share of its tolerance. */
bool verify_row(const struct attention_problem *problem,
                const struct verify_reference *reference, size_t row, const float *out,
                float lse, double *worst, char *text, size_t size);

/* Every element of a whole output, in fp32 and in host memory: written, and within the range
 * that weights of sum 1 leave (`largest` is the largest |v|, rounding has some room: the rows
 * drawn are held to more); lse -infinity exactly in rows without keys. */
#define VERIFY_BOUND(largest) (1.01 * (largest))
bool verify_whole(const struct attention_problem *problem, const float *out, const float *lse,
                  double largest, char *text, size_t size);

/* Say that an element of out, counted over the whole, or the lse of a row, cannot be. */
void verify_describe_out(const struct attention_problem *problem, size_t index, float value,
                         double largest, char *text, size_t size);
void verify_describe_lse(const struct attention_problem *problem, size_t row, float value,
                         char *text, size_t size);

#endif
