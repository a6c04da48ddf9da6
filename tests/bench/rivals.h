/* SPDX-License-Identifier: Apache-2.0 */
/* The rules that other tools and habits judge by, each written from its own documentation,
 * so that they can be put to the same samples as ours. Positive is slower; each answers
 * whether the second side, `head`, would be called slower than the first. */
#ifndef RATCHET_TESTS_BENCH_RIVALS_H
#define RATCHET_TESTS_BENCH_RIVALS_H

#include "judge/random.h"

#include <stdbool.h>
#include <stddef.h>

struct sides {
    const double *base, *head; /* unordered, at most RIVALS_MAX each */
    size_t base_count, head_count;
};
enum { RIVALS_MAX = 4096 };

struct rival {
    const char *name;
    const char *source; /* where its rule is written down */
    bool (*slower)(const struct sides *sides, struct random *random);
};
extern const struct rival rivals[];
extern const size_t rival_count;

#endif
