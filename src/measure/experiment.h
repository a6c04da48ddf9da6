/* SPDX-License-Identifier: Apache-2.0 */
/* What a lab wants timed in place of a replicate: arms slowed on the device by a share of what
 * the anchor takes in this very process, all in the same turns. */
#ifndef RATCHET_MEASURE_EXPERIMENT_H
#define RATCHET_MEASURE_EXPERIMENT_H

#include "measure/turns.h"

struct experiment {
    struct experiment_entry {
        enum arm arm;
        double slower; /* 0.04 is 4% */
    } entries[TURNS_ENTRIES_MAX];
    size_t count;
};

/* The times of one config. */
struct slowed {
    struct series entries[TURNS_ENTRIES_MAX]; /* of the experiment; owned */
    struct clock_slope clock[TURNS_ENTRIES_MAX];
    unsigned marks;
    double seconds; /* that all turns took */
};

/* `turns` has no entries yet. As turns_take. */
MUST_CHECK int experiment_take(const struct experiment *experiment, const struct turns *turns,
                               struct slowed *out, struct turns_end *end, struct err *err);

#endif
