/* SPDX-License-Identifier: Apache-2.0 */
/* The time budget of a measurement: what still fits into it, and how long a replicate may take so that
 * the first look comes in time. */
#ifndef RATCHET_PIPELINE_BUDGET_H
#define RATCHET_PIPELINE_BUDGET_H

#include "pipeline/pace.h"

#include <stdint.h>

struct budget {
    uint64_t begin_ns; /* of proc_now_ns */
    double total_s;    /* 0: as long as it takes, and nothing below does anything */
};

double
budget_left_s(const struct budget *budget); /* not below 0; INFINITY: as long as it takes */

/* Of the configs that are wanted, those whose next replicate still fits, as far as they are known
 * to take. The others, those that take longest first, are out of time. False: none is left. */
bool budget_fit(const struct budget *budget, const struct pace *pace, struct samples *samples,
                bool *want);

/* Share out what is left: until each wanted config has `target` replicates. Configs that take less
 * than their share leave the rest to the others. Where all have so many, the share stays. */
struct bench_request;
void budget_share(const struct budget *budget, const struct pace *pace,
                  const struct samples *samples, const bool *want, size_t target,
                  struct bench_request *request);

#endif
