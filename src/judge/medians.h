/* SPDX-License-Identifier: Apache-2.0 */
/* From samples to medians: one number for each arm of each replicate. */
#ifndef RATCHET_JUDGE_MEDIANS_H
#define RATCHET_JUDGE_MEDIANS_H

#include "base/err.h"
#include "model.h"

#include <stddef.h>

/* The median of each arm in each unmarked replicate that has samples of head, ns:
 * rows[i][arm], 0 where that replicate has no samples of the arm. */
struct medians {
    double (*rows)[ARM_COUNT]; /* owned */
    size_t *from;              /* owned: which replicate each row is of */
    size_t count;
    double slowest[ARM_COUNT], fastest[ARM_COUNT]; /* of all unmarked replicates; 0: none */
};
MUST_CHECK int medians_of(const struct config_samples *config, struct medians *out,
                          struct err *err);
/* Medians of a baseline's replicates; the caller frees *out. */
MUST_CHECK int medians_stored(const struct baseline_config *config, double **out,
                              struct err *err);
void medians_free(struct medians *medians);

/* Copy the medians of `arm` from the rows that have both `arm` and `other` (or `arm`
 * alone, when they are the same) into `out`, which has room for medians->count. Returns
 * how many. */
size_t medians_column(const struct medians *medians, enum arm arm, enum arm other,
                      double *out);

#endif
