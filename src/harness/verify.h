/* SPDX-License-Identifier: Apache-2.0 */
/* Is an output right? Attention in fp64, one row at a time, against the tolerance that
 * attention.h promises. Knows no device and no protocol. */
#ifndef RATCHET_HARNESS_VERIFY_H
#define RATCHET_HARNESS_VERIFY_H

#include "base/err.h"
#include "harness/inputs.h"

#include <stdbool.h>

/* What outputs hold before a launch: a NaN that no arithmetic makes. */
#define VERIFY_POISON 0x7fc5a5a5u

void verify_poison(float *elements, size_t count);
bool verify_is_poison(float element);

/* The right answer for one row of out, with the tolerance of each element. */
struct verify_reference {
    bool masked;    /* the row sees no key: zeros and -infinity, exactly */
    double *out;    /* head_dim numbers */
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

/* Compare one row. On a difference: false and what is wrong in `text`. `worst` grows to the
 * largest error seen, as a share of its tolerance. */
bool verify_row(const struct attention_problem *problem,
                const struct verify_reference *reference, size_t row, const float *out,
                float lse, double *worst, char *text, size_t size);

/* Every element of a whole output: written, and within the range that weights of sum 1 leave
 * (`largest` is the largest |v|); lse -infinity exactly in rows without keys. */
bool verify_whole(const struct attention_problem *problem, const float *out, const float *lse,
                  double largest, char *text, size_t size);

#endif
